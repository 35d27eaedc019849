//! What must not be shown of an output, and where a long line may be cut without showing half of it.

use std::ops::Range;

/// What stands where a secret was.
const MASK: &str = "***";

pub(in crate::command) struct Mask<'a> {
    /// None of them empty.
    secrets: Vec<&'a str>,
    /// The bytes of the longest.
    longest: usize,
}

impl<'a> Mask<'a> {
    pub(in crate::command) fn of(secrets: &'a [String]) -> Self {
        let secrets: Vec<_> = secrets.iter().map(String::as_str).filter(|secret| !secret.is_empty()).collect();
        let longest = secrets.iter().map(|secret| secret.len()).max().unwrap_or(0);
        Self { secrets, longest }
    }

    /// How many bytes behind a place must be known before a line is cut there.
    pub(super) fn ahead(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// The text with a mask in the place of every secret; of several that overlap nothing is left.
    pub(in crate::command) fn masked(&self, text: &str) -> String {
        hide(text, self.found(text.as_bytes()))
    }

    /// The same of a text whose end was cut off: what may be the beginning of a secret there is masked too.
    pub(in crate::command) fn masked_of_cut(&self, text: &str) -> String {
        // What a cut in the middle of a character leaves.
        let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let mut found = self.found(text.as_bytes());
        found.extend(self.secrets.iter().filter_map(|secret| {
            let most = secret.len().saturating_sub(1).min(text.len());
            let beginnings = (1..=most).rev().filter(|&size| secret.is_char_boundary(size));
            let begun = beginnings.map(|size| &secret[..size]).find(|begun| text.ends_with(begun))?;
            Some(text.len() - begun.len()..text.len())
        }));
        hide(text, found)
    }

    /// Cuts a line that goes on: what may be shown of it, and what must wait for the bytes that follow. No secret lies
    /// on both sides.
    pub(super) fn split(&self, mut line: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let at = line.len().saturating_sub(self.ahead());
        let mut cut = at;
        while let Some(before) = self.across(&line, cut) {
            cut = before;
        }
        if cut > 0 || at == 0 {
            let waits = line.split_off(cut);
            return (line, waits);
        }
        // It is secrets all over, each beginning in another. Those that reach over the end of it are looked at again.
        let waits = self.across(&line, at).map(|before| line.split_off(before)).unwrap_or_default();
        (if line.is_empty() { line } else { MASK.into() }, waits)
    }

    /// Where the first of the secrets begins that reach over a place, if any does.
    fn across(&self, line: &[u8], place: usize) -> Option<usize> {
        let from = place.saturating_sub(self.ahead());
        let near = &line[from..line.len().min(place + self.ahead())];
        let found = self.found(near).into_iter().map(|secret| secret.start + from..secret.end + from);
        found.filter(|secret| secret.start < place && place < secret.end).map(|secret| secret.start).min()
    }

    /// Where secrets are, those within others and those that begin in others too.
    fn found(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for secret in &self.secrets {
            let secret = secret.as_bytes();
            let windows = text.windows(secret.len()).enumerate();
            let at = windows.filter(|(_, window)| window[0] == secret[0] && *window == secret).map(|(at, _)| at);
            found.extend(at.map(|at| at..at + secret.len()));
        }
        found
    }
}

/// The text with a mask in the place of what was found in it.
fn hide(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_by_key(|secret| secret.start);
    let (mut masked, mut shown) = (String::with_capacity(text.len()), 0);
    let mut found = found.into_iter().peekable();
    while let Some(mut hidden) = found.next() {
        while let Some(next) = found.next_if(|next| next.start < hidden.end) {
            hidden.end = hidden.end.max(next.end);
        }
        masked.push_str(&text[shown..hidden.start]);
        masked.push_str(MASK);
        shown = hidden.end;
    }
    masked.push_str(&text[shown..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], text: &str) -> String {
        Mask::of(&secrets.iter().map(|&secret| secret.to_owned()).collect::<Vec<_>>()).masked(text)
    }

    #[test]
    fn nothing_of_a_secret_is_left() {
        for (secrets, text, expected) in [
            (&["s3cr3t"][..], "key=s3cr3t;", "key=***;"),
            (&["s3cr3t"], "s3cr3ts3cr3t", "******"),
            (&["pass", "passphrase"], "a passphrase, a pass", "a ***, a ***"),
            (&["phrase", "passphrase", "pass"], "passphrase", "***"),
            (&["abcd", "cdef"], "abcdef abcd", "*** ***"),
            (&["abcab"], "abcabcab.", "***."),
            (&["é", ""], "né", "n***"),
            (&[], "all", "all"),
            (&["long"], "", ""),
        ] {
            assert_eq!(masked(secrets, text), expected, "{secrets:?}");
        }
    }

    #[test]
    fn where_a_text_was_cut_no_half_of_a_secret_is_left() {
        for (secrets, text, expected) in [
            (&["s3cr3t"][..], "key=s3cr3", "key=***"),
            (&["s3cr3t"], "key=s3cr3t", "key=***"),
            (&["s3cr3t", "3cr3y!"], "key=s3cr3", "key=***"),
            (&["s3cr3t"], "s", "***"),
            (&["s3cr3t"], "s3cr3t and more", "*** and more"),
            (&["né"], "an\u{fffd}", "a***"),
            (&["abcab"], "xabcab", "x***"),
            (&[], "all", "all"),
        ] {
            let secrets: Vec<String> = secrets.iter().map(|&secret| secret.to_owned()).collect();
            assert_eq!(Mask::of(&secrets).masked_of_cut(text), expected, "{secrets:?} {text}");
        }
    }

    #[test]
    fn no_secret_is_cut() {
        for (secrets, line, expected) in [
            (&["abc"][..], "xxxxxx", ("xxxx", "xx")),
            (&["abc"], "xxxabc", ("xxx", "abc")),
            (&["abc"], "xxabcx", ("xx", "abcx")),
            (&["abc", "abcdef"], "xxxabcdef", ("xxx", "abcdef")),
            (&["abc", "cde"], "xabcdexx", ("xabcde", "xx")),
            (&["abc", "cde"], "xabcdex", ("x", "abcdex")),
            (&["abcde"], "abc", ("", "abc")),
            (&["aaa"], "aaaaaaaa", ("***", "aaaa")),
            (&["aaa"], "aaa", ("", "aaa")),
            (&[], "xx", ("xx", "")),
        ] {
            let secrets: Vec<String> = secrets.iter().map(|&secret| secret.to_owned()).collect();
            let (shown, waits) = Mask::of(&secrets).split(line.into());
            let texts = (std::str::from_utf8(&shown).unwrap(), std::str::from_utf8(&waits).unwrap());
            assert_eq!(texts, expected, "{secrets:?} {line}");
        }
    }
}
