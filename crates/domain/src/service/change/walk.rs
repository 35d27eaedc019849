//! Services as they live: whatever callers ask for and however deployments end, in whatever order, a service never waits
//! for nothing, comes to rest, stands as its parts do, and can be deleted.
//!
//! Owns what happens and what the server does then; what must hold meanwhile is in `invariant`.

mod invariant;

use super::*;
use crate::deployment::{Event, transition};
use DeploymentStatus as S;
use proptest::prelude::*;

/// More rounds than one roll-up needs; the server's own bound.
const ROUNDS: usize = 8;

/// One instance: whether a job works on it, whether it was ever deployed, and whether its component changed while a
/// job worked on it.
#[derive(Clone, Debug)]
struct Instance {
    id: Id,
    status: S,
    works: bool,
    deployed: bool,
    outdated: bool,
}

impl Instance {
    /// Deploys it, where its status lets callers do that.
    fn start(&mut self) {
        if let Ok(next) = transition(self.status, Event::Start) {
            (self.status, self.works) = (next.to, true);
        }
    }
}

#[derive(Clone, Debug)]
struct OfPipeline {
    status: S,
    works: bool,
    waiting: bool,
}

/// A service and its parts, as the store has them.
#[derive(Clone, Debug)]
struct World {
    status: ServiceStatus,
    change: Option<Change>,
    instances: Vec<Instance>,
    pipeline: Option<OfPipeline>,
    made: u8,
    gone: bool,
}

/// What happens. Numbers choose a part, modulo how many there are.
#[derive(Clone, Debug)]
enum Happens {
    /// An update that adds so many, and removes those.
    Update {
        add: u8,
        remove: [bool; 4],
    },
    /// One more instance, without an update of the service.
    AddInstance,
    UpdateInstance(usize),
    UpdatePipeline,
    RedeployInstance(usize),
    RedeployPipeline,
    /// The component of an instance is attached, changes or goes.
    ComponentChanges(usize),
    CancelInstance(usize),
    CancelPipeline,
    InstanceEnds(usize, Event),
    PipelineEnds(Event),
    Delete,
    ForceInstance(usize, Event),
    ForceService,
}

fn happens() -> impl Strategy<Value = Happens> {
    let end = || proptest::sample::select(&[Event::Succeeded, Event::Succeeded, Event::Failed, Event::Cancelled][..]);
    let force = proptest::sample::select(&[Event::ForceDestroy, Event::Release][..]);
    prop_oneof![
        2 => (0u8..3, any::<[bool; 4]>()).prop_map(|(add, remove)| Happens::Update { add, remove }),
        2 => (0usize..6).prop_map(Happens::UpdateInstance),
        1 => Just(Happens::AddInstance),
        1 => Just(Happens::UpdatePipeline),
        1 => (0usize..6).prop_map(Happens::RedeployInstance),
        1 => Just(Happens::RedeployPipeline),
        1 => (0usize..6).prop_map(Happens::ComponentChanges),
        1 => (0usize..6).prop_map(Happens::CancelInstance),
        1 => Just(Happens::CancelPipeline),
        8 => (0usize..6, end()).prop_map(|(at, end)| Happens::InstanceEnds(at, end)),
        3 => end().prop_map(Happens::PipelineEnds),
        1 => Just(Happens::Delete),
        1 => (0usize..6, force).prop_map(|(at, event)| Happens::ForceInstance(at, event)),
        1 => Just(Happens::ForceService),
    ]
}

impl World {
    /// A create is under way.
    fn new(instances: u8, pipeline: bool) -> Self {
        let pipeline = pipeline.then_some(OfPipeline { status: S::InProgress, works: false, waiting: true });
        let mut world = Self {
            status: ServiceStatus::CreateInProgress,
            change: Some(Change::new(Kind::Create)),
            instances: Vec::new(),
            pipeline,
            made: 0,
            gone: false,
        };
        for _ in 0..instances {
            world.add();
        }
        world
    }

    fn add(&mut self) -> Id {
        self.made += 1;
        let id = Id::from_random([self.made; 16]);
        let instance =
            Instance { id: id.clone(), status: S::InProgress, works: true, deployed: false, outdated: false };
        self.instances.push(instance);
        id
    }

