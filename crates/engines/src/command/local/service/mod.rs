//! What a run leaves behind to stay: one process of a resource, held by a supervisor of its own.
//!
//! Owns that there is one at most, that another takes its place only once that answers, and that it is found and
//! begun again after anything. All of it is in files (see [`place`]). Does not own what that means for a deployment.

mod door;
mod holder;
mod place;
mod ready;
mod rotating;

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::folder::{Ended, Look, RunFolder, folder};
use super::removal::remove;
use super::supervisor::Held;
use super::{Local, RunId, off, runs_in};
use crate::command::variables::hidden;
pub(super) use holder::{Plan, hold};
pub(in crate::command) use place::Kept;
use place::{Hold, Place};

/// How far a process is that is to take its place.
pub(in crate::command) enum Standing {
    Begins,
    /// It is the one that should be up.
    Up,
    /// It is not, and never will be.
    Ended(Ended),
}

/// What a process is given that is kept nowhere.
#[derive(Default)]
pub(in crate::command) struct Session {
    pub variables: Vec<(String, String)>,
    /// What must not be shown.
    pub secrets: Vec<String>,
}

impl Local {
    fn place(&self, resource: &str) -> Place {
        Place::at(&self.inner.folder.join(resource))
    }

    /// Begins to put a process in the place of the one before, if nobody has.
    pub(in crate::command) async fn take_over(
        &self,
        run: &RunId,
        kept: Kept,
        session: Session,
        within: Duration,
    ) -> io::Result<()> {
        let run = self.run(run);
        let own = run.service();
        let made = own.clone();
        if off(move || folder(made.path()).map(|()| made.is_claimed())).await? {
            return Ok(());
        }
        let plan = self.plan(kept, session, Some(within));
        if self.supervised(&run, &own, &Held::Process(plan)).await? {
            return Ok(());
        }
        off(move || if own.is_claimed() { Ok(()) } else { Err(did_not_begin(&own)) }).await
    }

    fn plan(&self, kept: Kept, session: Session, within: Option<Duration>) -> Plan {
        let Session { variables, mut secrets } = session;
        let given = self.inner.variables.clone();
        secrets.extend(hidden(&given));
        Plan { kept, given, session: variables, secrets, sandbox: self.inner.sandbox.clone(), within }
    }

    /// How far the process is that a run leaves behind.
    pub(in crate::command) fn standing(&self, run: &RunId) -> io::Result<Standing> {
        let look = self.run(run).service().look()?;
        if self.is_in_its_place(run)? {
            return Ok(Standing::Up);
        }
        Ok(match look {
            Look::Runs => Standing::Begins,
            Look::Ended(ended) => Standing::Ended(ended),
        })
    }

    fn is_in_its_place(&self, run: &RunId) -> io::Result<bool> {
        Ok(self.place(&run.resource).kept()?.is_some_and(|kept| kept.deployment == run.deployment))
    }

    /// Asks for the end of a process that is not in its place yet. One that has not begun never will.
    pub(in crate::command) fn withdraw(&self, run: &RunId) -> io::Result<()> {
        match self.is_in_its_place(run)? {
            true => Ok(()),
            false => self.run(run).service().stop(),
        }
    }

    /// Likewise, of another run than the one that is to work now. `true` if there is none.
    pub(super) fn withdraw_other(&self, resource: &str, other: &RunFolder) -> io::Result<bool> {
        let own = other.service();
        let kept = self.place(resource).kept()?;
        if kept.is_some_and(|kept| self.place(resource).run(&kept.deployment).path() == other.path())
            || !own.is_run()?
        {
            return Ok(true);
        }
        own.stop().map(|()| false)
    }

    /// Removes the working folder of a run whose process came to nothing.
    pub(in crate::command) fn discard(&self, run: &RunId) -> io::Result<()> {
        remove(&self.run(run).work())
    }

    /// Ends the process of a resource, which has none from then on. `false` while it has one still.
    pub(in crate::command) fn take_down(&self, resource: &str) -> io::Result<bool> {
        let place = self.place(resource);
        if !place.is_known() {
            return Ok(true);
        }
        let Some(_turn) = place.turn()? else { return Ok(false) };
        if !stopped(&place)? {
            return Ok(false);
        }
        if let Some(kept) = place.kept()? {
            place.forget()?;
            remove(&place.run(&kept.deployment).work())?;
        }
        Ok(true)
    }

