//! Points in time as filters write them: RFC 3339 in UTC, such as `2026-11-21T22:00:00.5Z`.

const SECOND: i64 = 1000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// A point in time that may lie between two milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The last whole millisecond since 1970 that is not after it.
    pub floor: i64,
    /// The first one that is not before it.
    pub ceiling: i64,
}

impl Moment {
    /// Reads `YYYY-MM-DDTHH:MM:SS`, a fraction of a second if there is one, and `Z`. `None` for all else, offsets too.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_at_checked(19)?;
        let bytes = whole.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
            return None;
        }
        let part = |from: usize, to: usize| whole.get(from..to).and_then(digits);
        let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
        let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
        if hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) {
            return None;
        }
        if day < 1 || day > days_in(year, month) {
            return None;
        }
        let seconds = (hour * 60 + minute) * 60 + second;
        let start = days_since_1970(year, month, day) * DAY + seconds * SECOND;
        let (millis, exact) = fraction_of_second(fraction)?;
        let floor = start + millis;
        Some(Self { floor, ceiling: floor + i64::from(!exact) })
    }
}

/// A time in milliseconds since 1970 to the second, as `2026-11-21T22:00:00Z`. The year has four digits in all times
/// from 0000 to 9999.
pub(crate) fn to_second(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(DAY), ms.rem_euclid(DAY) / SECOND);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The year, month and day of a day since 1970-01-01: what [`days_since_1970`] is told.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The milliseconds in `.123Z`, and whether there is nothing beyond them.
fn fraction_of_second(text: &str) -> Option<(i64, bool)> {
    let text = text.strip_suffix('Z')?;
    if text.is_empty() {
        return Some((0, true));
    }
    let decimals = text.strip_prefix('.')?;
    if decimals.is_empty() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (first, rest) = decimals.split_at(decimals.len().min(3));
    let millis = digits(&format!("{first:0<3}"))?;
    Some((millis, rest.bytes().all(|digit| digit == b'0')))
}

fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, whose year is counted from March here.
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_of_day_are_read() {
        for (text, floor) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:01.5Z", 1500),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2020-11-28T22:40:50.512Z", 1_606_603_250_512),
            ("2026-12-31T23:59:59.000Z", 1_798_761_599_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999),
        ] {
            assert_eq!(Moment::parse(text).map(|moment| moment.floor), Some(floor), "{text}");
        }
    }

    #[test]
    fn a_time_to_the_second_is_read_back() {
        for at in
            [0_i64, -1, 951_825_600_000, 1_606_603_250_512, 1_798_761_599_000, -62_167_219_200_000, 253_402_300_799_999]
        {
            let second = at.div_euclid(SECOND) * SECOND;
            let text = to_second(at);
            assert_eq!(Moment::parse(&text), Some(Moment { floor: second, ceiling: second }), "{at}: {text}");
        }
        let mut at = -62_167_219_200_000;
        while at < 253_402_300_799_999 {
            assert_eq!(Moment::parse(&to_second(at)).map(|moment| moment.floor), Some(at));
            at += 11 * DAY + 3_661 * SECOND;
        }
        assert!(!to_second(i64::MAX).is_empty() && !to_second(i64::MIN).is_empty());
    }

    #[test]
    fn what_lies_between_two_milliseconds_has_both() {
        for (text, floor, ceiling) in [
            ("1970-01-01T00:00:00.0019Z", 1, 2),
            ("1970-01-01T00:00:00.0010000Z", 1, 1),
            ("1970-01-01T00:00:00.1Z", 100, 100),
        ] {
            assert_eq!(Moment::parse(text), Some(Moment { floor, ceiling }), "{text}");
        }
    }

    #[test]
    fn all_else_is_no_point_in_time() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T22:00:00",
            "2026-11-21T22:00:00+00:00",
            "2026-11-21T22:00:00.Z",
            "2026-11-21T22:00:00.5",
            "2026-11-21t22:00:00z",
            "2026-11-21 22:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.1x2Z",
            "1606603250",
            "２０２６-01-01T00:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