    fn happen(&mut self, what: &Happens) {
        match what {
            Happens::Update { add, remove } => self.update(*add, remove),
            Happens::AddInstance => self.add_instance(),
            Happens::UpdateInstance(at) => self.update_instance(*at),
            Happens::UpdatePipeline if !self.status.is_active() => self.start_pipeline(),
            Happens::UpdatePipeline => {}
            Happens::RedeployInstance(at) => self.redeploy_instance(*at),
            Happens::RedeployPipeline => self.redeploy_pipeline(),
            Happens::ComponentChanges(at) => self.change_component(*at),
            Happens::CancelInstance(at) => {
                if let Some(instance) = self.instance(*at)
                    && let Ok(next) = transition(instance.status, Event::Cancel)
                {
                    instance.status = next.to;
                }
            }
            Happens::CancelPipeline => {
                if let Some(pipeline) = &mut self.pipeline
                    && let Ok(next) = transition(pipeline.status, Event::Cancel)
                {
                    (pipeline.status, pipeline.works, pipeline.waiting) = (next.to, true, false);
                }
            }
            Happens::InstanceEnds(at, end) => self.end_instance(*at, *end),
            Happens::PipelineEnds(end) => self.end_pipeline(*end),
            Happens::Delete if !self.status.is_active() => self.delete(Event::Destroy),
            Happens::Delete => {}
            Happens::ForceInstance(at, event) => self.force_instance(*at, *event),
            Happens::ForceService => self.delete(Event::ForceDestroy),
        }
        self.roll_up();
    }

    fn instance(&mut self, at: usize) -> Option<&mut Instance> {
        let count = self.instances.len().max(1);
        self.instances.get_mut(at % count)
    }

    fn update(&mut self, add: u8, remove: &[bool; 4]) {
        let doomed = |at: usize| remove.get(at).copied().unwrap_or_default();
        let kept = self.instances.iter().enumerate().filter(|(at, _)| !doomed(*at)).map(|(_, instance)| instance);
        let refused = self.status.is_active()
            || self.status == ServiceStatus::DeleteFailed
            || self.instances.is_empty()
            || kept.clone().count() + usize::from(add) == 0
            || self
                .pipeline
                .as_ref()
                .is_some_and(|pipeline| pipeline.status.is_active() || pipeline.status == S::DeleteFailed)
            || self.instances.iter().enumerate().any(|(at, instance)| doomed(at) && instance.status.is_active())
            || kept.clone().any(|instance| instance.status == S::DeleteFailed);
        if refused {
            return;
        }
        let mut change = Change::new(Kind::Update);
        for (at, instance) in self.instances.iter_mut().enumerate() {
            if doomed(at) {
                let before = Before { status: instance.status, message: None };
                change.removed.push(Removed { id: instance.id.clone(), before });
                instance.status = S::DeleteInProgress;
            } else if !instance.deployed && !instance.status.is_active() {
                change.retried.push(instance.id.clone());
                (instance.status, instance.works) = (S::InProgress, true);
            }
        }
        change.added = (0..add).map(|_| self.add()).collect();
        if let Some(pipeline) = &mut self.pipeline {
            change.pipeline_before = Some(Before { status: pipeline.status, message: None });
            (pipeline.status, pipeline.waiting) = (S::InProgress, true);
        }
        (self.status, self.change) = (ServiceStatus::UpdateInProgress, Some(change));
    }

    fn add_instance(&mut self) {
        let refused = self.status.is_active()
            || self.status == ServiceStatus::DeleteFailed
            || self.pipeline.as_ref().is_some_and(|pipeline| pipeline.status.is_active());
        if !refused {
            self.add();
        }
    }

    /// Refused only while all of the service is about to go.
    fn update_instance(&mut self, at: usize) {
        if self.status != ServiceStatus::DeleteInProgress
            && let Some(instance) = self.instance(at)
        {
            instance.start();
        }
    }

