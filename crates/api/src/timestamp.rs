//! Points in time as the protocol writes them.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since the Unix epoch. On the wire: a JSON number of seconds, with at most three
/// decimals (`1606603250.512`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point in time that is this many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1000 == 0 {
            serializer.serialize_i64(self.0 / 1000)
        } else {
            // The nearest double of a decimal with at most 15 digits prints as that decimal again.
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EpochSeconds)
    }
}

struct EpochSeconds;

impl Visitor<'_> for EpochSeconds {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds since 1970")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Timestamp, E> {
        let millis = seconds.checked_mul(1000);
        millis.map(Timestamp).ok_or_else(|| E::invalid_value(Unexpected::Signed(seconds), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Timestamp, E> {
        let seconds = i64::try_from(seconds).map_err(|_| E::invalid_value(Unexpected::Unsigned(seconds), &self))?;
        self.visit_i64(seconds)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Timestamp, E> {
        let millis = (seconds * 1000.0).round();
        // Beyond 2^53 a double has no milliseconds to give.
        if millis.abs() <= 9_007_199_254_740_992.0 {
            Ok(Timestamp(millis as i64))
        } else {
            Err(E::invalid_value(Unexpected::Float(seconds), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_epoch_seconds_with_milliseconds_in_both_directions() {
        for (millis, wire) in [
            (1_606_603_250_512, "1606603250.512"),
            (1_606_603_250_500, "1606603250.5"),
            (1_606_603_250_000, "1606603250"),
            (1, "0.001"),
            (0, "0"),
            (-1, "-0.001"),
            (253_402_300_799_999, "253402300799.999"),
        ] {
            let timestamp = Timestamp::from_millis(millis);
            assert_eq!(serde_json::to_string(&timestamp).unwrap(), wire);
            assert_eq!(serde_json::from_str::<Timestamp>(wire).unwrap(), timestamp);
        }
    }

    #[test]
    fn every_millisecond_of_a_second_survives_the_wire() {
        for millis in 1_764_000_000_000..1_764_000_001_000 {
            let wire = serde_json::to_string(&Timestamp::from_millis(millis)).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&wire).unwrap().as_millis(), millis, "{wire}");
            assert!(wire.len() <= "1764000000.000".len(), "{wire}");
        }
    }

    #[test]
    fn numbers_as_other_services_write_them_are_read() {
        for wire in ["1.606603250512E9", "1606603250.5120001", "1606603250512e-3"] {
            assert_eq!(serde_json::from_str::<Timestamp>(wire).unwrap().as_millis(), 1_606_603_250_512, "{wire}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for wire in ["\"2020-11-28\"", "null", "1e300", "9223372036854775807", "18446744073709551615", "true"] {
            assert!(serde_json::from_str::<Timestamp>(wire).is_err(), "{wire}");
        }
    }
}
