//! What a crate of the workspace may depend on: the third column of the map's table, read from the `Cargo.toml`s.

use super::Finding;
use super::rust::words;
use super::tree::Tree;

/// What one crate may use.
struct Rule {
    name: &'static str,
    /// The crates of the workspace that it may depend on, in tests too.
    workspace: &'static [&'static str],
    /// If given, there is nothing else that it may depend on, tests excepted.
    only: Option<&'static [&'static str]>,
    /// What it must not depend on, tests excepted.
    never: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        name: "api",
        workspace: &[],
        only: Some(&["serde", "serde_json", "regex-lite"]),
        never: &[],
        why: "it is only what is said on the wire",
    },
    Rule { name: "client", workspace: &["protium-api"], only: None, never: SERVER, why: "it does not know the server" },
    Rule {
        name: "domain",
        workspace: &[],
        only: None,
        never: OUTSIDE,
        why: "it does no I/O, is not async and reads no clock",
    },
    Rule {
        name: "engines",
        workspace: &["protium-domain", "protium-engines"],
        only: None,
        never: SERVER,
        why: "it sees neither the store nor the wire",
    },
    Rule {
        name: "protium",
        workspace: &["protium-api", "protium-client", "protium-domain", "protium-engines"],
        only: None,
        never: &[],
        why: "nothing that ships needs the project's chores",
    },
];

/// Listeners and databases.
const SERVER: &[&str] = &["axum", "s3s", "rusqlite", "tokio-postgres", "deadpool-postgres", "tower"];

/// What talks to the world outside the process, waits for it, or tells the time.
const OUTSIDE: &[&str] = &[
    "async-trait",
    "axum",
    "chrono",
    "deadpool-postgres",
    "futures",
    "fs4",
    "getrandom",
    "http",
    "hyper",
    "hyper-util",
    "jiff",
    "object_store",
    "reqwest",
    "rusqlite",
    "tempfile",
    "time",
    "tokio",
    "tokio-postgres",
    "tokio-util",
    "tracing",
    "ureq",
    "uuid",
];

/// The same in `domain`'s own code.
const OUTSIDE_WORDS: &[&str] = &[
    "async fn",
    "SystemTime",
    "Instant",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        let path = format!("crates/{}/Cargo.toml", rule.name);
        findings.extend(tree.text(&path).map(|text| dependencies(rule, &path, text)).unwrap_or_default());
    }
    for (path, source) in tree.rust_in("crates/domain/src/") {
        for word in OUTSIDE_WORDS {
            for position in words(&source.code, word) {
                let line = source.line_at(position);
                if !source.is_test(line) {
                    let what = format!(
                        "`{word}`: domain does no I/O, is not async and reads no clock; take what is needed as an argument"
                    );
                    findings.push(Finding::new(path, line, "pure domain", what));
                }
            }
        }
    }
    findings
}

fn dependencies(rule: &Rule, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, is_dev, name) in entries(text) {
        let is_ours = name.starts_with("protium") || name == "xtask";
        let allowed = if is_ours {
            rule.workspace.contains(&name)
        } else {
            is_dev || (rule.only.is_none_or(|only| only.contains(&name)) && !rule.never.contains(&name))
        };
        if !allowed {
            let what = format!("`{}` must not depend on `{name}`: {}", rule.name, rule.why);
            findings.push(Finding::new(path, line, "crate dependency", what));
        }
    }
    findings
}

/// The dependencies in a manifest: line, whether only tests need it, name.
fn entries(text: &str) -> Vec<(usize, bool, &str)> {
    let mut entries = Vec::new();
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            // [dependencies.name] is an entry by itself.
            match heading.rsplit_once("dependencies.") {
                Some((kind, name)) => {
                    entries.push((index + 1, kind.ends_with("dev-"), name));
                    section = "";
                }
                None => section = heading,
            }
        } else if section.ends_with("dependencies")
            && let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with('#'))
        {
            let name = key.split('.').next().unwrap_or(key).trim().trim_matches('"');
            entries.push((index + 1, section.ends_with("dev-dependencies"), name));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        let text = "[package]\nname = \"x\"\n[dependencies]\n# no = 1\na.workspace = true\nb = { version = \"1\" }\n\
                    [target.'cfg(unix)'.dependencies]\nc = \"1\"\n[dev-dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"1\"\n";
        let entries: Vec<_> = entries(text).into_iter().map(|(_, is_dev, name)| (is_dev, name)).collect();
        assert_eq!(entries, [(false, "a"), (false, "b"), (false, "c"), (true, "d"), (false, "e")]);
    }

    #[test]
    fn a_crate_depends_on_what_its_rule_allows() {
        let check = |path, text| check(&Tree::from([(path, text)])).len();
        assert_eq!(
            check("crates/domain/Cargo.toml", "[dependencies]\nserde = 1\n[dev-dependencies]\ntempfile = 1\n"),
            0
        );
        assert_eq!(check("crates/domain/Cargo.toml", "[dependencies]\ntokio = 1\nprotium-api.workspace = true\n"), 2);
        assert_eq!(check("crates/api/Cargo.toml", "[dependencies]\nserde = 1\nhttp = 1\n"), 1);
        assert_eq!(check("crates/engines/Cargo.toml", "[dependencies]\nprotium-api = 1\nrusqlite = 1\n"), 2);
        assert_eq!(check("crates/protium/Cargo.toml", "[dependencies]\nxtask = 1\n"), 1);
    }

    #[test]
    fn domain_reads_no_clock() {
        let text = "fn f() { let now = SystemTime::now(); }\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        let found = check(&Tree::from([("crates/domain/src/track.rs", text)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1]);
    }
}
