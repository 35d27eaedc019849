//! What was proved: how often each operation succeeded and was refused, and with which members it succeeded.

use super::model::{Model, Operation};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Operations, and members as `CreateService.tags.key`, with which no request succeeds, and why. This list only ever
/// becomes shorter.
pub(super) const UNPROVED: [(&str, &str); 0] = [];

/// The counts of one operation.
#[derive(Default)]
pub(super) struct Counts {
    variants: usize,
    succeeded: usize,
    /// By code.
    refused: BTreeMap<String, usize>,
    /// With which members, as `tags.key`, a request succeeded.
    members: BTreeSet<String>,
}

impl Counts {
    /// Notes the answer to a variant: its code if it was refused.
    pub(super) fn note(&mut self, members: &BTreeSet<String>, refused: Option<&str>) {
        self.variants += 1;
        match refused {
            None => {
                self.succeeded += 1;
                self.members.extend(members.iter().cloned());
            }
            Some(code) => *self.refused.entry(code.to_owned()).or_default() += 1,
        }
    }

    /// With how many members of the operation a request succeeded, and how many there are.
    fn proved(&self, operation: Operation<'_>) -> (usize, usize) {
        let all = operation.paths();
        (all.intersection(&self.members).count(), all.len())
    }

    /// What is wrong: an operation or a member that never succeeded and is not excused, and an excuse for one that did.
    pub(super) fn gaps(&self, operation: Operation<'_>) -> Vec<String> {
        let members = operation.paths().into_iter();
        let mut all: Vec<(String, bool)> =
            members.map(|path| (format!("{}.{path}", operation.name), self.members.contains(&path))).collect();
        all.push((operation.name.to_owned(), self.succeeded > 0));
        let excused = |name: &str| UNPROVED.iter().any(|(known, _)| *known == name);
        let wrong = all.into_iter().filter(|(name, is_proved)| *is_proved == excused(name));
        let why = |is_proved| if is_proved { "succeeds: it is unproved no longer" } else { "never succeeded" };
        wrong.map(|(name, is_proved)| format!("{name} {}", why(is_proved))).collect()
    }
}

/// Writes the counts of a noun: `target/tmp/conformance/<noun>.md`.
pub(super) fn write(noun: &str, model: &Model, counts: &BTreeMap<&str, Counts>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    fs::create_dir_all(&folder).expect("a folder");
    let text = format!("{}\n{}\n", table(model, counts), summary(noun, model, counts));
    fs::write(folder.join(noun).with_extension("md"), text).expect("written");
}

/// The counts of a noun in one line.
fn summary(noun: &str, model: &Model, counts: &BTreeMap<&str, Counts>) -> String {
    let (mut variants, mut succeeded, mut proved, mut all) = (0, 0, 0, 0);
    for (operation, counts) in counts {
        let (of_it, of_all) = counts.proved(model.operation(operation));
        (variants, succeeded) = (variants + counts.variants, succeeded + counts.succeeded);
        (proved, all) = (proved + of_it, all + of_all);
    }
    let (operations, members) = (counts.len(), format!("{proved} of {all} members"));
    format!("{noun}: {operations} operations; of {variants} requests {succeeded} succeeded, with {members}")
}

/// The counts as a table in Markdown.
fn table(model: &Model, counts: &BTreeMap<&str, Counts>) -> String {
    let mut table =
        "| operation | variants | succeeded | members that did | refused |\n|---|---|---|---|---|\n".to_owned();
    for (operation, counts) in counts {
        let refused = counts.refused.iter().map(|(code, count)| format!("{code} {count}"));
        let refused = refused.collect::<Vec<_>>().join(", ");
        let (proved, all) = counts.proved(model.operation(operation));
        let Counts { variants, succeeded, .. } = counts;
        let line = format!("| `{operation}` | {variants} | {succeeded} | {proved} of {all} | {refused} |");
        writeln!(table, "{line}").expect("a string takes all");
    }
    table
}
