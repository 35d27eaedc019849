//! The actions of our services: what each is asked about, and what else its caller must be allowed.
//!
//! From the Service Authorization Reference, "Actions, resources, and condition keys for AWS Proton"; the operations
//! that only Protium has are written the same way, under the prefix `protium`.

mod table;

use super::glob::Glob;
use super::problem::{Wrong, quote};
use crate::bundle::problem::did_you_mean;

/// The ARN of the environment template that an environment is made from.
pub const ENVIRONMENT_TEMPLATE: &str = "proton:EnvironmentTemplate";
/// The ARN of the service template that a service is made from.
pub const SERVICE_TEMPLATE: &str = "proton:ServiceTemplate";

/// A kind of resource that policies can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    Component,
    Deployment,
    Environment,
    EnvironmentAccountConnection,
    /// Its versions, too: what is asked of a version is asked of the template.
    EnvironmentTemplate,
    Group,
    OidcProvider,
    Policy,
    Repository,
    Role,
    /// Its pipeline, too.
    Service,
    ServiceInstance,
    /// Its versions, too: what is asked of a version is asked of the template.
    ServiceTemplate,
    /// Its access keys, too.
    User,
}

impl ResourceType {
    /// Those of Proton, which `TagResource` is for.
    pub const PROTON: [Self; 9] = [
        Self::Component,
        Self::Deployment,
        Self::Environment,
        Self::EnvironmentAccountConnection,
        Self::EnvironmentTemplate,
        Self::Repository,
        Self::Service,
        Self::ServiceInstance,
        Self::ServiceTemplate,
    ];

    /// The ARN as policies write it.
    pub fn arn(self) -> &'static str {
        match self {
            Self::Component => "arn:${Partition}:proton:${Region}:${Account}:component/${Id}",
            Self::Deployment => "arn:${Partition}:proton:${Region}:${Account}:deployment/${Id}",
            Self::Environment => "arn:${Partition}:proton:${Region}:${Account}:environment/${Name}",
            Self::EnvironmentAccountConnection => {
                "arn:${Partition}:proton:${Region}:${Account}:environment-account-connection/${Id}"
            }
            Self::EnvironmentTemplate => "arn:${Partition}:proton:${Region}:${Account}:environment-template/${Name}",
            Self::Group => "arn:${Partition}:iam::${Account}:group/${GroupName}",
            Self::OidcProvider => "arn:${Partition}:iam::${Account}:oidc-provider/${Issuer}",
            Self::Policy => "arn:${Partition}:iam::${Account}:policy/${PolicyName}",
            Self::Repository => "arn:${Partition}:proton:${Region}:${Account}:repository/${Provider}:${Name}",
            Self::Role => "arn:${Partition}:iam::${Account}:role/${RoleName}",
            Self::Service => "arn:${Partition}:proton:${Region}:${Account}:service/${ServiceName}",
            Self::ServiceInstance => {
                "arn:${Partition}:proton:${Region}:${Account}:service/${ServiceName}/service-instance/${Name}"
            }
            Self::ServiceTemplate => "arn:${Partition}:proton:${Region}:${Account}:service-template/${Name}",
            Self::User => "arn:${Partition}:iam::${Account}:user/${UserName}",
        }
    }
}

/// What an action does, as AWS groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    List,
    Write,
    Tagging,
}

/// When another action must be allowed to the caller, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The request gives tags: asked about the resource that it creates.
    Tags,
    /// The request names a role: asked about each, with `iam:PassedToService` of `proton.amazonaws.com`.
    Role,
    /// The request names a connection to a Git host: asked about it, with the service it is passed to.
    Connection,
    /// The deployment is one of a resource of that kind: asked about that resource.
    DeploymentOf(ResourceType),
}

/// An action that another one depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependent {
    pub action: &'static str,
    pub when: When,
}

/// One action, which is one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// As policies write it: `proton:GetService`, `protium:Redeploy`.
    pub name: &'static str,
    pub access: Access,
    /// What it may be asked about, of which a request has one; none: it is asked about `*`.
    pub resources: &'static [ResourceType],
    /// Whether a request may have none of them, and is asked about `*` then.
    pub is_optional: bool,
    /// The condition keys besides those that every request has and `aws:ResourceTag/…`, which resources bring.
    pub keys: &'static [&'static str],
    pub dependent: &'static [Dependent],
    /// For a list: the action that decides for each entry, if the list is not allowed on `*`.
    pub entries: Option<&'static str>,
}

impl Action {
    /// The operation's name.
    pub fn operation(&self) -> &'static str {
        self.name.split_once(':').map_or(self.name, |(_, operation)| operation)
    }
}

/// Every action.
pub fn all() -> &'static [Action] {
    table::ACTIONS
}

