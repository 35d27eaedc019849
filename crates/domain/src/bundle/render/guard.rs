//! Preparing a template's source for the engine, so that what it computes can be bounded.
//!
//! The engine counts instructions, not the size of what they make: `x ~ x` in a loop doubles a text
//! until memory ends. So the operators that can grow a value (`+`, `*`, `~`, and `%` with a text) become
//! calls of functions of our own, which count (`compat::operators`), and long text inside templates
//! that capture output is announced (`compat::size`). Line numbers stay; columns are mapped back.

mod lexer;
mod operators;

use std::ops::Range;

use lexer::{Kind, Piece, Tag};

/// Text below this length is not worth counting.
const SHORT_TEXT: usize = 64;
/// Operators, filters and calls in one tag: the engine nests them, and its stack is finite.
const MAX_OPERATORS: usize = 250;
/// Statements within statements, each `elif` counted as one more level.
const MAX_NESTING: usize = 200;
/// Up to here the stack of any thread is large enough.
const SHALLOW: usize = 25;

/// A source ready for the engine.
#[derive(Debug, Clone)]
pub(super) struct Guarded {
    /// What the engine gets.
    pub(super) source: String,
    /// Whether values can be carried on and so be nested without end, step by step.
    pub(super) carries: bool,
    /// Whether compiling it takes the engine deep into its stack.
    pub(super) is_deep: bool,
    edits: Vec<Edit>,
}

/// `removed` bytes at `at` of the original became `inserted`.
#[derive(Debug, Clone)]
struct Edit {
    at: usize,
    removed: usize,
    inserted: String,
}

/// Why a template is refused before the engine sees it, and the byte where.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) hint: &'static str,
}

impl Guarded {
    /// Prepares a source.
    ///
    /// # Errors
    /// A tag that only an extension of Jinja2 knows (`break`, `continue`, `do`), an `import` as something
    /// that is no name, a tag with too many operators, and statements nested too deeply.
    pub(super) fn new(original: &str) -> Result<Self, Refused> {
        let pieces = lexer::pieces(original);
        let mut nesting = Nesting::default();
        let mut edits = Vec::new();
        let captures = pieces.iter().any(|piece| matches!(piece, Piece::Tag(tag) if captures(tag, original)));
        for piece in &pieces {
            match piece {
                Piece::Tag(tag) => {
                    refuse_extension(tag, original)?;
                    refuse_unnamed_import(tag, original)?;
                    refuse_long(tag, original)?;
                    nesting.enter(tag, original)?;
                    edits.extend(operators::edits(tag, original));
                }
                Piece::Text(range) if captures => edits.extend(announcement(range, original)),
                Piece::Text(_) => {}
            }
        }
        let mut source = String::with_capacity(original.len() + edits.len() * 8);
        let mut at = 0;
        for edit in &edits {
            source.push_str(original.get(at..edit.at).unwrap_or_default());
            source.push_str(&edit.inserted);
            at = edit.at + edit.removed;
        }
        source.push_str(original.get(at..).unwrap_or_default());
        let tags = || pieces.iter().filter_map(|piece| if let Piece::Tag(tag) = piece { Some(tag) } else { None });
        let assignments = tags().filter(|tag| tag.statement(original) == Some("set")).count();
        let carries = assignments > FEW_ASSIGNMENTS || tags().any(|tag| carries(tag, original));
        let is_deep = nesting.deepest > SHALLOW || tags().any(|tag| operators_in(tag, original) > SHALLOW);
        Ok(Self { source, carries, is_deep, edits })
    }

    /// Where a range of the prepared source was in the original.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.original_offset(range.start, true);
        start..self.original_offset(range.end, false).max(start)
    }

    /// Within something inserted, the start counts as before it and the end too.
    fn original_offset(&self, offset: usize, is_start: bool) -> usize {
        let (mut grown, mut shrunk) = (0usize, 0usize);
        for edit in &self.edits {
            let begins = edit.at + grown - shrunk;
            let ends = begins + edit.inserted.len();
            if offset < begins || (offset == begins && !is_start) {
                break;
            }
            if offset < ends {
                return edit.at;
            }
            grown += edit.inserted.len();
            shrunk += edit.removed;
        }
        (offset + shrunk).saturating_sub(grown)
    }
}

/// Whether a tag keeps output as a value: macros, calls, filter blocks and block assignments.
fn captures(tag: &Tag, source: &str) -> bool {
    match tag.statement(source) {
        Some("macro" | "call" | "filter") => true,
        Some("set") => !tag.tokens.iter().any(|token| token.text(source) == "="),
        _ => false,
    }
}

/// Whether a tag can hand a value on that no one has looked at (`set` does look).
fn carries(tag: &Tag, source: &str) -> bool {
    matches!(tag.statement(source), Some("with" | "macro" | "call"))
        || tag.tokens.iter().any(|token| CARRIERS.contains(&token.text(source)))
}

