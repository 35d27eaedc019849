//! How much one caller may ask: so many requests of a kind in a second, and so many at the same time.
//!
//! Owns the count of each caller, and their queues: a caller that floods waits for its own requests, and others find
//! the server as if it were not there. Does not own who calls and what a refusal looks like; is told the time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A bucket holds what is granted in so many seconds: a caller that has been quiet may burst.
const BURST_S: i64 = 10;
/// So many callers are known before those are forgotten that have been quiet.
const KNOWN: usize = 1024;
const SECOND_US: i64 = 1_000_000;

/// Kinds of operations, each of which has a bucket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    List,
    Write,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Read, Self::List, Self::Write];

    /// As the metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
        }
    }
}

/// What one caller may. 0 of `per_second` or `at_once` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests per second by kind, in the order of [`Kind::ALL`]. In a burst, ten times as many at once.
    pub per_second: [u32; 3],
    /// Requests that are worked on at the same time; further ones wait.
    pub at_once: usize,
    /// Requests that wait at the same time; further ones are refused.
    pub waiting: usize,
}

impl Allowance {
    /// Whatever is asked.
    pub const ALL: Self = Self { per_second: [0; 3], at_once: 0, waiting: 0 };
}

/// A bucket of requests, as the time at which it is full again, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(i64);

impl Bucket {
    /// Takes one request out, if there is one.
    fn take(&mut self, per_second: u32, now_us: i64) -> bool {
        if per_second == 0 {
            return true;
        }
        let full_at = self.0.max(now_us).saturating_add(SECOND_US / i64::from(per_second));
        let granted = full_at.saturating_sub(now_us) <= BURST_S * SECOND_US;
        if granted {
            self.0 = full_at;
        }
        granted
    }
}

#[derive(Debug)]
struct Caller {
    buckets: [Bucket; 3],
    /// Places for those that are worked on and those that wait.
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Caller {
    fn new(allowance: &Allowance) -> Self {
        let (places, turns) = match allowance.at_once {
            0 => (Semaphore::MAX_PERMITS, Semaphore::MAX_PERMITS),
            at_once => (at_once.saturating_add(allowance.waiting), at_once),
        };
        let queue = |length: usize| Arc::new(Semaphore::new(length.min(Semaphore::MAX_PERMITS)));
        Self { buckets: Default::default(), places: queue(places), turns: queue(turns) }
    }

    /// Whether nothing would be lost if it was forgotten.
    fn is_quiet(&self, now_us: i64) -> bool {
        Arc::strong_count(&self.turns) == 1 && self.buckets.iter().all(|bucket| bucket.0 <= now_us)
    }
}

#[derive(Debug, Default)]
struct Callers {
    by_name: HashMap<String, Caller>,
    /// When there are so many, quiet ones are looked for.
    most: usize,
}

/// The callers of one process.
#[derive(Debug)]
pub struct Throttle {
    allowance: Allowance,
    callers: Mutex<Callers>,
    refused: [AtomicU64; 3],
}

/// The right to be worked on, until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "what counts is that it is there")] Option<[OwnedSemaphorePermit; 2]>);

/// The caller's bucket is empty, or its queue full.
#[derive(Debug, PartialEq, Eq)]
pub struct Throttled;

impl Throttled {
    /// What the caller is told, as AWS does.
    pub const MESSAGE: &str = "Rate exceeded";
}

impl Throttle {
    pub fn new(allowance: Allowance) -> Self {
        let callers = Callers { most: KNOWN, ..Callers::default() };
        Self { allowance, callers: Mutex::new(callers), refused: Default::default() }
    }

    /// Lets a request of a caller in, once it is its turn among those of the same caller. `now` is in milliseconds on
    /// a clock that nobody sets.
    ///
    /// # Errors
    /// The caller asked for too much of that kind, or has as many requests waiting as it may.
    pub async fn admit(&self, caller: &str, kind: Kind, now: i64) -> Result<Turn, Throttled> {
        if self.allowance == Allowance::ALL {
            return Ok(Turn(None));
        }
        let Some((place, turns)) = self.count(caller, kind, now.saturating_mul(1000)) else {
            self.refused[kind as usize].fetch_add(1, Ordering::Relaxed);
            return Err(Throttled);
        };
        // Nobody closes it.
        Ok(Turn(turns.acquire_owned().await.ok().map(|turn| [place, turn])))
    }

    /// A place in the queue of the caller, and the turns that it is for, unless it asked for too much.
    fn count(&self, name: &str, kind: Kind, now_us: i64) -> Option<(OwnedSemaphorePermit, Arc<Semaphore>)> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if !callers.by_name.contains_key(name) {
            callers.make_room(now_us);
            callers.by_name.insert(name.to_owned(), Caller::new(&self.allowance));
        }
        let caller = callers.by_name.get_mut(name)?;
        let place = Arc::clone(&caller.places).try_acquire_owned().ok()?;
        let granted = caller.buckets[kind as usize].take(self.allowance.per_second[kind as usize], now_us);
        granted.then(|| (place, Arc::clone(&caller.turns)))
    }

    /// How many requests of a kind were refused since the start.
    pub fn refused(&self, kind: Kind) -> u64 {
        self.refused[kind as usize].load(Ordering::Relaxed)
    }
}

