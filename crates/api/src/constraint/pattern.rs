//! A pattern of the model. Compiled at its first use; searched, so that only `^` and `$` anchor it.

use std::sync::OnceLock;

use regex_lite::Regex;

use super::classes::Classes;

pub(crate) struct Pattern {
    text: &'static str,
    matcher: OnceLock<Matcher>,
}

enum Matcher {
    Classes(Classes),
    Regex(Regex),
}

impl Pattern {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, matcher: OnceLock::new() }
    }

    pub(crate) fn text(&self) -> &'static str {
        self.text
    }

    pub(crate) fn is_match(&self, value: &str) -> bool {
        match self.matcher.get_or_init(|| Matcher::compile(self.text)) {
            Matcher::Classes(classes) => classes.is_match(value),
            Matcher::Regex(regex) => regex.is_match(value),
        }
    }
}

impl Matcher {
    fn compile(text: &str) -> Self {
        match Classes::parse(text) {
            Some(classes) => Self::Classes(classes),
            None => Self::Regex(Regex::new(text).expect("patterns of the model compile: a test uses each")),
        }
    }
}
