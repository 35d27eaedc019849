//! Every operation of the models, with bodies made of the models themselves: what it calls valid is read,
//! each thing that it forbids is refused with the right error, and what is read is written again.

use std::collections::BTreeSet;

use protium_api::{ErrorCode, Operation, Request, Response};
use serde_json::{Map, Value, json};

/// Stands in every sensitive text.
const SECRET: &str = "s3cr3t";

/// The text of a model, and how many operations it has.
const PROTON: (&str, usize) = (include_str!("../model/proton-2020-07-20.json"), 87);
const PROTIUM: (&str, usize) = (include_str!("../model/protium-2026-12-01.json"), 44);

struct Model(Value);

impl Model {
    /// Both of them as one.
    fn read() -> Self {
        let [mut all, more] = [PROTON, PROTIUM].map(|(text, _)| serde_json::from_str::<Value>(text).unwrap());
        for part in ["operations", "shapes"] {
            all[part].as_object_mut().unwrap().extend(more[part].as_object().unwrap().clone());
        }
        Self(all)
    }

    fn shape(&self, name: &str) -> &Value {
        &self.0["shapes"][name]
    }

    fn end(&self, operation: Operation, end: &str) -> &str {
        self.0["operations"][operation.name()][end]["shape"].as_str().unwrap()
    }

    /// Name, whether it is required, and shape of each member.
    fn members(&self, shape: &str) -> Vec<(&str, bool, &str)> {
        let required = strings(&self.shape(shape)["required"]);
        let members = self.shape(shape)["members"].as_object().unwrap().iter();
        members
            .map(|(name, m)| (name.as_str(), required.contains(&name.as_str()), m["shape"].as_str().unwrap()))
            .collect()
    }

    /// A value of the shape, with all of its members or only with those that are required.
    fn value(&self, name: &str, all: bool) -> Value {
        let shape = self.shape(name);
        match shape["type"].as_str().unwrap() {
            "boolean" => json!(true),
            "integer" => json!(shape["min"].as_i64().unwrap_or(7)),
            "timestamp" => json!(1_606_603_250.512),
            "list" => json!([self.value(shape["member"]["shape"].as_str().unwrap(), all)]),
            "string" => json!(text(name, shape)),
            "structure" => {
                let union = shape["union"] == true;
                let kept = self.members(name).into_iter().filter(|(_, required, _)| all || *required || union);
                let members = kept.map(|(member, _, shape)| (member.to_owned(), self.value(shape, all)));
                Value::Object(members.take(if union { 1 } else { usize::MAX }).collect())
            }
            other => panic!("{name} is a {other}"),
        }
    }

    fn body(&self, operation: Operation, end: &str, all: bool) -> Map<String, Value> {
        let Value::Object(body) = self.value(self.end(operation, end), all) else { panic!("{operation:?}") };
        body
    }
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(|item| item.as_str().unwrap()).collect()
}

/// A text that satisfies the constraints of a string shape.
fn text(name: &str, shape: &Value) -> String {
    if let Some(value) = strings(&shape["enum"]).first() {
        return (*value).to_owned();
    }
    if shape["sensitive"] == true {
        return SECRET.to_owned();
    }
    match name {
        "AccessKeyId" => "AKIA0000000000000000",
        "Arn" => "arn:aws:proton:us-east-1:123456789012:service/shop",
        "AwsAccountId" => "123456789012",
        "DeploymentId" | "EnvironmentAccountConnectionId" | "EventId" | "RequestId" => {
            "0a1b2c3d-0000-1111-2222-0123456789ab"
        }
        "EmptyNextToken" => "",
        "FullTemplateVersionNumber" => "1.0",
        "OutputKey" | "OutputValueString" => SECRET,
        "RepositoryName" => "owner/repo",
        "RoleArn" | "RoleArnOrEmptyString" => "arn:aws:iam::123456789012:role/service-role/proton",
        "S3Bucket" => "my-bucket",
        "TemplateVersionPart" => "1",
        _ => "text",
    }
    .to_owned()
}

