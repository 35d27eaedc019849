//! One Rust source as the rules see it: code without comments and literals, literals, and which lines are tests.
//!
//! A scanner, not a parser: it knows just enough of the language that a word in a comment or in a string is not
//! taken for code.

/// A scanned source.
pub(super) struct Rust {
    /// As in the file.
    pub(super) text: String,
    /// The text with blanks for what is in comments and literals. Lines and columns are those of the file.
    pub(super) code: String,
    /// The contents of string literals as written, with the line that each starts on.
    pub(super) strings: Vec<(usize, String)>,
    /// For each line, whether it is in a test.
    tests: Vec<bool>,
    /// Whether code generation wrote it.
    pub(super) is_generated: bool,
}

impl Rust {
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let (code, strings) = scan(text);
        let whole = path.contains("/tests/") || path.ends_with("/tests.rs");
        let mut tests = vec![whole; text.lines().count()];
        if !whole {
            mark_tests(&code, &mut tests);
        }
        let is_generated = text.starts_with("// @generated");
        Self { text: text.to_owned(), code, strings, tests, is_generated }
    }

    /// Whether a line, from 1, is in a test.
    pub(super) fn is_test(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|index| self.tests.get(index)).copied().unwrap_or(false)
    }

    /// How many lines are not in a test.
    pub(super) fn lines_of_product(&self) -> usize {
        self.tests.iter().filter(|is_test| !**is_test).count()
    }

    /// The line, from 1, of a position in the code.
    pub(super) fn line_at(&self, position: usize) -> usize {
        line_at(&self.code, position)
    }
}

/// Whether a byte can be part of a name.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name at the start of a text; empty if there is none.
pub(super) fn leading_name(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_name_byte(byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// The positions at which a word stands in code, not as a part of a longer name.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let starts_as_name = word.bytes().next().is_some_and(is_name_byte);
    let ends_as_name = word.bytes().last().is_some_and(is_name_byte);
    code.match_indices(word).map(|(position, _)| position).filter(move |position| {
        let before = position.checked_sub(1).and_then(|index| code.as_bytes().get(index));
        let after = code.as_bytes().get(position + word.len());
        let goes_on = starts_as_name && before.is_some_and(|byte| is_name_byte(*byte))
            || ends_as_name && after.is_some_and(|byte| is_name_byte(*byte));
        !goes_on
    })
}

/// The text between the bracket at `open` and the one that closes it.
pub(super) fn bracketed(code: &str, open: usize) -> Option<&str> {
    let bytes = code.as_bytes();
    let mut depth = 0_usize;
    for (index, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return code.get(open + 1..index);
                }
            }
            _ => {}
        }
    }
    None
}

fn line_at(text: &str, position: usize) -> usize {
    text.as_bytes().iter().take(position).filter(|byte| **byte == b'\n').count() + 1
}

fn mark_tests(code: &str, tests: &mut [bool]) {
    for (start, attribute) in code.match_indices("#[cfg(test)]") {
        let rest = code.get(start + attribute.len()..).unwrap_or_default();
        let Some(offset) = rest.find(['{', ';']) else { continue };
        let open = start + attribute.len() + offset;
        let end = match bracketed(code, open) {
            Some(block) if code.as_bytes().get(open) == Some(&b'{') => open + block.len() + 1,
            _ => open,
        };
        let lines = line_at(code, start) - 1..line_at(code, end);
        tests.get_mut(lines).into_iter().flatten().for_each(|is_test| *is_test = true);
    }
}

