//! The blocks of a file of Terraform: as much of HCL as it takes to see what a bundle declares.
//!
//! Owns where a block begins and ends, whatever stands in comments, strings and heredocs. What expressions say, and
//! whether a file is right at all, is Terraform's to judge.

/// What a file is made of, as far as blocks need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// A quoted text, without its quotes.
    Text(String),
    Open,
    Close,
    Brace,
    Equals,
    NewLine,
    Other,
}

/// A block of a body: `kind "label" { … }`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub kind: &'a str,
    pub labels: Vec<&'a str>,
    pub body: &'a [Token],
}

impl Block<'_> {
    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.body.iter().all(|token| *token == Token::NewLine)
    }
}

/// The blocks of a body; those within them are in theirs. Of what is no HCL at all, some are missing.
pub(super) fn blocks(tokens: &[Token]) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let Token::Word(kind) = first else { continue };
        let mut labels = Vec::new();
        while let Some((Token::Word(label) | Token::Text(label), after)) = rest.split_first() {
            labels.push(label.as_str());
            rest = after;
        }
        match rest.split_first() {
            Some((Token::Brace, body)) => {
                let end = end_of(body, |_| false);
                found.push(Block { kind, labels, body: &body[..end] });
                rest = body.get(end + 1..).unwrap_or_default();
            }
            Some((Token::Equals, value)) => {
                rest = &value[end_of(value, |token| *token == Token::NewLine)..];
            }
            Some(_) | None => {}
        }
    }
    found
}

/// The attributes of a body by name, with the values that are nothing but a text; those of blocks within it are theirs.
pub(super) fn attributes(tokens: &[Token]) -> Vec<(&str, Option<&str>)> {
    fn text(value: &[Token]) -> Option<&str> {
        if let [Token::Text(text)] = value { Some(text) } else { None }
    }
    values(tokens).into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// What a body says, however it is laid out and in whatever order; without the attributes and blocks of these names.
pub(super) fn said(tokens: &[Token], without: &[&str]) -> String {
    let attributes = values(tokens).into_iter().filter(|(name, _)| !without.contains(name));
    let inner = blocks(tokens).into_iter().filter(|block| !without.contains(&block.kind));
    let mut lines: Vec<String> = attributes
        .map(|(name, value)| format!("{name}={}", value.iter().map(Token::said).collect::<String>()))
        .chain(inner.map(|block| format!("{}{:?}{{{}}}", block.kind, block.labels, said(block.body, without))))
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

impl Token {
    fn said(&self) -> String {
        match self {
            Self::Word(word) => format!("{word} "),
            Self::Text(text) => format!("\"{text}\" "),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Brace => "{".to_owned(),
            Self::Equals => "=".to_owned(),
            Self::NewLine => String::new(),
            Self::Other => "?".to_owned(),
        }
    }
}

/// The attributes of a body by name, with their values.
fn values(tokens: &[Token]) -> Vec<(&str, &[Token])> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after.split_first()) {
            (Token::Word(name), Some((Token::Equals, value))) => {
                let (value, after) = value.split_at(end_of(value, |token| *token == Token::NewLine));
                found.push((name.as_str(), value));
                after
            }
            (Token::Brace, _) => after.get(end_of(after, |_| false) + 1..).unwrap_or_default(),
            _ => after,
        };
    }
    found
}

/// Where what is open ends: at what closes it, or outside of all brackets at what `ends` it too.
fn end_of(tokens: &[Token], ends: impl Fn(&Token) -> bool) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Open | Token::Brace => depth += 1,
            Token::Close if depth == 0 => return index,
            Token::Close => depth -= 1,
            token if depth == 0 && ends(token) => return index,
            _ => {}
        }
    }
    tokens.len()
}

/// Reads a file.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (token, after) = match c {
            '\n' => (Some(Token::NewLine), &rest[1..]),
            '#' => (None, from_line_end(rest)),
            '/' if rest.starts_with("//") => (None, from_line_end(rest)),
            '/' if rest.starts_with("/*") => (None, rest[2..].split_once("*/").map_or("", |(_, after)| after)),
            '"' => {
                let (text, after) = quoted(&rest[1..]);
                (Some(Token::Text(text.to_owned())), after)
            }
            '<' if rest.starts_with("<<") => (Some(Token::Other), after_heredoc(&rest[2..])),
            '{' => (Some(Token::Brace), &rest[1..]),
            '(' | '[' => (Some(Token::Open), &rest[1..]),
            ')' | ']' | '}' => (Some(Token::Close), &rest[1..]),
            '=' if !rest.starts_with("==") && !rest.starts_with("=>") => (Some(Token::Equals), &rest[1..]),
            '=' => (Some(Token::Other), &rest[2..]),
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
                (Some(Token::Word(rest[..end].to_owned())), &rest[end..])
            }
            c if c.is_whitespace() => (None, &rest[c.len_utf8()..]),
            c => (Some(Token::Other), &rest[c.len_utf8()..]),
        };
        found.extend(token);
        rest = after;
    }
    found
}

