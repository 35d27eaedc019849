//! The process that holds the process of a resource: it takes the place of the one before, starts it anew when it
//! dies, and ends it when it is asked to.

use std::fs;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::folder::{Ended, RunFolder, folder};
use super::super::identity::Identity;
use super::super::log::{Limits, Scribe, as_line};
use super::super::removal::remove;
use super::super::sandbox::{Folders, Sandbox};
use super::super::supervisor::{RESERVED, begin, bury, number_of, wait};
use super::super::watch::Watch;
use super::super::{READY, random};
use super::door::Door;
use super::place::{Hold, Kept, Place};
use super::ready;
use super::rotating::Rotating;

/// The longest that a process may take to answer.
const ANSWERING: Duration = Duration::from_secs(60);
/// The pause before a process that died is started again; it doubles up to the longest.
const SHORTEST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// One that was up so long begins with the shortest pause again.
const WELL: Duration = Duration::from_secs(60);
/// Between two looks at what nobody tells of.
const TICK: Duration = Duration::from_millis(20);
/// How long the hold may be another's who only looks.
const LOOKING: Duration = Duration::from_secs(2);

/// What the supervisor of a process is told. It holds secrets, and is written nowhere.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Plan {
    pub kept: Kept,
    /// Variables of the operator's, which are not kept; those that are win.
    pub given: Vec<(String, String)>,
    /// Variables of a session of the role, which are not kept.
    pub session: Vec<(String, String)>,
    /// What must not be shown.
    pub secrets: Vec<String>,
    pub sandbox: Sandbox,
    /// How long it may take to be in the place of the one before. `None` is for one that was, and is begun again.
    pub within: Option<Duration>,
}

/// Holds the process that `run` left to its end.
pub(in super::super) fn hold(run: &RunFolder, plan: &Plan) -> io::Result<()> {
    let own = run.service();
    let script = own.script();
    let temporary = own.path().join("tmp");
    let folders = Folders { work: run.work(), state: run.state(), temporary, script };
    let holder = Holder { place: Place::of(run), marker: random()?, plan, own, folders };
    match plan.within {
        Some(within) => holder.take_over(within),
        None => holder.begin_again(),
    }
}

struct Holder<'a> {
    plan: &'a Plan,
    place: Place,
    /// The folder of the process, in that of its run.
    own: RunFolder,
    folders: Folders,
    marker: String,
}

/// What was seen of the process between one start and its end.
struct Life {
    /// Why it was ended, if it was.
    ended: Option<Ended>,
    /// How it ended by itself.
    how: String,
    tail: String,
    lasted: Duration,
}

impl Life {
    /// One that never began.
    fn none(how: String) -> Self {
        Self { ended: None, how, tail: String::new(), lasted: Duration::ZERO }
    }
}

