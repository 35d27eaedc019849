//! Environments: what they are, and who provisions them.

use crate::account_connection::AccountConnection;
use crate::arn::{Scope, account_of};
use crate::deployment::{State, Target, TargetKind};
use crate::id::Id;
use crate::provisioning::Method;
use crate::refused::Refused;
use crate::repository::RepositoryBranch;
use crate::template::Origin;
use crate::track::Track;
use serde::{Deserialize, Serialize};

/// An environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub name: String,
    pub template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether its template is customer managed: nothing is provisioned, outputs are the inputs.
    #[serde(default)]
    pub customer_managed: bool,
    #[serde(flatten)]
    pub access: Access,
    pub created_at: i64,
    pub track: Track,
    pub origin: Origin,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// The roles, connection and repository that an environment is provisioned with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codebuild_role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The account of the connection, which outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryBranch>,
}

/// In whose names things are done: ARNs of IAM roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Provisions CloudFormation templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Runs commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codebuild: Option<String>,
    /// Provisions components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

impl Roles {
    /// These, and those of `others` where there is none here.
    pub fn or(self, others: &Self) -> Self {
        let or = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        Self {
            service: or(self.service, &others.service),
            codebuild: or(self.codebuild, &others.codebuild),
            component: or(self.component, &others.component),
        }
    }

    /// The account that things are provisioned in: that of the role that provisions them.
    pub fn account(&self) -> Option<&str> {
        account_of(self.service.as_deref().or(self.codebuild.as_deref())?)
    }
}

impl Access {
    /// The roles of `connection`, and the environment's own where that has none.
    pub fn roles(&self, connection: Option<&AccountConnection>) -> Roles {
        let own = Roles {
            service: self.service_role.clone(),
            codebuild: self.codebuild_role.clone(),
            component: self.component_role.clone(),
        };
        connection.map_or(own.clone(), |connection| connection.roles.clone().or(&own))
    }
}

impl Environment {
    pub fn target(&self, scope: &Scope) -> Target {
        Target {
            kind: TargetKind::Environment,
            id: self.id.clone(),
            arn: scope.environment(&self.name),
            created_at: self.created_at,
            environment: Some(self.name.clone()),
            service: None,
            instance: None,
            component: None,
        }
    }

    /// What is deployed, as a deployment record shows it; `None` before the first success.
    pub fn state(&self) -> Option<State> {
        State::deployed(&self.template, &self.track)
    }
}

/// Whether `what`, which is provisioned with `engine`, can run in an environment: Terraform where that has a
/// repository to provision from or the server `runs` commands, CloudFormation where it has no repository. `field` is
/// the member to correct if not.
pub fn check_engine(
    environment: &Environment,
    field: &str,
    what: &str,
    engine: &str,
    runs: bool,
) -> Result<(), Refused> {
    let name = &environment.name;
    match (engine, &environment.access.repository) {
        ("terraform", None) if !runs => Err(Refused::invalid(
            field,
            format_args!(
                "{what} is provisioned with terraform, and the environment '{name}' has no provisioningRepository, \
                 which that needs on a server without --runner; choose a self-managed environment, a version that \
                 is provisioned with cloudformation, or start the server with --runner"
            ),
        )),
        ("cloudformation", Some(_)) => Err(Refused::invalid(
            field,
            format_args!(
                "{what} is provisioned with cloudformation, and the environment '{name}' is self-managed with terraform; \
                 the two can't be mixed: choose another environment, or a version that is provisioned with terraform"
            ),
        )),
        _ => Ok(()),
    }
}