    /// Refused also for what the change of the service removes.
    fn redeploy_instance(&mut self, at: usize) {
        let (deleting, changing) = (self.status == ServiceStatus::DeleteInProgress, self.change.is_some());
        let Some(instance) = self.instance(at) else { return };
        if deleting || changing && instance.status == S::DeleteInProgress {
            return;
        }
        let next = transition(instance.status, Event::Restart).expect("operators always can");
        (instance.status, instance.works) = (next.to, true);
    }

    /// Refused until its turn has come.
    fn redeploy_pipeline(&mut self) {
        let early = |change: &Change| change.kind == Kind::Delete || change.stage != Stage::Pipeline;
        if self.change.as_ref().is_some_and(early) {
            return;
        }
        if let Some(pipeline) = &mut self.pipeline {
            assert!(!pipeline.waiting, "it has begun, or the service is at rest");
            let next = transition(pipeline.status, Event::Restart).expect("operators always can");
            (pipeline.status, pipeline.works) = (next.to, true);
        }
    }

    /// Deploys the instance again, now or when its deployment has ended. What a change of the service adds gets no
    /// component yet, and what it removes has none.
    fn change_component(&mut self, at: usize) {
        let (deleting, change) = (self.status == ServiceStatus::DeleteInProgress, self.change.clone());
        let Some(instance) = self.instance(at) else { return };
        let without = change.is_some_and(|change| {
            change.added.contains(&instance.id) || change.removed.iter().any(|removed| removed.id == instance.id)
        });
        if deleting || without {
            return;
        }
        if instance.status.is_active() {
            instance.outdated = true;
        } else {
            instance.start();
        }
    }

    fn start_pipeline(&mut self) {
        if let Some(pipeline) = &mut self.pipeline
            && let Ok(next) = transition(pipeline.status, Event::Start)
        {
            (pipeline.status, pipeline.works) = (next.to, true);
        }
    }

    fn end_instance(&mut self, at: usize, end: Event) {
        let Some(instance) = self.instance(at) else { return };
        if !instance.works {
            return;
        }
        let next = transition(instance.status, end).expect("what is worked on can end");
        (instance.status, instance.works) = (next.to, false);
        instance.deployed |= next.to == S::Succeeded;
        if std::mem::take(&mut instance.outdated) {
            instance.start();
        }
        self.instances.retain(|instance| instance.status != S::DeleteComplete);
    }

    fn end_pipeline(&mut self, end: Event) {
        let Some(pipeline) = &mut self.pipeline else { return };
        if !pipeline.works {
            return;
        }
        let next = transition(pipeline.status, end).expect("what is worked on can end");
        (pipeline.status, pipeline.works) = (next.to, false);
        if next.to == S::DeleteComplete {
            self.pipeline = None;
        }
    }

    /// Deletes the service, as callers do or as operators do.
    fn delete(&mut self, event: Event) {
        let statuses = self.instances.iter().map(|one| one.status).chain(self.pipeline.iter().map(|one| one.status));
        if statuses.clone().any(|status| transition(status, event).is_err()) {
            return;
        }
        for instance in &mut self.instances {
            (instance.status, instance.works) = (S::DeleteInProgress, true);
        }
        if let Some(pipeline) = &mut self.pipeline {
            (pipeline.status, pipeline.works, pipeline.waiting) = (S::DeleteInProgress, true, false);
        }
        (self.status, self.change) = (ServiceStatus::DeleteInProgress, Some(Change::new(Kind::Delete)));
    }

    fn force_instance(&mut self, at: usize, event: Event) {
        let Some(instance) = self.instance(at) else { return };
        let next = transition(instance.status, event).expect("operators always can");
        (instance.status, instance.works) = (next.to, next.to.is_active());
        let id = instance.id.clone();
        self.instances.retain(|instance| instance.status != S::DeleteComplete);
        if let Some(change) = &mut self.change {
            change.forget(&id);
        }
    }

