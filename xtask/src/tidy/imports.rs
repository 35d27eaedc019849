//! What may name what: the layers of the application, and the drivers of the databases.

use std::collections::BTreeMap;

use super::Finding;
use super::rust::{Rust, bracketed, leading_name, words};
use super::tree::Tree;

/// The modules of the application. Each may import what is in a later row; those of one row do not see each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["server", "backup"],
    &["events", "http", "worker", "root_key", "tls"],
    &["jobs"],
    &["operations"],
    &["app", "error"],
    &["audit", "auth", "bundle_source", "oidc"],
    &["config"],
    &["store"],
    &["clock", "crowd", "sha256", "throttle"],
];

const SOURCES: &str = "crates/protium/src/";
const MAP: &str = "ARCHITECTURE.md";

const DRIVERS: &[&str] = &["rusqlite", "tokio_postgres", "deadpool_postgres", "tokio_postgres_rustls"];
/// Where drivers may be named: one module, and the benchmark that compares the application with a bare program.
const DRIVER_HOMES: &[&str] =
    &["crates/protium/src/store/db.rs", "crates/protium/src/store/db/", "crates/protium/benches/"];

/// The layers as ARCHITECTURE.md writes them.
fn order() -> String {
    LAYERS.iter().map(|layer| layer.join(" · ")).collect::<Vec<_>>().join(" → ")
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let macros = macros(tree);
    let mut findings: Vec<Finding> =
        tree.rust_in(SOURCES).flat_map(|(path, source)| directions(path, source, &macros)).collect();
    findings.extend(tree.rust().flat_map(|(path, source)| drivers(path, source)));
    findings
}

/// The map tells the same order as the table here.
pub(super) fn check_map(tree: &Tree) -> Vec<Finding> {
    let wanted = format!("`{}`", order());
    match tree.text(MAP) {
        Some(text) if text.contains(&wanted) => Vec::new(),
        _ => vec![Finding::new(
            MAP,
            0,
            "import order",
            format!("the map must say {wanted}, as xtask/src/tidy/imports.rs does"),
        )],
    }
}

/// The module at the top of the crate that a file belongs to; none for the roots of library and binary.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix(SOURCES)?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then_some(name)
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Which module each macro is written in: `crate::name!` is an import of that module.
fn macros(tree: &Tree) -> BTreeMap<String, String> {
    let mut macros = BTreeMap::new();
    for (path, source) in tree.rust_in(SOURCES) {
        for position in words(&source.code, "macro_rules!") {
            let rest = source.code.get(position + "macro_rules!".len()..).unwrap_or_default();
            if let Some(module) = module(path) {
                macros.insert(leading_name(rest.trim_start()).to_owned(), module.to_owned());
            }
        }
    }
    macros
}

fn directions(path: &str, source: &Rust, macros: &BTreeMap<String, String>) -> Vec<Finding> {
    const RULE: &str = "import direction";
    let Some(from) = module(path) else { return Vec::new() };
    let Some(own) = layer(from) else {
        return vec![Finding::new(
            path,
            0,
            RULE,
            format!("`{from}` is in no layer; give it one in xtask/src/tidy/imports.rs"),
        )];
    };
    let mut findings = Vec::new();
    for (line, name) in imports(path, source) {
        let to = if layer(name).is_none() { macros.get(name).map_or(name, String::as_str) } else { name };
        if to == from || layer(to).is_some_and(|layer| layer > own) {
            continue;
        }
        findings.push(Finding::new(
            path,
            line,
            RULE,
            format!("`{from}` must not import `{to}`; imports point right in {}", order()),
        ));
    }
    findings
}

/// The modules at the top of the crate that a source names, with the lines.
fn imports<'a>(path: &str, source: &'a Rust) -> Vec<(usize, &'a str)> {
    let code = source.code.as_str();
    let mut names = Vec::new();
    for position in words(code, "crate::") {
        names.extend(heads(code, position + "crate::".len()).map(|name| (source.line_at(position), name)));
    }
    let depth = path.strip_prefix(SOURCES).unwrap_or(path).trim_end_matches("/mod.rs").split('/').count();
    for position in words(code, "super::") {
        let is_inner = code.get(..position).is_some_and(|before| before.ends_with("super::"));
        let rest = code.get(position..).unwrap_or_default();
        let steps = (0..).take_while(|n| rest.get(n * 7..).is_some_and(|rest| rest.starts_with("super::"))).count();
        // A test module is one deeper than its file.
        let deep = depth + usize::from(source.is_test(source.line_at(position)) && !path.ends_with("tests.rs"));
        if !is_inner && steps >= deep {
            names.extend(heads(code, position + steps * 7).map(|name| (source.line_at(position), name)));
        }
    }
    names
}

/// The first names of the path, or of the group of paths, at a position.
fn heads(code: &str, position: usize) -> impl Iterator<Item = &str> {
    let rest = code.get(position..).unwrap_or_default();
    let group = if rest.starts_with('{') { bracketed(code, position) } else { None };
    let mut depth = 0_usize;
    let parts = group.unwrap_or(rest).split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    let count = if group.is_some() { usize::MAX } else { 1 };
    parts.take(count).map(|part| leading_name(part.trim_start())).filter(|name| !name.is_empty())
}

fn drivers(path: &str, source: &Rust) -> Vec<Finding> {
    if DRIVER_HOMES.iter().any(|home| path.starts_with(home)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for driver in DRIVERS {
        for position in words(&source.code, driver) {
            let what = format!("`{driver}` is named outside crates/protium/src/store/db; go through `store::Db`");
            findings.push(Finding::new(path, source.line_at(position), "database driver", what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree::from([
            (path, text),
            ("crates/protium/src/store/transaction.rs", "macro_rules! transaction { () => {} }"),
        ]);
        check(&tree).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn imports_point_right() {
        let store = "crates/protium/src/store/job.rs";
        assert!(
            wrong(store, "use crate::store::{db::Db, tx};\nuse super::resource;\nuse crate::clock::Clock;").is_empty()
        );
        assert_eq!(wrong(store, "use crate::clock;\nuse crate::operations::x;"), [2]);
        assert_eq!(wrong(store, "use super::super::operations::x;\n"), [1]);
        assert_eq!(wrong("crates/protium/src/store/mod.rs", "use super::http::x;"), [1]);
        assert_eq!(
            wrong("crates/protium/src/http/sts.rs", "use crate::{store::{a, b}, app::App, jobs, worker::W};"),
            [1]
        );
        assert!(
            wrong("crates/protium/src/http/sts.rs", "// crate::worker\nuse crate::{store::{a, cli}, jobs};").is_empty()
        );
        assert!(wrong("crates/protium/src/lib.rs", "use crate::store;").is_empty());
    }

    #[test]
    fn a_macro_belongs_to_the_module_that_defines_it() {
        assert!(wrong("crates/protium/src/worker.rs", "crate::transaction!();").is_empty());
        assert_eq!(wrong("crates/protium/src/clock.rs", "crate::transaction!();"), [1]);
    }

    #[test]
    fn a_module_without_a_layer_is_a_finding() {
        assert_eq!(wrong("crates/protium/src/console/mod.rs", ""), [0]);
    }

    #[test]
    fn drivers_are_named_in_one_place() {
        assert!(wrong("crates/protium/src/store/db/sqlite.rs", "use rusqlite::Connection;").is_empty());
        assert_eq!(wrong("crates/protium/src/store/job.rs", "\nuse rusqlite::Connection; // rusqlite"), [2]);
    }
}
