//! What a runner away from this machine does: it takes a run, says how it goes, and gives back what it printed.
//!
//! Owns the trait alone. What a run means for a deployment is [`super::RemoteEngine`]'s; it tells a runner what to run
//! as one script, and reads from the end of the output how it ended and what it leaves behind. So a runner needs
//! nothing but a place for files, an `sh`, and the output.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use crate::{Commands, Order, Transient};

/// How much of the end of an output is read for what the run leaves behind, in bytes.
pub(in crate::command) const TAIL: usize = 1 << 20;

/// A run that is to be begun. It holds secrets.
pub(in crate::command) struct RemoteRun<'a> {
    /// What it is for: its deployment names it, its role is whose session it works in.
    pub order: &'a Order,
    /// What its template says: image, runtimes, secrets by where they are, properties of the build project.
    pub commands: &'a Commands,
    /// The files of its working folder, by path; what to run is not among them.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// What `sh` runs in the working folder, from a file of its own elsewhere.
    pub script: &'a str,
    /// Its environment, later ones before those of the same name; without the session of its role.
    pub variables: &'a [(String, String)],
    /// What must not be shown among them.
    pub secrets: &'a [String],
    /// How long it may take.
    pub time_limit: Duration,
}

/// How far a runner came with beginning a run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::command) enum Begin {
    /// Something comes first: go on with this state, after this time.
    Not { state: Value, after: Duration, note: Option<String> },
    /// It was taken, and is known by this state from now on.
    Runs { state: Value },
    /// It can't be begun until somebody changes something; the message says what.
    Refused(String),
}

/// What goes on of a resource besides the run that is to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) enum Others {
    /// Nothing, as far as the runner knows.
    None,
    /// Runs that were asked to end.
    Ending,
    /// That can't be known, or not ended, until somebody changes something; the message says what.
    Refused(String),
}

/// How a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) enum RemoteLook {
    /// It has not ended. The note says what it waits for, if it is known.
    Runs { note: Option<String> },
    /// The script has ended. `said` is what the runner says of its end, for those whose output says nothing.
    Ended { succeeded: bool, said: Option<String> },
    /// It was stopped, as somebody asked.
    Stopped,
    /// It took longer than it may.
    TimedOut,
    /// Nothing will be known of it any more, for this reason.
    Lost(String),
}

/// Lines of an output, from one place to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) struct Printed {
    /// When each was printed, and its text without the end of line.
    pub lines: Vec<(SystemTime, String)>,
    /// The place behind them; the one that was asked for if there is nothing new.
    pub next: Option<String>,
}

/// What a watch of the runs tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Something has happened to the run of this deployment: it is worth a look.
    Changed(String),
    /// For now nothing is told, for this reason. Runs are looked at in their turn all the same.
    Fails(String),
}

/// A runner away from this machine.
///
/// A call may be made twice, end anywhere, and be repeated by another process: what is made carries the name of the
/// deployment, and is found when it is there already.
#[async_trait]
pub(in crate::command) trait Remote: fmt::Debug + Send + Sync {
    /// Stands in the cursors of its runs: a server with another one leaves those alone.
    fn id(&self) -> &str;

    /// Asks the runs to end that other deployments of the order's resource have left, and waits for none of them. That of
    /// the order itself is none of these.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn stop_others(&self, order: &Order) -> Result<Others, Transient>;

    /// Takes the next step on the way to a run that goes on; `state` is what the step before answered.
    ///
    /// # Errors
    ///
    /// [`Transient`] when nothing is decided yet.
    async fn begin(&self, run: &RemoteRun<'_>, state: Option<&Value>) -> Result<Begin, Transient>;

    /// How the run goes.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn look(&self, order: &Order, state: &Value) -> Result<RemoteLook, Transient>;

    /// Asks the run to end, or what was begun of it, if there is anything.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn stop(&self, order: &Order, state: &Value) -> Result<(), Transient>;

    /// What was printed after a place, the oldest first; `None` is the beginning.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn read(&self, order: &Order, state: &Value, after: Option<&str>) -> Result<Printed, Transient>;

    /// Tells what happens to runs, until nobody listens; ends at once if the runner can't know.
    async fn watch(&self, _told: &Sender<Watched>) {}

    /// The last lines that were printed, of at least [`TAIL`] bytes if there are so many.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn tail(&self, order: &Order, state: &Value) -> Result<Vec<String>, Transient>;

    /// What must not be shown of what was printed, beside what is known of its order: what the runner has given it.
    /// `None` if that is not known any more; then nothing of it is shown.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn hidden(&self, order: &Order, state: &Value) -> Result<Option<Vec<String>>, Transient>;

    /// Whether clients of AWS find credentials in a run: those of its role, or what else the runner gives it.
    fn has_credentials(&self, order: &Order) -> bool;

    /// The variables that the runner itself sets as the template's commands say: the operator's of these names would
    /// stand above them.
    fn sets<'a>(&self, _: &'a Commands) -> Vec<&'a str> {
        Vec::new()
    }

    /// Removes what only the run needed, when all that was printed is read: its files, its secrets. Answers what must
    /// not be removed, in the runner's words: nobody waits for that.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    async fn remove(&self, order: &Order, state: &Value) -> Result<Option<String>, Transient>;
}
