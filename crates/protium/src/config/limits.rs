//! How much one caller may ask.

use super::{ConfigError, Connections, ServeArgs};
use crate::throttle::Allowance;

/// More than a person or a pipeline asks, less than a loop without a pause.
const READS: u32 = 2000;
const LISTS: u32 = 500;
const WRITES: u32 = 500;
const AT_ONCE: u32 = 128;
/// A request each microsecond.
const MOST: u32 = 1_000_000;

/// The flags, where one is not given the file, and else the default.
pub(super) fn allowance(
    flag: &ServeArgs,
    file: &ServeArgs,
    connections: &Connections,
) -> Result<Allowance, ConfigError> {
    let given = |name: &str, flag: Option<u32>, file: Option<u32>, default| match flag.or(file).unwrap_or(default) {
        number @ 0..=MOST => Ok(number),
        number => Err(ConfigError(format!("{name}: {number} is more than {MOST}; 0 is no limit"))),
    };
    let at_once = given("requests-at-once", flag.requests_at_once, file.requests_at_once, AT_ONCE)?;
    Ok(Allowance {
        per_second: [
            given("reads-per-second", flag.reads_per_second, file.reads_per_second, READS)?,
            given("lists-per-second", flag.lists_per_second, file.lists_per_second, LISTS)?,
            given("writes-per-second", flag.writes_per_second, file.writes_per_second, WRITES)?,
        ],
        at_once: usize::try_from(at_once).unwrap_or(usize::MAX),
        // Those that wait have places that others want.
        waiting: (connections.most_requests / 8).max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn one_caller_has_a_share_of_the_places_of_all() {
        let Config { allowance, connections, .. } = Config::new(ServeArgs::default()).expect("the defaults are right");
        assert_eq!((allowance.at_once, allowance.waiting), (128, 128));
        assert_eq!((connections.requests_per_address(), connections.most_requests), (256, 1024));
        let few = Connections { most_requests: 1, ..connections };
        let of_few = super::allowance(&ServeArgs::default(), &ServeArgs::default(), &few).expect("they are right");
        assert_eq!((of_few.waiting, few.requests_per_address()), (1, 1));
    }
}
