//! What is said on standard error while the work goes on: a line for everything that has come true, and, for a person
//! at a terminal, one that says what is waited for.

use crate::config::environment;
use std::io::Write as _;
use std::time::Instant;

/// Takes the line back to its start and empties it.
const AFRESH: &str = "\r\x1b[2K";

pub(super) struct Progress {
    began: Instant,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), is_terminal: environment::has_colours() }
    }

    /// What is waited for now.
    pub(super) fn doing(&self, what: &str) {
        if self.is_terminal {
            say(&format!("{AFRESH}\x1b[2m{} {what} …\x1b[0m", self.time()));
        }
    }

    /// What has come true.
    pub(super) fn done(&self, what: &str) {
        self.clear();
        say(&format!("{} {what}\n", self.time()));
    }

    /// Makes room for what others say.
    pub(super) fn clear(&self) {
        if self.is_terminal {
            say(AFRESH);
        }
    }

    fn time(&self) -> String {
        format!("[{:>5.1} s]", self.began.elapsed().as_secs_f64())
    }
}

/// Writes to standard error, as far as anybody reads it: what is done does not depend on that.
pub(super) fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
