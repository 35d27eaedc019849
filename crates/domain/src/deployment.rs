//! THE state machine of deployments: state and event in, new state and actions out.
//!
//! One machine serves environments, service instances, pipelines and components. It is total: every
//! state answers every event. The store executes the actions in the transaction that saves the state.

use crate::arn::Scope;
use crate::component::Attachment;
use crate::id::Id;
use crate::refused::Refused;
use crate::status::DeploymentStatus;
use crate::track::{Aim, ContentHash, Physical, Seen, Track};
use crate::version::Version;
use serde::{Deserialize, Serialize};

/// The message of a deployment that a user cancelled (observed on the live service).
pub const CANCELLED_BY_USER: &str = "User initiated cancellation.";

/// What kind of thing a deployment changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    #[serde(rename = "ENVIRONMENT")]
    Environment,
    #[serde(rename = "SERVICE_INSTANCE")]
    ServiceInstance,
    #[serde(rename = "SERVICE_PIPELINE")]
    ServicePipeline,
    #[serde(rename = "COMPONENT")]
    Component,
}

impl TargetKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "ENVIRONMENT",
            Self::ServiceInstance => "SERVICE_INSTANCE",
            Self::ServicePipeline => "SERVICE_PIPELINE",
            Self::Component => "COMPONENT",
        }
    }

    /// How messages speak of it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::ServiceInstance => "service instance",
            Self::ServicePipeline => "service pipeline",
            Self::Component => "component",
        }
    }
}

/// What a deployment changes: the incarnation by id, and the names it had for listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub kind: TargetKind,
    pub id: Id,
    pub arn: String,
    pub created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

/// Whether a deployment makes infrastructure or removes it. Cancelling is a status, not a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Apply,
    Destroy,
}

/// The state of the target before a deployment, or the one it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The name of the template; empty for components, which have none.
    pub template: String,
    pub version: Version,
    pub spec: ContentHash,
    /// What it read of others when it was prepared; empty until then.
    #[serde(flatten)]
    pub seen: Seen,
    /// Components only: the service instance that it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Attachment>,
}

impl State {
    /// A template at the version and spec of `aim`. What it reads of others is not known yet.
    pub fn new(template: &str, aim: &Aim) -> Self {
        Self {
            template: template.to_owned(),
            version: aim.version,
            spec: aim.spec.clone(),
            seen: Seen::default(),
            attachment: None,
        }
    }

    /// What is deployed; `None` before the first success.
    pub fn deployed(template: &str, track: &Track) -> Option<Self> {
        let aim = track.deployed.as_ref()?;
        Some(Self { seen: track.seen.clone(), ..Self::new(template, aim) })
    }

    pub fn aim(&self) -> Aim {
        Aim { version: self.version, spec: self.spec.clone() }
    }
}

/// The record of one attempt to change or remove a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// For compare-and-swap; kept in its column only.
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub scope: Scope,
    pub target: Target,
    pub purpose: Purpose,
    pub status: DeploymentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Absent for the first deployment of a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<State>,
    pub goal: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempted: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_succeeded: Option<Id>,
    pub created_at: i64,
    pub modified_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<i64>,
    /// Waits for its turn (a pipeline waits for its instances): there is no job for it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
    /// When it fails as timed out; set when work on it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    /// What was rendered at its start and every step uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ContentHash>,
    /// Where the engine stands; opaque here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<serde_json::Value>,
    /// What the engine was doing or why it was not getting on, at the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<ContentHash>,
    /// In the record of a removal that left all as it was: what may run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftRun>,
    /// Members that a newer version wrote; kept when the document is rewritten.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A run of commands that was under way when its target was removed, with what is needed to end it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftRun {
    /// What it was begun with.
    pub order: ContentHash,
    /// What its target was called outside.
    pub physical: Physical,
    /// The environment that its target was, or was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Id>,
    /// When it has ended by itself, in milliseconds since 1970.
    pub until: i64,
}

