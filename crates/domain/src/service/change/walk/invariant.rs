//! What must hold while services live.

use super::*;

impl World {
    fn of(&self, ids: &[Id]) -> Vec<S> {
        self.instances.iter().filter(|one| ids.contains(&one.id)).map(|one| one.status).collect()
    }

    /// A change leaves its first stage for what comes next only if all that it deploys succeeded, and cleans up if not.
    /// Later it does not look at that again.
    pub(super) fn check_turn(&self, change: &Change, next: Stage) {
        if change.stage != Stage::Instances {
            return;
        }
        let concerned: Vec<S> = match change.kind {
            Kind::Create => self.instances.iter().map(|one| one.status).collect(),
            Kind::Update | Kind::Delete => [self.of(&change.added), self.of(&change.retried)].concat(),
        };
        assert_eq!(good(&concerned), next != Stage::CleaningUp, "{change:?} goes on to {next:?}: {self:?}");
    }

    /// The status that a change ends with says how its parts stand.
    pub(super) fn check_settled(&self, change: &Change, status: ServiceStatus) {
        let pipeline = self.pipeline.as_ref().is_none_or(|pipeline| pipeline.status == S::Succeeded);
        let all: Vec<S> = self.instances.iter().map(|one| one.status).collect();
        let concerned = [self.of(&change.added), self.of(&change.retried)].concat();
        let removed: Vec<Id> = change.removed.iter().map(|removed| removed.id.clone()).collect();
        let left = self.of(&removed);
        let expected = match change.kind {
            // An instance that an operator removes while the pipeline deploys is no failure.
            Kind::Create if pipeline && (change.stage == Stage::Pipeline || good(&all)) => ServiceStatus::Active,
            Kind::Create => ServiceStatus::CreateFailed,
            Kind::Delete => ServiceStatus::DeleteFailed,
            Kind::Update if change.stage == Stage::CleaningUp && self.of(&change.added).is_empty() => {
                ServiceStatus::UpdateFailedCleanupComplete
            }
            Kind::Update if change.stage == Stage::CleaningUp => ServiceStatus::UpdateFailedCleanupFailed,
            Kind::Update if !pipeline => ServiceStatus::UpdateFailed,
            // What a caller does to an instance after its turn is no part of the update.
            Kind::Update if change.stage == Stage::Instances && !good(&concerned) => ServiceStatus::UpdateFailed,
            Kind::Update if left.is_empty() => ServiceStatus::Active,
            Kind::Update => ServiceStatus::UpdateCompleteCleanupFailed,
        };
        assert_eq!(status, expected, "{change:?} {self:?}");
        if change.kind == Kind::Delete {
            assert!(!self.instances.is_empty() || self.pipeline.is_some(), "something failed to be deleted");
        }
    }

    /// Everything that is under way has somebody who brings it to an end.
    pub(super) fn check(&self) {
        assert_eq!(self.status.is_active(), self.change.is_some(), "{self:?}");
        let change = self.change.as_ref();
        let announced = |id: &Id| change.is_some_and(|change| change.removed.iter().any(|removed| removed.id == *id));
        for instance in &self.instances {
            let waits = instance.status == S::DeleteInProgress && announced(&instance.id);
            assert_eq!(instance.works || waits, instance.status.is_active(), "{instance:?} of {self:?}");
        }
        if let Some(pipeline) = &self.pipeline {
            assert_eq!(pipeline.works || pipeline.waiting, pipeline.status.is_active(), "{self:?}");
            assert!(!pipeline.waiting || change.is_some(), "it waits for a service at rest: {self:?}");
        }
        let works = self.instances.iter().any(|instance| instance.works)
            || self.pipeline.as_ref().is_some_and(|pipeline| pipeline.works);
        assert!(change.is_none() || works, "the service waits for nothing: {self:?}");
    }

    pub(super) fn check_unless_gone(&self) {
        if !self.gone {
            self.check();
        }
    }
}

fn good(statuses: &[S]) -> bool {
    statuses.iter().all(|status| *status == S::Succeeded)
}
