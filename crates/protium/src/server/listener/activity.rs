//! What goes on on one connection: whether it has a request under way, and since when it has none; and whether its
//! client reads the answers.

use crate::config::Connections;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;
use tokio::time::Instant;

/// Shared by what reads the connection, what answers its requests, and what ends it.
pub(super) struct Activity {
    opened: Instant,
    under_way: AtomicUsize,
    /// How many answers of them stand still until the client reads what they gave. In HTTP/2 only: it may keep them from
    /// being written at all.
    standing: AtomicUsize,
    /// When an answer gave something last, in milliseconds after the opening.
    gave: AtomicU64,
    /// Whether there was a request, and whether it came in HTTP/2.
    began: AtomicBool,
    is_http2: AtomicBool,
    /// When the last request ended, in milliseconds after the opening.
    ended: AtomicU64,
    /// When the first byte of the next head came, likewise, and one more; 0 while there is none.
    head: AtomicU64,
}

/// What is to be done with a connection at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before that moment.
    Until(Instant),
    /// A head does not come to its end.
    HeadTooSlow,
    /// Nothing is asked on it any more.
    Idle,
    /// All answers stand still, because they are not read.
    Unread,
}

/// A request that is being answered.
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    is_http2: bool,
    is_standing: bool,
}

impl Activity {
    pub(super) fn new(opened: Instant) -> Self {
        Self {
            opened,
            under_way: AtomicUsize::new(0),
            standing: AtomicUsize::new(0),
            gave: AtomicU64::new(0),
            began: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            head: AtomicU64::new(0),
        }
    }

    /// Bytes have come. In HTTP/2 they may be of anything: there, only requests count.
    pub(super) fn heard(&self, now: impl FnOnce() -> Instant) {
        if self.under_way.load(Relaxed) == 0 && self.head.load(Relaxed) == 0 && !self.is_http2.load(Relaxed) {
            self.head.store(self.after(now()) + 1, Relaxed);
        }
    }

    /// A head is complete.
    fn begin(&self, is_http2: bool) {
        self.under_way.fetch_add(1, Relaxed);
        self.head.store(0, Relaxed);
        self.began.store(true, Relaxed);
        self.is_http2.store(is_http2, Relaxed);
    }

    /// A request is answered.
    fn end(&self, now: Instant) {
        self.ended.store(self.after(now), Relaxed);
        self.under_way.fetch_sub(1, Relaxed);
    }

    /// An answer gave something, and now stands still until that is read; it may have stood before.
    fn stand(&self, was_standing: bool, now: Instant) {
        self.gave.store(self.after(now), Relaxed);
        if !was_standing {
            // Whoever sees that it stands sees since when.
            self.standing.fetch_add(1, Release);
        }
    }

    /// An answer stands still no longer: what it gave is read, and it has nothing more yet.
    fn go_on(&self) {
        self.standing.fetch_sub(1, Release);
    }

    pub(super) fn verdict(&self, limits: &Connections, now: Instant) -> Verdict {
        let at = |ms: u64, limit: Duration| self.opened + Duration::from_millis(ms) + limit;
        // Sooner than this nothing can become too slow that is not so already.
        let look_again = now + limits.header_time();
        let under_way = self.under_way.load(Relaxed);
        if under_way > self.standing.load(Acquire) {
            return Verdict::Until(look_again);
        }
        let (deadline, verdict) = match self.head.load(Relaxed).checked_sub(1) {
            _ if under_way > 0 => (at(self.gave.load(Relaxed), limits.patience()), Verdict::Unread),
            Some(head) => (at(head, limits.header_time()), Verdict::HeadTooSlow),
            None if self.began.load(Relaxed) => (at(self.ended.load(Relaxed), limits.idle_time()), Verdict::Idle),
            None => (at(0, limits.header_time()), Verdict::Idle),
        };
        if deadline <= now { verdict } else { Verdict::Until(deadline.min(look_again)) }
    }

    /// In milliseconds after the opening.
    fn after(&self, now: Instant) -> u64 {
        let after = now.saturating_duration_since(self.opened).as_millis();
        u64::try_from(after).unwrap_or(u64::MAX - 1)
    }
}

