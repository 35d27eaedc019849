//! Rendering templates: Jinja as Jinja2 renders it, bounded.
//!
//! Owns compiling once and rendering many times, the bounds, and errors that name their place. Steps,
//! output, the size of values and the depth of stacks are bounded (`guard`, `compat::size`); a template
//! beyond a bound is refused with a message. What stands in the namespace is `namespace`'s; what Jinja2
//! does differently from the engine, `compat`'s; the service's own filters, `filters`'s.

mod column;
mod compat;
mod error;
mod filters;
mod guard;
pub mod namespace;
mod undefined;

pub use error::RenderError;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use error::Context;
use guard::Guarded;

/// Bounds of one rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderLimits {
    /// Instructions of the template engine; the default takes some milliseconds, and is what the stack
    /// of a rendering is made for.
    pub fuel: u64,
    /// Bytes of output.
    pub output_bytes: usize,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self { fuel: 250_000, output_bytes: 4 * 1024 * 1024 }
    }
}

/// What templates may see, an object, ready for any number of renderings.
#[derive(Debug, Clone)]
pub struct Namespace<'a> {
    json: &'a serde_json::Value,
    values: Value,
}

impl<'a> Namespace<'a> {
    /// Keys in order and types kept.
    pub fn new(json: &'a serde_json::Value) -> Self {
        Self { json, values: namespace::values(json) }
    }
}

/// A compiled template; compiling is the expensive part, so keep it to render again.
#[derive(Debug, Clone)]
pub struct Template {
    environment: Environment<'static>,
    name: String,
    source: String,
    guarded: Guarded,
    limits: RenderLimits,
}

impl Template {
    /// Compiles `source`; `name` is what errors call it.
    ///
    /// # Errors
    /// What Jinja's grammar refuses, with line and column.
    pub fn compile(name: &str, source: &str, limits: RenderLimits) -> Result<Self, RenderError> {
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        let mut environment = base().clone();
        environment.set_fuel(Some(limits.fuel));
        let guarded = Guarded::new(&source).map_err(|refused| RenderError::refused(refused, name, &source))?;
        let template = Self { environment, name: name.to_owned(), source, guarded, limits };
        bounded(name, template.guarded.is_deep, || template.compiled())
    }

    fn compiled(mut self) -> Result<Self, RenderError> {
        match self.environment.add_template_owned(self.name.clone(), self.guarded.source.clone()) {
            Ok(()) => Ok(self),
            Err(error) => Err(self.explain(&error, None)),
        }
    }

    /// Renders with a namespace.
    ///
    /// # Errors
    /// A name that is not there, an operation that its operands do not allow, a bound reached.
    pub fn render(&self, namespace: &Namespace<'_>) -> Result<String, RenderError> {
        bounded(&self.name, self.guarded.carries, || self.render_here(namespace))
    }

    fn render_here(&self, namespace: &Namespace<'_>) -> Result<String, RenderError> {
        let explain = |error: minijinja::Error| self.explain(&error, Some(namespace.json));
        let template = self.environment.get_template(&self.name).map_err(explain)?;
        let mut output = Bounded::new(self.source.len(), self.limits.output_bytes);
        let rendered = template.render_captured_to(namespace.values.clone(), &mut output).map(drop);
        if output.full {
            return Err(RenderError::output_limit(&self.name, self.limits));
        }
        rendered.map_err(explain)?;
        column::indent(output.into_text(), self.limits.output_bytes)
            .ok_or_else(|| RenderError::output_limit(&self.name, self.limits))
    }

    fn explain(&self, error: &minijinja::Error, namespace: Option<&serde_json::Value>) -> RenderError {
        let range = error.range().map(|range| self.guarded.original(range));
        let context = Context { template: &self.name, source: &self.source, namespace, limits: self.limits };
        RenderError::of(error, range, &context)
    }
}

/// Bytes of stack for a template that carries values on; only what is used takes memory. A step of the
/// default fuel nests a value by at most a fifth of a level, and dropping a level takes some 400 bytes.
const LARGE_STACK: usize = 128 * 1024 * 1024;

/// Runs the engine, on a thread of its own if it goes deep. An input that the engine has no answer to
/// fails this template, and nothing else.
fn bounded<T: Send>(
    name: &str,
    is_deep: bool,
    run: impl FnOnce() -> Result<T, RenderError> + Send,
) -> Result<T, RenderError> {
    let ended = if is_deep {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(LARGE_STACK).spawn_scoped(scope, run);
            thread.ok().map(std::thread::ScopedJoinHandle::join)
        })
    } else {
        // What `run` leaves half done is dropped with it.
        Some(catch_unwind(AssertUnwindSafe(run)))
    };
    match ended {
        None => Err(RenderError::no_stack(name)),
        Some(Err(_panic)) => Err(RenderError::no_answer(name)),
        Some(Ok(result)) => result,
    }
}

/// Compiles and renders once.
///
/// # Errors
/// As [`Template::compile`] and [`Template::render`].
pub fn render(
    name: &str,
    source: &str,
    namespace: &serde_json::Value,
    limits: RenderLimits,
) -> Result<String, RenderError> {
    Template::compile(name, source, limits)?.render(&Namespace::new(namespace))
}

/// The environment that every template starts from.
fn base() -> &'static Environment<'static> {
    static BASE: OnceLock<Environment<'static>> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut environment = Environment::new();
        // Whatever the template's name: a name in `.yaml` must not escape strings as JSON.
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_recursion_limit(100);
        // Without it errors know no columns.
        environment.set_debug(true);
        compat::install(&mut environment);
        filters::install(&mut environment);
        environment
    })
}

/// JSON as the engine's values, keys in order and types kept.
fn to_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(to_value).collect(),
        serde_json::Value::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), to_value(value))))
        }
    }
}

/// A writer that refuses what goes beyond its limit.
struct Bounded {
    text: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Bounded {
    fn new(expected: usize, limit: usize) -> Self {
        Self { text: Vec::with_capacity(expected.min(limit)), limit, full: false }
    }

    fn into_text(self) -> String {
        // The engine writes whole texts only. To check and copy them takes less than the standard library's check.
        let text = simdutf8::basic::from_utf8(&self.text);
        text.map_or_else(|_| String::from_utf8_lossy(&self.text).into_owned(), str::to_owned)
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len().saturating_add(bytes.len()) > self.limit {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
