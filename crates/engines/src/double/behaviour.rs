//! What a test can say about how AWS behaves. Data only.

use std::time::Duration;

/// One operation on a stack, as it begins.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// `CreateStack`, `UpdateStack`, `DeleteStack`, `CancelUpdateStack` or `ContinueUpdateRollback`.
    pub action: &'a str,
    /// The name of the stack.
    pub stack: &'a str,
    /// The template of a create or update, else the stack's own.
    pub template: &'a str,
    /// How many times this action was begun on a stack of this name before.
    pub earlier: usize,
}

/// How long a phase of an operation lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// So many calls of DescribeStacks see it.
    Looks(u32),
    /// So long on the double's clock.
    Time(Duration),
}

/// How an operation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Done,
    /// A resource fails; a create or update is rolled back.
    Fails {
        /// Its logical id.
        resource: String,
        /// Its type.
        kind: String,
        /// What its service says.
        reason: String,
        /// What another resource says that then fails in the rollback.
        rollback: Option<String>,
        /// The logical id of the nested stack that the resource is in.
        within: Option<String>,
    },
    /// The call itself is refused.
    Refused {
        /// The error code.
        code: String,
        /// The message.
        message: String,
        /// Whether a refused create leaves a stack in CREATE_IN_PROGRESS, as an emulator does.
        leaves_stack: bool,
    },
}

/// How one operation on a stack goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// How long each of its phases is in progress.
    pub takes: Takes,
    /// How it ends.
    pub ending: Ending,
    /// The outputs of a create or update that ends well, besides the literal ones of a JSON template.
    pub outputs: Vec<(String, String)>,
    /// For how many looks the stack still seems to be as it was.
    pub lag: u32,
}

impl Behaviour {
    /// It works; one look sees it in progress.
    #[must_use]
    pub fn done() -> Self {
        Self { takes: Takes::Looks(1), ending: Ending::Done, outputs: Vec::new(), lag: 0 }
    }

    /// A resource fails, and the rollback works.
    #[must_use]
    pub fn fails(resource: &str, kind: &str, reason: &str) -> Self {
        let (resource, kind, reason) = (resource.to_owned(), kind.to_owned(), reason.to_owned());
        Self { ending: Ending::Fails { resource, kind, reason, rollback: None, within: None }, ..Self::done() }
    }

    /// A resource fails, and another one in the rollback.
    #[must_use]
    pub fn fails_to_roll_back(resource: &str, kind: &str, reason: &str, rollback: &str) -> Self {
        let (resource, kind, reason) = (resource.to_owned(), kind.to_owned(), reason.to_owned());
        Self {
            ending: Ending::Fails { resource, kind, reason, rollback: Some(rollback.to_owned()), within: None },
            ..Self::done()
        }
    }

    /// A resource fails inside the nested stack `within`, and the rollback works.
    #[must_use]
    pub fn fails_within(within: &str, resource: &str, kind: &str, reason: &str) -> Self {
        let (resource, kind, reason) = (resource.to_owned(), kind.to_owned(), reason.to_owned());
        let within = Some(within.to_owned());
        Self { ending: Ending::Fails { resource, kind, reason, rollback: None, within }, ..Self::done() }
    }

    /// The call is refused.
    #[must_use]
    pub fn refused(code: &str, message: &str) -> Self {
        let ending = Ending::Refused { code: code.to_owned(), message: message.to_owned(), leaves_stack: false };
        Self { ending, ..Self::done() }
    }

    /// The call is refused and leaves a stack behind.
    #[must_use]
    pub fn refused_with_leftover(code: &str, message: &str) -> Self {
        let ending = Ending::Refused { code: code.to_owned(), message: message.to_owned(), leaves_stack: true };
        Self { ending, ..Self::done() }
    }

    /// The same, in progress for `takes`.
    #[must_use]
    pub fn taking(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    /// The same, seen only after `looks` that show the stack as it was.
    #[must_use]
    pub fn lagging(self, looks: u32) -> Self {
        Self { lag: looks, ..self }
    }

    /// The same, with an output.
    #[must_use]
    pub fn with_output(mut self, key: &str, value: &str) -> Self {
        self.outputs.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// What happens to one call on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// It passes undisturbed; to disturb a later one.
    None,
    /// `Throttling: Rate exceeded`, nothing done.
    Throttled,
    /// Status 503 with `retry-after: 1`, nothing done.
    ServerError,
    /// The connection closes before anything is done.
    Lost,
    /// Everything is done, and the connection closes before the answer.
    AnswerLost,
    /// Everything is done, and the answer takes so long (on the clock of the runtime).
    Slow(Duration),
    /// Refused with a code and a message, nothing done.
    Refused(String, String),
}
