//! Sync blockers: what keeps a service, or one of its instances, from being synced.
//!
//! Whoever changes a synced service by hand would lose the change to the next sync. A blocker stops
//! the syncs of what was changed until somebody resolves it.

use crate::id::Id;
use crate::refused::Refused;
use crate::service::{Service, ServiceInstance};
use serde::{Deserialize, Serialize};

/// How many blockers a summary shows.
pub const LATEST: i64 = 10;

/// A change of an instance of a synced service that no sync made.
#[derive(Clone, Copy, Debug)]
pub enum ByHand<'a> {
    Created(&'a ServiceInstance),
    Updated(&'a ServiceInstance),
    /// All that one request removes.
    Removed(&'a [ServiceInstance]),
}

/// A key and a value that tell more about the cause of a blocker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub key: String,
    pub value: String,
}

/// The instance that is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedInstance {
    pub id: Id,
    pub name: String,
}

/// How a blocker ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    pub at: i64,
    /// In the words of whoever resolved it.
    pub reason: String,
}

/// A blocker: `ACTIVE` until it has a resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncBlocker {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub service: String,
    pub service_id: Id,
    /// `None`: nothing of the service is synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<BlockedInstance>,
    pub reason: String,
    pub contexts: Vec<Context>,
    pub created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl SyncBlocker {
    /// The blocker that a change makes: of the instance that was created or updated, of the whole
    /// service where an instance was removed.
    pub fn new(id: Id, service: &Service, change: ByHand<'_>, at: i64) -> Self {
        let instance = match change {
            ByHand::Created(instance) | ByHand::Updated(instance) => {
                Some(BlockedInstance { id: instance.id.clone(), name: instance.name.clone() })
            }
            ByHand::Removed(_) => None,
        };
        Self {
            revision: 0,
            id,
            service: service.name.clone(),
            service_id: service.id.clone(),
            instance,
            reason: reason(change),
            contexts: contexts(change),
            created_at: at,
            resolution: None,
            unknown: serde_json::Map::new(),
        }
    }

    /// `ACTIVE` or `RESOLVED`.
    pub fn status(&self) -> &'static str {
        if self.resolution.is_some() { "RESOLVED" } else { "ACTIVE" }
    }

    /// Ends it. It ends once.
    pub fn resolve(&mut self, reason: String, at: i64) -> Result<(), Refused> {
        if self.resolution.is_some() {
            return Err(Refused::Conflict(format!(
                "the sync blocker '{}' is RESOLVED already; nothing is left to do about it",
                self.id
            )));
        }
        self.resolution = Some(Resolution { at, reason });
        Ok(())
    }
}

fn reason(change: ByHand<'_>) -> String {
    let what = match change {
        ByHand::Created(instance) => format!("The service instance '{}' was created by hand; it", instance.name),
        ByHand::Updated(instance) => format!("The service instance '{}' was updated by hand; it", instance.name),
        ByHand::Removed(instances) => {
            let names: Vec<String> = instances.iter().map(|instance| format!("'{}'", instance.name)).collect();
            format!("Service instances were removed by hand ({}); the service", names.join(", "))
        }
    };
    format!("{what} is not synced until this blocker is resolved")
}

fn contexts(change: ByHand<'_>) -> Vec<Context> {
    let context = |key: &str, value: &str| Context { key: key.into(), value: value.into() };
    let name = |instance: &ServiceInstance| context("serviceInstanceName", &instance.name);
    match change {
        ByHand::Created(instance) | ByHand::Updated(instance) => {
            let deployment = instance.track.attempted_deployment.as_ref();
            let deployment = deployment.map(|deployment| context("deploymentId", deployment.as_str()));
            [Some(name(instance)), deployment].into_iter().flatten().collect()
        }
        // Their deletion begins later, and is recorded then.
        ByHand::Removed(instances) => instances.iter().map(name).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ServiceStatus;
    use crate::template::Origin;
    use crate::track::{Aim, Track};
    use crate::version::Version;

    fn id(byte: u8) -> Id {
        Id::from_random([byte; 16])
    }

    fn service() -> Service {
        Service {
            revision: 0,
            id: id(1),
            name: "web".into(),
            template: "t".into(),
            description: None,
            status: ServiceStatus::Active,
            status_message: None,
            repository: None,
            spec: "s".into(),
            created_at: 0,
            modified_at: 0,
            origin: Origin::new("h".into()),
            change: None,
            unknown: serde_json::Map::new(),
        }
    }

    fn instance(name: &str, byte: u8) -> ServiceInstance {
        ServiceInstance {
            revision: 0,
            id: id(byte),
            name: name.into(),
            service: "web".into(),
            service_id: id(1),
            environment: "prod".into(),
            environment_id: id(2),
            template: "t".into(),
            created_at: 0,
            track: Track::first(id(9), Aim { version: Version::new(1, 0), spec: "s".into() }, 0),
            last_token: None,
            outdated: false,
            unknown: serde_json::Map::new(),
        }
    }

    fn pairs(blocker: &SyncBlocker) -> Vec<(&str, &str)> {
        blocker.contexts.iter().map(|context| (context.key.as_str(), context.value.as_str())).collect()
    }

    #[test]
    fn what_was_created_or_updated_is_blocked_and_for_a_removal_the_whole_service_is() {
        let (a, b) = (instance("a", 3), instance("b", 4));
        let deployment = id(9);
        let of_a = [("serviceInstanceName", "a"), ("deploymentId", deployment.as_str())];
        for (change, what) in [(ByHand::Created(&a), "created"), (ByHand::Updated(&a), "updated")] {
            let blocker = SyncBlocker::new(id(5), &service(), change, 7);
            assert_eq!(blocker.instance, Some(BlockedInstance { id: id(3), name: "a".into() }));
            assert_eq!(pairs(&blocker), of_a);
            assert!(blocker.reason.starts_with(&format!("The service instance 'a' was {what} by hand; it is")));
        }
        let both = [a, b];
        let blocker = SyncBlocker::new(id(5), &service(), ByHand::Removed(&both), 7);
        assert_eq!(blocker.instance, None);
        assert_eq!(pairs(&blocker), [("serviceInstanceName", "a"), ("serviceInstanceName", "b")]);
        assert!(blocker.reason.starts_with("Service instances were removed by hand ('a', 'b'); the service is"));
        assert_eq!((blocker.created_at, blocker.status()), (7, "ACTIVE"));
    }

    #[test]
    fn a_blocker_is_resolved_once() {
        let mut blocker = SyncBlocker::new(id(5), &service(), ByHand::Updated(&instance("a", 3)), 7);
        assert_eq!(blocker.resolve("done".into(), 8), Ok(()));
        assert_eq!(blocker.status(), "RESOLVED");
        assert!(matches!(blocker.resolve("again".into(), 9), Err(Refused::Conflict(_))));
        assert_eq!(blocker.resolution, Some(Resolution { at: 8, reason: "done".into() }));
    }
}
