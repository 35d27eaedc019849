//! House rules that a machine can check, from the text of the checkout alone: nothing is built for it.
//!
//! Each rule is a file with a table at its top and a function from texts to findings. What a rule means and why it
//! holds is in ARCHITECTURE.md and CONTRIBUTING.md.

mod coverage;
mod crates;
mod imports;
mod links;
mod migrations;
mod rust;
mod shape;
mod traces;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use self::tree::Tree;

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1; 0 when it is about the file as a whole.
    line: usize,
    rule: &'static str,
    /// What is there, and what would be right.
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line.max(1), self.rule, self.what)
    }
}

/// Prints one line a finding, and fails if there is one.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let tree = Tree::read(root)?;
    let findings = findings(&tree);
    for note in shape::notes(&tree) {
        println!("note: {note}");
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("1 finding"),
        count => bail!("{count} findings"),
    }
}

fn findings(tree: &Tree) -> Vec<Finding> {
    let rules: [fn(&Tree) -> Vec<Finding>; 9] = [
        imports::check,
        crates::check,
        shape::check,
        words::check,
        migrations::check,
        links::check,
        coverage::check,
        traces::check,
        imports::check_map,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings.dedup();
    findings
}
