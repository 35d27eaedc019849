//! When a quota has to be counted exactly.
//!
//! An exact count belongs into the transaction that takes the place. There it makes transactions that add
//! things at the same time give way to each other, so it is left out while the quota is far away.

/// More creates than can be under way at once: each of them holds a connection to the database.
const UNDER_WAY: i64 = 256;

/// Whether `count`, read before the transaction, is so near to the quota that the transaction must count again.
pub(super) fn is_near(count: i64, quota: i64) -> bool {
    count.saturating_add(UNDER_WAY) >= quota
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_near_when_creates_under_way_could_fill_it() {
        assert!(!is_near(0, 1000));
        assert!(!is_near(743, 1000));
        assert!(is_near(744, 1000));
        assert!(is_near(2000, 1000));
        assert!(is_near(0, 20));
        assert!(!is_near(0, i64::MAX));
    }
}
