//! The protocol of the Proton API: heads, bodies, types, and what is wrong with them.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use protium::config::Role;
use protium::store::{Call, DbError, DbErrorKind};
use protium_api::{Operation, Request};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::wire::{Wire, call};
use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp};
use crate::support::sign::Signer;

const MIB: usize = 1024 * 1024;
const MODELLED: &str = "com.amazonaws.proton.v20200720";
const FRONT_END: &str = "com.amazon.coral.service";

fn body(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

// ---------------------------------------------------------------- answers

#[tokio::test]
async fn an_answer_has_its_content_type_and_a_request_id_of_its_own() {
    let wire = Wire::start().await;
    let mut ids = Vec::new();
    for (operation, body, status) in
        [("ListServices", "{}", 200), ("ListServices", "{}", 200), ("GetService", r#"{"name":"none"}"#, 400)]
    {
        let answer = wire.send(operation, body.as_bytes()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.0");
        let id = answer.header("x-amzn-requestid").to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "'{id}'");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn times_are_numbers_of_seconds_with_milliseconds() {
    let wire = Wire::start().await;
    let answer = wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await;
    let created = &answer.ok()["environmentTemplate"]["createdAt"];
    let seconds = created.as_f64().expect("a number");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    assert!((now - 60.0..=now + 1.0).contains(&seconds), "{created}");
    let digits = created.to_string();
    assert!(!digits.contains(['e', 'E']), "{digits}");
    let after_the_point = digits.split_once('.').map_or("", |(_, after)| after);
    assert!(after_the_point.len() <= 3, "{digits}");
}

#[tokio::test]
async fn an_answer_without_members_is_an_empty_object_and_never_no_bytes() {
    let wire = Wire::start().await;
    let created = wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await.ok();
    let arn = created["environmentTemplate"]["arn"].as_str().expect("an ARN").to_owned();
    let tag = body(&json!({ "resourceArn": arn, "tags": [{ "key": "a", "value": "b" }] }));
    assert_eq!(wire.send("TagResource", &tag).await.text(), "{}");
    let untag = body(&json!({ "resourceArn": arn, "tagKeys": ["a"] }));
    assert_eq!(wire.send("UntagResource", &untag).await.text(), "{}");
}

#[tokio::test]
async fn absent_members_are_left_out_and_not_null() {
    let wire = Wire::start().await;
    let text = wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await.text();
    assert!(!text.contains("null") && !text.contains("description"), "{text}");
}

// ---------------------------------------------------------------- inputs

#[tokio::test]
async fn operations_without_input_take_no_bytes_and_an_empty_object() {
    let wire = Wire::start().await;
    for operation in ["GetAccountSettings", "GetResourcesSummary", "ListServices"] {
        for body in ["", "{}", " \n"] {
            wire.send(operation, body.as_bytes()).await.ok();
        }
    }
}

#[tokio::test]
async fn unknown_members_are_ignored() {
    let wire = Wire::start().await;
    let input = br#"{"name":"env","colour":{"deep":[1,null]},"Name":7}"#;
    let answer = wire.send("CreateEnvironmentTemplate", input).await;
    assert_eq!(answer.ok()["environmentTemplate"]["name"], "env");
}

#[tokio::test]
async fn a_null_member_is_an_absent_one() {
    let wire = Wire::start().await;
    let input = br#"{"name":"env","description":null,"tags":null}"#;
    assert!(wire.send("CreateEnvironmentTemplate", input).await.ok()["environmentTemplate"]["description"].is_null());
    let (code, message) = wire.send("GetEnvironmentTemplate", br#"{"name":null}"#).await.error();
    assert_eq!(code, "ValidationException");
    assert!(message.contains("'name'") && message.contains("must not be null"), "{message}");
}

#[tokio::test]
async fn a_member_of_another_type_is_named() {
    let wire = Wire::start().await;
    for (operation, input, member) in [
        ("GetEnvironmentTemplate", r#"{"name":7}"#, "name"),
        ("GetEnvironmentTemplate", r#"{"name":{"a":1}}"#, "name"),
        ("ListServices", r#"{"maxResults":"10"}"#, "maxResults"),
        ("ListServices", r#"{"maxResults":1.5}"#, "maxResults"),
        ("ListServices", r#"{"maxResults":99999999999999999999}"#, "maxResults"),
        ("CreateEnvironmentTemplate", r#"{"name":"a","tags":{}}"#, "tags"),
        ("CreateEnvironmentTemplate", r#"{"name":"a","tags":[null]}"#, "tags"),
        ("CreateEnvironmentTemplate", r#"{"name":"a","tags":[{"key":"a","value":true}]}"#, "tags.1.member.value"),
        (
            "UpdateAccountSettings",
            r#"{"deletePipelineProvisioningRepository":"yes"}"#,
            "deletePipelineProvisioningRepository",
        ),
    ] {
        let (code, message) = wire.send(operation, input.as_bytes()).await.error();
        assert_eq!(code, "SerializationException", "{input}");
        assert!(message.contains(&format!("'{member}")), "{input}: {message}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let wire = Wire::start().await;
    let deep = "[".repeat(100_000);
    let deep_member = format!(r#"{{"name":"a","tags":{}"#, r#"[{"key":"#.repeat(50_000));
    for input in
        ["{", "nonsense", "null", "[]", "\"text\"", "7", "{\"name\":\"a\"} trailing", "\u{feff}{}", &deep, &deep_member]
    {
        let answer = wire.send("GetEnvironmentTemplate", input.as_bytes()).await;
        assert_eq!(answer.status, 400);
        let (code, message) = answer.error();
        assert_eq!(code, "SerializationException", "{message}");
        assert!(message.len() < 500, "{message}");
    }
    let answer = wire.send("GetEnvironmentTemplate", b"{\"name\":\"\xff\"}").await;
    assert_eq!(answer.error().0, "SerializationException");
}

#[tokio::test]
async fn another_content_type_is_refused_with_the_right_one() {
    let wire = Wire::start().await;
    for kind in [Some("application/json"), Some("application/x-amz-json-1.1"), Some(""), None] {
        let mut request = call("ListServices", b"{}");
        request.headers_mut().remove("content-type");
        if let Some(kind) = kind {
            request.headers_mut().insert("content-type", kind.parse().unwrap());
        }
        let answer = wire.exchange(wire.signer("proton").sign(request)).await;
        assert_eq!(answer.status, 400);
        let (code, message) = answer.error();
        assert_eq!(code, "SerializationException");
        assert!(message.contains("application/x-amz-json-1.0"), "{message}");
    }
    let mut request = call("ListServices", b"{}");
    request.headers_mut().insert("content-type", "application/x-amz-json-1.0; charset=utf-8".parse().unwrap());
    wire.exchange(wire.signer("proton").sign(request)).await.ok();
}

#[tokio::test]
async fn a_target_that_names_no_operation_is_unknown() {
    let wire = Wire::start().await;
    for (target, named) in [
        (Some("AwsProton20200720.MakeCoffee"), "AwsProton20200720.MakeCoffee"),
        (Some("GetService"), "GetService"),
        (Some("AwsProton20200720.getService"), "getService"),
        (Some("Protium20261201.Nothing"), "Protium20261201.Nothing"),
        (Some(""), "X-Amz-Target"),
        (None, "X-Amz-Target is missing"),
    ] {
        let mut request = call("ListServices", b"{}");
        request.headers_mut().remove("x-amz-target");
        if let Some(target) = target {
            request.headers_mut().insert("x-amz-target", target.parse().unwrap());
        }
        let answer = wire.exchange(wire.signer("proton").sign(request)).await;
        assert_eq!(answer.status, 400);
        let (code, message) = answer.error();
        assert_eq!(code, "UnknownOperationException");
        assert!(message.contains(named), "{message}");
    }
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_too_large_however_it_comes() {
    let wire = Wire::start().await;
    let input = |length: usize| {
        let frame = r#"{"name":"a","x":""}"#.len();
        format!(r#"{{"name":"a","x":"{}"}}"#, "x".repeat(length - frame)).into_bytes()
    };
    let fits = wire.send("GetEnvironmentTemplate", &input(MIB)).await;
    assert_eq!(fits.error().0, "ResourceNotFoundException");

    let declared = wire.send("GetEnvironmentTemplate", &input(MIB + 1)).await;
    let chunks = stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MIB / 32]))));
    let chunked = call("GetEnvironmentTemplate", b"").map(|_| Body::from_stream(chunks));
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MIB])));
    let endless = call("GetEnvironmentTemplate", b"").map(|_| Body::from_stream(endless));
    for answer in [declared, wire.stream(chunked).await, wire.stream(endless).await] {
        assert_eq!(answer.status, 413);
        let (code, message) = answer.error();
        assert_eq!(code, "RequestEntityTooLargeException");
        assert!(message.contains("1048576 bytes"), "{message}");
        assert_eq!(answer.json()["__type"], format!("{FRONT_END}#RequestEntityTooLargeException"));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let wire = Wire::start().await;
    let cut = stream::iter([Ok(Bytes::from_static(b"{\"name\"")), Err(std::io::Error::other("gone"))]);
    let answer = wire.stream(call("GetEnvironmentTemplate", b"").map(|_| Body::from_stream(cut))).await;
    assert_eq!(answer.error().0, "SerializationException");
}

// ---------------------------------------------------------------- errors

#[tokio::test]
async fn each_error_has_its_status_its_namespace_and_a_message() {
    let wire = Wire::with(|config| config.quotas.templates = 1).await;
    wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await.ok();
    let source = json!({ "s3": { "bucket": "bundles", "key": "env.tar.gz" } });
    let version = body(&json!({ "templateName": "env", "source": source }));
    wire.send("CreateEnvironmentTemplateVersion", &version).await.ok();
    for (operation, input, status, code, namespace) in [
        ("GetEnvironmentTemplate", "{}", 400, "ValidationException", MODELLED),
        ("GetEnvironmentTemplate", r#"{"name":"none"}"#, 400, "ResourceNotFoundException", MODELLED),
        ("DeleteEnvironmentTemplate", r#"{"name":"env"}"#, 400, "ConflictException", MODELLED),
        ("CreateServiceTemplate", r#"{"name":"one-more"}"#, 400, "ServiceQuotaExceededException", MODELLED),
        ("GetEnvironmentTemplate", "{", 400, "SerializationException", FRONT_END),
        ("MakeCoffee", "{}", 400, "UnknownOperationException", FRONT_END),
    ] {
        let answer = wire.send(operation, input.as_bytes()).await;
        let body = answer.json();
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(body["__type"], format!("{namespace}#{code}"));
        assert_eq!(answer.header("x-amzn-errortype"), code);
        assert!(!body["message"].as_str().expect("a message").is_empty(), "{body}");
        assert_eq!(body.as_object().expect("an object").len(), 2, "{body}");
    }
}

#[tokio::test]
async fn a_busy_database_throttles_and_a_failing_one_hides_its_reason() {
    let wire = Wire::start().await;
    for (kind, status, code) in [
        (DbErrorKind::TooBusy, 400, "ThrottlingException"),
        (DbErrorKind::Other, 500, "InternalServerException"),
        (DbErrorKind::Unavailable, 500, "InternalServerException"),
        (DbErrorKind::Corrupt, 500, "InternalServerException"),
    ] {
        wire.app.store().db().set_probe(Some(Arc::new(move |call| match call {
            Call::Begin => Err(DbError::new(kind, "the innermost reason")),
            _ => Ok(()),
        })));
        let answer = wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await;
        assert_eq!(answer.status, status);
        let (found, message) = answer.error();
        assert_eq!(found, code);
        assert_eq!(answer.json()["__type"], format!("{MODELLED}#{code}"));
        assert!(!message.contains("innermost"), "{message}");
    }
    wire.app.store().db().set_probe(None);
    wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await.ok();
}

#[tokio::test]
async fn a_process_that_only_works_sends_requests_elsewhere() {
    let wire = Wire::with(|config| config.role = Role::Worker).await;
    let answer = wire.send("ListServices", b"{}").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.error().0, "ServiceUnavailableException");
}

// ---------------------------------------------------------------- operations

/// The smallest input that the model allows.
fn minimal(model: &Value, shape: &str) -> Value {
    let described = &model["shapes"][shape];
    match described["type"].as_str().expect("a type") {
        "structure" => {
            let union = described["union"] == true;
            let members = described["members"].as_object().expect("members");
            let required = described["required"].as_array().cloned().unwrap_or_default();
            let needed = members.iter().filter(|(name, _)| required.contains(&json!(name)));
            let needed = needed.chain(members.iter().take(usize::from(union)));
            needed.map(|(name, member)| (name.clone(), minimal(model, member["shape"].as_str().unwrap()))).collect()
        }
        "list" => {
            let least = described["min"].as_u64().unwrap_or(0);
            let member = described["member"]["shape"].as_str().unwrap();
            (0..least).map(|_| minimal(model, member)).collect()
        }
        "string" => match (described["enum"].get(0), described["pattern"].as_str()) {
            (Some(first), _) => first.clone(),
            (None, Some(pattern)) => json!(matching(shape, pattern)),
            (None, None) => json!("a".repeat(described["min"].as_u64().unwrap_or(1).max(1) as usize)),
        },
        "boolean" => json!(false),
        "integer" => json!(1),
        other => panic!("{shape} is a {other}: say what the smallest one is"),
    }
}

fn matching(shape: &str, pattern: &str) -> &'static str {
    match shape {
        "Arn" => "arn:aws:proton:us-east-1:000000000000:service/a",
        "AwsAccountId" => "000000000000",
        "DeploymentId" | "EnvironmentAccountConnectionId" | "EventId" | "RequestId" => {
            "00000000-0000-4000-8000-000000000000"
        }
        "RepositoryName" => "a/b",
        "AccessKeyId" => "AKIA0000000000000000",
        "EventDestinationName"
        | "GroupName"
        | "OperationName"
        | "PolicyName"
        | "ResourceName"
        | "RoleName"
        | "UserName" => "a",
        "S3Bucket" => "abc",
        "RoleArn" => "arn:aws:iam::000000000000:role/a",
        "TemplateVersionPart" => "1",
        other => panic!("{other} matches {pattern}: say what the smallest one is"),
    }
}

#[tokio::test]
async fn each_operation_takes_the_smallest_input_that_its_model_allows() {
    let models = [
        include_str!("../../../../api/model/proton-2020-07-20.json"),
        include_str!("../../../../api/model/protium-2026-12-01.json"),
    ];
    let models = models.map(|text| serde_json::from_str::<Value>(text).unwrap());
    let wire = Wire::start().await;
    for operation in Operation::ALL {
        let name = operation.name();
        let model = models.iter().find(|model| model["operations"].get(name).is_some()).expect("a model");
        let shape = model["operations"][name]["input"]["shape"].as_str().expect("an input");
        let input = body(&minimal(model, shape));
        if let Err(error) = Request::parse(*operation, &input) {
            panic!("{name} {}: {error}", String::from_utf8_lossy(&input));
        }
        let answer = wire.send(name, &input).await;
        let text = answer.text();
        assert!(answer.status == 200 || answer.status == 400, "{name}: {text}");
        let refused = ["SerializationException", "UnknownOperationException", "validation error"];
        assert!(!refused.iter().any(|word| text.contains(word)), "{name}: {text}");
    }
}

// ---------------------------------------------------------------- signatures

#[tokio::test]
async fn a_signature_that_does_not_hold_gets_the_error_of_aws() {
    let wire = Wire::start().await;
    let signer = wire.signer("proton");
    let list = || call("ListServices", b"{}");
    let unknown = Signer { access_key_id: "AKIANOBODYKNOWSTHIS1".into(), ..signer.clone() };
    let guess = Signer { secret: "guess".into(), ..signer.clone() };
    let old = Signer { at: SystemTime::now() - Duration::from_secs(6 * 60), ..signer.clone() };
    let early = Signer { at: SystemTime::now() + Duration::from_secs(6 * 60), ..signer.clone() };
    let with_token = Signer { token: Some("token".into()), ..signer.clone() };
    let mut altered_body = signer.sign(list());
    *altered_body.body_mut() = b"{ }".to_vec();
    let mut altered_header = signer.sign(list());
    altered_header.headers_mut().insert("x-amz-target", "AwsProton20200720.GetAccountSettings".parse().unwrap());
    let mut altered_host = signer.sign(list());
    altered_host.headers_mut().insert("host", "other.example".parse().unwrap());
    let mut altered_date = signer.sign(list());
    altered_date.headers_mut().remove("x-amz-date");
    let mut unsigned_header = signer.sign(list());
    unsigned_header.headers_mut().insert("x-amz-more", "1".parse().unwrap());
    let mut malformed = signer.sign(list());
    malformed.headers_mut().insert("authorization", "AWS4-HMAC-SHA256 Signature=x".parse().unwrap());
    let mut basic = list();
    basic.headers_mut().insert("authorization", "Basic dXNlcjpwYXNz".parse().unwrap());

    for (request, code, says) in [
        (list(), "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (unknown.sign(list()), "UnrecognizedClientException", "security token included in the request is invalid"),
        (with_token.sign(list()), "UnrecognizedClientException", "security token included in the request is invalid"),
        (guess.sign(list()), "InvalidSignatureException", "does not match the signature you provided"),
        (altered_body, "InvalidSignatureException", "does not match"),
        (altered_header, "InvalidSignatureException", "does not match"),
        (altered_host, "InvalidSignatureException", "does not match"),
        (unsigned_header, "InvalidSignatureException", "'SignedHeader'"),
        (old.sign(list()), "InvalidSignatureException", "Signature expired"),
        (early.sign(list()), "InvalidSignatureException", "Signature not yet current"),
        (wire.signer("ec2").sign(list()), "InvalidSignatureException", "proton"),
        (altered_date, "IncompleteSignatureException", "X-Amz-Date"),
        (malformed, "IncompleteSignatureException", "Credential"),
        (basic, "IncompleteSignatureException", "Basic"),
    ] {
        let answer = wire.exchange(request).await;
        assert_eq!(answer.status, 400, "{code}");
        let (found, message) = answer.error();
        assert_eq!(found, code, "{message}");
        assert_eq!(answer.json()["__type"], format!("{FRONT_END}#{code}"));
        assert!(message.contains(says), "{code}: {message}");
        assert!(!answer.header("x-amzn-requestid").is_empty());
    }
}

#[tokio::test]
async fn what_is_signed_for_another_service_is_answered_by_that_one() {
    let wire = Wire::start().await;
    for (service, says) in [("s3", "<Code>"), ("sts", "<ErrorResponse")] {
        let answer = wire.exchange(wire.signer(service).sign(call("ListServices", b"{}"))).await;
        assert!(!answer.status.is_success(), "{service}: {}", answer.status);
        assert!(answer.text().contains(says), "{service}: {}", answer.text());
    }
}

// ---------------------------------------------------------------- isolation

on_both! {
    accounts_and_regions_do_not_see_each_other, async |db| {
        let here = TestApp::on(db).await;
        let elsewhere = [here.in_account("111111111111"), here.in_region("eu-west-1")];
        here.ok("CreateEnvironmentTemplate", json!({ "name": "env", "description": "here" })).await;
        for there in &elsewhere {
            let listed = there.ok("ListEnvironmentTemplates", json!({})).await;
            assert_eq!(listed["templates"], json!([]));
            for operation in ["GetEnvironmentTemplate", "UpdateEnvironmentTemplate"] {
                let refused = there.call(operation, json!({ "name": "env", "description": "there" })).await;
                assert_eq!(refused.expect_err("another one's").code, "ResourceNotFoundException");
            }
            // There is nothing to delete there, which is no error.
            there.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
            // The same name is free there, and its ARN says where.
            let made = there.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
            let arn = format!("{}:environment-template/env", there.arn_prefix());
            assert_eq!(made["environmentTemplate"]["arn"], arn);
            // An ARN does not lead out of the account and region of the caller.
            let foreign = json!({ "resourceArn": format!("{}:environment-template/env", here.arn_prefix()) });
            assert!(there.call("ListTagsForResource", foreign).await.is_err());
            there.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
        }
        let kept = here.ok("GetEnvironmentTemplate", json!({ "name": "env" })).await;
        assert_eq!(kept["environmentTemplate"]["description"], "here");
        assert!(kept["environmentTemplate"]["arn"].as_str().is_some_and(|arn| arn.contains(ACCOUNT)));
    }
}
