//! What the reader takes, refuses and bounds.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn value(text: &str) -> Value {
    parse(text).and_then(|node| node.to_value()).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

fn error(text: &str) -> String {
    let error = parse(text).and_then(|node| node.to_value()).expect_err(text);
    format!("{}:{} {}", error.line, error.column, error.message)
}

#[test]
fn documents_become_values_in_order() {
    let text = "# c\na: 1\nb: [x, '2', {c: ~}]\n80: no\nd: |\n  t\n  u\n";
    let expected = json!({"a": 1, "b": ["x", "2", {"c": null}], "80": "no", "d": "t\nu\n"});
    assert_eq!(value(text), expected);
    assert_eq!(value(&text.replace('\n', "\r\n")), expected);
    assert_eq!(value(""), Value::Null);
    assert_eq!(value("\u{feff}a: 1"), json!({"a": 1}));
}

#[test]
fn positions_count_from_one() {
    let node = parse("a:\n  - x\n  - {k: v,\n     l: w}\nb: |\n  t\nc: 1\n").unwrap();
    let flow = node.nearest(["a", "1"]);
    assert_eq!((flow.line, flow.column, flow.last_line), (3, 5, 4));
    let a = node.get("a").unwrap();
    assert_eq!((a.line, a.column, a.last_line), (2, 3, 4));
    let block = node.get("b").unwrap();
    assert_eq!(block.last_line, 6);
    assert_eq!(node.get("c").unwrap().line, 7);
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    let text = "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\nboth: {<<: [{z: 1}, *b]}\nsame: *b\n";
    assert_eq!(
        value(text),
        json!({"base": {"x": 1, "y": 2}, "mine": {"y": 3, "x": 1}, "both": {"z": 1, "x": 1, "y": 2}, "same": {"x": 1, "y": 2}})
    );
    assert!(error("<<: 1\n").contains("merge key"));
}

#[test]
fn errors_name_their_place() {
    assert_eq!(error("a: 1\nb: 2\na: 3\n"), "3:1 the key `a` is given twice, first in line 1");
    assert!(error("a: 1\n---\nb: 2\n").contains("a second document"));
    assert!(error("? [a]\n: 1\n").contains("a key must be text"));
    assert!(error("a: !Ref x\n").starts_with("1:"));
    assert!(error("a: !Sub {x: 1}\n").contains("!Sub"));
    assert!(error("a: [1\n").starts_with("2:"));
    for text in ["a: 1\nbc", "a: 1\r\nbc", "a: 1\rbc"] {
        assert!(error(text).starts_with("2:3 "), "{}", error(text));
    }
    let directive = parse("%ééé\0").unwrap_err();
    assert!(directive.line == 1 && directive.column <= 6, "{directive:?}");
    assert!(error("a: *x\n").contains("x") || !error("a: *x\n").is_empty());
    assert!(error("a: &a [*a]\n").contains("not complete"));
}

#[test]
fn an_alias_bomb_is_refused_within_the_bounds() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let previous = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![previous; 9].join(",")));
    }
    assert!(error(&text).contains("too large"));
    let large = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(","));
    assert!(error(&large).contains("too large"));
}

#[test]
fn deep_nesting_is_refused_also_through_aliases() {
    assert!(error(&"[".repeat(100)).contains("nested deeper"));
    assert!(!error(&"[".repeat(40_000)).is_empty());
    let block: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(error(&block).contains("nested deeper"));
    let wrap = |inner: &str| format!("{}{inner}{}", "[".repeat(40), "]".repeat(40));
    assert!(error(&format!("a: &a {}\nb: {}\n", wrap("x"), wrap("*a"))).contains("nested deeper"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[ -~\n]{0,12}",
        "[0-9a-fxo_.:+-]{1,6}",
        Just("${Proton::CURRENT_VAL}".to_owned()),
        Just("000000000001".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON numbers are finite", |float| float.is_finite()).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_emitted_reads_back_as_the_same_value(expected in any_value()) {
        let text = emit(&expected);
        let read = parse(&text).and_then(|node| node.to_value());
        prop_assert_eq!(read, Ok(expected.clone()), "{}", text);
        let text = format!("a: [{}]\n", inline(&expected));
        prop_assert_eq!(parse(&text).and_then(|node| node.to_value()), Ok(json!({"a": [expected]})), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in any::<String>()) {
        let _ = parse(&text).map(|node| node.to_value());
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused_without_a_panic(text in "[-:a#\\[\\]{},&*!|>'\"? \n\t%@~<]{0,60}") {
        let _ = parse(&text).map(|node| node.to_value());
    }
}
