//! The double's stacks: what each is now, and the stages that lie before it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::behaviour::{Behaviour, Ending, Takes};
use super::events::Event;
use super::{ACCOUNT, World};

/// One stack. A deleted one stays, as CloudFormation keeps them by id.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) protected: bool,
    pub(super) content: Content,
    /// What a rollback goes back to.
    before: Option<Content>,
    stages: VecDeque<Stage>,
    entered: Duration,
    looks: u32,
    lag: u32,
    lagging: Option<(&'static str, u32)>,
    status: String,
    pub(super) reason: Option<String>,
    /// How many updates were begun.
    pub(super) updates: u32,
    pub(super) events: Vec<Event>,
    /// The tokens of the calls so far, with what they said.
    pub(super) tokens: HashMap<String, String>,
}

/// What a deployment gives a stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) template: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) outputs: Vec<(String, String)>,
}

/// A state with its events, and how long it lasts; the last one lasts.
#[derive(Debug)]
struct Stage {
    status: &'static str,
    takes: Option<Takes>,
    events: Vec<Event>,
    reason: Option<String>,
    restores: bool,
}

impl Stage {
    fn new(status: &'static str, takes: Option<Takes>) -> Self {
        Self { status, takes, events: Vec::new(), reason: None, restores: false }
    }
}

/// The names of the states of a kind of operation.
struct States {
    going: &'static str,
    done: &'static str,
    resource_failed: &'static str,
    back: &'static str,
    backed: &'static str,
    stuck: &'static str,
}

const CREATE: States = States {
    going: "CREATE_IN_PROGRESS",
    done: "CREATE_COMPLETE",
    resource_failed: "CREATE_FAILED",
    back: "ROLLBACK_IN_PROGRESS",
    backed: "ROLLBACK_COMPLETE",
    stuck: "ROLLBACK_FAILED",
};

const UPDATE: States = States {
    going: "UPDATE_IN_PROGRESS",
    done: "UPDATE_COMPLETE",
    resource_failed: "UPDATE_FAILED",
    back: "UPDATE_ROLLBACK_IN_PROGRESS",
    backed: "UPDATE_ROLLBACK_COMPLETE",
    stuck: "UPDATE_ROLLBACK_FAILED",
};

impl World {
    pub(super) fn place(&mut self, name: &str, status: &str, tags: &[(&str, &str)]) -> String {
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let content = Content { tags, ..Content::default() };
        let stack = self.new_stack(name, ACCOUNT, "us-east-1", content);
        stack.turn(status);
        stack.id.clone()
    }

    /// Adds the nested stack in which the resource of `behaviour` fails, if it is in one.
    pub(super) fn nest(&mut self, parent: usize, behaviour: &Behaviour, token: &str) {
        let Ending::Fails { within: Some(within), .. } = &behaviour.ending else { return };
        let Some(stack) = self.stacks.get(parent) else { return };
        let (id, name) = (stack.nested_id(within), format!("{}-{within}", stack.name));
        let (account, region) = (stack.account.clone(), stack.region.clone());
        let mut inner = behaviour.clone().taking(Takes::Looks(0));
        if let Ending::Fails { within, .. } = &mut inner.ending {
            *within = None;
        }
        let now = self.now();
        let child = self.new_stack(&name, &account, &region, Content::default());
        child.id = id;
        child.begin_create(&inner, token, now);
        child.settle(now);
    }

    pub(super) fn new_stack(&mut self, name: &str, account: &str, region: &str, content: Content) -> &mut Stack {
        self.stacks_made += 1;
        let id = format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/{:08}", self.stacks_made);
        self.stacks.push(Stack {
            id,
            name: name.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            protected: false,
            content,
            before: None,
            stages: VecDeque::new(),
            entered: Duration::ZERO,
            looks: 0,
            lag: 0,
            lagging: None,
            status: String::new(),
            reason: None,
            updates: 0,
            events: Vec::new(),
            tokens: HashMap::new(),
        });
        let last = self.stacks.len() - 1;
        &mut self.stacks[last]
    }
}

impl Stack {
    pub(super) fn status(&self) -> &str {
        &self.status
    }

