//! What schemas say, refuse and compare.

use serde_json::json;

use super::*;
use crate::bundle::problem::summary;
use crate::version::Version;

const SERVICE: &str = r##"schema:
  format:
    openapi: "3.0.0"
  service_input_type: "Inputs"
  pipeline_input_type: "Pipeline"
  types:
    Inputs:
      type: object
      required: [image, port]
      properties:
        image: {type: string, minLength: 1}
        port: {type: number, default: 80, minimum: 1, maximum: 65535}
        size: {type: string, enum: [small, large], default: small}
        vpc: {$ref: "#/schema/types/Vpc"}
        names: {type: array, items: {type: string}}
        note: {type: string, nullable: true}
        odd: {type: integer, default: "not an integer"}
    Vpc:
      type: object
      properties:
        cidr: {type: string, default: 10.0.0.0/16, pattern: '^[0-9./]+$'}
    Pipeline:
      type: object
      properties:
        dockerfile: {type: string, default: Dockerfile}
"##;

fn parse(text: &str, kind: TemplateKind) -> Result<Schema, String> {
    Schema::parse(text, kind).map_err(|problems| summary(&problems))
}

fn service() -> Schema {
    parse(SERVICE, TemplateKind::Service).unwrap()
}

fn text(types: &str) -> String {
    format!("schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: In\n  types:\n{types}")
}

fn environment(types: &str) -> Result<Schema, String> {
    parse(&text(types), TemplateKind::Environment)
}

/// What the schema of a version after 1.2 is told, whose texts are those of `kind`.
fn changes(kind: TemplateKind, old: &str, new: &str) -> String {
    let read = |text| parse(text, kind).unwrap_or_else(|error| panic!("{error}"));
    summary(&breaking_changes(&read(old), Version::new(1, 2), &read(new), new))
}

fn changes_of_object(old: &str, new: &str) -> String {
    let object = |keywords| text(&format!("    In: {{type: object, {keywords}}}\n"));
    changes(TemplateKind::Environment, &object(old), &object(new))
}

#[test]
fn defaults_are_filled_and_not_judged() {
    let schema = service();
    let filled = schema.inputs().with_defaults(&json!({"image": "nginx", "size": "large"}));
    assert_eq!(
        filled,
        json!({"image": "nginx", "size": "large", "port": 80, "vpc": {"cidr": "10.0.0.0/16"}, "odd": "not an integer"})
    );
    assert_eq!(schema.inputs().check_inputs(&json!({"image": "nginx"})), []);
    assert_eq!(schema.pipeline_inputs().unwrap().with_defaults(&json!({})), json!({"dockerfile": "Dockerfile"}));
}

#[test]
fn each_wrong_input_is_named_with_its_path() {
    let check = |inputs| -> Vec<String> {
        service().inputs().check_inputs(&inputs).iter().map(InputProblem::to_string).collect()
    };
    assert_eq!(check(json!({})), ["input `image`: is required and has no default; give a value"]);
    assert_eq!(
        check(json!({"image": "x", "port": null})),
        ["input `port`: has no value; give a number, or leave the key out so that its default applies"]
    );
    assert_eq!(check(json!({"image": 512})), ["input `image`: 512 is not of type \"string\"; quote it: \"512\""]);
    assert_eq!(check(json!({"image": "x", "note": null})), [""; 0]);
    for (inputs, pointer) in [
        (json!({"image": "x", "port": "80"}), "/port"),
        (json!({"image": "x", "port": 0}), "/port"),
        (json!({"image": "x", "size": "huge"}), "/size"),
        (json!({"image": "x", "vpc": {"cidr": "x"}}), "/vpc/cidr"),
        (json!({"image": "x", "names": ["a", 1]}), "/names/1"),
        (json!({"image": "x", "odd": "still not"}), "/odd"),
        (json!("text"), ""),
    ] {
        let problems = service().inputs().check_inputs(&inputs);
        assert_eq!(problems.iter().map(|p| p.pointer.as_str()).collect::<Vec<_>>(), [pointer], "{inputs}");
    }
}

