//! Numbers as they are written: compared digit by digit, so that none is ever rounded.

use std::cmp::Ordering;

/// An integer or a decimal number, such as `-12.50`. Exponents are none.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Decimal<'a> {
    is_negative: bool,
    /// Without leading zeros; empty for zero.
    whole: &'a str,
    /// Without trailing zeros; empty for an integer.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    pub(in super::super) fn parse(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: is_negative && !is_zero, whole, fraction })
    }

    pub(in super::super) fn compare(self, other: Decimal<'_>) -> Ordering {
        let size = |a: Decimal<'_>, b: Decimal<'_>| {
            let whole = a.whole.len().cmp(&b.whole.len()).then_with(|| a.whole.cmp(b.whole));
            whole.then_with(|| a.fraction.cmp(b.fraction))
        };
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_their_order_however_they_are_written() {
        let ascending = ["-100.5", "-100.4", "-2", "-0.01", "0", "0.009", "0.01", "0.1", "1", "1.05", "1.5", "9", "10"];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let (x, y) = (Decimal::parse(a).unwrap(), Decimal::parse(b).unwrap());
                assert_eq!(x.compare(y), i.cmp(&j), "{a} {b}");
            }
        }
        for (a, b) in [("1.0", "1"), ("007", "7"), ("-0.00", "0"), ("+3", "3"), ("1.50", "1.5")] {
            assert_eq!(Decimal::parse(a).unwrap().compare(Decimal::parse(b).unwrap()), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn large_numbers_are_not_rounded() {
        let [a, b] = ["9007199254740993", "9007199254740992"].map(|text| Decimal::parse(text).unwrap());
        assert_eq!(a.compare(b), Ordering::Greater);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "1.", ".5", "1e3", "0x1", "1,5", " 1", "--1", "١", "NaN", "inf"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }
}
