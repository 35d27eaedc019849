//! Environment account connections: one account lends its roles to an environment of another.
//!
//! Owns: who may do what to a connection, its states, and which environment may use it. It does not
//! own what is provisioned through it.

use crate::environment::{Environment, Roles};
use crate::id::Id;
use crate::refused::Refused;
use crate::status::ConnectionStatus;
use serde::{Deserialize, Serialize};

/// The member of requests that names a connection.
const FIELD: &str = "environmentAccountConnectionId";

/// A connection. It lives in the account that lends its roles and is seen by both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountConnection {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    /// The account that lends its roles, and that requested the connection.
    pub environment_account: String,
    /// The account that the environment is in. Nothing says that it exists.
    pub management_account: String,
    /// The name of the environment.
    pub environment: String,
    pub status: ConnectionStatus,
    pub roles: Roles,
    pub created_at: i64,
    pub modified_at: i64,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// One of the two accounts of a connection; both can be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Lends its roles.
    Environment,
    /// Has the environment.
    Management,
}

impl Side {
    /// How messages speak of the account.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Environment => "environment account",
            Self::Management => "management account",
        }
    }
}

impl AccountConnection {
    /// The account on that side.
    pub fn account(&self, side: Side) -> &str {
        match side {
            Side::Environment => &self.environment_account,
            Side::Management => &self.management_account,
        }
    }

    /// Whether the account is one of the two. To all others the connection does not exist.
    pub fn is_seen_by(&self, account: &str) -> bool {
        self.environment_account == account || self.management_account == account
    }

    /// Whether `account`, which sees the connection, may do what only that side may. `act` is the
    /// verb of the message, as in "accept".
    pub fn check_side(&self, account: &str, side: Side, act: &str) -> Result<(), Refused> {
        if self.account(side) == account {
            return Ok(());
        }
        let other = match side {
            Side::Environment => Side::Management,
            Side::Management => Side::Environment,
        };
        Err(Refused::Denied(format!(
            "only the {} {} may {act} the environment account connection '{}'; the request comes from the account \
             {account}, which is its {}",
            side.noun(),
            self.account(side),
            self.id,
            other.noun()
        )))
    }

    /// Accepts the connection, for `environment` if it exists already. `false` if it was accepted before.
    ///
    /// `others` are the connections for the same environment that are accepted already. There is one
    /// at a time, but for the one that is to replace what the environment uses: an environment changes
    /// to another connection of the same account without being cut off in between.
    pub fn accept(&mut self, others: &[Self], environment: Option<&Environment>, now: i64) -> Result<bool, Refused> {
        match self.status {
            ConnectionStatus::Connected => return Ok(false),
            ConnectionStatus::Rejected => return Err(self.is_rejected()),
            ConnectionStatus::Pending => {}
        }
        for other in others.iter().filter(|other| other.id != self.id) {
            let used = environment.is_some_and(|environment| environment.uses(&other.id));
            if !used {
                return Err(Refused::Conflict(format!(
                    "the environment '{}' has the accepted connection '{}' already; reject that one before you accept \
                     '{}'",
                    self.environment, other.id, self.id
                )));
            }
            if other.environment_account != self.environment_account {
                return Err(Refused::Conflict(format!(
                    "the environment '{}' is provisioned in the account {} through the connection '{}'; one to the \
                     account {} can't be accepted for it before the environment is deleted",
                    self.environment, other.environment_account, other.id, self.environment_account
                )));
            }
        }
        self.status = ConnectionStatus::Connected;
        self.modified_at = now;
        Ok(true)
    }

    /// Rejects the connection, for good. `false` if it was rejected before. `used` says whether an
    /// environment uses it.
    pub fn reject(&mut self, used: bool, now: i64) -> Result<bool, Refused> {
        if self.status == ConnectionStatus::Rejected {
            return Ok(false);
        }
        if used {
            return Err(Refused::Conflict(format!(
                "the environment '{}' uses the environment account connection '{}'; delete the environment first, or \
                 update it to another connection of the account {}",
                self.environment, self.id, self.environment_account
            )));
        }
        self.status = ConnectionStatus::Rejected;
        self.modified_at = now;
        Ok(true)
    }

