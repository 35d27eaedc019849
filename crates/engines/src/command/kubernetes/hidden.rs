//! What must not be shown of what runs print, as this process has read it from their Secrets: so that it is not asked for
//! each time that lines are read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of how many runs it is known; of others it is asked for again.
const RUNS: usize = 1_000;

/// By the id of the Job.
#[derive(Default)]
pub(super) struct Hidden(Mutex<VecDeque<(String, Vec<String>)>>);

impl Hidden {
    /// Remembers what a Secret says of a Job's run, if it says anything. It never says anything else.
    pub(super) fn keep(&self, job: &str, hidden: Option<Vec<String>>) {
        let Some(hidden) = hidden else { return };
        let mut known = self.all();
        if known.iter().any(|(of, _)| of == job) {
            return;
        }
        if known.len() == RUNS {
            known.pop_front();
        }
        known.push_back((job.to_owned(), hidden));
    }

    pub(super) fn known(&self, job: &str) -> Option<Vec<String>> {
        self.all().iter().find(|(of, _)| of == job).map(|(_, hidden)| hidden.clone())
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<(String, Vec<String>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
