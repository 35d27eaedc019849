//! The texts of the checkout: what Git tracks, and what it would.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::rust::Rust;

/// Every file, by its path from the root with `/` between the parts.
#[derive(Default)]
pub(super) struct Tree {
    /// Files that are not UTF-8 are here without text.
    files: BTreeMap<String, Option<String>>,
    rust: BTreeMap<String, Rust>,
}

impl Tree {
    /// Reads what `git ls-files` names, and new files that are not ignored.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        let output = git.output().context("running git, which tells what belongs to the project")?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let names = String::from_utf8(output.stdout).context("a path that is not UTF-8")?;
        let mut files = BTreeMap::new();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            // A tracked file may have been removed and not yet committed; a link's text is its target's.
            if let Ok(bytes) = fs::read(root.join(name)) {
                files.insert(name.to_owned(), String::from_utf8(bytes).ok());
            }
        }
        Ok(Self::of(files))
    }

    fn of(files: BTreeMap<String, Option<String>>) -> Self {
        let rust = files
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .filter_map(|(path, text)| Some((path.clone(), Rust::parse(path, text.as_deref()?))))
            .collect();
        Self { files, rust }
    }

    /// The text of a file, if it exists and is text.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether a file has this path, or is in a folder that has it.
    pub(super) fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.contains_key(path)
            || self.files.range(folder.clone()..).next().is_some_and(|(p, _)| p.starts_with(&folder))
    }

    /// Every text, by path.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Every Rust source, by path.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &Rust)> {
        self.rust.iter().map(|(path, source)| (path.as_str(), source))
    }

    /// The Rust sources whose path starts so.
    pub(super) fn rust_in<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Rust)> {
        self.rust().filter(move |(path, _)| path.starts_with(prefix))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        Self::of(files.into_iter().map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exists_while_a_file_is_in_it() {
        let tree = Tree::from([("docs/errors.md", ""), ("docs-old.md", "")]);
        assert!(tree.exists("docs") && tree.exists("docs/errors.md"));
        assert!(!tree.exists("doc") && !tree.exists("docs/error") && !tree.exists("docs-old"));
    }
}
