//! Links between the pages: each leads to a file, and to a heading if it names one.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.texts().filter(|(path, _)| path.ends_with(".md")).flat_map(|(path, text)| page(tree, path, text)).collect()
}

fn page(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in links(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() { Some(path.to_owned()) } else { resolve(path, file) };
        let what = match file {
            Some(file) if tree.exists(&file) => match tree.text(&file) {
                Some(text) if !heading.is_empty() && !anchors(text).any(|anchor| anchor == heading) => {
                    format!("'{target}': {file} has no heading that gives #{heading}")
                }
                _ => continue,
            },
            Some(file) => format!("'{target}': there is no {file}"),
            None => format!("'{target}' leads out of the project; link to what every checkout has"),
        };
        findings.push(Finding::new(path, line, "broken link", what));
    }
    findings
}

/// The targets of inline links and of link definitions, outside code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (line, prose) in prose(text) {
        for (position, _) in prose.match_indices("](") {
            let rest = prose.get(position + 2..).unwrap_or_default();
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            links.push((line, target.trim_matches(['<', '>'])));
        }
        if prose.starts_with('[')
            && let Some((_, target)) = prose.split_once("]: ")
        {
            links.push((line, target.trim()));
        }
    }
    links.retain(|(_, target)| !target.is_empty());
    links
}

/// The lines that are not in a code block, from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            return None;
        }
        (!in_code).then_some((index + 1, line))
    })
}

/// The path of a target from the root; none if it is outside.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { page.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What the headings of a page are linked to by.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter_map(|(_, line)| line.strip_prefix('#')).map(|heading| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_and_to_its_heading() {
        let page = "# Top\n[a](../README.md) [b](errors.md#a-b--c) [c](#top) [d](https://x.y/z)\n\
                    [e](none.md)\n```\n[f](none.md)\n```\n[g](errors.md#none) [h](../../x)\n[i]: none.md\n";
        let tree = Tree::from([("docs/a.md", page), ("docs/errors.md", "## `A` b & c\n"), ("README.md", "")]);
        let found: Vec<usize> = check(&tree).into_iter().map(|finding| finding.line).collect();
        assert_eq!(found, [3, 7, 7, 8]);
    }

    #[test]
    fn paths_are_resolved_from_the_page() {
        assert_eq!(resolve("docs/a.md", "../crates/x").as_deref(), Some("crates/x"));
        assert_eq!(resolve("README.md", "docs/").as_deref(), Some("docs"));
        assert_eq!(resolve("README.md", "../x"), None);
    }
}
