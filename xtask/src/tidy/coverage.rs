//! What the documentation must tell: every setting, and every error code.

use super::Finding;
use super::rust::{Rust, bracketed, is_name_byte, leading_name};
use super::tree::Tree;

const SETTINGS: &str = "crates/protium/src/config.rs";
const SETTINGS_PAGE: &str = "docs/configuration.md";
const ERRORS: &str = "crates/api/src/error.rs";
const ERRORS_PAGE: &str = "docs/errors.md";
const VARIABLE: &str = "PROTIUM_";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.rust() {
        let is_setting = path == SETTINGS || path.starts_with("crates/protium/src/cli/");
        if is_setting {
            findings.extend(untold(tree, path, settings(source), SETTINGS_PAGE, "undocumented setting"));
        }
        if path == ERRORS {
            findings.extend(untold(tree, path, error_codes(source), ERRORS_PAGE, "undocumented error"));
        }
    }
    findings
}

fn untold(tree: &Tree, path: &str, words: Vec<(usize, String)>, page: &str, rule: &'static str) -> Vec<Finding> {
    let text = tree.text(page).unwrap_or_default();
    let untold = words.into_iter().filter(|(_, word)| !mentions(text, word));
    untold
        .map(|(line, word)| {
            Finding::new(path, line, rule, format!("`{word}` is not in {page}; tell what it means there"))
        })
        .collect()
}

/// Whether a text has a word that is not a part of a longer one.
fn mentions(text: &str, word: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| is_name_byte(*byte) || *byte == b'-');
    text.match_indices(word).any(|(position, _)| {
        let before = position.checked_sub(1).and_then(|index| text.as_bytes().get(index));
        !is_part(before) && !is_part(text.as_bytes().get(position + word.len()))
    })
}

/// The flags of `ServeArgs`, and the variables that have no flag.
fn settings(source: &Rust) -> Vec<(usize, String)> {
    let mut settings = flags(source);
    let has_flag = |variable: &str, flags: &[(usize, String)]| {
        let name = variable.strip_prefix(VARIABLE).unwrap_or(variable).to_lowercase().replace('_', "-");
        flags.iter().any(|(_, flag)| flag.trim_start_matches('-') == name)
    };
    let mut variables = Vec::new();
    for (line, literal) in source.strings.iter().filter(|(line, _)| !source.is_test(*line)) {
        let is_variable = literal.starts_with(VARIABLE) && literal.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        if is_variable && !has_flag(literal, &settings) {
            variables.push((*line, literal.clone()));
        }
    }
    settings.append(&mut variables);
    settings
}

fn flags(source: &Rust) -> Vec<(usize, String)> {
    const OPENING: &str = "pub struct ServeArgs {";
    let Some(start) = source.code.find(OPENING) else { return Vec::new() };
    let open = start + OPENING.len() - 1;
    let body = bracketed(&source.code, open).unwrap_or_default();
    let first = source.line_at(open);
    let mut flags = Vec::new();
    let mut is_flag = false;
    for (index, line) in body.lines().enumerate() {
        let line = line.trim();
        is_flag |= line.starts_with("#[arg(long");
        if let Some(field) = line.strip_prefix("pub ") {
            if is_flag {
                flags.push((first + index, format!("--{}", leading_name(field).replace('_', "-"))));
            }
            is_flag = false;
        }
    }
    flags
}

/// The names in the table `Variant = "Name", status, namespace;`.
fn error_codes(source: &Rust) -> Vec<(usize, String)> {
    let codes = source.strings.iter().filter(|(line, name)| {
        let declaration = source.text.lines().nth(line - 1).unwrap_or_default();
        !source.is_test(*line)
            && declaration.contains(&format!(" = \"{name}\", "))
            && declaration.trim_end().ends_with(';')
    });
    codes.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "/// Flags.\npub struct ServeArgs {\n    /// A.\n    #[arg(long, env = \"PROTIUM_DATA_DIR\")]\n    \
                          pub data_dir: u8,\n    #[arg(skip)]\n    pub root: u8,\n}\nfn f() { read(\"PROTIUM_ROOT_ID\"); }\n";

    #[test]
    fn flags_and_variables_without_a_flag_are_told() {
        let untold = |page: &str| -> Vec<usize> {
            check(&Tree::from([(SETTINGS, CONFIG), (SETTINGS_PAGE, page)])).iter().map(|finding| finding.line).collect()
        };
        assert_eq!(untold(""), [5, 9]);
        assert_eq!(untold("`--data-dir-x` PROTIUM_ROOT_ID"), [5]);
        assert!(untold("| `--data-dir` | and `PROTIUM_ROOT_ID`").is_empty());
    }

    #[test]
    fn error_codes_are_told() {
        let table = "x! {\n    /// A.\n    A = \"AException\", 400, MODEL;\n}\nconst B: &str = \"b\";\n";
        let untold = |page| check(&Tree::from([(ERRORS, table), (ERRORS_PAGE, page)])).len();
        assert_eq!(untold("b"), 1);
        assert_eq!(untold("`AException`"), 0);
    }
}
