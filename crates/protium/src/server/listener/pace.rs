//! Whether a client moves bytes fast enough: what it makes us wait is counted, what we make it wait is not.

use crate::config::Connections;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A stretch of waiting, with the timer that ends it.
pub(super) struct Pace {
    stretch: Stretch,
    timer: Option<Pin<Box<Sleep>>>,
}

/// While a client is waited for so long in all, so many bytes must move; then the next stretch begins.
struct Stretch {
    patience: Duration,
    least: u64,
    moved: u64,
    /// How long it was waited so far.
    waited: Duration,
    /// Since when it is being waited.
    since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(limits: &Connections) -> Self {
        Self { stretch: Stretch::new(limits), timer: None }
    }

    /// So many bytes have moved; none, if what was waited for was something else.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.stretch.moved(bytes, Instant::now);
    }

    /// The client is waited for. Ready when that has lasted too long.
    pub(super) fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.stretch.deadline(Instant::now);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl Stretch {
    fn new(limits: &Connections) -> Self {
        Self {
            patience: limits.patience(),
            least: limits.patience_seconds.saturating_mul(limits.slowest_bytes_per_second),
            moved: 0,
            waited: Duration::ZERO,
            since: None,
        }
    }

    /// The clock is not asked if nothing was waited for.
    fn moved(&mut self, bytes: usize, now: impl FnOnce() -> Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now().saturating_duration_since(since);
        }
        self.moved = self.moved.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.moved >= self.least {
            (self.moved, self.waited) = (0, Duration::ZERO);
        }
    }

    /// Until when the client may be waited for, if it is from now on.
    fn deadline(&mut self, now: impl FnOnce() -> Instant) -> Instant {
        *self.since.get_or_insert_with(now) + self.patience.saturating_sub(self.waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A stretch of ten seconds for a hundred bytes, in a time of its own.
    struct Client {
        stretch: Stretch,
        now: Instant,
    }

    impl Client {
        fn new() -> Self {
            let limits = Connections { patience_seconds: 10, slowest_bytes_per_second: 10, ..Connections::default() };
            Self { stretch: Stretch::new(&limits), now: Instant::now() }
        }

        /// Whether it is in time with so many bytes that it lets us wait for so long.
        fn moves(&mut self, bytes: usize, after: Duration) -> bool {
            let deadline = self.stretch.deadline(|| self.now);
            self.now += after;
            self.stretch.moved(bytes, || self.now);
            self.now < deadline
        }
    }

    #[test]
    fn who_is_silent_for_too_long_is_too_slow() {
        assert!(Client::new().moves(1, 9 * SECOND));
        assert!(!Client::new().moves(100, 10 * SECOND));
    }

    #[test]
    fn drops_do_not_help_and_a_steady_trickle_does() {
        let mut drops = Client::new();
        assert!((0..9).all(|_| drops.moves(1, SECOND)));
        assert!(!drops.moves(1, SECOND));
        let mut trickle = Client::new();
        assert!((0..1000).all(|_| trickle.moves(12, SECOND)));
    }

    #[test]
    fn what_we_make_the_client_wait_is_not_counted() {
        let mut client = Client::new();
        for _ in 0..5 {
            assert!(client.moves(1, SECOND));
            client.now += 60 * SECOND;
        }
        assert!(client.moves(1, 4 * SECOND));
        assert!(!client.moves(1, SECOND));
    }
}
