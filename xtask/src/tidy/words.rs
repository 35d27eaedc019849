//! Words that do not land: unfinished code, probes, silenced tests and lints, sleeping tests, empty names,
//! catch-all arms in the state machines, secrets that are compared as text, and libraries that print.

use super::Finding;
use super::rust::{Rust, bracketed, leading_name, words};
use super::tree::Tree;

/// Words, rule, and what to do instead.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("todo!(", "unfinished code", "write it, or leave it out"),
    ("unimplemented!(", "unfinished code", "write it, or answer an error"),
    ("dbg!(", "forgotten probe", "remove it"),
    ("#[ignore", "silenced test", "repair it or remove it"),
];

/// Endings of names that say nothing.
const EMPTY_NAMES: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils", "Base", "Impl"];

/// The state machines and the matches of a closed set: a new variant must stop the build there.
const TOTAL: &[&str] = &[
    "crates/domain/src/deployment.rs",
    "crates/domain/src/service/change.rs",
    "crates/protium/src/operations/mod.rs",
    "crates/protium/src/jobs/mod.rs",
];

/// Where printing is the purpose.
const PRINTERS: &[&str] = &[
    "crates/protium/src/cli/",
    "crates/protium/src/main.rs",
    "crates/protium/benches/",
    "scripts/e2e/clients/rust/",
    "xtask/",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.rust().filter(|(_, source)| !source.is_generated);
    sources.flat_map(|(path, source)| findings(path, source)).collect()
}

fn findings(path: &str, source: &Rust) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |position: usize, rule: &'static str, what: String| {
        findings.push(Finding::new(path, source.line_at(position), rule, what));
    };
    let code = source.code.as_str();
    for (word, rule, remedy) in FORBIDDEN {
        for position in words(code, word) {
            add(position, rule, format!("`{word}`: {remedy}"));
        }
    }
    for opening in ["#[allow(", "#![allow("] {
        for position in words(code, opening) {
            let attribute = bracketed(code, position + opening.len() - 1).unwrap_or_default();
            if words(attribute, "reason").next().is_none() {
                add(position, "bare allow", "write `#[expect(.., reason = \"..\")]`".to_owned());
            }
        }
    }
    for keyword in ["struct ", "enum ", "trait ", "type ", "union "] {
        for position in words(code, keyword) {
            let name = leading_name(code.get(position + keyword.len()..).unwrap_or_default().trim_start());
            if let Some(ending) = EMPTY_NAMES.iter().find(|ending| name.ends_with(*ending)) {
                add(
                    position,
                    "empty name",
                    format!("`{name}`: a name in {ending} says nothing; take the field's word for it"),
                );
            }
        }
    }
    for position in words(code, "sleep(") {
        if source.is_test(source.line_at(position)) {
            add(
                position,
                "sleeping test",
                "`sleep(` in a test: wait for what happens, or let the clock of the test go on".to_owned(),
            );
        }
    }
    if !PRINTERS.iter().any(|printer| path.starts_with(printer)) {
        for position in ["println!(", "eprintln!(", "print!(", "eprint!("].iter().flat_map(|word| words(code, word)) {
            if !source.is_test(source.line_at(position)) {
                add(position, "printing library", "answer it, or log it with `tracing`; only `cli` prints".to_owned());
            }
        }
    }
    if path.starts_with("crates/protium/src/") {
        for position in words(code, "expose()") {
            let line = source.line_at(position);
            let text = code.lines().nth(line - 1).unwrap_or_default();
            if !source.is_test(line) && (text.contains("==") || text.contains("!=")) {
                let what = "secrets are compared in constant time: use `ct_eq` of `subtle`".to_owned();
                add(position, "secret comparison", what);
            }
        }
    }
    if TOTAL.contains(&path) {
        for position in words(code, "_ =>") {
            if !source.is_test(source.line_at(position)) {
                add(position, "catch-all arm", "`_ =>` hides the next variant; name the variants".to_owned());
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::from([(path, text)])).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn what_does_not_land_is_found_in_code_and_nowhere_else() {
        let cases: &[(&str, &[&str])] = &[
            ("fn f() { todo!() }", &["unfinished code"]),
            ("// todo!()\nlet a = \"dbg!(\"; my_todo!();", &[]),
            ("dbg!(x);\n#[ignore = \"slow\"]\nfn t() {}", &["forgotten probe", "silenced test"]),
            ("#[allow(dead_code)]", &["bare allow"]),
            ("#![allow(clippy::all)]", &["bare allow"]),
            ("#[allow(dead_code, reason = \"of the platform\")]\n#[expect(dead_code)]", &[]),
            ("pub struct JobManager;\nenum Utils {}\ntrait Base: Send {}", &["empty name", "empty name", "empty name"]),
            ("struct Implicit; use deadpool::Manager; type Row = u8;", &[]),
            ("println!(\"x\");", &["printing library"]),
            ("tokio::time::sleep(x).await;", &[]),
        ];
        for (text, expected) in cases {
            let mut found = rules("crates/a/src/a.rs", text);
            found.sort_unstable();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn tests_do_not_sleep() {
        assert_eq!(rules("crates/a/tests/it/a.rs", "std::thread::sleep(x);"), ["sleeping test"]);
        assert_eq!(
            rules("crates/a/src/a.rs", "sleep(x);\n#[cfg(test)]\nmod tests {\n sleep(x);\n}"),
            ["sleeping test"]
        );
    }

    #[test]
    fn secrets_are_compared_in_constant_time() {
        let path = "crates/protium/src/auth/credential.rs";
        assert_eq!(rules(path, "if secret.expose() == other {}"), ["secret comparison"]);
        assert_eq!(rules(path, "if given != secret.expose() {}"), ["secret comparison"]);
        assert!(
            rules(path, "a.expose().as_bytes().ct_eq(b);\n#[cfg(test)]\nmod tests { fn t() { a.expose() == b } }")
                .is_empty()
        );
    }

    #[test]
    fn state_machines_name_their_variants_and_the_command_line_prints() {
        assert_eq!(rules("crates/domain/src/deployment.rs", "match a { A => 1, _ => 2 }"), ["catch-all arm"]);
        assert!(rules("crates/domain/src/name.rs", "match a { A => 1, _ => 2 }").is_empty());
        assert!(rules("crates/protium/src/cli/serve.rs", "println!(\"x\");").is_empty());
    }
}
