//! How long to wait before looking again: fast at first, then less and less often.
//!
//! Looks cost the account's quota of describe calls, and a late look costs the user's time. So the
//! pause doubles up to a ceiling that finds the end of a stack of some seconds within 2 s, and for
//! long stacks grows with what has been waited already.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(150);
const CEILING: Duration = Duration::from_millis(1_800);
/// An accepted call may not show for this many looks.
pub(super) const STALE_LOOKS: u32 = 3;
const LONGEST: Duration = Duration::from_secs(30);
/// A long stack is seen late by at most this part of its time.
const PART_OF_WAITED: u32 = 10;

/// The pause after look number `looks` (from 0) when `waited` has passed.
pub(super) fn pause(looks: u32, waited: Duration) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(looks.min(16)).unwrap_or(u32::MAX));
    let early = doubled.min(CEILING);
    early.max(waited / PART_OF_WAITED).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks it takes to see the end of a stack that takes `length`, and how late it is seen.
    fn observe(length: Duration, cost_of_a_look: Duration) -> (u32, Duration) {
        let (mut looks, mut waited, mut now) = (0, Duration::ZERO, Duration::ZERO);
        loop {
            now += cost_of_a_look;
            if now >= length {
                return (looks + 1, now - length);
            }
            let pause = pause(looks, waited);
            looks += 1;
            waited += pause;
            now += pause;
        }
    }

    #[test]
    fn a_stack_of_20_seconds_is_seen_within_2_seconds_with_at_most_16_looks() {
        for cost in [0, 5, 20, 50, 100, 150] {
            let (looks, late) = observe(Duration::from_secs(20), Duration::from_millis(cost));
            assert!(looks <= 16, "{looks} looks at {cost} ms");
            assert!(late <= Duration::from_secs(2), "{late:?} late at {cost} ms");
        }
    }

    #[test]
    fn every_stack_is_seen_soon_for_its_length() {
        for ms in (0..3_600_000).step_by(997) {
            let length = Duration::from_millis(ms);
            let (_, late) = observe(length, Duration::ZERO);
            let bound = (length / 9).clamp(CEILING, LONGEST).min(length.max(FIRST) * 2);
            assert!(late <= bound, "{length:?} seen {late:?} late");
        }
    }

    #[test]
    fn an_hour_costs_few_looks() {
        assert!(observe(Duration::from_secs(3_600), Duration::ZERO).0 <= 160);
    }
}