    /// Replaces the roles that are given; the next deployment works with them. `false` if nothing changes.
    pub fn update(&mut self, given: Roles, now: i64) -> Result<bool, Refused> {
        let roles = given.or(&self.roles);
        if roles == self.roles {
            return Ok(false);
        }
        if self.status == ConnectionStatus::Rejected {
            return Err(self.is_rejected());
        }
        self.roles = roles;
        self.modified_at = now;
        Ok(true)
    }

    /// Whether the environment of that name in that account, which sees the connection, may use it.
    pub fn check_use(&self, account: &str, environment: &str) -> Result<(), Refused> {
        let id = &self.id;
        if self.management_account != account {
            return Err(Refused::invalid(
                FIELD,
                format_args!(
                    "'{id}' is for an environment of the account {}; this account is {account}: create the \
                     environment there",
                    self.management_account
                ),
            ));
        }
        if self.environment != environment {
            return Err(Refused::invalid(
                FIELD,
                format_args!(
                    "'{id}' is for the environment '{}', not for '{environment}'; request one for this name in the \
                     account {}",
                    self.environment, self.environment_account
                ),
            ));
        }
        match self.status {
            ConnectionStatus::Connected => Ok(()),
            ConnectionStatus::Rejected => Err(self.is_rejected()),
            ConnectionStatus::Pending => Err(Refused::Conflict(format!(
                "the environment account connection '{id}' is PENDING; accept it first, with \
                 AcceptEnvironmentAccountConnection"
            ))),
        }
    }

    fn is_rejected(&self) -> Refused {
        Refused::Conflict(format!(
            "the environment account connection '{}' is REJECTED, which is final; request another one in the account {}",
            self.id, self.environment_account
        ))
    }

    /// Whether an environment with these `roles`, those of this connection among them, can be
    /// provisioned with `engine` (see [`crate::environment::check_access`]).
    pub fn check_roles(&self, roles: &Roles, engine: Option<&str>) -> Result<(), Refused> {
        let missing = match engine {
            Some("cloudformation") if roles.service.is_none() => "roleArn",
            Some("codebuild" | "terraform") if roles.codebuild.is_none() => "codebuildRoleArn",
            _ => return Ok(()),
        };
        Err(Refused::invalid(
            FIELD,
            format_args!(
                "'{}' has no {missing}, which the template is provisioned with; the account {} sets it with \
                 UpdateEnvironmentAccountConnection",
                self.id, self.environment_account
            ),
        ))
    }
}

impl Environment {
    /// Whether it is provisioned through the connection of that id.
    pub fn uses(&self, connection: &Id) -> bool {
        self.access.connection.as_deref() == Some(connection.as_str())
    }

