//! The one date format of signatures, `YYYYMMDDTHHMMSSZ`.

/// Milliseconds since 1970 of such a text, or `None` if it isn't one.
pub(super) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0_i16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
    };
    let small = |from: usize| i8::try_from(number(from, from + 2)?).ok();
    let at = jiff::civil::DateTime::new(number(0, 4)?, small(4)?, small(6)?, small(9)?, small(11)?, small(13)?, 0);
    Some(at.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The text of an instant in milliseconds since 1970; the fraction of a second is dropped.
pub(super) fn format(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_survives_parsing_and_formatting() {
        for text in ["19700101T000000Z", "20150830T123600Z", "20240229T235959Z"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(parse("19700101T000001Z"), Some(1000));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["", "20150830", "20150230T000000Z", "20150830T123600+", "2015083ÜT12360Z", "20151330T123600Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
