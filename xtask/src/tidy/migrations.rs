//! SQL that both databases understand alike: three types, keys that sort by their bytes, numbered parameters.

use super::Finding;
use super::tree::Tree;

const FOLDER: &str = "crates/protium/migrations/";
const STORE: &str = "crates/protium/src/store/";
const TYPES: &[&str] = &["TEXT", "BIGINT", "BYTEA"];
const RULE: &str = "migration";

/// What a line of a table starts with when it declares no column.
const CONSTRAINTS: &[&str] = &["PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "CONSTRAINT"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.starts_with(FOLDER) && path.ends_with(".sql")) {
        findings.extend(migration(path, text));
    }
    for (path, source) in tree.rust_in(STORE) {
        for (line, literal) in &source.strings {
            if is_statement(literal) && literal.contains('?') {
                let what = "`?` is SQLite's; number the parameters: $1, $2";
                findings.push(Finding::new(path, *line, "SQL parameter", what));
            }
        }
    }
    findings
}

fn is_statement(literal: &str) -> bool {
    let first = literal.split_whitespace().next().unwrap_or_default();
    matches!(first, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH")
}

/// A column: name, type, and what follows.
struct Column<'a> {
    line: usize,
    name: &'a str,
    kind: &'a str,
    rest: &'a str,
}

fn migration(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, statement) in statements(&without_comments(text)) {
        let columns = columns(&statement, line);
        let keys = keys(&statement);
        for column in &columns {
            let Column { line, name, kind, rest } = *column;
            if !TYPES.contains(&kind) {
                let what = format!("`{name} {kind}`: a column is TEXT, BIGINT or BYTEA, which both databases have");
                findings.push(Finding::new(path, line, RULE, what));
            }
            let is_key = keys.contains(&name) || rest.contains("PRIMARY KEY") || rest.contains("UNIQUE");
            if kind == "TEXT" && is_key && !rest.contains("COLLATE \"C\"") {
                let what = format!(
                    "`{name}` is part of a key; write TEXT COLLATE \"C\", so that it sorts by its bytes everywhere"
                );
                findings.push(Finding::new(path, line, RULE, what));
            }
        }
    }
    findings
}

/// The text with blanks for comments.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The statements with the line that each starts on.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut line = 1;
    let mut statements = Vec::new();
    for part in text.split(';') {
        let trimmed = part.trim_start();
        let skipped = part.get(..part.len() - trimmed.len()).unwrap_or_default();
        if !trimmed.is_empty() {
            statements.push((line + skipped.matches('\n').count(), trimmed.trim_end().to_owned()));
        }
        line += part.matches('\n').count();
    }
    statements
}

/// The columns that a statement declares.
fn columns(statement: &str, first_line: usize) -> Vec<Column<'_>> {
    let mut columns = Vec::new();
    if let Some((before, declaration)) = statement.split_once("ADD COLUMN ") {
        columns.extend(column(declaration, first_line + before.matches('\n').count()));
    } else if statement.starts_with("CREATE TABLE")
        && let Some((before, body)) = statement.split_once('(')
    {
        let mut line = first_line + before.matches('\n').count();
        for item in items(body.strip_suffix(')').unwrap_or(body)) {
            let skipped = item.len() - item.trim_start().len();
            let at = line + item.get(..skipped).unwrap_or_default().matches('\n').count();
            columns.extend(column(item, at));
            line += item.matches('\n').count();
        }
    }
    columns
}

/// What is between the commas that are in no brackets.
fn items(body: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    body.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn column(declaration: &str, line: usize) -> Option<Column<'_>> {
    let declaration = declaration.trim();
    let (name, rest) = declaration.split_once(char::is_whitespace)?;
    let (kind, rest) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim_start(), ""));
    (!CONSTRAINTS.contains(&name)).then_some(Column { line, name, kind, rest })
}

/// The columns that the keys of a table are made of.
fn keys(statement: &str) -> Vec<&str> {
    let Some((_, body)) = statement.split_once('(') else { return Vec::new() };
    let constraints = items(body).map(str::trim).filter(|item| CONSTRAINTS.iter().any(|word| item.starts_with(word)));
    let lists = constraints.filter_map(|item| item.split_once('(')).map(|(_, list)| list);
    lists.flat_map(|list| list.split([',', ')'])).map(str::trim).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        migration("m.sql", text).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn columns_have_the_types_that_both_databases_have() {
        let table = "-- INTEGER\nCREATE TABLE a (\n    b TEXT NOT NULL, -- x\n    c INTEGER NOT NULL,\n    d BYTEA,\n    e JSONB\n);\n";
        assert_eq!(lines(table), [4, 6]);
        assert_eq!(lines("ALTER TABLE a ADD COLUMN b BOOLEAN;\n"), [1]);
        assert!(lines("ALTER TABLE a ADD COLUMN b BIGINT NOT NULL DEFAULT 0;\nCREATE INDEX i ON a (b);").is_empty());
    }

    #[test]
    fn keys_sort_by_their_bytes() {
        let right =
            "CREATE TABLE a (\n b TEXT COLLATE \"C\" NOT NULL,\n c TEXT NOT NULL,\n n BIGINT,\n PRIMARY KEY (b, n)\n);";
        assert!(lines(right).is_empty());
        assert_eq!(lines(&right.replace("(b, n)", "(b, c)")), [3]);
        assert_eq!(lines("\nCREATE TABLE a (id TEXT NOT NULL PRIMARY KEY);"), [2]);
    }

    #[test]
    fn parameters_are_numbered() {
        let text = "f(\"SELECT a FROM b WHERE c = ?\");\nf(\"SELECT a FROM b WHERE c = $1\");\nf(\"why?\");";
        let found = check(&Tree::from([("crates/protium/src/store/a.rs", text)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1]);
    }
}
