//! The one clock of the application; `domain` is told the time, it never asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Milliseconds since the epoch, from the system or from a test.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    test: Arc<Test>,
}

/// What tests do to the clock.
#[derive(Debug, Default)]
struct Test {
    /// What they add to the system's time.
    offset_ms: AtomicI64,
    advanced: Notify,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), test: Arc::default() }
    }
}

impl Clock {
    pub fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        now.saturating_add(self.offset_ms())
    }

    /// Milliseconds since the start, on a clock that nobody sets: for how long something may take.
    pub fn elapsed_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        elapsed.saturating_add(self.offset_ms())
    }

    /// Waits until [`Clock::elapsed_ms`] has come so far.
    pub async fn sleep_until(&self, elapsed_ms: i64) {
        loop {
            let advanced = self.test.advanced.notified();
            tokio::pin!(advanced);
            // From here on it is told, even if it is not waited for yet.
            advanced.as_mut().enable();
            let left = u64::try_from(elapsed_ms.saturating_sub(self.elapsed_ms())).unwrap_or(0);
            if left == 0 {
                return;
            }
            tokio::select! {
                () = advanced => {}
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
            }
        }
    }

    /// Lets time pass at once. For tests.
    pub fn advance(&self, ms: i64) {
        self.test.offset_ms.fetch_add(ms, Ordering::SeqCst);
        self.test.advanced.notify_waiters();
    }

    fn offset_ms(&self) -> i64 {
        self.test.offset_ms.load(Ordering::Relaxed)
    }
}