#[test]
fn unknown_keys_are_tolerated() {
    let given = json!({"image": "x", "prot": 1, "Port": 1, "vpc": {"cdir": "10.0.0.0/8"}});
    assert_eq!(service().inputs().check_inputs(&given), []);
}

#[test]
fn keys_that_nothing_reads_are_warnings() {
    assert_eq!(service().warnings, []);
    let schema = parse(
        "schema:\n  format: {openapi: 3.0.0}\n  environment_inputs_type: In\n  types: {In: {type: object}}\n",
        TemplateKind::Environment,
    )
    .unwrap();
    assert_eq!(
        summary(&schema.warnings),
        "schema/schema.yaml:3: `environment_inputs_type` has no meaning here — did you mean `environment_input_type`?"
    );
}

#[test]
fn templates_without_inputs_take_anything() {
    for text in [
        "schema:\n  format: {openapi: \"3.0.0\"}\n",
        "schema:\n  format: {openapi: 3.0.0}\n  environment_input_type: \"\"\n  types: {}\n",
        "schema:\n  format: {openapi: 3.0}\n  environment_input_type:\n",
        "schema:\n  format: {openapi: 3.0}\n  environment_input_type: In\n  types: {In: {type: object}}\n",
        "schema:\n  format: {openapi: 3.0}\n  environment_input_type: In\n  types:\n    In:\n",
    ] {
        let schema = parse(text, TemplateKind::Environment).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(schema.inputs().check_inputs(&json!({})), []);
        assert_eq!(schema.inputs().check_inputs(&json!({"a": 1})), []);
        assert_eq!(schema.inputs().with_defaults(&json!({"a": 1})), json!({"a": 1}));
        assert!(schema.pipeline_inputs().is_none());
    }
}