fn parse(operation: Operation, body: &Map<String, Value>) -> Result<Request, protium_api::WireError> {
    Request::parse(operation, &serde_json::to_vec(body).unwrap())
}

/// Expects that the body is refused with the code and a message that has the text.
fn refused(operation: Operation, body: &Map<String, Value>, code: ErrorCode, text: &str) {
    let error = parse(operation, body).expect_err(operation.name());
    assert_eq!(error.code, code, "{operation:?}: {error}");
    assert!(error.message.contains(text), "{operation:?}: {error} lacks {text:?}");
}

#[test]
fn every_operation_of_the_model_is_known() {
    let model = Model::read();
    let modelled: BTreeSet<&str> = model.0["operations"].as_object().unwrap().keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = Operation::ALL.iter().map(|operation| operation.name()).collect();
    assert_eq!(modelled, known);
    for operation in Operation::ALL {
        assert_eq!(Operation::from_target(operation.target()), Some(*operation));
    }
    for ((text, count), namespace) in [(PROTON, "com.amazonaws.proton.v20200720"), (PROTIUM, "protium.v20261201")] {
        let model: Value = serde_json::from_str(text).unwrap();
        let prefix = model["metadata"]["targetPrefix"].as_str().unwrap();
        let own: Vec<_> = Operation::ALL.iter().filter(|o| model["operations"].get(o.name()).is_some()).collect();
        assert_eq!(own.len(), count, "{prefix}");
        for operation in own {
            assert_eq!(operation.target(), format!("{prefix}.{}", operation.name()));
            assert_eq!(operation.error_namespace(), namespace);
        }
    }
}

#[test]
fn every_operation_reads_and_writes_a_minimal_and_a_full_input() {
    let model = Model::read();
    for operation in Operation::ALL {
        for all in [false, true] {
            let body = model.body(*operation, "input", all);
            let request = parse(*operation, &body).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
            assert_eq!(request.operation(), *operation);
            let written: Value = serde_json::from_slice(&request.to_json()).unwrap();
            assert_eq!(written, Value::Object(body), "{operation:?}");
        }
    }
}

#[test]
fn every_operation_reads_and_writes_a_minimal_and_a_full_output() {
    let model = Model::read();
    for operation in Operation::ALL {
        for all in [false, true] {
            let body = model.body(*operation, "output", all);
            let response = Response::parse(*operation, &serde_json::to_vec(&body).unwrap()).unwrap();
            assert_eq!(response.operation(), *operation);
            let written: Value = serde_json::from_slice(&response.to_json()).unwrap();
            assert_eq!(written, Value::Object(body), "{operation:?}");
        }
    }
}

#[test]
fn an_output_without_anything_is_an_empty_object() {
    for operation in [Operation::TagResource, Operation::DeleteEnvironment, Operation::GetService] {
        assert_eq!(Response::parse(operation, b"{}").unwrap().to_json(), b"{}");
    }
}

#[test]
fn what_the_live_service_omits_may_be_absent() {
    let model = Model::read();
    for (operation, output, absent) in [
        (
            Operation::GetEnvironment,
            "environment",
            ["templateMajorVersion", "templateMinorVersion", "lastDeploymentSucceededAt"].as_slice(),
        ),
        (
            Operation::GetServiceInstance,
            "serviceInstance",
            &["templateMajorVersion", "templateMinorVersion", "lastDeploymentSucceededAt"],
        ),
        (
            Operation::UpdateServicePipeline,
            "pipeline",
            &["templateMajorVersion", "templateMinorVersion", "lastDeploymentSucceededAt"],
        ),
        (Operation::GetDeployment, "deployment", &["environmentName"]),
    ] {
        let mut body = model.body(operation, "output", true);
        let object = body[output].as_object_mut().unwrap();
        for member in absent {
            assert!(object.remove(*member).is_some());
        }
        let written = Response::parse(operation, &serde_json::to_vec(&body).unwrap()).unwrap().to_json();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), Value::Object(body));
    }
}