/// Which members may be given together, and which the provisioning of `engine` needs.
///
/// `engine` is that of the template's infrastructure (`cloudformation`, `terraform`,
/// `codebuild`); `None` for customer-managed templates. Commands run without a role too, where they need nothing of
/// AWS; so does Terraform where the server `runs` commands. Linked things are checked by the caller.
pub fn check_access(access: &Access, engine: Option<&str>, runs: bool) -> Result<(), Refused> {
    check_exclusive(access)?;
    match engine {
        Some("cloudformation") if access.repository.is_some() => Err(Refused::invalid(
            "provisioningRepository",
            "is for self-managed provisioning of Terraform templates; this template is CloudFormation: \
             give protonServiceRoleArn or environmentAccountConnectionId instead",
        )),
        Some("cloudformation") if access.service_role.is_none() && access.connection.is_none() => {
            Err(Refused::invalid(
                "protonServiceRoleArn",
                "is missing; the template is CloudFormation, provisioned with that role or through an \
             environmentAccountConnectionId",
            ))
        }
        Some("terraform") if access.service_role.is_some() => Err(Refused::invalid(
            "protonServiceRoleArn",
            "is for CloudFormation templates; this template is provisioned with terraform: give codebuildRoleArn, the \
             role that the server runs Terraform with, or provisioningRepository instead",
        )),
        Some("terraform") if access.repository.is_none() && !runs => Err(Refused::invalid(
            "provisioningRepository",
            "is missing; the template is provisioned with terraform, which is self-managed: link a repository with \
             CreateRepository and name it here (a server that is started with --runner runs Terraform itself)",
        )),
        _ => Ok(()),
    }
}

/// Whether an update leaves alone what provisions an environment: one that the server runs Terraform for gets no
/// repository. Its state is the server's, and whoever applied the files of the repository would make all of it again.
pub fn check_repository_change(environment: &Environment, after: &Access) -> Result<(), Refused> {
    let method = environment.track.engine.as_deref().and_then(Method::parse);
    if method == Some(Method::Terraform) && after.repository.is_some() {
        return Err(Refused::invalid(
            "provisioningRepository",
            format_args!(
                "Protium runs Terraform for the environment '{}' and keeps its state, so it can't become self-managed; \
                 leave it out, or create another environment",
                environment.name
            ),
        ));
    }
    Ok(())
}

fn check_exclusive(access: &Access) -> Result<(), Refused> {
    if access.service_role.is_some() && access.connection.is_some() {
        return Err(Refused::invalid(
            "protonServiceRoleArn, environmentAccountConnectionId",
            "only one of the two may be given: the role for this account, the connection for another",
        ));
    }
    if access.repository.is_some() && (access.service_role.is_some() || access.connection.is_some()) {
        return Err(Refused::invalid(
            "provisioningRepository",
            "can't be combined with protonServiceRoleArn or environmentAccountConnectionId; self-managed provisioning \
             needs neither",
        ));
    }
    Ok(())
}