#[test]
fn schema_mistakes_name_line_and_remedy() {
    for (text, expected) in [
        ("x: 1\n", "schema/schema.yaml:1: `schema` is missing — begin the file"),
        ("schema:\n  types: {}\n", "schema/schema.yaml:2: `schema.format.openapi` is missing — write"),
        ("schema:\n  format:\n    openapi: 2.0\n", "schema/schema.yaml:3: `schema.format.openapi` is `2.0`"),
        (
            "schema:\n  format: {openapi: 3.0.0}\n  service_input_type: X\n",
            "schema/schema.yaml:3: `service_input_type: X` does not belong into the schema of an environment template — remove it",
        ),
        (
            "schema:\n  format: {openapi: 3.0.0}\n  environment_input_type: Imputs\n  types: {Inputs: {}}\n",
            "schema/schema.yaml:3: `environment_input_type` names `Imputs`, which `types` does not describe — did you mean `Inputs`?",
        ),
        (
            "schema:\n  format: {openapi: 3.0.0}\n  environment_input_type: [a]\n",
            "schema/schema.yaml:3: `environment_input_type` is a list",
        ),
        ("schema:\n\t- x\n", "schema/schema.yaml:2:"),
    ] {
        let error = parse(text, TemplateKind::Environment).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn type_mistakes_name_line_and_keyword() {
    for (types, expected) in [
        ("    In: {type: array}\n", "schema/schema.yaml:6: type `In.type`: an input type must be of type object"),
        (
            "    In:\n      type: object\n      properties:\n        port:\n          type: nubmer\n",
            "schema/schema.yaml:10: type `In.properties.port.type`: `nubmer` is not a type — did you mean `number`?",
        ),
        (
            "    In:\n      properties:\n        a: {pattern: '['}\n",
            "schema/schema.yaml:8: type `In.properties.a.pattern`",
        ),
        (
            "    In:\n      properties:\n        a: {minimum: x}\n",
            "schema/schema.yaml:8: type `In.properties.a.minimum`",
        ),
        (
            "    In:\n      properties:\n        a: text\n",
            "schema/schema.yaml:8: type `In.properties.a`: an input is described by a mapping",
        ),
        (
            "    In:\n      properties:\n        a: {$ref: '#/types/B'}\n",
            "schema/schema.yaml:8: type `In.properties.a`: the reference `#/types/B` names no type",
        ),
        (
            "    In:\n      properties:\n        a: {$ref: '#/types/In'}\n",
            "schema/schema.yaml:8: type `In.properties.a.properties.a`: the type `In` contains itself",
        ),
    ] {
        let error = environment(types).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let long = "x".repeat(101);
    assert!(
        environment(&format!("    In: {{properties: {{{long}: {{}}}}}}\n"))
            .unwrap_err()
            .contains("at most 100 characters")
    );
}

#[test]
fn references_that_multiply_are_refused() {
    let mut types = String::from("    In: {properties: {a: {$ref: '#/types/T0'}}}\n");
    for n in 0..30 {
        types.push_str(&format!(
            "    T{n}: {{properties: {{a: {{$ref: '#/types/T{0}'}}, b: {{$ref: '#/types/T{0}'}}}}}}\n",
            n + 1
        ));
    }
    types.push_str("    T30: {type: string}\n");
    assert!(environment(&types).unwrap_err().contains("too large"));
}

#[test]
fn compatible_changes_pass() {
    for (old, new) in [
        ("properties: {a: {type: integer}}", "properties: {a: {type: number}}"),
        ("properties: {a: {type: string}}", "properties: {a: {type: string, nullable: true}, b: {type: string}}"),
        ("properties: {a: {type: string}}", "required: [b], properties: {a: {type: string}, b: {default: x}}"),
        ("properties: {a: {enum: [x]}}", "properties: {a: {enum: [y, x]}}"),
        ("properties: {a: {enum: [x]}}", "properties: {a: {}}"),
        (
            "properties: {a: {minimum: 1, maxLength: 3, pattern: x}}",
            "properties: {a: {minimum: 0, maxLength: 4, title: T}}",
        ),
        ("properties: {a: {default: 1}}", "properties: {a: {default: 2, description: changed}}"),
        ("required: [a], properties: {a: {}}", "properties: {a: {}}"),
        ("properties: {a: {multipleOf: 10}}", "properties: {a: {multipleOf: 5, minLength: 0}}"),
        ("properties: {a: {items: {maximum: 1}}}", "properties: {a: {items: {maximum: 2}}}"),
    ] {
        assert_eq!(changes_of_object(old, new), "", "{old} -> {new}");
        assert_eq!(changes_of_object(old, old), "");
    }
}

#[test]
fn breaking_changes_name_the_input_and_the_remedy() {
    for (old, new, expected) in [
        ("properties: {a: {}}", "properties: {}", "input `a` of `environment_input_type` was removed"),
        (
            "properties: {a: {}}",
            "required: [b], properties: {a: {}, b: {}}",
            "input `b` of `environment_input_type` is new and required",
        ),
        ("properties: {a: {}}", "required: [a], properties: {a: {}}", "became required"),
        (
            "properties: {a: {type: number}}",
            "properties: {a: {type: integer}}",
            "changed its type from number to integer",
        ),
        ("properties: {a: {}}", "properties: {a: {type: string}}", "now must be of type string"),
        (
            "properties: {a: {type: string, nullable: true}}",
            "properties: {a: {type: string}}",
            "from string or null to string",
        ),
        ("properties: {a: {enum: [x, 1]}}", "properties: {a: {enum: [x]}}", "no longer takes 1"),
        ("properties: {a: {}}", "properties: {a: {enum: [x]}}", "only listed values"),
        ("properties: {a: {maximum: 9}}", "properties: {a: {maximum: 8}}", "narrowed `maximum` from 9 to 8"),
        ("properties: {a: {}}", "properties: {a: {minLength: 1}}", "narrowed `minLength` from none to 1"),
        ("properties: {a: {minimum: 1}}", "properties: {a: {minimum: 1, exclusiveMinimum: true}}", "to 1 (excluded)"),
        ("properties: {a: {pattern: x}}", "properties: {a: {pattern: y}}", "changed `pattern` from \"x\" to \"y\""),
        ("properties: {a: {multipleOf: 5}}", "properties: {a: {multipleOf: 10}}", "changed `multipleOf`"),
        ("properties: {a: {items: {}}}", "properties: {a: {uniqueItems: true, items: {type: string}}}", "input `a[]`"),
        ("properties: {a: {properties: {b: {}}}}", "properties: {a: {properties: {}}}", "input `a.b` of"),
        (
            "properties: {a: {}}",
            "additionalProperties: false, properties: {a: {}}",
            "`environment_input_type` narrowed `additionalProperties`",
        ),
        ("properties: {a: {anyOf: [{}]}}", "properties: {a: {anyOf: [{type: string}]}}", "changed `anyOf`"),
    ] {
        let message = changes_of_object(old, new);
        assert!(message.starts_with("schema/schema.yaml:6: ") && message.contains(expected), "{message}");
        assert!(message.contains("version 1.2 — ") && message.contains("new major version"), "{message}");
    }
}

#[test]
fn breaking_changes_name_the_line_that_made_them() {
    let old = text(concat!(
        "    In:\n",
        "      type: object\n",
        "      properties:\n",
        "        gone: {type: string}\n",
        "        port:\n",
        "          type: number\n",
        "          maximum: 9\n",
        "        vpc: {$ref: '#/types/Vpc'}\n",
        "        list: {items: {type: string}}\n",
        "    Vpc: {properties: {cidr: {type: string}}}\n",
    ));
    let new = text(concat!(
        "    Vpc:\n",
        "      properties:\n",
        "        cidr:\n",
        "          pattern: x\n",
        "          type: string\n",
        "    Net: {$ref: '#/types/Vpc'}\n",
        "    In:\n",
        "      type: object\n",
        "      required: [more]\n",
        "      properties:\n",
        "        port:\n",
        "          type: integer\n",
        "          maximum: 8\n",
        "        more: {}\n",
        "        vpc:\n",
        "          $ref: '#/types/Net'\n",
        "        list:\n",
        "          items:\n",
        "            enum: [a]\n",
    ));
    let told = changes(TemplateKind::Environment, &old, &new);
    for expected in [
        "schema/schema.yaml:9: input `vpc.cidr` of `environment_input_type` changed `pattern`",
        "schema/schema.yaml:14: input `more` of `environment_input_type` is new and required",
        "schema/schema.yaml:15: input `gone` of `environment_input_type` was removed",
        "schema/schema.yaml:17: input `port` of `environment_input_type` changed its type",
        "schema/schema.yaml:18: input `port` of `environment_input_type` narrowed `maximum`",
        "schema/schema.yaml:24: input `list[]` of `environment_input_type` now takes only listed values",
    ] {
        assert!(told.lines().any(|line| line.starts_with(expected)), "{expected}\n{told}");
    }
    assert_eq!(told.lines().count(), 6, "{told}");
    let none = "schema:\n  format: {openapi: 3.0.0}\n";
    assert!(changes(TemplateKind::Environment, &old, none).starts_with("schema/schema.yaml:1: input `gone`"));
}

#[test]
fn pipeline_inputs_are_compared_too() {
    let changes = |old: &str, new: &str| changes(TemplateKind::Service, old, new);
    let without = SERVICE.replace("  pipeline_input_type: \"Pipeline\"\n", "");
    assert!(changes(SERVICE, &without).starts_with("schema/schema.yaml:1: `pipeline_input_type` was removed"));
    assert_eq!(changes(&without, SERVICE), "");
    let strict = SERVICE.replace("    Pipeline:\n", "    Pipeline:\n      required: [x]\n");
    let expected = "schema/schema.yaml:23: input `x` of `pipeline_input_type` is new and required";
    assert!(changes(&without, &strict).starts_with(expected), "{}", changes(&without, &strict));
}
