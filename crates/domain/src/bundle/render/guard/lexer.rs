//! Cutting a template into text and tags, and tags into tokens.

use std::ops::Range;

/// Brackets within brackets; the engine takes fewer.
const MAX_DEPTH: usize = 150;

/// A part of a template; comments and raw blocks are left out.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Range<usize>),
    Tag(Tag),
}

/// The inside of `{{ … }}` or `{% … %}`.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) range: Range<usize>,
    pub(super) is_statement: bool,
    pub(super) tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Text,
    Open,
    Close,
    Operator,
}

impl Tag {
    /// Where it begins, with its delimiter.
    pub(super) fn start(&self) -> usize {
        self.range.start
    }

    /// The first word of a statement.
    pub(super) fn statement<'a>(&self, source: &'a str) -> Option<&'a str> {
        self.tokens
            .first()
            .filter(|token| self.is_statement && token.kind == Kind::Name)
            .map(|token| token.text(source))
    }
}

impl Token {
    pub(super) fn text<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.range.clone()).unwrap_or_default()
    }
}

/// The parts of a source. A tag that does not end is text: the engine says what is wrong with it.
pub(super) fn pieces(source: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some((start, kind)) = next_tag(source, at) {
        pieces.push(Piece::Text(at..start));
        let end = match kind {
            b'#' => source.get(start..).and_then(|rest| rest.find("#}")).map(|length| start + length + 2),
            kind => match lex_tag(source, start + 2, kind == b'%') {
                Some((tag, end)) if tag.statement(source) == Some("raw") && tag.tokens.len() == 1 => {
                    end_of_raw(source, end)
                }
                Some((tag, end)) => {
                    pieces.push(Piece::Tag(tag));
                    Some(end)
                }
                None => None,
            },
        };
        match end {
            Some(end) => at = end,
            None => return pieces,
        }
    }
    pieces.push(Piece::Text(at..source.len()));
    pieces
}

/// The next `{{`, `{%` or `{#`, and its second character.
fn next_tag(source: &str, from: usize) -> Option<(usize, u8)> {
    let bytes = source.as_bytes();
    let mut at = from;
    loop {
        at += source.get(at..)?.find('{')?;
        match bytes.get(at + 1) {
            Some(kind @ (b'{' | b'%' | b'#')) => return Some((at, *kind)),
            _ => at += 1,
        }
    }
}

/// Behind the `{% endraw %}` that follows.
fn end_of_raw(source: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += source.get(at..)?.find("{%")? + 2;
        let inside = source.get(at..)?.trim_start_matches(['-', '+']).trim_start();
        if let Some(rest) = inside.strip_prefix("endraw") {
            let rest = rest.trim_start().trim_start_matches(['-', '+']);
            if let Some(after) = rest.strip_prefix("%}") {
                return Some(source.len() - after.len());
            }
        }
    }
}

/// The tokens from `from` to the end of the tag, and where the tag ends.
fn lex_tag(source: &str, from: usize, is_statement: bool) -> Option<(Tag, usize)> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    // `{%-`, `{{+`
    let mut at = if matches!(bytes.get(from), Some(b'-' | b'+')) { from + 1 } else { from };
    loop {
        let byte = *bytes.get(at)?;
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if depth == 0
            && let Some(end) = tag_end(source, at, is_statement)
        {
            return Some((Tag { range: from.saturating_sub(2)..end, is_statement, tokens }, end));
        }
        let (kind, length) = match byte {
            b'\'' | b'"' => (Kind::Text, text_length(bytes.get(at..)?)?),
            b'0'..=b'9' => (Kind::Number, number_length(bytes.get(at..)?)),
            b'(' | b'[' | b'{' => (Kind::Open, 1),
            b')' | b']' | b'}' => (Kind::Close, 1),
            _ => {
                let rest = source.get(at..)?;
                let name: usize =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
                if name > 0 { (Kind::Name, name) } else { (Kind::Operator, operator_length(rest)) }
            }
        };
        match kind {
            // The engine refuses what is nested so deeply; so does this, in its own way.
            Kind::Open if depth >= MAX_DEPTH => return None,
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.push(Token { kind, range: at..at + length });
        at += length;
    }
}

/// Where the tag ends, if it ends at `at`: `%}`, `-%}`, `+%}`, `}}`, `-}}`.
fn tag_end(source: &str, at: usize, is_statement: bool) -> Option<usize> {
    let rest = source.get(at..)?;
    let inside = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let after = inside.strip_prefix(if is_statement { "%}" } else { "}}" })?;
    Some(source.len() - after.len())
}

fn text_length(bytes: &[u8]) -> Option<usize> {
    let quote = bytes.first()?;
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn number_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let next_is_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        let is_exponent_sign = matches!(byte, b'+' | b'-')
            && next_is_digit
            && at > 0
            && matches!(bytes.get(at - 1), Some(b'e' | b'E'))
            && !bytes.starts_with(b"0x");
        if byte.is_ascii_alphanumeric() || *byte == b'_' || (*byte == b'.' && next_is_digit) || is_exponent_sign {
            at += 1;
        } else {
            break;
        }
    }
    at
}

fn operator_length(rest: &str) -> usize {
    const DOUBLE: [&str; 6] = ["**", "//", "==", "!=", "<=", ">="];
    if DOUBLE.iter().any(|operator| rest.starts_with(operator)) {
        return 2;
    }
    rest.chars().next().map_or(1, char::len_utf8)
}
