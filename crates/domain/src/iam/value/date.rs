//! Dates of conditions: ISO 8601 as the W3C profiles it, or seconds since 1970.

use crate::moment::{days_in, days_since_1970};

const SECOND: i128 = 1_000_000_000;

/// Nanoseconds since 1970 of `2026`, `2026-11`, `2026-11-23`, `2026-11-23T00:24Z`, with seconds, with a fraction of
/// them, with an offset such as `+02:00` in place of `Z`; or of epoch seconds, a fraction of them included.
///
/// Four digits are a year. What is finer than a nanosecond is cut off.
pub(in super::super) fn parse(text: &str) -> Option<i128> {
    iso(text).or_else(|| epoch(text))
}

fn epoch(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (seconds, fraction) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    if seconds.len() > 18 {
        return None;
    }
    let nanos = fraction.map_or(Some(0), nanoseconds)?;
    Some(sign * (i128::from(number(seconds)?) * SECOND + nanos))
}

fn iso(text: &str) -> Option<i128> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('-');
    let year = fixed(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| fixed(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| fixed(part, 2))?;
    let is_full = date.len() == 10;
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let midnight = i128::from(days_since_1970(year, month, day)) * 86_400 * SECOND;
    match time {
        Some(time) if is_full => Some(midnight + time_of_day(time)?),
        Some(_) => None,
        None => Some(midnight),
    }
}

/// The nanoseconds of `00:24`, `00:24:59` or `00:24:59.5` with `Z` or an offset from it.
fn time_of_day(text: &str) -> Option<i128> {
    let (clock, offset) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let (clock, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            (clock, offset_minutes(offset)?)
        }
    };
    let (hours, rest) = clock.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':').map_or((rest, None), |(minutes, rest)| (minutes, Some(rest)));
    let (hours, minutes) = (fixed(hours, 2)?, fixed(minutes, 2)?);
    let (seconds, nanos) = match seconds.map(|text| text.split_once('.').unwrap_or((text, "0"))) {
        Some((whole, fraction)) => (fixed(whole, 2)?, nanoseconds(fraction)?),
        None => (0, 0),
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(i128::from((hours * 60 + minutes - offset) * 60 + seconds) * SECOND + nanos)
}

/// The minutes of `+02:00`.
fn offset_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (fixed(hours, 2)?, fixed(minutes, 2)?);
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn nanoseconds(fraction: &str) -> Option<i128> {
    number(fraction)?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(digits.fold(0, |nanos, digit| nanos * 10 + i128::from(digit - b'0')))
}

fn fixed(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits).then(|| number(text)).flatten()
}

/// Digits only; what is more than fits is cut off, since only its being digits is asked then.
fn number(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.bytes().take(18).fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_w3c_are_read() {
        for (text, seconds) in [
            ("1970", 0),
            ("1970-02", 31 * 86_400),
            ("1970-01-02", 86_400),
            ("1970-01-01T00:01Z", 60),
            ("1970-01-01T00:00:01Z", 1),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1969-12-31T23:30-00:30", 0),
            ("2020-11-28T22:40:50Z", 1_606_603_250),
            ("2013-06-30T00:00:00Z", 1_372_550_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Some(seconds * SECOND), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00.0000000019Z"), Some(1));
        assert_eq!(parse("1970-01-01T00:00:00.5Z"), Some(SECOND / 2));
    }

    #[test]
    fn seconds_since_1970_are_read() {
        for (text, nanos) in [
            ("0", 0),
            ("1606603250", 1_606_603_250 * SECOND),
            ("1606603250.512", 1_606_603_250_512_000_000),
            ("-1.5", -SECOND * 3 / 2),
            ("20201", 20_201 * SECOND),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn all_else_is_no_date() {
        for text in [
            "",
            "-",
            "1.",
            "1e9",
            "2026-13",
            "2026-02-30",
            "2026-1-1",
            "2026-01-01T",
            "2026-01T00:00Z",
            "2026-01-01T00:00",
            "2026-01-01T00:00:00",
            "2026-01-01T24:00Z",
            "2026-01-01T00:60Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00*02:00",
            "2026-01-01T00:00:00+0200",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00éé:00",
            "2026-01-01-01",
            "now",
            "9999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