    /// The connection that it goes on with, of the `accepted` ones for it: its own is not among them any
    /// more, and the other leads to the same account. Any other change takes an update of the environment.
    pub fn successor<'a>(&self, accepted: &'a [AccountConnection]) -> Option<&'a AccountConnection> {
        let own = self.access.connection.as_ref()?;
        if accepted.iter().any(|connection| connection.id.as_str() == own) {
            return None;
        }
        let account = self.access.environment_account.as_ref()?;
        accepted.iter().find(|connection| connection.environment_account == *account)
    }

    /// The roles that work in it now. `connection` is the one that it names, if it still exists.
    ///
    /// Errors: why nothing can be provisioned now, and what to do, for a status message.
    pub fn roles(&self, connection: Option<&AccountConnection>) -> Result<Roles, String> {
        let Some(id) = &self.access.connection else { return Ok(self.access.roles(None)) };
        let status = connection.map(|connection| connection.status);
        if status == Some(ConnectionStatus::Connected) {
            return Ok(self.access.roles(connection));
        }
        let became = match status {
            None => "was deleted".to_owned(),
            Some(status) => format!("is {status}"),
        };
        let account = self.access.environment_account.as_deref().unwrap_or("that lends the roles");
        Err(format!(
            "The environment account connection {id} of the environment '{name}' {became}, so nothing in it can be \
             provisioned, updated or deleted. Request another one for the environment in the account {account} \
             (CreateEnvironmentAccountConnection), accept it (AcceptEnvironmentAccountConnection), and try again",
            name = self.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Access;
    use crate::template::Origin;
    use crate::track::{Aim, Track};
    use crate::version::Version;

    const LENDS: &str = "222222222222";
    const MANAGES: &str = "111111111111";

    fn id(byte: u8) -> Id {
        Id::from_random([byte; 16])
    }

    fn role(name: &str) -> Option<String> {
        Some(format!("arn:aws:iam::222222222222:role/{name}"))
    }

    fn connection(number: u8, account: &str, status: ConnectionStatus) -> AccountConnection {
        AccountConnection {
            revision: 0,
            id: id(number),
            environment_account: account.into(),
            management_account: MANAGES.into(),
            environment: "prod".into(),
            status,
            roles: Roles { service: role("service"), ..Roles::default() },
            created_at: 1,
            modified_at: 1,
            unknown: serde_json::Map::new(),
        }
    }

    fn environment(connection: u8, account: &str) -> Environment {
        Environment {
            revision: 0,
            id: id(100),
            name: "prod".into(),
            template: "env".into(),
            description: None,
            customer_managed: false,
            access: Access {
                connection: Some(id(connection).to_string()),
                environment_account: Some(account.into()),
                codebuild_role: role("own"),
                ..Access::default()
            },
            created_at: 1,
            track: Track::first(id(101), Aim { version: Version::new(1, 0), spec: String::new() }, 1),
            origin: Origin::new(String::new()),
            unknown: serde_json::Map::new(),
        }
    }

    use ConnectionStatus::{Connected, Pending, Rejected};

    #[test]
    fn each_state_takes_its_own_changes() {
        let new = || Roles { component: role("component"), ..Roles::default() };
        for (status, accepts, rejects, rejects_used, updates) in [
            (Pending, Some(true), Some(true), None, Some(true)),
            (Connected, Some(false), Some(true), None, Some(true)),
            (Rejected, None, Some(false), Some(false), None),
        ] {
            let one = || connection(1, LENDS, status);
            let moved =
                |connection: &AccountConnection, changed: bool| connection.modified_at == if changed { 2 } else { 1 };
            let mut accepted = one();
            let answer = accepted.accept(&[], None, 2).ok();
            assert_eq!(answer, accepts, "{status}");
            assert!(moved(&accepted, answer == Some(true)));
            let mut rejected = one();
            let answer = rejected.reject(false, 2).ok();
            assert_eq!(answer, rejects, "{status}");
            assert_eq!(rejected.status, Rejected);
            assert!(moved(&rejected, answer == Some(true)));
            assert_eq!(one().reject(true, 2).ok(), rejects_used, "{status}");
            let mut updated = one();
            let answer = updated.update(new(), 2).ok();
            assert_eq!(answer, updates, "{status}");
            assert!(moved(&updated, answer == Some(true)));
            assert_eq!(one().update(one().roles, 2), Ok(false), "what is so already changes nothing");
        }
    }

    #[test]
    fn an_update_keeps_the_roles_that_it_does_not_give() {
        let mut one = connection(1, LENDS, Connected);
        one.update(Roles { component: role("component"), ..Roles::default() }, 2).unwrap();
        assert_eq!((&one.roles.service, &one.roles.component), (&role("service"), &role("component")));
    }

    #[test]
    fn an_environment_has_one_accepted_connection_and_at_most_one_to_replace_it() {
        let other = "333333333333";
        let used = environment(1, LENDS);
        for (others, environment, accepted) in [
            (vec![], None, true),
            (vec![connection(1, LENDS, Connected)], None, false),
            (vec![connection(1, other, Connected)], None, false),
            (vec![connection(1, LENDS, Connected)], Some(&used), true),
            (vec![connection(1, other, Connected)], Some(&used), false),
            (vec![connection(1, LENDS, Connected), connection(2, LENDS, Connected)], Some(&used), false),
            (vec![], Some(&used), true),
        ] {
            let mut one = connection(9, LENDS, Pending);
            let answer = one.accept(&others, environment, 2);
            assert_eq!(answer.is_ok(), accepted, "{others:?} {answer:?}");
            assert!(accepted || matches!(answer, Err(Refused::Conflict(_))));
        }
    }

    #[test]
    fn an_environment_goes_on_with_another_connection_of_its_account_only_when_its_own_is_gone() {
        let next = |environment: &Environment, accepted: &[AccountConnection]| {
            environment.successor(accepted).map(|connection| connection.id.clone())
        };
        let foreign = connection(8, "333333333333", Connected);
        let accepted = [foreign, connection(9, LENDS, Connected)];
        assert_eq!(next(&environment(1, LENDS), &accepted), Some(id(9)));
        assert_eq!(next(&environment(1, LENDS), &accepted[..1]), None);
        assert_eq!(next(&environment(9, LENDS), &accepted), None);
        let with_its_own = [connection(9, LENDS, Connected), connection(1, LENDS, Connected)];
        assert_eq!(next(&environment(1, LENDS), &with_its_own), None);
        let mut by_role = environment(1, LENDS);
        by_role.access = Access { service_role: role("service"), ..Access::default() };
        assert_eq!(next(&by_role, &accepted), None);
    }

    #[test]
    fn what_a_connection_is_not_for_is_named() {
        let connected = connection(1, LENDS, Connected);
        assert_eq!(connected.check_use(MANAGES, "prod"), Ok(()));
        for (connection, account, environment, code, says) in [
            (connected.clone(), LENDS, "prod", "invalid", MANAGES),
            (connected, MANAGES, "test", "invalid", "'prod', not for 'test'"),
            (connection(1, LENDS, Pending), MANAGES, "prod", "conflict", "PENDING"),
            (connection(1, LENDS, Rejected), MANAGES, "prod", "conflict", "REJECTED"),
        ] {
            let refused = connection.check_use(account, environment).unwrap_err();
            let kind = if matches!(refused, Refused::Invalid(_)) { "invalid" } else { "conflict" };
            assert_eq!(kind, code);
            assert!(refused.to_string().contains(says), "{refused}");
        }
    }

    #[test]
    fn both_accounts_see_a_connection_and_each_does_its_part() {
        let one = connection(1, LENDS, Pending);
        assert!(one.is_seen_by(LENDS) && one.is_seen_by(MANAGES) && !one.is_seen_by("333333333333"));
        assert_eq!(one.check_side(MANAGES, Side::Management, "accept"), Ok(()));
        let Err(Refused::Denied(text)) = one.check_side(LENDS, Side::Management, "accept") else { panic!("denied") };
        assert!(text.contains("only the management account 111111111111 may accept"), "{text}");
        assert!(text.contains("222222222222, which is its environment account"), "{text}");
        let own = AccountConnection { management_account: LENDS.into(), ..one };
        for side in [Side::Environment, Side::Management] {
            assert_eq!(own.check_side(LENDS, side, "use"), Ok(()));
        }
    }

    #[test]
    fn an_environment_works_with_the_roles_of_its_connection_while_that_is_accepted() {
        let one = environment(1, LENDS);
        let roles = one.roles(Some(&connection(1, LENDS, Connected))).unwrap();
        assert_eq!(roles, Roles { service: role("service"), codebuild: role("own"), component: None });
        for (found, says) in [(None, "was deleted"), (Some(connection(1, LENDS, Rejected)), "is REJECTED")] {
            let why = one.roles(found.as_ref()).unwrap_err();
            for part in [says, "'prod'", LENDS, "AcceptEnvironmentAccountConnection"] {
                assert!(why.contains(part), "{why}");
            }
        }
    }

    #[test]
    fn each_engine_needs_its_own_role() {
        let one = connection(1, LENDS, Connected);
        let check = |roles: &Roles, engine| one.check_roles(roles, engine).is_ok();
        let (none, codebuild) = (Roles::default(), Roles { codebuild: role("c"), ..Roles::default() });
        assert!(check(&one.roles, Some("cloudformation")) && !check(&codebuild, Some("cloudformation")));
        assert!(check(&codebuild, Some("codebuild")) && !check(&one.roles, Some("codebuild")));
        assert!(check(&codebuild, Some("terraform")) && !check(&none, Some("terraform")));
        assert!(check(&none, None));
    }
}
