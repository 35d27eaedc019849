//! What Jinja2 does and the engine does otherwise, or not at all.
//!
//! Compared with Jinja2 over a corpus of snippets; see `tests/jinja`. Known to differ: lists and
//! mappings cannot be changed in place (`append`, `update` say what to do instead); the default of a
//! macro's argument cannot refer to another argument; what Jinja2 prints as `<generator object …>` is
//! a list here; integers end at 128 bits; `wordwrap`, `random` and `lipsum` are missing.

mod arguments;
mod escape;
pub(super) mod json;
mod methods;
mod number;
mod operators;
pub(super) mod print;
mod size;
mod text;

use minijinja::value::Rest;
use minijinja::{Environment, Value};
use minijinja_contrib::{filters, globals};

/// Adds and replaces filters, tests, functions and methods.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.set_formatter(print::formatter);
    environment.set_unknown_method_callback(methods::call);
    environment.add_filter("string", print::string);
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("int", number::int);
    environment.add_filter("float", number::float);
    environment.add_filter("escape", escape::escape);
    environment.add_filter("e", escape::escape);
    environment.add_filter("forceescape", escape::escape);
    environment.add_filter("xmlattr", escape::xmlattr);
    environment.add_filter("urlencode", escape::urlencode);
    environment.add_filter("truncate", text::truncate);
    environment.add_filter("wordcount", text::wordcount);
    environment.add_filter("center", text::center);
    environment.add_filter("title", text::title);
    environment.add_filter("replace", text::replace);
    environment.add_filter("indent", text::indent);
    environment.add_filter("format", text::format);
    environment.add_filter("join", text::join);
    environment.add_filter("filesizeformat", filters::filesizeformat);
    environment.add_filter("striptags", filters::striptags);
    size::count_filters(environment);
    environment.add_function("__concat", operators::concat);
    environment.add_function("__sum", operators::sum);
    environment.add_function("__product", operators::product);
    environment.add_function("__kept", operators::kept);
    environment.add_function("__text", operators::announce);
    environment.add_test("callable", print::is_callable);
    environment.add_filter("pprint", print::text);
    environment.add_function("cycler", |items: Rest<Value>| globals::cycler(items.0));
    environment.add_function("joiner", globals::joiner);
}
