//! Templates render as Jinja2 renders them: a corpus of snippets, compared exactly with what Jinja2
//! 3.1.6 made of them (`jinja/expect.py`).

use protium_domain::bundle::{RenderLimits, render};
use serde_json::Value;

/// Names and sources, separated by lines that begin with `=== `.
fn snippets(text: &str) -> Vec<(String, String)> {
    let mut snippets: Vec<(String, Vec<&str>)> = Vec::new();
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    for line in lines {
        match (line.strip_prefix("=== "), snippets.last_mut()) {
            (Some(name), _) => snippets.push((name.to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => panic!("the corpus begins with a name"),
        }
    }
    snippets.into_iter().map(|(name, lines)| (name, lines.join("\n"))).collect()
}

#[test]
fn snippets_render_as_in_jinja2() {
    let context: Value = serde_json::from_str(include_str!("jinja/context.json")).unwrap();
    let expected: Value = serde_json::from_str(include_str!("jinja/expected.json")).unwrap();
    let snippets = snippets(include_str!("jinja/snippets.txt"));
    assert!(snippets.len() >= 60);
    assert_eq!(snippets.len(), expected.as_object().unwrap().len(), "run jinja/expect.py");
    let mut differences = Vec::new();
    for (name, source) in &snippets {
        let expected = &expected[name];
        let rendered = render("snippet", source, &context, RenderLimits::default());
        match (expected.get("output").and_then(Value::as_str), rendered) {
            (Some(output), Ok(text)) if output == text => {}
            (None, Err(_)) => {}
            (Some(output), Ok(text)) => differences.push(format!("{name}\n  jinja2  {output:?}\n  protium {text:?}")),
            (Some(output), Err(error)) => differences.push(format!("{name}\n  jinja2  {output:?}\n  protium {error}")),
            (None, Ok(text)) => differences.push(format!("{name}\n  jinja2  {expected}\n  protium {text:?}")),
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