    /// What the server does with [`advance`], in the transaction of each event.
    fn roll_up(&mut self) {
        for _ in 0..ROUNDS {
            let Some(mut change) = self.change.take() else { return };
            let acts = advance(&change, &self.parts(), self.state_of_pipeline());
            assert_eq!(acts, advance(&change, &self.parts(), self.state_of_pipeline()), "a function of the parts");
            if acts.is_empty() {
                self.change = Some(change);
                return;
            }
            for act in acts {
                match act {
                    Act::Enter(stage) => {
                        self.check_turn(&change, stage);
                        change.stage = stage;
                    }
                    Act::Show(status) => self.status = status,
                    Act::Destroy(ids) => self.destroy(&change, &ids),
                    Act::StartPipeline => {
                        let pipeline = self.pipeline.as_mut().expect("one that waits");
                        assert!(std::mem::take(&mut pipeline.waiting), "it waited");
                        pipeline.works = true;
                    }
                    Act::FailPipeline(_) => self.pipeline_does_not_start(S::Failed),
                    Act::Revert => self.revert(&mut change),
                    Act::Explain(why) => assert!(!why.is_empty()),
                    Act::Settle(status) => {
                        self.check_settled(&change, status);
                        self.status = status;
                        return;
                    }
                    Act::Remove => {
                        assert!(self.instances.is_empty() && self.pipeline.is_none(), "nothing is left behind");
                        self.gone = true;
                        return;
                    }
                }
            }
            self.change = Some(change);
        }
        panic!("it does not come to rest: {self:?}");
    }

    fn parts(&self) -> Vec<Part> {
        let part = |one: &Instance| Part { id: one.id.clone(), arn: "arn".into(), status: one.status, message: None };
        self.instances.iter().map(part).collect()
    }

    fn state_of_pipeline(&self) -> Option<Pipeline> {
        let state = |one: &OfPipeline| Pipeline { status: one.status, message: None, waiting: one.waiting };
        self.pipeline.as_ref().map(state)
    }

    fn destroy(&mut self, change: &Change, ids: &[Id]) {
        for instance in self.instances.iter_mut().filter(|instance| ids.contains(&instance.id)) {
            if let Some(removed) = change.removed.iter().find(|removed| removed.id == instance.id) {
                instance.status = removed.before.status;
            }
            let next = transition(instance.status, Event::Destroy).expect("what an update removes can be destroyed");
            (instance.status, instance.works) = (next.to, true);
        }
    }

    fn pipeline_does_not_start(&mut self, status: S) {
        if let Some(pipeline) = &mut self.pipeline {
            assert!(std::mem::take(&mut pipeline.waiting), "only one that waits is ended so");
            pipeline.status = status;
        }
    }

    fn revert(&mut self, change: &mut Change) {
        for removed in std::mem::take(&mut change.removed) {
            if let Some(instance) = self.instances.iter_mut().find(|instance| instance.id == removed.id) {
                instance.status = removed.before.status;
            }
        }
        if self.pipeline.as_ref().is_some_and(|pipeline| pipeline.waiting) {
            self.pipeline_does_not_start(S::Cancelled);
            if let (Some(pipeline), Some(before)) = (&mut self.pipeline, change.pipeline_before.take()) {
                pipeline.status = before.status;
            }
        }
    }

    /// Lets everything that is under way succeed.
    fn calm(&mut self) {
        for _ in 0..200 {
            let Some(at) = self.instances.iter().position(|instance| instance.works) else {
                if self.pipeline.as_ref().is_some_and(|pipeline| pipeline.works) {
                    self.happen(&Happens::PipelineEnds(Event::Succeeded));
                    continue;
                }
                return;
            };
            self.happen(&Happens::InstanceEnds(at, Event::Succeeded));
            self.check_unless_gone();
        }
        panic!("it does not calm down: {self:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_a_service_stands_as_its_parts_do_and_can_be_deleted(
        instances in 0u8..4,
        pipeline in any::<bool>(),
        happenings in proptest::collection::vec(happens(), 0..40),
    ) {
        let mut world = World::new(instances, pipeline);
        world.roll_up();
        for what in &happenings {
            if world.gone {
                return Ok(());
            }
            world.happen(what);
            world.check_unless_gone();
        }
        if !world.gone {
            world.calm();
        }
        if !world.gone {
            prop_assert!(!world.status.is_active(), "at rest: {:?}", world);
            world.happen(&Happens::Delete);
            if !world.gone {
                world.check();
                world.calm();
            }
        }
        prop_assert!(world.gone, "a delete that succeeds leaves nothing: {:?}", world);
    }
}