/// What stands from the end of the line on, which ends a statement.
fn from_line_end(text: &str) -> &str {
    text.find('\n').map_or("", |end| &text[end..])
}

/// A quoted text, and what stands behind it. Expressions in it may have quotes of their own.
fn quoted(text: &str) -> (&str, &str) {
    // For each expression that is open, how many braces are open in it; and what is within what: texts and expressions.
    let mut open: Vec<usize> = Vec::new();
    let mut in_text = vec![true];
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let within = in_text.last().copied().unwrap_or(true);
        match c {
            '\\' if within => {
                characters.next();
            }
            '$' | '%' if within && characters.peek().is_some_and(|(_, next)| *next == c) => {
                // Twice, it is itself also before a brace.
                characters.next();
                characters.next_if(|(_, next)| *next == '{');
            }
            '$' | '%' if within && characters.peek().is_some_and(|(_, next)| *next == '{') => {
                characters.next();
                open.push(0);
                in_text.push(false);
            }
            '"' if within && in_text.len() == 1 => return (&text[..at], &text[at + 1..]),
            '"' if within => {
                in_text.pop();
            }
            '"' => in_text.push(true),
            '{' if !within => open.last_mut().into_iter().for_each(|braces| *braces += 1),
            '}' if !within => match open.last_mut() {
                Some(braces) if *braces > 0 => *braces -= 1,
                _ => {
                    open.pop();
                    in_text.pop();
                }
            },
            _ => {}
        }
    }
    (text, "")
}

/// What stands behind a heredoc; `text` begins after its `<<`.
fn after_heredoc(text: &str) -> &str {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (word, mut rest) = text.split_once('\n').unwrap_or((text, ""));
    while !rest.is_empty() {
        let end = rest.find('\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = &rest[end..];
        if line.trim() == word.trim() {
            return rest;
        }
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let tokens = tokens(text);
        let shown = blocks(&tokens).into_iter().map(|block| {
            let labels = block.labels.join(",");
            let inner: Vec<&str> = blocks(block.body).iter().map(|inner| inner.kind).collect();
            format!("{} {labels} [{}]{}", block.kind, inner.join(","), if block.is_empty() { " empty" } else { "" })
        });
        shown.collect()
    }

    #[test]
    fn attributes_are_those_of_the_body_itself() {
        let tokens = tokens("a = \"x\"\nb = [\"y\", \"z\"]\ninner {\n  c = 1\n}\nd = null # e = \"f\"\ng = \"h\"");
        let expected = [("a", Some("x")), ("b", None), ("d", None), ("g", Some("h"))];
        assert_eq!(attributes(&tokens), expected);
        assert_eq!(attributes(&super::tokens("a =")), [("a", None)]);
        assert!(attributes(&super::tokens("{ } } = {")).is_empty());
    }

    #[test]
    fn blocks_are_found_and_what_only_looks_like_one_is_not() {
        for (text, expected) in [
            ("variable \"a\" {}\nvariable b {\n  default = {}\n}\n", &["variable a [] empty", "variable b []"][..]),
            ("terraform { backend \"s3\" { } }", &["terraform  [backend]"][..]),
            ("# variable \"a\" {}\n// terraform {\n/* variable \"b\" {} */ locals {}", &["locals  [] empty"][..]),
            (
                "locals {\n  a = \"}\\\" ${x ? \"{\" : \"}\"} %{if y}{%{endif}$${\"\n}\noutput \"o\" {}",
                &["locals  []", "output o [] empty"][..],
            ),
            (
                "locals {\n  t = <<-EOT\n  variable \"x\" {\n  EOT\n  u = <<E\n}\nE\n}\noutput \"o\" {\n}",
                &["locals  []", "output o [] empty"][..],
            ),
            (
                "locals {\n  f = [for k, v in { a = 1 } : k => v if k == \"a\"]\n  m = {\n    variable = { x = 1 }\n  }\n}",
                &["locals  []"][..],
            ),
            (
                "module \"m\" {\n  source = \"./m\"\n  providers = { aws = aws.x }\n  lifecycle { }\n}",
                &["module m [lifecycle]"][..],
            ),
            ("variable \"open\" {\n  default = \"", &["variable open []"][..]),
            ("} ] ${ é \" <<", &[][..]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