impl Holder<'_> {
    /// Sees that somebody asks for the end, also by what should be up.
    fn watch(&self) -> io::Result<Watch> {
        Watch::of(&self.own)?.and_changes_in(self.place.folder())
    }

    /// Puts the process in the place of the one before, if nobody has tried; else says why not.
    fn take_over(&self, within: Duration) -> io::Result<()> {
        if !self.own.claim()? {
            return Ok(());
        }
        let reserved = self.own.reserve(RESERVED);
        say_ready();
        match reserved.and_then(|()| self.taken_over(Instant::now() + within)) {
            Ok(None) => self.clean(),
            Ok(Some(ended)) => self.own.end(&ended),
            Err(error) => self.own.end(&Ended::Refused(format!("The process could not be started: {error}"))),
        }
    }

    /// `None` if it was in its place; it has ended again when this returns.
    fn taken_over(&self, until: Instant) -> io::Result<Option<Ended>> {
        let watch = self.watch()?;
        let Some(turn) = self.obtained(until, &watch, || self.place.turn())? else { return Ok(Some(self.too_late())) };
        let former = self.place.kept()?;
        if let Some(former) = &former {
            // Another program's port is found before anything is stopped.
            if former.process.port != self.plan.kept.process.port && self.is_taken() {
                return Ok(Some(self.port_is_taken()));
            }
            self.place.run(&former.deployment).service().stop()?;
        }
        let Some(_hold) = self.obtained(until, &watch, || self.place.hold())? else { return Ok(Some(self.too_late())) };
        if self.is_taken() {
            return Ok(Some(self.port_is_taken()));
        }
        let door = Door::until(until.min(Instant::now() + ANSWERING));
        let said = Mutex::new(String::new());
        let former = former.map(|former| self.place.run(&former.deployment));
        let life = self.live(&watch, &door, |child| self.enter(child, &door, &said, turn, former.as_ref()))?;
        if !door.is_open() {
            let said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
            return Ok(Some(self.failure(life, &said)));
        }
        self.keep_up(&watch, Some(life)).map(|()| None)
    }

    /// Begins a process again that was in its place, if it should still be up.
    fn begin_again(&self) -> io::Result<()> {
        folder(self.own.path())?;
        let watch = self.watch()?;
        let until = Instant::now() + LOOKING;
        let hold = loop {
            match self.place.hold()? {
                Some(hold) => break hold,
                None if Instant::now() < until => watch.pause(Instant::now() + TICK)?,
                // Somebody was quicker.
                None => return Ok(()),
            }
        };
        if !self.should_be_up() {
            return Ok(());
        }
        self.own.forget_stop()?;
        say_ready();
        let kept = self.keep_up(&watch, None);
        drop(hold);
        kept.and(self.clean())
    }

    /// Tries again and again, until somebody asks for the end or it is too late.
    fn obtained(
        &self,
        until: Instant,
        watch: &Watch,
        attempt: impl Fn() -> io::Result<Option<Hold>>,
    ) -> io::Result<Option<Hold>> {
        loop {
            if let Some(hold) = attempt()? {
                return Ok(Some(hold));
            }
            if self.own.is_to_stop() || Instant::now() >= until {
                return Ok(None);
            }
            watch.pause(Instant::now() + TICK)?;
        }
    }

    /// Asks the process until it answers; then it is the one that should be up, and what the former one had goes.
    fn enter(&self, child: u32, door: &Door, said: &Mutex<String>, turn: Hold, former: Option<&RunFolder>) {
        let say = |text: String| *said.lock().unwrap_or_else(PoisonError::into_inner) = text;
        let (port, path) = (self.plan.kept.process.port, &self.plan.kept.process.ready_path);
        while !door.is_shut() && !door.is_open() {
            match ready::ask(port, path) {
                // Somebody else's answer is none.
                Ok(200..=399) if Identity::of(child).is_ok() && !self.own.is_to_stop() => {
                    if let Err(error) = door.open(|| self.place.keep(&self.plan.kept)) {
                        say(format!("it could not be written down that it does: {error}"));
                    }
                }
                Ok(status) => say(format!("the last answer had the status {status}")),
                Err(error) => say(error.to_string()),
            }
            thread::sleep(TICK);
        }
        drop(turn);
        if let Some(former) = former.filter(|_| door.is_open()) {
            // A leftover holds nobody up.
            let _ = remove(&former.work());
        }
    }

    /// Starts the process anew whenever it dies, until somebody asks for its end.
    fn keep_up(&self, watch: &Watch, mut last: Option<Life>) -> io::Result<()> {
        let mut rest = SHORTEST_REST;
        loop {
            if let Some(life) = last {
                if life.ended.is_some() {
                    return Ok(());
                }
                if life.lasted >= WELL {
                    rest = SHORTEST_REST;
                }
                self.note(&format!("[{}; it is started again in {} s]", life.how, rest.as_secs()));
                if !self.rested(watch, rest)? {
                    return Ok(());
                }
                rest = (rest * 2).min(LONGEST_REST);
            }
            if !self.should_be_up() {
                return Ok(());
            }
            let life = match self.is_taken() {
                true => Ok(Life::none(self.taken_text())),
                false => self.live(watch, &Door::opened(), |_| ()),
            };
            last = Some(life.unwrap_or_else(|error| Life::none(format!("the process could not be started: {error}"))));
        }
    }

    /// Waits so long. `false` if it is to end.
    fn rested(&self, watch: &Watch, rest: Duration) -> io::Result<bool> {
        let (until, door) = (Instant::now() + rest, Door::opened());
        while !self.is_to_end(&door) && Instant::now() < until {
            watch.pause(until)?;
        }
        Ok(!self.is_to_end(&door))
    }

    /// Whether somebody asks for the end, be it by forgetting one that was in its place.
    fn is_to_end(&self, door: &Door) -> bool {
        self.own.is_to_stop() || door.is_open() && !self.should_be_up()
    }

    /// Whether it is the one that should be up. What can't be read says nothing else than before.
    fn should_be_up(&self) -> bool {
        let named = |kept: Kept| kept.deployment == self.plan.kept.deployment;
        self.place.kept().map_or(true, |kept| kept.is_some_and(named))
    }

    /// Starts the process and waits for its end, with `beside` at work on it meanwhile. Nothing of it is left.
    fn live(&self, watch: &Watch, door: &Door, beside: impl FnOnce(u32) + Send) -> io::Result<Life> {
        let Plan { kept, given, session, secrets, sandbox, .. } = self.plan;
        let port = ("PORT".to_owned(), kept.process.port.to_string());
        let variables: Vec<_> = given.iter().chain(&kept.variables).chain(session).cloned().chain([port]).collect();
        for path in [&self.folders.state, &self.folders.temporary] {
            folder(path)?;
        }
        self.own.put_script(&kept.process.command)?;
        let (reader, writer) = io::pipe()?;
        let begun = Instant::now();
        let mut child = begin(sandbox, &self.folders, &variables, writer)?;
        let id = child.id();
        // There is no bound but that of the files.
        let limits = Limits { head: u64::MAX, ..Limits::default() };
        let scribe = Scribe { commands: &[], marker: &self.marker, secrets, limits };
        thread::scope(|scope| {
            let writing = scope.spawn(|| scribe.copy(reader, Rotating::at(&self.place.log())));
            scope.spawn(move || beside(id));
            let ended = wait(|| self.is_to_end(door), sandbox, &child, watch, || door.deadline());
            door.shut();
            if ended.is_err() {
                // It is not to be waited for, then.
                let _ = child.kill();
            }
            let status = number_of(child.wait()?);
            bury()?;
            let summary = writing.join().map_err(|_| io::Error::other("writing the log failed"))??;
            let how = format!("the process ended with status {status}");
            Ok(Life { ended: ended?, how, tail: summary.tail, lasted: begun.elapsed() })
        })
    }

    fn failure(&self, life: Life, said: &str) -> Ended {
        let Kept { process, .. } = &self.plan.kept;
        let mut message = match life.ended {
            Some(Ended::TimedOut) => format!(
                "The commands succeeded, but the process that they leave did not answer at http://127.0.0.1:{}{} in time ({said})",
                process.port, process.ready_path
            ),
            Some(ended) => return ended,
            None => format!("The commands succeeded, but {} before it answered", life.how),
        };
        if !life.tail.is_empty() {
            message.push_str("\nThe last lines of its output:\n");
            message.push_str(&life.tail);
        }
        Ended::Refused(message)
    }

    fn too_late(&self) -> Ended {
        match self.own.is_to_stop() {
            true => Ended::Stopped,
            false => Ended::Refused("The process was not started: the one before it did not end in time.".to_owned()),
        }
    }

    fn is_taken(&self) -> bool {
        ready::is_taken(self.plan.kept.process.port)
    }

    fn taken_text(&self) -> String {
        format!("port {} is taken on this machine by another program", self.plan.kept.process.port)
    }

    fn port_is_taken(&self) -> Ended {
        Ended::Refused(format!("The process was not started: {}. Free it, or give another.", self.taken_text()))
    }

    fn note(&self, text: &str) {
        // What can't be written is lost, as its output is.
        let _ = Rotating::at(&self.place.log()).write_all(as_line(text.to_owned()).as_bytes());
    }

    /// Removes what only a process that is up needs.
    fn clean(&self) -> io::Result<()> {
        let _ = remove(&self.folders.temporary);
        match fs::remove_file(&self.folders.script) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Says that it has begun. Who waits for that may be gone.
fn say_ready() {
    let _ = writeln!(io::stdout(), "{READY}");
}
