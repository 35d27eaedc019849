//! Why a template did not render: where, which expression, and the names that do exist.

use std::fmt;
use std::ops::Range;

use minijinja::ErrorKind;
use serde_json::Value;

use super::guard::Refused;
use super::{RenderLimits, undefined};
use crate::bundle::limits::bytes;
use crate::bundle::problem::{Problem, did_you_mean};
use crate::bundle::yaml::excerpt;

/// What an error is explained with.
pub(super) struct Context<'a> {
    pub(super) template: &'a str,
    pub(super) source: &'a str,
    pub(super) namespace: Option<&'a Value>,
    pub(super) limits: RenderLimits,
}

/// A rendering that failed.
///
/// Displays as `cloudformation.yaml:12:9: in `{{ … }}`: message — hint`. It may quote the template
/// and names of inputs, never their values beyond what a filter's own message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError {
    /// The template's name.
    pub template: Box<str>,
    /// Line in the template, from 1, where known.
    pub line: Option<usize>,
    /// Column in that line, from 1, in characters, where known.
    pub column: Option<usize>,
    /// The expression that failed, as written, where known.
    pub expression: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What may help: the names that exist, or what to do.
    pub hint: Option<String>,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        f.write_str(": ")?;
        if let Some(expression) = &self.expression {
            write!(f, "in `{expression}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " — {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RenderError {}

impl RenderError {
    /// The engine's error, explained; `range` is its place in the source as the author wrote it.
    pub(super) fn of(error: &minijinja::Error, range: Option<Range<usize>>, context: &Context<'_>) -> Self {
        let root = innermost(error);
        let source = context.source;
        let range = range.filter(|range| source.get(range.clone()).is_some()).map(|range| whole(source, range));
        let place = range.as_ref().map(|range| range.start);
        let expression = range
            .filter(|_| error.kind() != ErrorKind::SyntaxError)
            .and_then(|range| source.get(range))
            .map(shown)
            .filter(|text| !text.is_empty());
        let mut explained = Self {
            template: context.template.into(),
            line: error.line(),
            column: place.map(|place| column_of(source, place)),
            expression,
            message: message(root, context.limits),
            hint: None,
        };
        match root.kind() {
            ErrorKind::UndefinedError => explained.explain_undefined(root, place, context),
            ErrorKind::UnknownFilter => explained.hint = filter_hint(root.detail().unwrap_or_default()),
            ErrorKind::OutOfFuel => explained.hint = Some("look for a loop over too many items".to_owned()),
            ErrorKind::TemplateNotFound => {
                explained.hint =
                    Some("a template is one file: `include`, `import` and `extends` find no others".to_owned());
            }
            _ => {}
        }
        explained
    }

    /// What `guard` refuses.
    pub(super) fn refused(refused: Refused, template: &str, source: &str) -> Self {
        let before = source.get(..refused.at).unwrap_or_default();
        Self {
            template: template.into(),
            line: Some(before.matches('\n').count() + 1),
            column: Some(column_of(source, refused.at)),
            expression: None,
            message: refused.message,
            hint: Some(refused.hint.to_owned()),
        }
    }

    /// The output grew beyond its limit.
    pub(super) fn output_limit(template: &str, limits: RenderLimits) -> Self {
        let hint = Some("look for a loop over too many items".to_owned());
        Self { hint, ..Self::message(template, format!("the output is larger than {}", bytes(limits.output_bytes))) }
    }

    /// No thread could be started.
    pub fn no_stack(template: &str) -> Self {
        Self::message(template, "there is no memory for the stack of its rendering".to_owned())
    }

    /// The engine panicked.
    pub fn no_answer(template: &str) -> Self {
        let hint =
            "leave out of the template what was added last; report it to the authors of Protium with the template";
        let message = "the template engine has no answer to this template".to_owned();
        Self { hint: Some(hint.to_owned()), ..Self::message(template, message) }
    }

    fn message(template: &str, message: String) -> Self {
        Self { template: template.into(), line: None, column: None, expression: None, message, hint: None }
    }

    /// The same as a problem of a bundle's `file`.
    pub fn into_problem(self, file: &str) -> Problem {
        let message = match &self.expression {
            Some(expression) => format!("in `{expression}`: {}", self.message),
            None => self.message,
        };
        let remedy = self.hint.unwrap_or_else(|| "correct the template at this place".to_owned());
        Problem { file: file.to_owned(), line: self.line, column: self.column, message, remedy }
    }

    fn explain_undefined(&mut self, error: &minijinja::Error, place: Option<usize>, context: &Context<'_>) {
        let Context { source, namespace, .. } = *context;
        let named = error.detail().and_then(undefined::named).map(str::to_owned);
        let path = match (named, namespace, place.and_then(|place| undefined::tag(source, place))) {
            (Some(path), ..) => path,
            (None, Some(namespace), Some(tag)) => {
                self.expression = Some(shown(tag));
                match undefined::missing_in(tag, source, namespace) {
                    Some(path) => path,
                    None => {
                        self.message = "a value in it is undefined".to_owned();
                        return;
                    }
                }
            }
            _ => return,
        };
        self.message = format!("`{path}` is undefined");
        self.hint = namespace.and_then(|namespace| undefined::names_at(&path, source, namespace));
    }
}

/// The error that the others wrap.
fn innermost(error: &minijinja::Error) -> &minijinja::Error {
    let mut current = error;
    while let Some(next) = std::error::Error::source(current).and_then(|source| source.downcast_ref()) {
        current = next;
    }
    current
}

fn message(error: &minijinja::Error, limits: RenderLimits) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => format!("the template takes more than {} steps", limits.fuel),
        kind => match error.detail() {
            Some(detail) if kind == ErrorKind::InvalidOperation => detail.to_owned(),
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    }
}

/// The engine's range may begin within a path, as in `.b.c` of `a.b.c`; this one begins with it.
fn whole(source: &str, range: Range<usize>) -> Range<usize> {
    let text = source.get(range.clone()).unwrap_or_default();
    if !text.starts_with(['.', '[']) {
        return range;
    }
    let before = source.get(..range.start).unwrap_or_default();
    let path = before.trim_end_matches(|c: char| c.is_alphanumeric() || "_.[]'\"".contains(c));
    path.len()..range.end
}

/// From 1, in characters.
fn column_of(source: &str, offset: usize) -> usize {
    let before = source.get(..offset).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
}

/// A piece of the template on one line.
fn shown(text: &str) -> String {
    excerpt(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Guesses the filter that was meant.
fn filter_hint(detail: &str) -> Option<String> {
    const KNOWN: [&str; 40] = [
        "abs",
        "batch",
        "capitalize",
        "center",
        "count",
        "default",
        "dictsort",
        "escape",
        "first",
        "float",
        "format",
        "groupby",
        "indent",
        "int",
        "items",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "proton_cfn_ecs_task_definition_formatted_env_vars",
        "proton_cfn_iam_policy_arns",
        "proton_cfn_lambda_function_formatted_env_vars",
        "proton_cfn_sanitize",
        "reject",
        "replace",
        "reverse",
        "round",
        "select",
        "sort",
        "string",
        "sum",
        "title",
        "tojson",
        "trim",
        "truncate",
        "upper",
    ];
    let name = detail.split_whitespace().find(|word| !["filter", "unknown"].contains(word))?;
    let name = name.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
    did_you_mean(name, KNOWN).map(|meant| format!("did you mean the filter `{meant}`?"))
}