#[test]
fn each_required_member_is_missed_by_name() {
    let model = Model::read();
    for operation in Operation::ALL {
        for (member, required, _) in model.members(model.end(*operation, "input")) {
            for absent in [None, Some(Value::Null)] {
                let mut body = model.body(*operation, "input", true);
                body.remove(member);
                body.extend(absent.map(|null| (member.to_owned(), null)));
                if required {
                    let expected = format!("1 validation error detected: Value null at '{member}' failed to satisfy");
                    refused(*operation, &body, ErrorCode::Validation, &expected);
                } else {
                    parse(*operation, &body).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
                }
            }
        }
    }
}

#[test]
fn each_member_of_another_type_is_a_serialization_error_that_names_it() {
    let model = Model::read();
    for operation in Operation::ALL {
        for (member, _, name) in model.members(model.end(*operation, "input")) {
            // Any number is a time.
            let is_time = model.shape(name)["type"] == "timestamp";
            let mut body = model.body(*operation, "input", true);
            let right = std::mem::discriminant(&body[member]);
            for wrong in [json!(true), json!(1.5), json!("x"), json!([]), json!({})] {
                if std::mem::discriminant(&wrong) == right && (is_time || !wrong.is_number()) {
                    continue;
                }
                body.insert(member.to_owned(), wrong);
                refused(*operation, &body, ErrorCode::Serialization, &format!("'{member}' must be "));
            }
        }
    }
}

#[test]
fn each_bound_of_each_member_holds_and_one_beyond_it_does_not() {
    let model = Model::read();
    for operation in Operation::ALL {
        for (member, _, name) in model.members(model.end(*operation, "input")) {
            let shape = model.shape(name);
            let full = model.body(*operation, "input", true);
            let of_size = |size: i64| match shape["type"].as_str().unwrap() {
                "integer" => json!(size),
                "list" => Value::Array(vec![full[member][0].clone(); usize::try_from(size).unwrap()]),
                _ => json!("é".repeat(usize::try_from(size).unwrap())),
            };
            let violation = |size: i64| {
                let mut body = full.clone();
                body.insert(member.to_owned(), of_size(size));
                parse(*operation, &body).err().map(|error| error.message).unwrap_or_default()
            };
            let unit = if shape["type"] == "integer" { "value" } else { "length" };
            if let Some(max) = shape["max"].as_i64() {
                let words = format!("Member must have {unit} less than or equal to {max}");
                assert!(!violation(max).contains(&words), "{operation:?} {member}");
                assert!(violation(max + 1).contains(&words), "{operation:?} {member}");
            }
            if let Some(min) = shape["min"].as_i64().filter(|min| *min > 0) {
                let words = format!("Member must have {unit} greater than or equal to {min}");
                assert!(!violation(min).contains(&words), "{operation:?} {member}");
                assert!(violation(min - 1).contains(&words), "{operation:?} {member}");
            }
        }
    }
}

#[test]
fn each_pattern_and_each_enumeration_refuses_what_is_not_in_it() {
    let model = Model::read();
    for operation in Operation::ALL {
        for (member, _, name) in model.members(model.end(*operation, "input")) {
            let shape = model.shape(name);
            let mut body = model.body(*operation, "input", true);
            if let Some(pattern) = shape["pattern"].as_str() {
                body.insert(member.to_owned(), json!("é"));
                refused(*operation, &body, ErrorCode::Validation, &format!("regular expression pattern: {pattern}"));
            } else if shape["enum"].is_array() {
                let values = strings(&shape["enum"]);
                body.insert(member.to_owned(), json!("é"));
                let expected = format!("Member must satisfy enum value set: [{}]", values.join(", "));
                refused(*operation, &body, ErrorCode::Validation, &expected);
                for value in values {
                    body.insert(member.to_owned(), json!(value));
                    parse(*operation, &body).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
                }
            }
        }
    }
}