/// Which changes of roles and connection an update may make.
pub fn check_access_change(before: &Access, after: &Access) -> Result<(), Refused> {
    if before.connection.is_none() && after.connection.is_some() {
        return Err(Refused::invalid(
            "environmentAccountConnectionId",
            "the environment was created without a connection and can't gain one; create another environment",
        ));
    }
    if before.connection.is_some() && after.service_role.is_some() {
        return Err(Refused::invalid(
            "protonServiceRoleArn",
            "the environment was created with an environment account connection and can't switch to a role",
        ));
    }
    if before.environment_account.is_some() && after.environment_account != before.environment_account {
        return Err(Refused::invalid(
            "environmentAccountConnectionId",
            format_args!(
                "leads to the account {}, and the environment is provisioned in the account {}; give a connection of \
                 that account",
                after.environment_account.as_deref().unwrap_or_default(),
                before.environment_account.as_deref().unwrap_or_default()
            ),
        ));
    }
    if before.repository.is_some() && after.repository.is_none() {
        return Err(Refused::invalid("provisioningRepository", "the environment is self-managed and stays so"));
    }
    check_exclusive(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Provider;

    fn role() -> Option<String> {
        Some("arn:aws:iam::123456789012:role/r".into())
    }

    fn branch() -> RepositoryBranch {
        RepositoryBranch { provider: Provider::Github, name: "o/r".into(), branch: "main".into() }
    }

    #[test]
    fn each_provisioning_mode_takes_its_own_members() {
        let by_role = Access { service_role: role(), ..Access::default() };
        let by_connection = Access { connection: Some("c".into()), ..Access::default() };
        let by_runs = Access { codebuild_role: role(), ..Access::default() };
        let by_repository = Access { repository: Some(branch()), ..Access::default() };
        for (access, engine, fine) in [
            (&by_role, Some("cloudformation"), true),
            (&by_connection, Some("cloudformation"), true),
            (&by_runs, Some("cloudformation"), false),
            (&by_repository, Some("cloudformation"), false),
            (&by_runs, Some("codebuild"), true),
            (&Access::default(), Some("codebuild"), true),
            (&by_repository, Some("terraform"), true),
            (&by_runs, Some("terraform"), false),
            (&by_role, Some("terraform"), false),
            (&Access::default(), Some("terraform"), false),
            (&Access::default(), None, true),
            (&by_role, None, true),
        ] {
            assert_eq!(check_access(access, engine, false).is_ok(), fine, "{access:?} {engine:?}");
        }
        for (access, fine) in [(&by_runs, true), (&Access::default(), true), (&by_connection, true), (&by_role, false)]
        {
            assert_eq!(check_access(access, Some("terraform"), true).is_ok(), fine, "{access:?}");
        }
    }

    fn environment(repository: Option<RepositoryBranch>) -> Environment {
        Environment {
            revision: 0,
            id: crate::id::Id::from_random([0; 16]),
            name: "dev".into(),
            template: "t".into(),
            description: None,
            customer_managed: false,
            access: Access { repository, ..Access::default() },
            created_at: 0,
            track: Track::first(
                crate::id::Id::from_random([1; 16]),
                crate::track::Aim { version: crate::version::Version::new(1, 0), spec: String::new() },
                0,
            ),
            origin: Origin::new(String::new()),
            unknown: serde_json::Map::new(),
        }
    }

    #[test]
    fn terraform_that_is_run_here_does_not_become_self_managed() {
        let mut one = environment(None);
        let after = Access { repository: Some(branch()), ..Access::default() };
        assert!(check_repository_change(&one, &after).is_ok(), "nothing was begun");
        one.track.engine = Some(Method::Terraform.as_str().into());
        let refused = check_repository_change(&one, &after).unwrap_err().to_string();
        assert!(refused.starts_with("provisioningRepository: ") && refused.contains("'dev'"), "{refused}");
        assert!(check_repository_change(&one, &Access::default()).is_ok());
    }

    #[test]
    fn terraform_runs_where_there_is_a_repository_or_a_runner_and_stacks_where_there_is_no_repository() {
        for (repository, engine, runs, fine) in [
            (None, "cloudformation", false, true),
            (None, "terraform", false, false),
            (None, "terraform", true, true),
            (Some(branch()), "cloudformation", true, false),
            (Some(branch()), "terraform", false, true),
        ] {
            let found = check_engine(&environment(repository.clone()), "spec", "instance 'a'", engine, runs);
            assert_eq!(found.is_ok(), fine, "{repository:?} {engine}");
            if let Err(refused) = found {
                let text = refused.to_string();
                assert!(
                    text.starts_with("spec: instance 'a' is provisioned with ") && text.contains("'dev'"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_role_and_a_connection_exclude_each_other() {
        let both = Access { service_role: role(), connection: Some("c".into()), ..Access::default() };
        assert!(check_access(&both, Some("cloudformation"), false).is_err());
    }

    #[test]
    fn an_update_can_not_change_how_an_environment_is_reached() {
        let by_role = Access { service_role: role(), ..Access::default() };
        let by_connection = Access { connection: Some("c".into()), ..Access::default() };
        assert!(check_access_change(&by_role, &by_connection).is_err());
        assert!(check_access_change(&by_connection, &by_role).is_err());
        assert!(check_access_change(&by_role, &by_role).is_ok());
        let in_account = |account: &str| Access { environment_account: Some(account.into()), ..by_connection.clone() };
        assert!(check_access_change(&in_account("1"), &in_account("1")).is_ok());
        let refused = check_access_change(&in_account("1"), &in_account("2")).unwrap_err();
        assert!(refused.to_string().contains("the account 2") && refused.to_string().contains("in the account 1"));
    }
}