/// What happens to a target or to its deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller asks for a deployment.
    Start,
    /// A caller asks to cancel the one under way.
    Cancel,
    /// A caller asks to remove the target.
    Destroy,
    /// An operator deploys anew, whatever is under way.
    Restart,
    /// An operator removes the target and what it has, whatever is under way.
    ForceDestroy,
    /// An operator removes the target and leaves what it has, whatever is under way.
    Release,
    /// The engine ended: it did what was asked.
    Succeeded,
    /// The engine ended without.
    Failed,
    /// The engine ended by restoring what was before.
    Cancelled,
}

/// What the store does with a transition, in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the deployment under way, whatever its engine does, and fence its job: it can't settle any more.
    GiveUp,
    /// Write a deployment record and enqueue its job.
    Deploy,
    /// Make the job of the running deployment due now.
    Hurry,
    /// What was attempted is now what is deployed.
    Promote,
    /// Remove the target; its name is free again.
    Remove,
    /// The service that the target belongs to decides what comes next.
    RollUp,
}

/// A new status and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub to: DeploymentStatus,
    pub actions: &'static [Action],
}

/// Why an event does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A deployment is under way.
    Busy,
    /// Its deletion failed: only deleting again is possible.
    HalfDeleted,
    /// There is nothing under way that could be cancelled.
    NothingToCancel,
    /// The deployment ended already; a late answer of an engine changes nothing.
    Settled,
}

impl Obstacle {
    /// The refusal for a caller: what the resource is, where it stands, what would work.
    pub fn refuse(self, noun: &str, arn: &str, status: DeploymentStatus) -> Refused {
        let remedy = match self {
            Self::Busy => "wait until its deployment has ended, or cancel the deployment, and try again",
            Self::HalfDeleted => "its deletion failed; delete it again",
            Self::NothingToCancel => "only a deployment that is IN_PROGRESS can be cancelled",
            Self::Settled => "its deployment has ended",
        };
        Refused::Conflict(format!("the {noun} {arn} is {status}: {remedy}"))
    }
}

