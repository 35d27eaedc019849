//! The walk, on inputs of real operations: every kind of constraint, and how a caller is told.

use crate::types::{CreateServiceInput, TemplateVersionSourceInput};
use crate::{ErrorCode, Operation, Request};

fn parse(operation: Operation, body: &str) -> Result<Request, String> {
    Request::parse(operation, body.as_bytes()).map_err(|error| error.to_string())
}

fn refusal(operation: Operation, body: &str) -> String {
    parse(operation, body).expect_err(body)
}

#[test]
fn an_operation_without_input_takes_an_empty_body() {
    for body in ["", "{}", " \n", "{\"unknown\":[{}]}"] {
        assert!(parse(Operation::GetAccountSettings, body).is_ok(), "{body:?}");
    }
}

#[test]
fn a_body_that_is_no_json_object_is_a_serialization_error() {
    for body in ["[]", "null", "\"x\"", "1", "{", "{\"name\"}", "{} {}", "{\"name\":\"\u{1}\"}", "\u{feff}{}"] {
        let error = Request::parse(Operation::GetService, body.as_bytes()).unwrap_err();
        assert_eq!(error.code, ErrorCode::Serialization, "{body}");
    }
    let error = Request::parse(Operation::GetService, b"{\"name\":\"\xff\"}").unwrap_err();
    assert_eq!(error.code, ErrorCode::Serialization);
    let list = refusal(Operation::GetService, "[]");
    assert_eq!(list, "SerializationException: 'the body' must be an object, not a list");
}

#[test]
fn deep_nesting_is_a_serialization_error_and_no_crash() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [200, 100_000] {
            let deep = format!("{{\"name\":\"a\",\"unknown\":{}1{}}}", open.repeat(depth), close.repeat(depth));
            assert!(refusal(Operation::GetService, &deep).starts_with("SerializationException: "));
            let unclosed = format!("{{\"unknown\":{}", open.repeat(depth));
            assert!(refusal(Operation::GetService, &unclosed).starts_with("SerializationException: "));
        }
    }
    let shallow = format!("{{\"name\":\"a\",\"unknown\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    assert!(parse(Operation::GetService, &shallow).is_ok());
}