#[test]
fn debug_never_prints_what_is_sensitive() {
    let model = Model::read();
    let mut seen = 0;
    for operation in Operation::ALL {
        let input = model.body(*operation, "input", true);
        let output = model.body(*operation, "output", true);
        let request = parse(*operation, &input).unwrap();
        let response = Response::parse(*operation, &serde_json::to_vec(&output).unwrap()).unwrap();
        for (body, debug) in [(input, format!("{request:?}")), (output, format!("{response:#?}"))] {
            assert!(!debug.contains(SECRET), "{debug}");
            let sensitive = Value::Object(body).to_string().contains(SECRET);
            assert_eq!(sensitive, debug.contains("[redacted]"), "{debug}");
            seen += usize::from(sensitive);
        }
    }
    assert!(seen > 50, "{seen} inputs and outputs have something sensitive");
}

#[test]
fn messages_never_repeat_what_is_sensitive() {
    let model = Model::read();
    for operation in Operation::ALL {
        for (member, _, name) in model.members(model.end(*operation, "input")) {
            let (shape, mut body) = (model.shape(name), model.body(*operation, "input", true));
            if shape["sensitive"] == true {
                body.insert(member.to_owned(), json!(SECRET.repeat(20_000)));
                let error = parse(*operation, &body).unwrap_err();
                assert!(error.message.contains(&format!("Value at '{member}' failed")), "{error}");
                assert!(!error.message.contains(SECRET), "{error}");
            }
        }
    }
}

#[test]
fn the_facts_about_operations_are_those_of_the_model() {
    let model = Model::read();
    for operation in Operation::ALL {
        let facts = &model.0["operations"][operation.name()];
        assert_eq!(operation.is_idempotent(), facts["idempotent"] == true, "{operation:?}");
        let errors: Vec<&str> =
            facts["errors"].as_array().unwrap().iter().map(|e| e["shape"].as_str().unwrap()).collect();
        for code in ErrorCode::ALL {
            assert_eq!(operation.declares(*code), errors.contains(&code.as_str()), "{operation:?} {code}");
        }
        let name = operation.name();
        let reads = ["Get", "List", "Simulate"].iter().any(|verb| name.starts_with(verb));
        assert_eq!(operation.is_mutation(), !reads, "{name}");
        // The users of a group come in pages; the keys of a user are two at most.
        let has_pages = name == "GetGroup" || name.starts_with("List") && name != "ListAccessKeys";
        assert_eq!(operation.paginator().is_some(), has_pages, "{name}");
    }
    let tokens: Vec<&str> = Operation::ALL.iter().filter(|o| o.has_client_token()).map(|o| o.name()).collect();
    assert_eq!(
        tokens,
        [
            "CreateComponent",
            "CreateEnvironmentAccountConnection",
            "CreateEnvironmentTemplateVersion",
            "CreateServiceInstance",
            "CreateServiceTemplateVersion",
            "UpdateComponent",
            "UpdateServiceInstance",
        ]
    );
}

#[test]
fn a_paginator_names_members_that_exist() {
    let model = Model::read();
    let mut limited = 0;
    for operation in Operation::ALL {
        let Some(paginator) = operation.paginator() else { continue };
        let input = model.body(*operation, "input", true);
        let output = model.body(*operation, "output", true);
        assert!(input.contains_key(paginator.input_token) && output.contains_key(paginator.output_token));
        assert!(output[paginator.result_key].is_array(), "{operation:?}");
        if let Some(limit) = paginator.limit_key {
            assert!(input[limit].is_number(), "{operation:?}");
            limited += 1;
        }
    }
    assert_eq!(limited, 21);
}
