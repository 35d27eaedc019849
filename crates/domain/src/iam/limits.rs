//! How long policy documents may be (IAM User Guide, "IAM and AWS STS quotas").

use super::problem::{Place, Problem};

/// What a document is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A policy of its own, which users, groups and roles are given by name; a permissions boundary, too.
    Managed,
    /// Embedded in a user. The limit is for all of them together.
    User,
    /// Embedded in a group. The limit is for all of them together.
    Group,
    /// Embedded in a role. The limit is for all of them together.
    Role,
    /// Given when a role is assumed.
    Session,
    /// The trust policy of a role.
    Trust,
}

impl Attachment {
    /// How many characters there may be.
    pub fn limit(self) -> usize {
        match self {
            Self::Managed => 6_144,
            Self::User | Self::Session | Self::Trust => 2_048,
            Self::Group => 5_120,
            Self::Role => 10_240,
        }
    }

    /// How many characters of a document count: all but white space; for a session all of them, as STS counts.
    pub fn size(self, text: &str) -> usize {
        match self {
            Self::Session => text.chars().count(),
            _ => text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')).count(),
        }
    }

    /// Whether documents with these sizes fit together. Of managed policies each one has its own limit.
    pub fn check_total(self, sizes: impl IntoIterator<Item = usize>) -> Result<(), Problem> {
        let size: usize = sizes.into_iter().sum();
        if size <= self.limit() {
            return Ok(());
        }
        let (what, remedy) = match self {
            Self::Managed => ("the policy has", "split it into several policies"),
            Self::User => ("the user's inline policies together have", "attach managed policies instead"),
            Self::Group => ("the group's inline policies together have", "attach managed policies instead"),
            Self::Role => ("the role's inline policies together have", "attach managed policies instead"),
            Self::Session => ("the session's policy has", "name managed policies instead"),
            Self::Trust => ("the trust policy has", "leave statements out"),
        };
        let counted = if self == Self::Session { "characters" } else { "characters that are not white space" };
        let message = format!("{what} {size} {counted}; at most {} are allowed", self.limit());
        Err(Place::ROOT.problem(message, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_does_not_count_except_in_sessions() {
        assert_eq!(Attachment::Managed.size("{ \"a\":\t\"é\"\r\n}"), 9);
        assert_eq!(Attachment::Session.size("{ }"), 3);
    }

    #[test]
    fn documents_fit_up_to_the_limit() {
        assert_eq!(Attachment::Group.check_total([5_000, 120]), Ok(()));
        let problem = Attachment::Group.check_total([5_000, 121]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the group's inline policies together have 5121 characters that are not white space; \
             at most 5120 are allowed; attach managed policies instead"
        );
    }
}