impl UnderWay {
    pub(super) fn new(activity: &Arc<Activity>, is_http2: bool) -> Self {
        activity.begin(is_http2);
        Self { activity: Arc::clone(activity), is_http2, is_standing: false }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// Its answer gave something, and nothing more is wanted of it until that is read.
    pub(super) fn stand(&mut self) {
        if self.is_http2 {
            self.activity.stand(self.is_standing, Instant::now());
            self.is_standing = true;
        }
    }

    /// Its answer was asked for more, and has nothing yet.
    pub(super) fn go_on(&mut self) {
        if std::mem::take(&mut self.is_standing) {
            self.activity.go_on();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.go_on();
        self.activity.end(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection, looked at so many seconds after it was opened.
    struct Opened(Activity);

    impl Opened {
        fn new() -> Self {
            Self(Activity::new(Instant::now()))
        }

        fn at(&self, seconds: u64) -> Instant {
            self.0.opened + Duration::from_secs(seconds)
        }

        fn heard(&self, seconds: u64) {
            self.0.heard(|| self.at(seconds));
        }

        fn verdict(&self, seconds: u64) -> Verdict {
            let limits =
                Connections { header_seconds: 10, idle_seconds: 60, patience_seconds: 30, ..Connections::default() };
            self.0.verdict(&limits, self.at(seconds))
        }

        fn is_left(&self, seconds: u64, until: u64) -> bool {
            self.verdict(seconds) == Verdict::Until(self.at(until))
        }
    }

    #[test]
    fn the_first_head_is_waited_for_as_long_as_a_head_may_take() {
        let opened = Opened::new();
        assert!(opened.is_left(4, 10));
        assert_eq!(opened.verdict(10), Verdict::Idle);
    }

    #[test]
    fn a_head_that_began_must_end_however_its_bytes_come() {
        let opened = Opened::new();
        opened.0.begin(false);
        opened.0.end(opened.at(5));
        assert!(opened.is_left(30, 40), "it is looked at again before a head could be too slow");
        opened.heard(30);
        assert!(opened.is_left(35, 40));
        opened.heard(35);
        assert_eq!(opened.verdict(40), Verdict::HeadTooSlow);
    }

    #[test]
    fn a_connection_is_idle_when_no_request_was_under_way_for_long() {
        for is_http2 in [false, true] {
            let opened = Opened::new();
            opened.0.begin(is_http2);
            opened.0.begin(is_http2);
            opened.0.end(opened.at(5));
            assert!(opened.is_left(1000, 1010));
            opened.0.end(opened.at(2000));
            assert!(opened.is_left(2055, 2060));
            assert_eq!(opened.verdict(2060), Verdict::Idle);
        }
    }

    #[test]
    fn answers_that_all_stand_still_are_waited_for_as_long_as_patience_lasts() {
        let opened = Opened::new();
        opened.0.begin(true);
        opened.0.begin(true);
        opened.0.stand(false, opened.at(5));
        assert!(opened.is_left(100, 110), "the other one is being made");
        opened.0.stand(false, opened.at(100));
        assert!(opened.is_left(105, 115));
        assert!(opened.is_left(125, 130));
        assert_eq!(opened.verdict(130), Verdict::Unread);
        opened.0.stand(true, opened.at(130));
        assert!(opened.is_left(155, 160), "one of them has been read");
        assert_eq!(opened.verdict(160), Verdict::Unread);
        opened.0.go_on();
        assert!(opened.is_left(200, 210), "one of them has been read, and has nothing more yet");
        opened.0.end(opened.at(210));
        assert_eq!(opened.verdict(210), Verdict::Unread, "the one that is left stood all the time");
    }

    #[test]
    fn pings_of_http2_keep_nothing_open_and_are_no_head() {
        let opened = Opened::new();
        opened.0.begin(true);
        opened.0.end(opened.at(0));
        opened.heard(1);
        opened.heard(50);
        assert!(opened.is_left(55, 60));
        assert_eq!(opened.verdict(60), Verdict::Idle);
    }
}
