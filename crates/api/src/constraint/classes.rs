//! The patterns that most calls meet (names, tokens) without a regex: some characters, then others.

/// `^[a]+[b]*$`, `^[a]+$` or `^[a]*$` over ASCII.
pub(crate) struct Classes {
    first: u128,
    /// Whether there must be one of `first`.
    some: bool,
    rest: u128,
}

impl Classes {
    /// The pattern, if it has one of the forms. `None` is no error: there is a regex for the others.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let pattern = pattern.strip_prefix('^')?.strip_suffix('$')?;
        let (first, pattern) = class(pattern)?;
        if pattern == "*" {
            return Some(Self { first, some: false, rest: 0 });
        }
        let pattern = pattern.strip_prefix('+')?;
        if pattern.is_empty() {
            return Some(Self { first, some: true, rest: 0 });
        }
        let (rest, end) = class(pattern)?;
        (end == "*").then_some(Self { first, some: true, rest })
    }

    pub(crate) fn is_match(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        // As many of the first as there are: what is left over is then a suffix of what would be.
        let rest = bytes.iter().position(|byte| !has(self.first, *byte)).unwrap_or(bytes.len());
        let (first, rest) = bytes.split_at(rest);
        !(self.some && first.is_empty()) && rest.iter().all(|byte| has(self.rest, *byte))
    }
}

fn has(set: u128, byte: u8) -> bool {
    byte.is_ascii() && set & (1 << byte) != 0
}

/// A class at the start of the text, as a set of ASCII characters, and what comes after it.
fn class(text: &str) -> Option<(u128, &str)> {
    let (body, after) = text.strip_prefix('[')?.split_once(']')?;
    if body.contains(['[', '^', '&']) || body.contains("--") || body.contains("~~") || !body.is_ascii() {
        return None;
    }
    let mut set = 0;
    let mut bytes = body.bytes().peekable();
    while let Some(start) = character(&mut bytes)? {
        let mut end = start;
        let mut ahead = bytes.clone();
        if ahead.next() == Some(b'-')
            && let Some(last) = character(&mut ahead)?
        {
            (end, bytes) = (last, ahead);
        }
        for byte in start..=end {
            set |= 1 << byte;
        }
    }
    Some((set, after))
}

/// The next character of a class, unescaped; `None` inside at its end, outside at an escape that is a
/// class of its own.
fn character(bytes: &mut impl Iterator<Item = u8>) -> Option<Option<u8>> {
    match bytes.next() {
        Some(b'\\') => bytes.next().filter(u8::is_ascii_punctuation).map(Some),
        byte => Some(byte),
    }
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    use super::Classes;

    #[test]
    fn classes_match_what_the_regex_matches() {
        for pattern in [
            r"^[0-9A-Za-z]+[0-9A-Za-z_\-]*$",
            "^[A-Za-z0-9+=/]+$",
            "^[!-~]*$",
            "^[a-]+[b]*$",
            "^[ab]+[bc]*$",
            "^[-a]+$",
        ] {
            let (classes, regex) = (Classes::parse(pattern).unwrap(), Regex::new(pattern).unwrap());
            let letters: Vec<char> = (0..=0x80).filter_map(char::from_u32).chain(['é', '京']).collect();
            assert_eq!(classes.is_match(""), regex.is_match(""), "{pattern}");
            for a in &letters {
                for b in &letters {
                    for text in [format!("{a}"), format!("{a}{b}"), format!("a{a}{b}"), format!("{a}_{b}")] {
                        assert_eq!(classes.is_match(&text), regex.is_match(&text), "{pattern} on {text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_patterns_are_left_to_the_regex() {
        for pattern in [
            r"^\d{12}$",
            r"^[\d]+$",
            "^[^a]+$",
            "^[a]$",
            "[a]+",
            "^[a]+[b]+$",
            "^[a]*[b]*$",
            "^([a])+$",
            r"^[\]]+$",
            "^[é]+$",
            "^[a&&b]+$",
            "(^$)|^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$",
        ] {
            assert!(Classes::parse(pattern).is_none(), "{pattern}");
        }
    }
}