    /// The resources that have, or had, a process.
    pub(in crate::command) fn resources(&self) -> io::Result<Vec<String>> {
        let mut resources = Vec::new();
        for entry in fs::read_dir(&self.inner.folder)? {
            let Ok(resource) = entry?.file_name().into_string() else { continue };
            if self.place(&resource).is_known() {
                resources.push(resource);
            }
        }
        Ok(resources)
    }

    /// What should be up and is not.
    pub(in crate::command) fn absent(&self, resource: &str) -> io::Result<Option<Kept>> {
        let place = self.place(resource);
        let Some(kept) = place.kept()? else { return Ok(None) };
        Ok((!place.is_held()?).then_some(kept))
    }

    /// Begins a process again that should be up, with such a session; one whose files are gone is forgotten. `false` if
    /// somebody else is at it.
    pub(in crate::command) async fn bring_up(&self, resource: &str, kept: Kept, session: Session) -> io::Result<bool> {
        let (here, resource) = (self.clone(), resource.to_owned());
        let place = self.place(&resource);
        let run = place.run(&kept.deployment);
        let (own, deployment) = (run.service(), kept.deployment.clone());
        let (begun, again) = (run.clone(), place.clone());
        // Kept until it is up, or nothing comes of it.
        let turn = match off(move || here.turn_for(&resource, &again, &begun, &deployment)).await? {
            Turn::Mine(turn) => turn,
            Turn::Anothers => return Ok(false),
            Turn::OfNoUse => return Ok(true),
        };
        let plan = self.plan(kept, session, None);
        let begun = self.supervised(&run, &own, &Held::Process(plan)).await?;
        off(move || match begun || place.is_held()? {
            true => Ok(()),
            false => Err(did_not_begin(&own)),
        })
        .await?;
        drop(turn);
        Ok(true)
    }

    /// The turn to begin the process that this run left again.
    fn turn_for(&self, resource: &str, place: &Place, run: &RunFolder, deployment: &str) -> io::Result<Turn> {
        let Some(turn) = place.turn()? else { return Ok(Turn::Anothers) };
        // It may be another one by now.
        if self.absent(resource)?.is_none_or(|absent| absent.deployment != deployment) {
            return Ok(Turn::Anothers);
        }
        if !run.work().try_exists()? {
            return place.forget().map(|()| Turn::OfNoUse);
        }
        folder(run.service().path())?;
        Ok(Turn::Mine(turn))
    }
}

/// Whose turn it is to begin a process again.
enum Turn {
    Mine(Hold),
    Anothers,
    /// Its files are gone.
    OfNoUse,
}

/// Asks for the end of the process of a resource, by the folder of that alone. `true` if it has none.
pub(super) fn stop(resource: &Path) -> io::Result<bool> {
    let place = Place::at(resource);
    Ok(!place.is_known() || stopped(&place)?)
}

/// Asks the process at a place to end. `true` if there is none.
fn stopped(place: &Place) -> io::Result<bool> {
    if !place.is_held()? {
        return Ok(true);
    }
    if let Some(kept) = place.kept()? {
        place.run(&kept.deployment).service().stop()?;
        return Ok(false);
    }
    // Nobody says whose it is: one that begins, or one that was forgotten by hand.
    for run in runs_in(place.folder())? {
        let own = RunFolder::at(&run).service();
        if own.path().is_dir() {
            own.stop()?;
        }
    }
    Ok(false)
}

/// Removes what a process that is gone has left in the folder of a resource: its output, and what was locked.
pub(super) fn remove_traces(resource: &Path) -> io::Result<()> {
    Place::at(resource).remove()
}

/// Whether the process that the run of `deployment` left is the one of the resource.
pub(super) fn is_of(resource: &Path, deployment: &str) -> io::Result<bool> {
    Ok(Place::at(resource).kept()?.is_some_and(|kept| kept.deployment == deployment))
}

/// In the supervisor's own words.
fn did_not_begin(own: &RunFolder) -> io::Error {
    io::Error::other(format!("the supervisor of the process did not begin: {}", own.complaints()))
}
