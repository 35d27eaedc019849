//! What specs say, and that text which need not change is not changed.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::bundle::problem::summary;

const STORED: &str = "\
# our service
proton: ServiceSpec

pipeline:
  dockerfile: Dockerfile # the usual one
  account: 000000000001

instances:
  # first
  - name: dev
    environment: dev-env
    spec:
      port: 80 # http
      image: \"nginx:1.21\"
  - name: prod
    environment: prod-env
    spec: {port: 443, image: nginx}
# end
";

fn value(text: &str) -> Value {
    yaml::parse(text).and_then(|node| node.to_value()).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

fn service(text: &str) -> ServiceSpec {
    ServiceSpec::parse(text).unwrap_or_else(|problems| panic!("{}", summary(&problems)))
}

#[test]
fn an_environment_spec_gives_its_inputs() {
    let spec = EnvironmentSpec::parse("proton: EnvironmentSpec\nspec:\n  cidr: 10.0.0.0/16\n  account: 012345678901\n")
        .unwrap();
    assert_eq!(spec.inputs, json!({"cidr": "10.0.0.0/16", "account": "012345678901"}));
    for empty in ["proton: EnvironmentSpec", "proton: EnvironmentSpec\nspec:\n", "proton: EnvironmentSpec\nspec: {}\n"]
    {
        assert_eq!(EnvironmentSpec::parse(empty).unwrap().inputs, json!({}));
    }
}

#[test]
fn a_service_spec_gives_pipeline_and_instances() {
    let spec = service(STORED);
    assert_eq!(spec.pipeline, Some(json!({"dockerfile": "Dockerfile", "account": "000000000001"})));
    let names: Vec<(&str, &str, usize)> =
        spec.instances.iter().map(|i| (i.name.as_str(), i.environment.as_str(), i.line)).collect();
    assert_eq!(names, [("dev", "dev-env", 10), ("prod", "prod-env", 15)]);
    assert_eq!(spec.instance("dev").unwrap().inputs, json!({"port": 80, "image": "nginx:1.21"}));
    for none in [
        "proton: ServiceSpec",
        "proton: ServiceSpec\npipeline: {}\ninstances: []",
        "proton: ServiceSpec\npipeline:\ninstances:\n",
    ] {
        let spec = service(none);
        assert_eq!((spec.pipeline, spec.instances), (None, vec![]));
    }
}

#[test]
fn keys_without_meaning_are_tolerated() {
    let spec = service(
        "proton: ServiceSpec\npipelines: {a: 1}\ninstances:\n  - name: a\n    environment: b\n    specs: {a: 1}\n",
    );
    assert_eq!((spec.pipeline, &spec.instances[0].inputs), (None, &json!({})));
}

#[test]
fn mistakes_name_their_line() {
    for (text, expected) in [
        ("- a\n", "spec:1: the spec is a list, not a mapping — begin it with `proton: ServiceSpec`"),
        ("", "spec:1: the spec is nothing"),
        ("instances: []\n", "spec:1: `proton` is missing"),
        ("proton: EnvironmentSpec\n", "spec:1: `proton` is `EnvironmentSpec` — write `proton: ServiceSpec`"),
        ("proton: ServiceSpec\ninstances: {}\n", "spec:2: `instances` is a mapping"),
        ("proton: ServiceSpec\ninstances:\n  - a\n", "spec:3: `instances[0]` is `a`"),
        ("proton: ServiceSpec\ninstances:\n  - environment: e\n", "spec:3: `instances[0].name` is missing"),
        ("proton: ServiceSpec\ninstances:\n  - name: a\n", "spec:3: `instances[0].environment` is missing"),
        (
            "proton: ServiceSpec\ninstances:\n  - name: a b\n    environment: e\n",
            "spec:3: `instances[0].name` is `a b`, which is no name",
        ),
        (
            "proton: ServiceSpec\ninstances:\n  - {name: a, environment: e}\n  - {name: a, environment: f}\n",
            "spec:4: the instance `a` is listed twice, first in line 3",
        ),
        (
            "proton: ServiceSpec\ninstances:\n  - {name: a, environment: e, spec: 1}\n",
            "spec:3: `instances[0].spec` is `1`",
        ),
        ("proton: ServiceSpec\npipeline: text\n", "spec:2: `pipeline` is `text`"),
        (
            "proton: ServiceSpec\npipeline: {a: !Ref b}\n",
            "spec:2:15: not valid YAML: the tag `!Ref` has no meaning here",
        ),
        ("proton: ServiceSpec\na: 1\na: 2\n", "spec:3:1: not valid YAML: the key `a` is given twice"),
    ] {
        let error = summary(&ServiceSpec::parse(text).unwrap_err());
        assert!(error.starts_with(expected), "{error}");
    }
    let error = summary(&EnvironmentSpec::parse("proton: EnvironmentSpec\nspec: [1]\n").unwrap_err());
    assert!(error.starts_with("spec:2: `spec` is a list"), "{error}");
}

#[test]
fn current_values_are_put_into_the_text() {
    let new = "\
proton: ServiceSpec # keep
pipeline: \"${Proton::CURRENT_VAL}\"
instances:
  - name: prod
    environment: '${Proton::CURRENT_VAL}'
    spec: {port: \"${Proton::CURRENT_VAL}\", image: v2}
  - name: dev
    environment: dev-env
    spec:
      port: ${Proton::CURRENT_VAL}
      image: \"${Proton::CURRENT_VAL}\" # same
";
    let text = substitute_current(new, Some(STORED)).unwrap();
    assert_eq!(
        text,
        "\
proton: ServiceSpec # keep
pipeline: {\"dockerfile\": \"Dockerfile\", \"account\": \"000000000001\"}
instances:
  - name: prod
    environment: \"prod-env\"
    spec: {port: 443, image: v2}
  - name: dev
    environment: dev-env
    spec:
      port: 80
      image: \"nginx:1.21\" # same
"
    );
}

#[test]
fn a_key_without_a_current_value_is_dropped() {
    let new = "proton: EnvironmentSpec\nspec:\n  a: 1 # one\n  b: \"${Proton::CURRENT_VAL}\"\n  c: [\"${Proton::CURRENT_VAL}\", 2]\n";
    let text = substitute_current(new, None).unwrap();
    assert_eq!(value(&text), json!({"proton": "EnvironmentSpec", "spec": {"a": 1, "c": [2]}}));
    let new = "proton: EnvironmentSpec\nspec:\n  a: 1 # one\n  b: \"${Proton::CURRENT_VAL}\"\n";
    assert_eq!(substitute_current(new, None).unwrap(), "proton: EnvironmentSpec\nspec:\n  a: 1 # one\n");
    let only = "proton: EnvironmentSpec\nspec:\n  b: \"${Proton::CURRENT_VAL}\"\n";
    assert_eq!(
        value(&substitute_current(only, Some("proton: EnvironmentSpec\n")).unwrap()),
        json!({"proton": "EnvironmentSpec", "spec": {}})
    );
}

#[test]
fn a_text_without_the_marker_is_answered_as_it_is() {
    for text in [STORED, "not: [yaml", "a: Proton::CURRENT_VAL\n", "a: x${Proton::CURRENT_VAL}\n"] {
        assert_eq!(substitute_current(text, Some(STORED)).as_deref(), Ok(text));
    }
}

#[test]
fn current_values_work_through_anchors() {
    let new = "proton: EnvironmentSpec\nx: &x \"${Proton::CURRENT_VAL}\"\nspec: {a: *x, b: *x}\n";
    let text = substitute_current(new, Some("proton: EnvironmentSpec\nspec: {a: 1, b: 2}\n")).unwrap();
    assert_eq!(value(&text), json!({"proton": "EnvironmentSpec", "spec": {"a": 1, "b": 2}}));
}

#[test]
fn merging_an_instance_changes_only_its_entry() {
    let new = "proton: ServiceSpec\npipeline: {dockerfile: Other}\ninstances:\n  - name: dev\n    environment: dev-env\n    spec: {port: 8080, tags: [a, \"1\"]}\n  - name: prod\n    environment: prod-env\n    spec: {port: 1}\n";
    let expected = STORED.replace(
        "      port: 80 # http\n      image: \"nginx:1.21\"\n",
        "      port: 8080\n      tags:\n        - a\n        - \"1\"\n",
    );
    assert_eq!(merge_instance(STORED, "dev", new).unwrap(), expected);
    let expected = STORED.replace("    spec: {port: 443, image: nginx}\n", "    spec:\n      port: 1\n");
    assert_eq!(merge_instance(STORED, "prod", new).unwrap(), expected);
}

#[test]
fn merging_keeps_a_text_that_already_says_it() {
    let rewritten = STORED.replace("{port: 443, image: nginx}", "{image: nginx, port: 443}");
    assert_eq!(merge_instance(STORED, "dev", &rewritten).unwrap(), STORED);
    let image = STORED.replace("nginx:1.21", "nginx:1.22");
    assert_eq!(merge_instance(STORED, "dev", &image).unwrap(), image);
}

#[test]
fn merging_adds_an_instance_that_is_not_stored() {
    let new = "proton: ServiceSpec\ninstances:\n  - {name: qa, environment: qa-env}\n";
    let merged = merge_instance(STORED, "qa", new).unwrap();
    assert!(merged.contains("{port: 443, image: nginx}\n  - name: qa\n    environment: qa-env\n# end\n"), "{merged}");
    let merged = merge_instance("proton: ServiceSpec\ninstances: []\n", "qa", new).unwrap();
    assert_eq!(service(&merged).instances.len(), 1);
}

#[test]
fn names_that_read_as_numbers_are_names() {
    let spec = |port: u16| {
        format!(
            "proton: ServiceSpec\ninstances:\n  - name: 1e3\n    environment: 007\n    spec: {{port: {port}}}\n  - {{name: true, environment: e}}\n"
        )
    };
    let merged = merge_instance(&spec(1), "1e3", &spec(2)).unwrap();
    let names: Vec<String> = service(&merged).instances.into_iter().map(|instance| instance.name).collect();
    assert_eq!(names, ["1e3", "true"]);
    assert_eq!(service(&merged).instance("1e3").unwrap().inputs, json!({"port": 2}));
}

#[test]
fn names_that_read_as_numbers_stay_when_the_spec_is_written_anew() {
    let stored = "proton: ServiceSpec\ninstances: [{name: 0x10, environment: 1e3}, {name: 16, environment: e}]\n";
    let new = "{proton: ServiceSpec, instances: [{name: 0x20, environment: 0o17}, {name: 16, environment: '${Proton::CURRENT_VAL}'}, {name: 0x10, environment: '${Proton::CURRENT_VAL}'}]}";
    let names = |text: &str| -> Vec<(String, String)> {
        service(text).instances.into_iter().map(|instance| (instance.name, instance.environment)).collect()
    };
    let pair = |name: &str, environment: &str| (name.to_owned(), environment.to_owned());
    let kept = [pair("0x10", "1e3"), pair("16", "e")];
    let substituted = substitute_current(new, Some(stored)).unwrap();
    assert_eq!(names(&substituted), [pair("0x20", "0o17"), pair("16", "e"), pair("0x10", "1e3")]);
    let merged = merge_instance(stored, "0x20", &substituted).unwrap();
    assert_eq!(names(&merged), [&kept[..], &[pair("0x20", "0o17")]].concat());
    assert_eq!(names(&without_instance(stored, "16").unwrap()), kept[..1]);
    let merged = merge_pipeline(stored, "proton: ServiceSpec\npipeline: {a: 1}\n").unwrap();
    assert_eq!(names(&merged), kept);
}

#[test]
fn merging_refuses_a_missing_instance_and_a_move() {
    let error = merge_instance(STORED, "dvv", STORED).unwrap_err().to_string();
    assert_eq!(error, "spec: the spec has no instance `dvv` — add its entry to `instances`; did you mean `dev`?");
    let moved = STORED.replace("dev-env", "prod-env");
    let error = merge_instance(STORED, "dev", &moved).unwrap_err().to_string();
    assert!(
        error.starts_with("spec:10: the instance `dev` is in the environment `dev-env`; the spec says `prod-env`"),
        "{error}"
    );
}

#[test]
fn merging_the_pipeline_leaves_the_instances() {
    let new = "proton: ServiceSpec\npipeline: {dockerfile: Other}\ninstances: []\n";
    let expected =
        STORED.replace("  dockerfile: Dockerfile # the usual one\n  account: 000000000001\n", "  dockerfile: Other\n");
    assert_eq!(merge_pipeline(STORED, new).unwrap(), expected);
    let removed = merge_pipeline(STORED, "proton: ServiceSpec\n").unwrap();
    assert_eq!(service(&removed).pipeline, None);
    assert!(removed.contains("# first") && !removed.contains("pipeline"), "{removed}");
    let added = merge_pipeline("proton: ServiceSpec\ninstances: []\n", new).unwrap();
    assert_eq!(added, new);
    let added = merge_pipeline("proton: ServiceSpec\ninstances: [{name: a, environment: b}]\n", new).unwrap();
    assert_eq!(service(&added).pipeline, Some(json!({"dockerfile": "Other"})));
    assert_eq!(merge_pipeline(STORED, STORED).unwrap(), STORED);
}

#[test]
fn an_instance_is_taken_out_and_the_rest_of_the_text_stays() {
    let text = "\
proton: ServiceSpec
instances:
  # the first
  - name: dev
    environment: e # a comment
    spec:
      port: 1
  - {name: prod, environment: e}
";
    let without_dev = "proton: ServiceSpec\ninstances:\n  # the first\n  - {name: prod, environment: e}\n";
    assert_eq!(without_instance(text, "dev").unwrap(), without_dev);
    assert_eq!(without_instance(text, "none").unwrap(), text);
    let none = without_instance(without_dev, "prod").unwrap();
    assert_eq!(value(&none), json!({"proton": "ServiceSpec", "instances": []}));
    assert_eq!(service(&none).instances, []);
    let inline = "{proton: ServiceSpec, instances: [{name: a, environment: e}, {name: b, environment: e}]}";
    let b = json!({"proton": "ServiceSpec", "instances": [{"name": "b", "environment": "e"}]});
    assert_eq!(value(&without_instance(inline, "a").unwrap()), b);
    assert!(without_instance("proton: EnvironmentSpec", "a").is_err());
}

#[test]
fn a_diff_tells_instances_apart_by_name() {
    let new = service(
        "\
proton: ServiceSpec
pipeline: {account: '000000000001', dockerfile: Dockerfile}
instances:
  - {name: new, environment: e}
  - {name: prod, environment: prod-env, spec: {image: nginx, port: 443.0}}
",
    );
    let diff = service(STORED).diff(&new);
    assert_eq!(
        diff,
        SpecDiff {
            added: vec!["new".into()],
            removed: vec!["dev".into()],
            unchanged: vec!["prod".into()],
            changed: vec![],
            pipeline_changed: false,
        }
    );
    let moved = service(&STORED.replace("dev-env", "x").replace("Dockerfile", "Y"));
    let diff = service(STORED).diff(&moved);
    assert_eq!(
        (diff.changed, diff.unchanged, diff.pipeline_changed),
        (vec!["dev".to_owned()], vec!["prod".to_owned()], true)
    );
}

fn inputs() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~é\n]{0,10}".prop_map(Value::from),
        Just(Value::from(CURRENT_VAL)),
        Just(Value::from("000000000001")),
    ];
    let tree = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    prop::collection::vec(("[a-z]{1,3}", tree), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

/// What the substitution means, said on values.
fn substituted(new: &Value, stored: Option<&Value>) -> Option<Value> {
    match new {
        Value::String(text) if text == CURRENT_VAL => stored.cloned(),
        Value::Object(map) => Some(Value::Object(
            map.iter()
                .filter_map(|(key, value)| Some((key.clone(), substituted(value, stored.and_then(|s| s.get(key)))?)))
                .collect(),
        )),
        Value::Array(items) => Some(
            items.iter().enumerate().filter_map(|(i, item)| substituted(item, stored.and_then(|s| s.get(i)))).collect(),
        ),
        other => Some(other.clone()),
    }
}

fn without_marker(value: &Value) -> Value {
    substituted(value, None).unwrap_or_default()
}

proptest! {
    #[test]
    fn substitution_means_the_same_on_text_as_on_values(new in inputs(), stored in inputs(), flow in any::<bool>()) {
        let spec = |inputs: &Value| json!({"proton": "EnvironmentSpec", "spec": inputs});
        let (new, stored) = (spec(&new), spec(&without_marker(&stored)));
        let text = if flow { yaml::inline(&new) } else { yaml::emit(&new) };
        let result = substitute_current(&text, Some(&yaml::emit(&stored))).unwrap();
        prop_assert_eq!(value(&result), substituted(&new, Some(&stored)).unwrap(), "{}\n{}", text, result);
    }

    #[test]
    fn a_merged_instance_reads_as_the_new_one_and_the_others_as_before(a in inputs(), b in inputs(), c in inputs(), flow in any::<bool>()) {
        let spec = |first: &Value, second: &Value| {
            let entry = |name: &str, inputs: &Value| json!({"name": name, "environment": "e", "spec": inputs});
            json!({"proton": "ServiceSpec", "instances": [entry("a", first), entry("b", second)]})
        };
        let write = |value: &Value| if flow { yaml::inline(value) } else { yaml::emit(value) };
        let merged = merge_instance(&write(&spec(&a, &b)), "a", &write(&spec(&c, &a))).unwrap();
        prop_assert_eq!(value(&merged), spec(&c, &b));
    }

    #[test]
    fn any_text_is_handled_without_a_panic(text in "(proton|: |ServiceSpec|\n|instances|  |- |name|a|\\{|\\}|\\[|\\]|\\$\\{Proton::CURRENT_VAL\\}|&x |\\*x|,){0,25}") {
        let _ = ServiceSpec::parse(&text);
        let _ = EnvironmentSpec::parse(&text);
        let _ = substitute_current(&text, Some(STORED));
        let _ = merge_instance(STORED, "dev", &text);
        let _ = merge_pipeline(STORED, &text);
        let _ = without_instance(&text, "a");
    }
}
