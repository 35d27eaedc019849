//! Traces of the machine that something was written on: its folders, and the package registry that it reaches.

use super::Finding;
use super::tree::Tree;

/// The first part of absolute paths that exist on one machine only.
const FOLDERS: &[&str] = &["root", "work", "home"];

/// Hosts of package registries, as parts, so that this file does not find itself.
const REGISTRIES: &[&[&str]] = &[
    &["crates", "io"],
    &["pypi", "org"],
    &["files", "pythonhosted", "org"],
    &["registry", "npmjs", "org"],
    &["proxy", "golang", "org"],
    &["sum", "golang", "org"],
];

/// The name of the index in `Cargo.lock` and `deny.toml`; it says which registry is meant, not where it is.
const INDEX: &str = "-index";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let folders: Vec<String> = FOLDERS.iter().map(|folder| format!("/{folder}/")).collect();
    let hosts: Vec<String> = REGISTRIES.iter().map(|parts| parts.join(".")).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for folder in &folders {
            for (position, _) in
                text.match_indices(folder.as_str()).filter(|(position, _)| is_absolute(text, *position))
            {
                let what = format!("`{folder}` is a folder of one machine; write a path from the root of the project");
                findings.push(Finding::new(path, line_at(text, position), "path of a machine", what));
            }
        }
        for host in &hosts {
            for (position, _) in text.match_indices(host.as_str()) {
                let rest = text.get(position + host.len()..).unwrap_or_default();
                if !rest.starts_with(INDEX) {
                    let what =
                        format!("`{host}` is the host of a package registry; leave the choice to whoever builds");
                    findings.push(Finding::new(path, line_at(text, position), "host of a registry", what));
                }
            }
        }
    }
    findings
}

/// Whether the path that has a part at this position starts there.
fn is_absolute(text: &str, position: usize) -> bool {
    let before = text.get(..position).and_then(|before| before.chars().next_back());
    !before.is_some_and(|c| c.is_alphanumeric() || "._-~}$*>)".contains(c))
}

fn line_at(text: &str, position: usize) -> usize {
    text.get(..position).unwrap_or_default().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&Tree::from([("a.txt", text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn folders_of_a_machine_are_found_where_a_path_starts() {
        let home = FOLDERS[2];
        assert_eq!(lines(&format!("a\nsee /{home}/me/x")), [2]);
        assert!(lines(&format!("a ~/{home}/x, src/{home}/x and https://a.b/{home}/x")).is_empty());
    }

    #[test]
    fn hosts_of_registries_are_found_and_the_name_of_the_index_is_not_one() {
        let host = REGISTRIES[0].join(".");
        assert_eq!(lines(&format!("https://{host}/x")), [1]);
        assert!(lines(&format!("https://github.com/rust-lang/{host}{INDEX}")).is_empty());
    }
}