#[test]
fn unknown_and_repeated_members_are_ignored() {
    let request = parse(Operation::GetService, r#"{"name":"a","Name":"b","other":{"x":null},"name":"c"}"#);
    assert!(matches!(request, Ok(Request::GetService(input)) if input.name == "c"));
}

#[test]
fn a_null_member_is_absent() {
    let request = parse(Operation::ListServices, r#"{"maxResults":null,"nextToken":null}"#);
    assert!(matches!(request, Ok(Request::ListServices(input)) if input.max_results.is_none()));
    assert_eq!(
        refusal(Operation::GetService, r#"{"name":null}"#),
        "ValidationException: 1 validation error detected: \
         Value null at 'name' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn a_null_element_is_a_serialization_error() {
    assert_eq!(
        refusal(
            Operation::UntagResource,
            r#"{"resourceArn":"arn:aws:proton:r:123456789012:a/b","tagKeys":["a",null]}"#
        ),
        "SerializationException: 'tagKeys.2.member' must be a string, not null"
    );
}

#[test]
fn a_text_with_nul_is_refused_by_name_and_kept_secret_where_it_is_one() {
    let nul = "Member must not contain the character U+0000";
    assert_eq!(
        refusal(Operation::UpdateServiceSyncBlocker, r#"{"id":"a\u0000","resolvedReason":"b"}"#),
        format!(
            "ValidationException: 1 validation error detected: Value 'a\0' at 'id' failed to satisfy constraint: {nul}"
        )
    );
    assert_eq!(
        refusal(Operation::UpdateService, r#"{"name":"a","description":"b\u0000c"}"#),
        format!(
            "ValidationException: 1 validation error detected: Value at 'description' failed to satisfy constraint: {nul}"
        )
    );
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    for (operation, body, expected) in [
        (Operation::GetService, r#"{"name":1}"#, "'name' must be a string, not a number"),
        (Operation::ListServices, r#"{"maxResults":"1"}"#, "'maxResults' must be an integer, not a string"),
        (Operation::ListServices, r#"{"maxResults":1.5}"#, "'maxResults' must be an integer of 32 bits, not 1.5"),
        (
            Operation::ListServices,
            r#"{"maxResults":2147483648}"#,
            "'maxResults' must be an integer of 32 bits, not 2147483648",
        ),
        (Operation::ListServices, r#"{"maxResults":1e300}"#, "'maxResults' must be an integer of 32 bits, not 1e+300"),
        (Operation::TagResource, r#"{"tags":{}}"#, "'tags' must be a list, not an object"),
        (Operation::TagResource, r#"{"tags":[true]}"#, "'tags.1.member' must be an object, not a boolean"),
        (
            Operation::TagResource,
            r#"{"tags":[{"key":"a","value":"b"},{"key":[]}]}"#,
            "'tags.2.member.key' must be a string, not a list",
        ),
        (
            Operation::UpdateAccountSettings,
            r#"{"deletePipelineProvisioningRepository":"true"}"#,
            "'deletePipelineProvisioningRepository' must be a boolean, not a string",
        ),
        (Operation::CreateEnvironmentTemplateVersion, r#"{"source":"s3"}"#, "'source' must be an object, not a string"),
        (Operation::GetRepository, r#"{"provider":1}"#, "'provider' must be a string, not a number"),
    ] {
        assert_eq!(refusal(operation, body), format!("SerializationException: {expected}"));
    }
}

#[test]
fn an_integer_may_be_written_with_a_point() {
    for body in [r#"{"maxResults":7.0}"#, r#"{"maxResults":0.7e1}"#, r#"{"maxResults":7}"#] {
        let request = parse(Operation::ListServices, body);
        assert!(matches!(request, Ok(Request::ListServices(input)) if input.max_results == Some(7)), "{body}");
    }
}

#[test]
fn each_constraint_has_its_words() {
    let long = "a".repeat(101);
    let named = |name: &str| format!("{{\"name\":\"{name}\"}}");
    for (operation, body, expected) in [
        (
            Operation::GetService,
            named("-a"),
            "Value '-a' at 'name' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$"
                .to_owned(),
        ),
        (
            Operation::GetService,
            named(&long),
            format!(
                "Value '{long}' at 'name' failed to satisfy constraint: \
                 Member must have length less than or equal to 100"
            ),
        ),
        (
            Operation::ListServices,
            r#"{"maxResults":0}"#.to_owned(),
            "Value '0' at 'maxResults' failed to satisfy constraint: \
             Member must have value greater than or equal to 1"
                .to_owned(),
        ),
        (
            Operation::ListServices,
            r#"{"maxResults":101}"#.to_owned(),
            "Value '101' at 'maxResults' failed to satisfy constraint: \
             Member must have value less than or equal to 100"
                .to_owned(),
        ),
        (
            Operation::GetRepository,
            r#"{"name":"a/b","provider":"github"}"#.to_owned(),
            "Value 'github' at 'provider' failed to satisfy constraint: \
             Member must satisfy enum value set: [GITHUB, GITHUB_ENTERPRISE, BITBUCKET]"
                .to_owned(),
        ),
        (
            Operation::ListComponentOutputs,
            r#"{"componentName":"a","nextToken":"x"}"#.to_owned(),
            "Value 'x' at 'nextToken' failed to satisfy constraint: \
             Member must have length less than or equal to 0"
                .to_owned(),
        ),
        (
            Operation::CreateServiceTemplateVersion,
            r#"{"templateName":"a","source":{"s3":{"bucket":"abc","key":"k"}},"compatibleEnvironmentTemplates":[]}"#
                .to_owned(),
            "Value at 'compatibleEnvironmentTemplates' failed to satisfy constraint: \
             Member must have length greater than or equal to 1"
                .to_owned(),
        ),
        (
            Operation::CreateEnvironmentTemplate,
            r#"{"name":"a","tags":[{"key":"k","value":"v"},{"key":"k"}]}"#.to_owned(),
            "Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null".to_owned(),
        ),
    ] {
        let expected = format!("ValidationException: 1 validation error detected: {expected}");
        assert_eq!(refusal(operation, &body), expected);
    }
}

#[test]
fn all_violations_are_told_at_once_and_many_are_counted() {
    assert_eq!(
        refusal(Operation::GetServiceInstance, r#"{"name":""}"#),
        "ValidationException: 3 validation errors detected: \
         Value '' at 'name' failed to satisfy constraint: \
         Member must have length greater than or equal to 1; \
         Value '' at 'name' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: ^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$; \
         Value null at 'serviceName' failed to satisfy constraint: Member must not be null"
    );
    let tags = vec!["{}"; 10_000].join(",");
    let error = refusal(Operation::TagResource, &format!("{{\"tags\":[{tags}]}}"));
    assert!(error.starts_with("ValidationException: 20002 validation errors detected: "));
    assert!(error.ends_with("; and 19982 more"), "{error}");
    assert!(error.len() < 4000);
}

#[test]
fn lengths_count_characters_and_not_bytes() {
    for (count, valid) in [(500, true), (501, false)] {
        let body = format!(r#"{{"name":"a","description":"{}"}}"#, "京".repeat(count));
        assert_eq!(parse(Operation::UpdateService, &body).is_ok(), valid, "{count}");
    }
    let one = r#"{"name":"a","displayName":"京"}"#;
    assert!(parse(Operation::CreateEnvironmentTemplate, one).is_ok());
}

#[test]
fn a_long_value_is_cut_and_a_sensitive_one_is_not_shown() {
    let error_of = |name: String| refusal(Operation::GetService, &format!("{{\"name\":\"{name}\"}}"));
    let message = error_of("京".repeat(300));
    assert!(message.contains(&format!("Value '{}...' at", "京".repeat(200))), "{message}");

    let body = format!(r#"{{"name":"a","displayName":"","description":"{}"}}"#, "secret".repeat(100));
    assert_eq!(
        refusal(Operation::CreateServiceTemplate, &body),
        "ValidationException: 2 validation errors detected: \
         Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 500; \
         Value at 'displayName' failed to satisfy constraint: Member must have length greater than or equal to 1"
    );
    let arn = "arn:aws:proton:r:123456789012:environment/a";
    let value = "secret".repeat(200);
    let body = format!(r#"{{"resourceArn":"{arn}","outputs":[{{"key":"{value}","valueString":"{value}"}}]}}"#);
    let error = refusal(Operation::NotifyResourceDeploymentStatusChange, &body);
    assert!(error.contains("Value at 'outputs.1.member.key' failed"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_union_has_exactly_one_member() {
    let source = |source: &str| format!(r#"{{"templateName":"a","source":{source}}}"#);
    let s3 = r#"{"bucket":"my-bucket","key":"a.tar.gz"}"#;
    for body in [format!(r#"{{"s3":{s3}}}"#), format!(r#"{{"git":null,"s3":{s3},"SDK_UNKNOWN_MEMBER":{{}}}}"#)] {
        let request = parse(Operation::CreateEnvironmentTemplateVersion, &source(&body));
        let Ok(Request::CreateEnvironmentTemplateVersion(input)) = request else { panic!("{body}: {request:?}") };
        let TemplateVersionSourceInput::S3(object) = input.source;
        assert_eq!((object.bucket.as_str(), object.key.as_str()), ("my-bucket", "a.tar.gz"));
    }
    for body in ["{}", r#"{"s3":null}"#, r#"{"git":{}}"#] {
        assert_eq!(
            refusal(Operation::CreateEnvironmentTemplateVersion, &source(body)),
            "ValidationException: 1 validation error detected: Value at 'source' failed to satisfy constraint: \
             Member must have exactly one of the members [s3]"
        );
    }
    assert_eq!(
        refusal(Operation::CreateEnvironmentTemplateVersion, &source(r#"{"s3":{"bucket":"B!","key":"k"}}"#)),
        "ValidationException: 2 validation errors detected: \
         Value 'B!' at 'source.s3.bucket' failed to satisfy constraint: \
         Member must have length greater than or equal to 3; \
         Value 'B!' at 'source.s3.bucket' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: ^[a-z0-9]+[a-z0-9-\\.]+[a-z0-9]+$"
    );
}

#[test]
fn patterns_are_anchored_only_where_they_say_so() {
    let name = |name: &str| format!(r#"{{"name":"{name}","provider":"GITHUB"}}"#);
    assert!(parse(Operation::GetRepository, &name("owner/repo")).is_ok());
    assert!(parse(Operation::GetRepository, &name("!owner/repo!")).is_ok());
    assert!(parse(Operation::GetRepository, &name("repo")).is_err());
    assert!(parse(Operation::GetService, r#"{"name":"a\n"}"#).is_err());
    let id = |id: &str| format!(r#"{{"id":"{id}"}}"#);
    assert!(parse(Operation::GetDeployment, &id("0a1b2c3d-0000-1111-2222-0123456789ab")).is_ok());
    assert!(parse(Operation::GetDeployment, &id("0A1B2C3D-0000-1111-2222-0123456789AB")).is_err());
    assert!(parse(Operation::GetDeployment, &id("x0a1b2c3d-0000-1111-2222-0123456789ab")).is_err());
}

#[test]
fn digits_and_word_characters_are_ascii() {
    let arn = |arn: &str| format!(r#"{{"resourceArn":"{arn}"}}"#);
    assert!(parse(Operation::ListTagsForResource, &arn("arn:aws:proton:r:123456789012:service/a_b")).is_ok());
    assert!(parse(Operation::ListTagsForResource, &arn("arn:aws:proton:r:12345678901٣:service/a")).is_err());
    assert!(parse(Operation::ListTagsForResource, &arn("arn:aws:proton:r:123456789012:service/é")).is_err());
}

#[test]
fn an_optional_text_may_be_empty_where_the_pattern_allows_it() {
    let role = |role: &str| format!(r#"{{"pipelineServiceRoleArn":"{role}"}}"#);
    assert!(parse(Operation::UpdateAccountSettings, &role("")).is_ok());
    assert!(parse(Operation::UpdateAccountSettings, &role("arn:aws:iam::123456789012:role/a/b")).is_ok());
    assert!(parse(Operation::UpdateAccountSettings, &role("arn:aws:iam::123456789012:user/a")).is_err());
}

#[test]
fn debug_of_an_input_keeps_what_is_sensitive() {
    let input = CreateServiceInput {
        name: "shop".to_owned(),
        spec: "secret".to_owned(),
        description: Some("secret".to_owned()),
        ..CreateServiceInput::default()
    };
    let debug = format!("{:?}", Request::from(input));
    assert!(debug.contains("name: \"shop\"") && debug.contains("spec: [redacted]"), "{debug}");
    assert!(debug.contains("description: Some([redacted])") && !debug.contains("secret"), "{debug}");
}
