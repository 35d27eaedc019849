//! What is secret of the sessions of roles and of Secrets Manager and was given to runs by this process, so that it is
//! masked in what those print.
//!
//! It is nowhere else that the server could read: a server that was started since knows nothing of what was before.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::command::local::Mask;

/// Of how many runs they are known.
const RUNS: usize = 1_000;

/// What must not be shown, by the deployment whose run was given it.
#[derive(Default)]
pub(super) struct Sessions(Mutex<VecDeque<(String, Vec<String>)>>);

impl Sessions {
    /// Remembers what a run is given; of one that is begun anew, what it was given before too.
    pub(super) fn keep(&self, deployment: &str, secrets: Vec<String>) {
        if secrets.is_empty() {
            return;
        }
        let mut known = self.known();
        if let Some((_, before)) = known.iter_mut().find(|(of, _)| of == deployment) {
            before.extend(secrets);
            return;
        }
        if known.len() == RUNS {
            known.pop_front();
        }
        known.push_back((deployment.to_owned(), secrets));
    }

    /// Masks what the run of a deployment was given in lines of its output.
    pub(super) fn mask<'a>(&self, deployment: &str, lines: impl Iterator<Item = &'a mut String>) {
        let known = self.known();
        let Some((_, secrets)) = known.iter().find(|(of, _)| of == deployment) else { return };
        let mask = Mask::of(secrets);
        lines.for_each(|line| *line = mask.masked(line));
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<(String, Vec<String>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
