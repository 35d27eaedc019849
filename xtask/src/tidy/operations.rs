//! The list of operations that are not built yet is the list that the dispatch refuses, in order.

use super::Finding;
use super::rust::{Rust, leading_name};
use super::tree::Tree;

const DISPATCH: &str = "crates/protium/src/operations/mod.rs";
const LIST: &str = "crates/protium/tests/it/uncovered-operations.txt";
const RULE: &str = "uncovered operations";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some((_, dispatch)) = tree.rust_in(DISPATCH).next() else { return Vec::new() };
    differences(&refused(dispatch), tree.text(LIST).unwrap_or_default())
}

/// The operations in the arm that answers `not_built`, with their lines.
fn refused(dispatch: &Rust) -> Vec<(usize, &str)> {
    let mut arm = Vec::new();
    for (number, line) in dispatch.lines() {
        let (pattern, rest) = line.split_once("=>").map_or((line, None), |(pattern, rest)| (pattern, Some(rest)));
        let variants = pattern.split('|').filter_map(|part| part.trim().strip_prefix("Request::"));
        arm.extend(variants.map(|variant| (number, leading_name(variant))));
        match rest {
            Some(rest) if rest.contains("not_built(") => return arm,
            Some(_) => arm.clear(),
            None => {}
        }
    }
    Vec::new()
}

fn differences(refused: &[(usize, &str)], list: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut previous = "";
    for (index, name) in list.lines().enumerate() {
        if name <= previous && index > 0 {
            findings.push(Finding::new(
                LIST,
                index + 1,
                RULE,
                format!("'{name}' after '{previous}': sort the list, each name once"),
            ));
        }
        if !refused.iter().any(|(_, operation)| *operation == name) {
            findings.push(Finding::new(LIST, index + 1, RULE, format!("'{name}' is built; take it off the list")));
        }
        previous = name;
    }
    for (line, operation) in refused {
        if !list.lines().any(|name| name == *operation) {
            findings.push(Finding::new(
                DISPATCH,
                *line,
                RULE,
                format!("'{operation}' is not built and not in {LIST}; the list only shrinks"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "match request {\n Request::A(input) => a(input),\n Request::B(_)\n | Request::C(_) => return Err(not_built(o)),\n}";

    fn lines(list: &str) -> Vec<usize> {
        check(&Tree::from([(DISPATCH, CODE), (LIST, list)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_list_is_what_the_dispatch_refuses() {
        assert!(lines("B\nC\n").is_empty());
        assert_eq!(lines("A\nB\nC\n"), [1]);
        assert_eq!(lines("B\n"), [4]);
    }

    #[test]
    fn the_list_is_sorted() {
        assert_eq!(lines("C\nB\n"), [2]);
        assert_eq!(lines("B\nB\nC\n"), [2]);
    }
}