/// The code with blanks for comments and literals, and the string literals.
fn scan(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut strings = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let after_name = at > 0 && bytes.get(at - 1).is_some_and(|byte| is_name_byte(*byte));
        let (kind, length) = token(rest, after_name);
        let end = at + length;
        let inside = bytes.get(at..end).unwrap_or_default();
        if let Token::String { open, close } = kind {
            let content = text.get(at + open..end.saturating_sub(close)).unwrap_or_default();
            strings.push((line, content.to_owned()));
        }
        line += inside.iter().filter(|byte| **byte == b'\n').count();
        if !matches!(kind, Token::Code) {
            code.get_mut(at..end).into_iter().flatten().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    (String::from_utf8_lossy(&code).into_owned(), strings)
}

enum Token {
    Code,
    Comment,
    Character,
    /// A string literal with the lengths of what opens and closes it.
    String {
        open: usize,
        close: usize,
    },
}

/// What a text starts with, and how long that is; at least one byte.
fn token(rest: &[u8], after_name: bool) -> (Token, usize) {
    if rest.starts_with(b"//") {
        return (Token::Comment, rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return (Token::Comment, block_comment(rest));
    }
    if rest.starts_with(b"'") {
        return match character(rest) {
            Some(length) => (Token::Character, length),
            None => (Token::Code, 1),
        };
    }
    if !after_name && let Some((open, hashes)) = raw_string(rest) {
        let mut close = vec![b'"'];
        close.resize(1 + hashes, b'#');
        let body = rest.get(open..).unwrap_or_default();
        let length = body.windows(close.len()).position(|window| window == close).unwrap_or(body.len());
        return (Token::String { open, close: close.len() }, (open + length + close.len()).min(rest.len()));
    }
    if rest.starts_with(b"\"") {
        return (Token::String { open: 1, close: 1 }, string(rest));
    }
    (Token::Code, 1)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let tail = rest.get(at..).unwrap_or_default();
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a character literal; none for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let escaped = rest.get(1) == Some(&b'\\');
    let close = rest.iter().skip(if escaped { 3 } else { 2 }).take(12).position(|byte| *byte == b'\'')?;
    let length = close + if escaped { 4 } else { 3 };
    let one = std::str::from_utf8(rest.get(1..length - 1)?).ok()?;
    (escaped || one.chars().count() == 1).then_some(length)
}

fn string(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of what opens a raw string, and how many `#` it has.
fn raw_string(rest: &[u8]) -> Option<(usize, usize)> {
    let prefix = if rest.starts_with(b"r") {
        1
    } else if rest.starts_with(b"br") || rest.starts_with(b"cr") {
        2
    } else {
        return None;
    };
    let hashes = rest.iter().skip(prefix).take_while(|byte| **byte == b'#').count();
    (rest.get(prefix + hashes) == Some(&b'"')).then_some((prefix + hashes + 1, hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_in_code() {
        let source = "let a = \"todo!( \\\" \"; // dbg!(\n/* x /* y */ z */ let b = 'q'; let c: &'a str = r#\"e\"f\"#;";
        let rust = Rust::parse("a.rs", source);
        assert_eq!(rust.code.len(), source.len());
        assert!(!rust.code.contains("todo") && !rust.code.contains("dbg") && !rust.code.contains('z'));
        assert!(rust.code.contains("let b =") && rust.code.contains("&'a str") && !rust.code.contains('q'));
        assert_eq!(rust.strings, [(1, "todo!( \\\" ".to_owned()), (2, "e\"f".to_owned())]);
    }

    #[test]
    fn quotes_in_characters_open_no_string() {
        let rust = Rust::parse("a.rs", "m('\"', '\\'', b'\\\\', '\\u{1F600}', 'é'); end()");
        assert!(rust.strings.is_empty() && rust.code.contains("end()"));
    }

    #[test]
    fn lines_of_a_test_module_and_of_a_test_item_are_tests() {
        let source = "a();\n#[cfg(test)]\nmod tests {\n  fn f() { \"}\"; }\n}\nb();\n#[cfg(test)]\nuse x;\nc();\n";
        let rust = Rust::parse("crates/a/src/a.rs", source);
        let tests: Vec<usize> = (1..=9).filter(|line| rust.is_test(*line)).collect();
        assert_eq!(tests, [2, 3, 4, 5, 7, 8]);
        assert_eq!(rust.lines_of_product(), 3);
        assert_eq!(Rust::parse("crates/a/tests/it/a.rs", source).lines_of_product(), 0);
    }

    #[test]
    fn a_word_is_found_where_it_is_no_part_of_a_name() {
        assert_eq!(words("sleep( x.sleep( asleep( sleeper(", "sleep").collect::<Vec<_>>(), [0, 9]);
        assert_eq!(leading_name("store::db"), "store");
        assert_eq!(bracketed("a{b(c)}d", 1), Some("b(c)"));
    }
}