/// Words that let values pass from one step of a loop to the next, or hide them.
const CARRIERS: [&str; 4] = ["namespace", "cycler", "joiner", "recursive"];
/// Assignments one after the other; each may hold what the one before made.
const FEW_ASSIGNMENTS: usize = 500;

fn refuse_extension(tag: &Tag, source: &str) -> Result<(), Refused> {
    match tag.statement(source) {
        Some(name @ ("break" | "continue" | "do")) => Err(Refused {
            at: tag.start(),
            message: format!("unknown tag `{name}`"),
            hint: "it belongs to an extension of Jinja2 that templates are rendered without",
        }),
        _ => Ok(()),
    }
}

/// The engine takes any expression after the `as` of an `import`, and panics when it comes to assign to it.
fn refuse_unnamed_import(tag: &Tag, source: &str) -> Result<(), Refused> {
    if tag.statement(source) != Some("import") {
        return Ok(());
    }
    let is_as = |token: &lexer::Token| token.kind == Kind::Name && token.text(source) == "as";
    let Some(at) = tag.tokens.iter().position(is_as) else { return Ok(()) };
    let is_name = |token: &lexer::Token| token.kind == Kind::Name && !CONSTANTS.contains(&token.text(source));
    let is_context = |token: &lexer::Token| matches!(token.text(source), "with" | "without");
    match tag.tokens.get(at + 1..) {
        None | Some([]) => Ok(()),
        Some([name, rest @ ..]) if is_name(name) && rest.first().is_none_or(is_context) => Ok(()),
        Some([other, ..]) => Err(Refused {
            at: other.range.start,
            message: "`import` needs a name after `as`, and nothing but a name".to_owned(),
            hint: "write `{% import 'file' as name %}`",
        }),
    }
}

/// Names that are values.
const CONSTANTS: [&str; 6] = ["true", "false", "none", "True", "False", "None"];

/// Tokens of a tag that the engine nests.
fn operators_in(tag: &Tag, source: &str) -> usize {
    let nests = |token: &&lexer::Token| match token.kind {
        Kind::Operator => ![",", ":", "="].contains(&token.text(source)),
        Kind::Name => matches!(token.text(source), "if" | "and" | "or" | "not" | "is" | "in"),
        Kind::Open => true,
        Kind::Number | Kind::Text | Kind::Close => false,
    };
    tag.tokens.iter().filter(nests).count()
}

fn refuse_long(tag: &Tag, source: &str) -> Result<(), Refused> {
    if operators_in(tag, source) > MAX_OPERATORS {
        return Err(Refused {
            at: tag.start(),
            message: format!("this tag has more than {MAX_OPERATORS} operators, filters and calls"),
            hint: "split it with `{% set … %}`",
        });
    }
    Ok(())
}

/// How deep the statements are nested.
#[derive(Default)]
struct Nesting {
    /// For each open statement, 1 and its `elif`s.
    open: Vec<usize>,
    depth: usize,
    deepest: usize,
}

impl Nesting {
    fn enter(&mut self, tag: &Tag, source: &str) -> Result<(), Refused> {
        match tag.statement(source) {
            Some("elif") => {
                if let Some(levels) = self.open.last_mut() {
                    *levels += 1;
                    self.depth += 1;
                }
            }
            Some("if" | "for" | "macro" | "call" | "filter" | "with" | "block" | "autoescape") => self.push(),
            Some("set") if captures(tag, source) => self.push(),
            Some(name) if name.starts_with("end") => self.depth -= self.open.pop().unwrap_or(0),
            _ => {}
        }
        self.deepest = self.deepest.max(self.depth);
        if self.depth > MAX_NESTING {
            return Err(Refused {
                at: tag.start(),
                message: format!("statements are nested deeper than {MAX_NESTING} levels, each `elif` being one"),
                hint: "split the template's logic, or look values up in a mapping",
            });
        }
        Ok(())
    }

    fn push(&mut self) {
        self.open.push(1);
        self.depth += 1;
    }
}