/// The whole machine. Total over statuses and events.
pub fn transition(from: DeploymentStatus, event: Event) -> Result<Transition, Obstacle> {
    use Action::{Deploy, GiveUp, Hurry, Promote, Remove, RollUp};
    use DeploymentStatus as S;
    let to = |to, actions| Ok(Transition { to, actions });
    match event {
        Event::Start => match from {
            S::Succeeded | S::Failed | S::Cancelled => to(S::InProgress, &[Deploy]),
            S::InProgress | S::Cancelling | S::DeleteInProgress => Err(Obstacle::Busy),
            S::DeleteFailed | S::DeleteComplete => Err(Obstacle::HalfDeleted),
        },
        Event::Cancel => match from {
            S::InProgress => to(S::Cancelling, &[Hurry]),
            S::Succeeded
            | S::Failed
            | S::Cancelled
            | S::Cancelling
            | S::DeleteInProgress
            | S::DeleteFailed
            | S::DeleteComplete => Err(Obstacle::NothingToCancel),
        },
        Event::Destroy => match from {
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed => to(S::DeleteInProgress, &[Deploy]),
            S::DeleteInProgress => to(S::DeleteInProgress, &[]),
            S::InProgress | S::Cancelling => Err(Obstacle::Busy),
            S::DeleteComplete => Err(Obstacle::HalfDeleted),
        },
        Event::Restart => match from {
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed => to(S::InProgress, &[Deploy]),
            S::InProgress | S::Cancelling | S::DeleteInProgress => to(S::InProgress, &[GiveUp, Deploy]),
            S::DeleteComplete => Err(Obstacle::HalfDeleted),
        },
        Event::ForceDestroy => match from {
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed => to(S::DeleteInProgress, &[Deploy]),
            S::InProgress | S::Cancelling | S::DeleteInProgress => to(S::DeleteInProgress, &[GiveUp, Deploy]),
            S::DeleteComplete => Err(Obstacle::HalfDeleted),
        },
        Event::Release => match from {
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed => to(S::DeleteComplete, &[Remove]),
            S::InProgress | S::Cancelling | S::DeleteInProgress => to(S::DeleteComplete, &[GiveUp, Remove]),
            S::DeleteComplete => Err(Obstacle::HalfDeleted),
        },
        Event::Succeeded => match from {
            S::InProgress | S::Cancelling => to(S::Succeeded, &[Promote, RollUp]),
            S::DeleteInProgress => to(S::DeleteComplete, &[Remove, RollUp]),
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed | S::DeleteComplete => Err(Obstacle::Settled),
        },
        Event::Failed => match from {
            S::InProgress | S::Cancelling => to(S::Failed, &[RollUp]),
            S::DeleteInProgress => to(S::DeleteFailed, &[RollUp]),
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed | S::DeleteComplete => Err(Obstacle::Settled),
        },
        Event::Cancelled => match from {
            S::InProgress | S::Cancelling => to(S::Cancelled, &[RollUp]),
            S::DeleteInProgress => to(S::DeleteFailed, &[RollUp]),
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteFailed | S::DeleteComplete => Err(Obstacle::Settled),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVENTS: [Event; 9] = [
        Event::Start,
        Event::Cancel,
        Event::Destroy,
        Event::Restart,
        Event::ForceDestroy,
        Event::Release,
        Event::Succeeded,
        Event::Failed,
        Event::Cancelled,
    ];

    #[test]
    fn the_whole_table_reads_as_specified() {
        let mut table = String::new();
        for from in DeploymentStatus::ALL {
            for event in EVENTS {
                let cell = match transition(*from, event) {
                    Ok(next) => format!("{} {:?}", next.to, next.actions),
                    Err(obstacle) => format!("- {obstacle:?}"),
                };
                table.push_str(&format!("{from:<18} {:<12} {cell}\n", format!("{event:?}")));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn from_every_settled_status_there_is_a_way_to_deletion() {
        for status in DeploymentStatus::ALL.iter().filter(|s| !s.is_active()) {
            if *status != DeploymentStatus::DeleteComplete {
                assert_eq!(
                    transition(*status, Event::Destroy).map(|next| next.to),
                    Ok(DeploymentStatus::DeleteInProgress)
                );
            }
        }
    }

    #[test]
    fn from_every_status_an_operator_deploys_anew_and_removes_with_and_without_what_there_is() {
        for status in DeploymentStatus::ALL.iter().filter(|s| **s != DeploymentStatus::DeleteComplete) {
            for (event, to) in [
                (Event::Restart, DeploymentStatus::InProgress),
                (Event::ForceDestroy, DeploymentStatus::DeleteInProgress),
                (Event::Release, DeploymentStatus::DeleteComplete),
            ] {
                let next = transition(*status, event).expect("there is always a way out");
                assert_eq!(next.to, to, "{status} {event:?}");
                assert_eq!(next.actions.contains(&Action::GiveUp), status.is_active(), "{status} {event:?}");
            }
        }
    }

    #[test]
    fn every_active_status_is_left_by_every_end() {
        for status in DeploymentStatus::ALL.iter().filter(|s| s.is_active()) {
            for end in [Event::Succeeded, Event::Failed, Event::Cancelled] {
                let next = transition(*status, end).expect("an active deployment takes an end");
                assert!(!next.to.is_active() && next.actions.contains(&Action::RollUp));
            }
        }
    }

    #[test]
    fn a_state_keeps_what_was_read_and_one_without_is_read_too() {
        let id = |byte| Id::from_random([byte; 16]);
        let aim = Aim { version: Version::new(1, 2), spec: "hash".into() };
        let bare = State::new("svc", &aim);
        let written = serde_json::to_value(&bare).expect("a state is JSON");
        assert_eq!(written.as_object().map(serde_json::Map::len), Some(3), "nothing is written of what is empty");
        assert_eq!(serde_json::from_value::<State>(written).expect("it is read back"), bare);
        let mut track = Track::first(id(1), aim.clone(), 0);
        assert_eq!(State::deployed("svc", &track), None);
        track.promote(id(1), aim, 0);
        track.seen = Seen {
            environment_deployment: Some(id(2)),
            component_deployments: vec![id(3)],
            pipeline_deployment: Some(id(4)),
            component: Some(crate::track::SeenComponent { id: id(5), outputs: None }),
        };
        let full = State::deployed("svc", &track).expect("it is deployed");
        assert_eq!(full.seen, track.seen);
        let written = serde_json::to_value(&full).expect("a state is JSON");
        assert_eq!(serde_json::from_value::<State>(written).expect("it is read back"), full);
    }

    /// All statuses that events of that kind lead to, one after the other.
    fn reachable(from: DeploymentStatus, events: &[Event]) -> Vec<DeploymentStatus> {
        let mut found = vec![from];
        let mut at = 0;
        while let Some(status) = found.get(at).copied() {
            let next = events.iter().filter_map(|event| transition(status, *event).ok()).map(|next| next.to);
            for to in next {
                if !found.contains(&to) {
                    found.push(to);
                }
            }
            at += 1;
        }
        found
    }

    #[test]
    fn the_operations_of_aws_lead_from_every_status_to_deletion_and_to_success_unless_it_is_being_deleted() {
        use DeploymentStatus as S;
        let aws = [Event::Start, Event::Cancel, Event::Destroy, Event::Succeeded, Event::Failed, Event::Cancelled];
        for from in S::ALL.iter().filter(|status| **status != S::DeleteComplete) {
            let found = reachable(*from, &aws);
            assert!(found.contains(&S::DeleteComplete), "{from}: {found:?}");
            let doomed = matches!(from, S::DeleteInProgress | S::DeleteFailed);
            assert_eq!(found.contains(&S::Succeeded), !doomed, "{from}: {found:?}");
            assert!(reachable(*from, &EVENTS).contains(&S::Succeeded), "{from}");
        }
        assert_eq!(reachable(S::DeleteComplete, &EVENTS), [S::DeleteComplete], "what is gone stays gone");
    }

    /// What a target went through: the deployments that are under way, and how each of its last ones ended.
    #[derive(Default)]
    struct Life {
        running: i32,
        purpose: Option<Purpose>,
        deployed: bool,
        gone: bool,
    }

    proptest! {
        /// Whatever happens, in whatever order: work is under way exactly between a start and an end, one at a time;
        /// only what was worked on succeeds or goes; what is gone stays gone.
        #[test]
        fn any_sequence_keeps_the_invariants(events in proptest::collection::vec(0usize..9, 0..80)) {
            let mut status = DeploymentStatus::InProgress;
            let mut life = Life { running: 1, purpose: Some(Purpose::Apply), ..Life::default() };
            for event in events.into_iter().map(|at| EVENTS[at]) {
                let Ok(next) = transition(status, event) else {
                    let always = matches!(event, Event::Restart | Event::ForceDestroy | Event::Release);
                    prop_assert!(!always || life.gone, "{status} refuses {event:?}");
                    prop_assert!(!(status.is_active() && event == Event::Failed), "{status} does not fail");
                    continue;
                };
                prop_assert!(!life.gone, "{status} takes {event:?} although it is gone");
                let does = |action: Action| next.actions.contains(&action);
                let ends = matches!(event, Event::Succeeded | Event::Failed | Event::Cancelled);
                prop_assert_eq!(does(Action::RollUp), ends, "the service hears of each end, once");
                prop_assert!(!(does(Action::GiveUp) && (event == Event::Start || event == Event::Destroy || ends)));
                prop_assert_eq!(does(Action::Promote), event == Event::Succeeded && life.purpose == Some(Purpose::Apply));
                prop_assert_eq!(does(Action::Remove), next.to == DeploymentStatus::DeleteComplete);
                prop_assert!(!does(Action::Hurry) || (life.running == 1 && next.to.is_active()));
                life.running -= i32::from(does(Action::GiveUp)) + i32::from(does(Action::RollUp));
                prop_assert!(life.running >= 0, "what ends was under way");
                if does(Action::Deploy) {
                    life.running += 1;
                    let destroys = next.to == DeploymentStatus::DeleteInProgress;
                    life.purpose = Some(if destroys { Purpose::Destroy } else { Purpose::Apply });
                }
                life.deployed |= does(Action::Promote);
                life.gone = does(Action::Remove);
                status = next.to;
                prop_assert_eq!(life.running, i32::from(status.is_active()), "{:?}", status);
                prop_assert!(status != DeploymentStatus::Succeeded || life.deployed);
            }
        }
    }
}