    pub(super) fn tags(&self) -> &BTreeMap<String, String> {
        &self.content.tags
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// What DescribeStacks shows; describing may lag behind.
    pub(super) fn shown(&self) -> (&str, u32) {
        self.lagging.map_or((self.status.as_str(), self.updates), |(status, updates)| (status, updates))
    }

    /// Drops whatever is under way.
    pub(super) fn turn(&mut self, status: &str) {
        self.stages.clear();
        self.status = status.to_owned();
    }

    pub(super) fn begin_create(&mut self, behaviour: &Behaviour, token: &str, now: Duration) {
        self.plan(&CREATE, behaviour, token);
        self.enter(now);
    }

    pub(super) fn begin_update(&mut self, content: Content, behaviour: &Behaviour, token: &str, now: Duration) {
        let shown = known(&self.status);
        self.lagging = (behaviour.lag > 0).then_some((shown, self.updates));
        self.lag = behaviour.lag;
        self.before = Some(std::mem::replace(&mut self.content, content));
        self.updates += 1;
        self.plan(&UPDATE, behaviour, token);
        self.enter(now);
    }

    pub(super) fn begin_delete(&mut self, behaviour: &Behaviour, token: &str, now: Duration) {
        let mut going = Stage::new("DELETE_IN_PROGRESS", Some(behaviour.takes));
        going.events = vec![Event::of_stack(self, "DELETE_IN_PROGRESS", Some("User Initiated"), token)];
        let end = if let Ending::Fails { resource, kind, reason, .. } = &behaviour.ending {
            let mut end = Stage::new("DELETE_FAILED", None);
            end.reason = Some(format!("The following resource(s) failed to delete: [{resource}]. "));
            end.events = vec![
                Event::of_resource(resource, kind, "DELETE_FAILED", reason, token),
                Event::of_stack(self, "DELETE_FAILED", end.reason.as_deref(), token),
            ];
            end
        } else {
            let mut end = Stage::new("DELETE_COMPLETE", None);
            end.events = vec![Event::of_stack(self, "DELETE_COMPLETE", None, token)];
            end
        };
        self.stages = VecDeque::from([going, end]);
        self.enter(now);
    }

    /// Goes back, as a cancelled or a stuck update does.
    pub(super) fn begin_rollback(&mut self, behaviour: &Behaviour, token: &str, now: Duration) {
        self.stages.clear();
        let stuck = match &behaviour.ending {
            Ending::Fails { resource, kind, reason, .. } => Some((resource.as_str(), kind.as_str(), reason.as_str())),
            Ending::Done | Ending::Refused { .. } => None,
        };
        self.plan_rollback(&UPDATE, behaviour.takes, stuck, Some("User Initiated"), token);
        self.enter(now);
    }

    fn plan(&mut self, states: &States, behaviour: &Behaviour, token: &str) {
        let mut going = Stage::new(states.going, Some(behaviour.takes));
        going.events = vec![Event::of_stack(self, states.going, Some("User Initiated"), token)];
        self.stages = VecDeque::from([going]);
        let Ending::Fails { resource, kind, reason, rollback, within } = &behaviour.ending else {
            let mut done = Stage::new(states.done, None);
            done.events = vec![Event::of_stack(self, states.done, None, token)];
            self.stages.push_back(done);
            return;
        };
        let stopped = if states.going == "CREATE_IN_PROGRESS" {
            "Resource creation cancelled"
        } else {
            "Resource update cancelled"
        };
        let why = format!("The following resource(s) failed: [{resource}]. ");
        let stuck = rollback.as_deref().map(|reason| ("Stuck", "AWS::EC2::Instance", reason));
        self.plan_rollback(states, behaviour.takes, stuck, Some(&why), token);
        let failed = match within {
            None => Event::of_resource(resource, kind, states.resource_failed, reason, token),
            Some(within) => {
                let id = self.nested_id(within);
                let reason = format!("Embedded stack {id} was not successfully made: {why}");
                Event::of_nested(within, &id, states.resource_failed, &reason, token)
            }
        };
        if let Some(back) = self.stages.get_mut(1) {
            // As CloudFormation lists them: the resources that were stopped beside the one that failed.
            back.events.insert(0, failed);
            back.events
                .insert(1, Event::of_resource("Neighbour", "AWS::SNS::Topic", states.resource_failed, stopped, token));
        }
    }

    fn plan_rollback(
        &mut self,
        states: &States,
        takes: Takes,
        stuck: Option<(&str, &str, &str)>,
        why: Option<&str>,
        token: &str,
    ) {
        let mut back = Stage::new(states.back, Some(takes));
        back.reason = why.map(str::to_owned);
        back.events = vec![Event::of_stack(self, states.back, why, token)];
        let mut end = Stage::new(if stuck.is_some() { states.stuck } else { states.backed }, None);
        end.restores = stuck.is_none();
        if let Some((resource, kind, reason)) = stuck {
            end.events.push(Event::of_resource(resource, kind, "UPDATE_FAILED", reason, token));
        }
        end.events.push(Event::of_stack(self, end.status, None, token));
        self.stages.push_back(back);
        self.stages.push_back(end);
    }

    fn nested_id(&self, within: &str) -> String {
        format!("{}-{within}", self.id)
    }

    /// Enters the first stage.
    fn enter(&mut self, now: Duration) {
        let Some(stage) = self.stages.front_mut() else { return };
        self.status = stage.status.to_owned();
        self.reason.clone_from(&stage.reason);
        let restores = stage.restores;
        let events = std::mem::take(&mut stage.events);
        self.events.extend(events);
        if restores && let Some(before) = self.before.take() {
            self.content = before;
        }
        (self.entered, self.looks) = (now, 0);
    }

    /// Moves on to where the stack is at `now`.
    pub(super) fn settle(&mut self, now: Duration) {
        while let Some(Some(takes)) = self.stages.front().map(|stage| stage.takes) {
            let entered = match takes {
                Takes::Looks(looks) if self.looks >= looks => now,
                Takes::Time(time) if now >= self.entered + time => self.entered + time,
                Takes::Looks(_) | Takes::Time(_) => return,
            };
            self.stages.pop_front();
            self.enter(entered);
        }
    }

    /// Counts a call of DescribeStacks that saw the stack.
    pub(super) fn looked_at(&mut self) {
        if self.lag > 0 {
            self.lag -= 1;
            return;
        }
        self.lagging = None;
        self.looks += 1;
    }
}

/// The statuses that a stack can seem to have while describing lags behind.
fn known(status: &str) -> &'static str {
    match status {
        "CREATE_COMPLETE" => "CREATE_COMPLETE",
        "UPDATE_COMPLETE" => "UPDATE_COMPLETE",
        _ => "UPDATE_ROLLBACK_COMPLETE",
    }
}
