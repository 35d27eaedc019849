//! What a caller's word about a deployment does: the rules of `NotifyResourceDeploymentStatusChange`.

use crate::deployment::Event;
use crate::refused::Refused;
use crate::status::DeploymentStatus;

/// The status that a caller notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    InProgress,
    Failed,
    Succeeded,
}

/// Whose word ends the deployment that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Nobody's yet: no work on it has begun.
    Nobody,
    /// That of the engine which provisions it.
    Engine,
    /// A caller's: it is self-managed.
    Caller,
}

/// What a notification does beside replacing outputs and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Noted,
    /// The deployment ends.
    Ends(Event),
}

/// Decides on a notification to a resource that is `status`. `noun` and `arn` are for messages; `by` counts
/// only while a deployment is under way.
///
/// # Errors
/// `Conflict` where `word` would end what has ended already, or what does not end by a caller's word.
pub fn effect(
    noun: &str,
    arn: &str,
    status: DeploymentStatus,
    by: EndedBy,
    word: Option<Word>,
) -> Result<Effect, Refused> {
    use DeploymentStatus as S;
    let event = match word {
        None | Some(Word::InProgress) => return Ok(Effect::Noted),
        Some(Word::Failed) => Event::Failed,
        Some(Word::Succeeded) => Event::Succeeded,
    };
    let why = match (status, by) {
        (S::InProgress | S::Cancelling, EndedBy::Caller) => return Ok(Effect::Ends(event)),
        (S::InProgress | S::Cancelling, EndedBy::Engine) => {
            "it is provisioned by the server, whose result decides; leave status out, or give IN_PROGRESS, to \
             replace the outputs"
        }
        (S::InProgress | S::Cancelling, EndedBy::Nobody) => {
            "work on its deployment has not begun yet; notify its end when it has"
        }
        (S::DeleteInProgress, _) => "its deletion ends by itself",
        (S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed | S::DeleteComplete, _) => {
            "its deployment has ended already; leave status out to replace the outputs"
        }
    };
    Err(Refused::Conflict(format!("the {noun} {arn} is {status}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: [EndedBy; 3] = [EndedBy::Nobody, EndedBy::Engine, EndedBy::Caller];

    #[test]
    fn outputs_are_noted_whatever_the_status() {
        for status in DeploymentStatus::ALL {
            for by in BY {
                for word in [None, Some(Word::InProgress)] {
                    assert_eq!(effect("environment", "a", *status, by, word), Ok(Effect::Noted), "{status} {by:?}");
                }
            }
        }
    }

    #[test]
    fn only_what_is_self_managed_and_under_way_is_ended() {
        for status in DeploymentStatus::ALL {
            for by in BY {
                for (word, event) in [(Word::Failed, Event::Failed), (Word::Succeeded, Event::Succeeded)] {
                    let found = effect("environment", "a", *status, by, Some(word));
                    let ends = by == EndedBy::Caller
                        && matches!(status, DeploymentStatus::InProgress | DeploymentStatus::Cancelling);
                    match found {
                        Ok(effect) => assert!(ends && effect == Effect::Ends(event), "{status} {by:?}"),
                        Err(Refused::Conflict(why)) => {
                            assert!(!ends && why.starts_with(&format!("the environment a is {status}: ")), "{why}");
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}