/// The action of that name, in the case in which the table writes it.
pub fn find(name: &str) -> Option<&'static Action> {
    table::ACTIONS.binary_search_by(|action| action.name.cmp(name)).ok().and_then(|index| table::ACTIONS.get(index))
}

/// Refuses an action of ours that names nothing: a slip in a Deny would deny nothing.
pub(super) fn check(text: &str, glob: &Glob) -> Result<(), Wrong> {
    let service = text.split_once(':').map(|(service, _)| service);
    if !service.is_some_and(|service| ["proton", "protium"].iter().any(|ours| service.eq_ignore_ascii_case(ours))) {
        return Ok(());
    }
    let names = || table::ACTIONS.iter().map(|action| action.name).chain(table::FORMER.iter().copied());
    // An action has no variables.
    if text.ends_with(":*") || names().any(|name| glob.matches(name, &|_| None)) {
        return Ok(());
    }
    let remedy = match did_you_mean(text, names()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "actions have the names of operations, such as proton:CreateService".to_owned(),
    };
    Err((format!("{} matches no action", quote(text)), remedy))
}

#[cfg(test)]
mod tests {
    use super::super::glob::Style;
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_action_once() {
        assert!(table::ACTIONS.is_sorted_by(|a, b| a.name < b.name));
        for action in all() {
            assert_eq!(find(action.name), Some(action));
            assert!(action.name.starts_with("proton:") || action.name.starts_with("protium:"), "{}", action.name);
            assert!(!table::FORMER.contains(&action.name), "{}", action.name);
        }
        assert_eq!(all().iter().filter(|action| action.name.starts_with("proton:")).count(), 87);
    }

    #[test]
    fn what_an_action_depends_on_or_leads_to_is_an_action() {
        for action in all() {
            for other in action.dependent.iter().map(|other| other.action).chain(action.entries) {
                assert!(find(other).is_some() || !other.starts_with("proton:"), "{}: {other}", action.name);
            }
            if action.entries.is_some() {
                assert_eq!(action.access, Access::List, "{}", action.name);
            }
            assert!(!(action.is_optional && action.resources.is_empty()), "{}", action.name);
        }
    }

    /// The columns of the Service Authorization Reference that a slip would leave unseen.
    #[test]
    fn creates_take_tags_and_templates_are_condition_keys() {
        let names = |has: &dyn Fn(&Action) -> bool| -> Vec<&str> {
            all().iter().filter(|action| has(action)).map(|action| action.operation()).collect()
        };
        assert_eq!(
            names(&|action| action.dependent.iter().any(|other| other.action == "proton:TagResource")),
            [
                "CreateComponent",
                "CreateEnvironment",
                "CreateEnvironmentAccountConnection",
                "CreateEnvironmentTemplate",
                "CreateEnvironmentTemplateVersion",
                "CreateRepository",
                "CreateService",
                "CreateServiceInstance",
                "CreateServiceTemplate",
                "CreateServiceTemplateVersion",
            ]
        );
        assert_eq!(
            names(&|action| action.keys.contains(&ENVIRONMENT_TEMPLATE)),
            ["CancelEnvironmentDeployment", "CreateEnvironment", "DeleteEnvironment", "UpdateEnvironment"]
        );
        assert_eq!(
            names(&|action| action.keys.contains(&SERVICE_TEMPLATE)),
            [
                "CancelServiceInstanceDeployment",
                "CancelServicePipelineDeployment",
                "CreateService",
                "CreateServiceInstance",
                "DeleteService",
                "UpdateService",
                "UpdateServiceInstance",
                "UpdateServicePipeline",
            ]
        );
        assert_eq!(
            names(&|action| action.dependent.iter().any(|other| other.action == "iam:PassRole")),
            [
                "CreateEnvironment",
                "CreateEnvironmentAccountConnection",
                "UpdateAccountSettings",
                "UpdateEnvironment",
                "UpdateEnvironmentAccountConnection",
            ]
        );
    }

    #[test]
    fn slips_in_our_own_actions_are_found() {
        let check = |text: &str| check(text, &Glob::parse(text, Style::Action, false).unwrap());
        for text in [
            "proton:*",
            "PROTON:getservice",
            "proton:Get*Template",
            "proton:GetAccountRoles",
            "protium:Redeploy",
            "s3:Anything",
            "*",
            "*:*",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, meant) in [
            ("proton:CreateServce", "did you mean proton:CreateService?"),
            ("proton:Redeploy", "did you mean protium:Redeploy?"),
            ("proton:Fetch*", "actions have the names"),
        ] {
            let (_, remedy) = check(text).expect_err(text);
            assert!(remedy.starts_with(meant), "{text}: {remedy}");
        }
    }
}