impl Callers {
    fn make_room(&mut self, now_us: i64) {
        if self.by_name.len() < self.most {
            return;
        }
        self.by_name.retain(|_, caller| !caller.is_quiet(now_us));
        // Where most are busy, looking at each of them again for every new one would take long.
        self.most = KNOWN.max(2 * self.by_name.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const ALLOWANCE: Allowance = Allowance { per_second: [100, 2, 1], at_once: 2, waiting: 1 };

    /// Whether a request is let in, waits (`None`), or is refused.
    fn ask(throttle: &Throttle, caller: &str, kind: Kind, now: i64) -> Option<Result<Turn, Throttled>> {
        throttle.admit(caller, kind, now).now_or_never()
    }

    /// How many requests one after the other are let in.
    fn granted(throttle: &Throttle, caller: &str, kind: Kind, now: i64) -> usize {
        (0..2000).take_while(|_| matches!(ask(throttle, caller, kind, now), Some(Ok(_)))).count()
    }

    #[test]
    fn a_caller_may_burst_and_then_ask_as_often_as_its_bucket_fills() {
        let throttle = Throttle::new(ALLOWANCE);
        for (kind, per_second) in [(Kind::Read, 100), (Kind::List, 2), (Kind::Write, 1)] {
            assert_eq!(granted(&throttle, "a", kind, 5), 10 * per_second);
            assert_eq!(granted(&throttle, "a", kind, 5), 0);
            assert_eq!(granted(&throttle, "a", kind, 3005), 3 * per_second);
            assert_eq!(granted(&throttle, "b", kind, 5), 10 * per_second, "another caller has buckets of its own");
            assert_eq!(granted(&throttle, "a", kind, 60_000), 10 * per_second, "no more than a bucket");
            assert_eq!(throttle.refused(kind), 5);
        }
    }

    #[test]
    fn whoever_has_no_limit_is_never_refused() {
        let throttle = Throttle::new(Allowance::ALL);
        assert_eq!(granted(&throttle, "a", Kind::Write, 0), 2000);
        let throttle = Throttle::new(Allowance { per_second: [0, 1, 0], at_once: 0, waiting: 0 });
        assert_eq!(granted(&throttle, "a", Kind::Write, 0), 2000);
        assert_eq!(granted(&throttle, "a", Kind::List, 0), 10);
    }

    #[test]
    fn a_caller_waits_for_its_own_requests_and_for_no_others() {
        let throttle = Throttle::new(ALLOWANCE);
        let first = ask(&throttle, "a", Kind::Read, 0);
        let second = ask(&throttle, "a", Kind::Write, 0);
        assert!(matches!((&first, &second), (Some(Ok(_)), Some(Ok(_)))));
        let mut third = std::pin::pin!(throttle.admit("a", Kind::Read, 0));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(matches!(ask(&throttle, "b", Kind::Read, 0), Some(Ok(_))));
        drop(first);
        assert!(matches!(third.now_or_never(), Some(Ok(_))));
    }

    #[test]
    fn so_many_requests_of_a_caller_wait_and_what_is_more_is_refused() {
        let throttle = Throttle::new(ALLOWANCE);
        let worked_on = [(); 2].map(|()| ask(&throttle, "a", Kind::Read, 0));
        let mut waits = Box::pin(throttle.admit("a", Kind::Write, 0));
        assert!(waits.as_mut().now_or_never().is_none());
        for _ in 0..100 {
            assert!(
                matches!(ask(&throttle, "a", Kind::Write, 0), Some(Err(Throttled))),
                "it leaves its bucket as it is"
            );
        }
        assert_eq!(throttle.refused(Kind::Write), 100);
        assert!(matches!(ask(&throttle, "b", Kind::Read, 0), Some(Ok(_))));
        // Who goes away while it waits leaves its place to another.
        drop(waits);
        let mut waits = Box::pin(throttle.admit("a", Kind::Write, 0));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(worked_on);
        assert!(matches!(waits.now_or_never(), Some(Ok(_))));
        assert_eq!(granted(&throttle, "a", Kind::Write, 0), 8, "two of ten have waited");
    }

    #[test]
    fn callers_that_are_quiet_are_forgotten_and_those_who_are_not_are_known() {
        let throttle = Throttle::new(ALLOWANCE);
        let held = ask(&throttle, "holds", Kind::Read, 0);
        let known = || throttle.callers.lock().expect("nobody panicked").by_name.len();
        for number in 0..10 * KNOWN {
            let now = i64::try_from(number).expect("a small number") * 1000;
            assert!(matches!(ask(&throttle, &number.to_string(), Kind::List, now), Some(Ok(_))));
            assert!(known() <= KNOWN, "{}", known());
        }
        assert!(throttle.callers.lock().expect("nobody panicked").by_name.contains_key("holds"));
        drop(held);
        // All of them in the same moment: none is quiet.
        for number in 0..3 * KNOWN {
            assert!(matches!(ask(&throttle, &format!("at once {number}"), Kind::List, i64::MAX / 2000), Some(Ok(_))));
        }
        assert!(known() >= 3 * KNOWN, "{}", known());
    }
}