/// Counts a long text: a call in the middle of it, where no tag's `-` can reach.
fn announcement(range: &Range<usize>, source: &str) -> Option<Edit> {
    let text = source.get(range.clone()).filter(|text| text.len() >= SHORT_TEXT)?;
    let first = text.find(|c: char| !c.is_whitespace())?;
    let last = text.rfind(|c: char| !c.is_whitespace())?;
    let middle = text.get(first..last)?;
    let (at, c) = middle.char_indices().find(|(_, c)| *c != '{')?;
    let at = range.start + first + at + c.len_utf8();
    Some(Edit { at, removed: 0, inserted: format!("{{{{__text({})}}}}", text.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(source: &str) -> String {
        Guarded::new(source).map_or_else(|refused| refused.message, |guarded| guarded.source)
    }

    #[test]
    fn operators_that_grow_values_become_calls() {
        for (source, expected) in [
            ("{{ a ~ b ~ c }}", "{{ __concat(a , b , c) }}"),
            ("{{ a + b - c + d }}", "{{ __sum(a ,'+', b ,'-', c ,'+', d) }}"),
            ("{{ a - b / c }}", "{{ a - b / c }}"),
            ("{{ a * b / c % d }}", "{{ __product(a ,'*', b ,'/', c ,'%', d) }}"),
            ("{{ 1 + a.b[0]|f(x ~ 'y') * 2 }}", "{{ __sum(1 ,'+', __product(a.b[0]|f(__concat(x , 'y')) ,'*', 2)) }}"),
            ("{{ -a + +b }}", "{{ __sum(-a ,'+', b) }}"),
            ("{{ a ** b + 1 }}", "{{ __sum(a ** b ,'+', 1) }}"),
            (
                "{{ not a + b == c ~ d and e in f + g }}",
                "{{ not __sum(a ,'+', b) == __concat(c , d) and e in __sum(f ,'+', g) }}",
            ),
            (
                "{{ x ~ y if a + b else 'p' ~ 'q' }}",
                "{{ __concat(x , y) if __sum(a ,'+', b) else __concat('p' , 'q') }}",
            ),
            ("{{ a is divisibleby 3 + 1 }}", "{{ __sum(a is divisibleby 3 ,'+', 1) }}"),
            ("{{ a is not in(b) ~ c }}", "{{ __concat(a is not in(b) , c) }}"),
            ("{{ {'a': {'b': x + 1}} }}", "{{ {'a': {'b': __sum(x ,'+', 1)}} }}"),
            ("{%- set x = x ~ x -%}", "{%- set x = __kept(__concat(x , x)) -%}"),
            ("{% set a, b = c, d + 1 %}", "{% set a, b = __kept(c, __sum(d ,'+', 1)) %}"),
            ("{% for a in b + c if d ~ e %}", "{% for a in __sum(b ,'+', c) if __concat(d , e) %}"),
            ("{% call(x) m(a ~ b) %}", "{% call(x) m(__concat(a , b)) %}"),
            ("{{ 'a ~ b' ~ \"}}\" }}", "{{ __concat('a ~ b' , \"}}\") }}"),
            ("{# a ~ b #}{% raw %}{{ a ~ b }}{% endraw %} a ~ b", "{# a ~ b #}{% raw %}{{ a ~ b }}{% endraw %} a ~ b"),
            ("{{ a -}} + {{- b }}", "{{ a -}} + {{- b }}"),
            ("{{ 1e-5 + 1.5 }}", "{{ __sum(1e-5 ,'+', 1.5) }}"),
        ] {
            assert_eq!(guarded(source), expected);
        }
    }

    #[test]
    fn what_is_no_template_stays_as_it_is() {
        for source in ["", "a ~ b", "{", "{{", "{{ a ~", "{% raw %}{{ a ~ b }}", "{# a", "{{ 'a ~ b }}", "{{ ) + ( }}"]
        {
            let Guarded { source: text, .. } = Guarded::new(source).unwrap();
            assert!(text.len() >= source.len(), "{source}");
        }
    }

    #[test]
    fn places_are_mapped_back() {
        let original = "{{ a ~ b + missing }} {{ z }}";
        let guarded = Guarded::new(original).unwrap();
        for name in ["missing", "z", "b"] {
            let at = guarded.source.find(name).unwrap();
            let range = guarded.original(at..at + name.len());
            assert_eq!(&original[range], name);
        }
        let whole = guarded.source.find("__sum").unwrap()..guarded.source.find(" }}").unwrap();
        assert_eq!(&original[guarded.original(whole)], "a ~ b + missing");
    }

    #[test]
    fn long_texts_are_counted_where_output_is_captured() {
        let long = "x".repeat(100);
        assert_eq!(guarded(&format!("{long}{{{{ a }}}}")), format!("{long}{{{{ a }}}}"));
        let capturing = guarded(&format!("{{% set a %}} {{{long} {{% endset %}}"));
        assert!(capturing.contains("{x{{__text(103)}}xx"), "{capturing}");
    }

    #[test]
    fn extensions_are_refused() {
        assert_eq!(
            Guarded::new("{% for x in y %}{%- break %}{% endfor %}").unwrap_err().message,
            "unknown tag `break`"
        );
        assert!(Guarded::new("{{ break }}").is_ok());
    }

    #[test]
    fn an_import_has_a_name() {
        for source in [
            "{% import 'x' as -y %}",
            "{% import 'x' as none %}",
            "{% import 'x' as 1 %}",
            "{% import 'x' as y.z %}",
            "{% import 'x' as y | upper %}",
            "{%- import 'x' as [y] -%}",
            "{% import as as -y %}",
            "{% import x.as as -y %}",
        ] {
            let refused = Guarded::new(source).expect_err(source);
            assert!(refused.message.contains("needs a name"), "{source}: {}", refused.message);
        }
        for source in [
            "{% import 'x' as y %}",
            "{% import 'x' as y with context %}",
            "{% import 'as' as y without context %}",
            "{% import 'x' %}",
            "{% import 'x' as %}",
            "{% from 'x' import y as z %}",
            "{{ import.as }}",
        ] {
            assert!(Guarded::new(source).is_ok(), "{source}");
        }
    }
}
