//! Signatures: AWS's published suite, each way to be refused, and hostile input.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use protium::auth::sigv4::{
    Answer, ClaimedCredential, PROTON, PathStyle, Payload, Protocol, Refusal, Request, S3, STS, Service, Signed, verify,
};
use protium::auth::{Credential, Identity, Keys, Secret};

use crate::support::sign::Signer;
use protium_domain::iam::Principal;

const ID: &str = "AKIDTESTS";
const SECRET: &str = "a secret/with+signs";
const NOW_MS: i64 = 1_790_000_000_123;

// ---------------------------------------------------------------- AWS's published suite

/// The suite is part of the package of AWS's own signer, a dev-dependency.
fn suite() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--filter-platform", "host-tuple", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let manifest = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .find(|package| package["name"] == "aws-sigv4")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("the package aws-sigv4 is a dev-dependency");
    let folder = PathBuf::from(manifest).with_file_name("aws-signing-test-suite").join("v4");
    assert!(folder.is_dir(), "AWS's signing test suite is not at {}", folder.display());
    folder
}

/// A request as the suite writes it down.
struct Written {
    method: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: String,
}

impl Written {
    fn parse(text: &str) -> Self {
        // A line that starts with a space continues the one before it.
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines: Vec<String> = Vec::new();
        for line in head.lines() {
            match lines.last_mut() {
                Some(last) if line.starts_with(' ') => last.push_str(line),
                _ => lines.push(line.to_owned()),
            }
        }
        let (method, rest) = lines[0].split_once(' ').expect("a method");
        let target = rest.trim_end_matches(" HTTP/1.1");
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut headers = HeaderMap::new();
        for line in &lines[1..] {
            let (name, value) = line.split_once(':').expect("a header");
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_str(value.trim()).expect("a value"),
            );
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers,
            body: body.trim_end_matches('\n').to_owned(),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            authority: None,
            payload: Payload::Whole(self.body.as_bytes()),
        }
    }
}

#[test]
fn every_case_of_the_suite_that_aws_publishes_is_verified_in_header_and_query() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(suite())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("context.json").is_file())
        .collect();
    cases.sort();
    let mut verified = 0;
    for folder in &cases {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
        let context: serde_json::Value = serde_json::from_str(&read("context.json")).expect("JSON");
        let text = |name: &str| context["credentials"][name].as_str();
        let credential = Credential::new(
            text("access_key_id").expect("an id"),
            Secret::new(text("secret_access_key").expect("a secret")),
            Identity::root("123456789012"),
        );
        let keys = Keys::new([match text("token") {
            Some(token) => credential.with_session_token(Secret::new(token)),
            None => credential,
        }]);
        let normalize = context["normalize"].as_bool().expect("normalize");
        let path = if normalize { PathStyle::Normalized } else { PathStyle::Plain };
        let service = Service { name: "service", path, skew_minutes: 5 };
        let at: jiff::Timestamp = context["timestamp"].as_str().expect("a timestamp").parse().expect("a timestamp");
        for file in ["header-signed-request.txt", "query-signed-request.txt"] {
            let case = format!("{} {file}", folder.display());
            let written = Written::parse(&read(file));
            let now_ms = at.as_millisecond();
            let signed = verify(&written.request(), service, &keys, now_ms);
            assert_eq!(signed.unwrap_or_else(|why| panic!("{case}: {why}")).region, "us-east-1");

            let mut altered = Written::parse(&read(file));
            altered.body.push('x');
            assert_eq!(
                refused(&altered.request(), service, &keys, now_ms),
                match altered.headers.get("x-amz-content-sha256") {
                    Some(_) => Refusal::PayloadMismatch,
                    None => Refusal::Mismatch,
                },
                "{case} with another body"
            );
            let mut altered = Written::parse(&read(file));
            altered.path.push_str("/more");
            assert_eq!(
                refused(&altered.request(), service, &keys, now_ms),
                Refusal::Mismatch,
                "{case} with another path"
            );
            verified += 1;
        }
    }
    assert!(verified >= 76, "only {verified} cases of the suite were found");
    println!("{verified} cases of AWS's suite verified");
}

// ---------------------------------------------------------------- ways to be refused

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(NOW_MS.unsigned_abs())
}

fn keys() -> Keys {
    Keys::new([Credential::new(ID, Secret::new(SECRET), Identity::root("000000000000"))])
}

fn signer(service: &str) -> Signer {
    Signer { at: now(), ..Signer::new(ID, SECRET, service) }
}

/// A call of the Proton API, unsigned.
fn call() -> http::Request<Vec<u8>> {
    http::Request::post("http://127.0.0.1:8420/")
        .header("host", "127.0.0.1:8420")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AwsProton20200720.GetService")
        .body(br#"{"name":"front"}"#.to_vec())
        .expect("a request")
}

/// A read of an object, unsigned.
fn get(path_and_query: &str) -> http::Request<Vec<u8>> {
    http::Request::get(format!("http://127.0.0.1:8420{path_and_query}"))
        .header("host", "127.0.0.1:8420")
        .body(Vec::new())
        .expect("a request")
}

fn check(request: &http::Request<Vec<u8>>, service: Service) -> Result<Signed, Refusal> {
    check_at(request, service, NOW_MS)
}

fn check_at(request: &http::Request<Vec<u8>>, service: Service, now_ms: i64) -> Result<Signed, Refusal> {
    let (parts, body) = request.clone().into_parts();
    let payload = if service == S3 { Payload::Declared } else { Payload::Whole(&body) };
    verify(&Request::new(&parts, payload), service, &keys(), now_ms)
}

fn refused(request: &Request<'_>, service: Service, keys: &Keys, now_ms: i64) -> Refusal {
    verify(request, service, keys, now_ms).err().unwrap_or_else(|| panic!("{request:?} was let in"))
}

/// Expects a refusal, and what it says in the protocol.
#[track_caller]
fn assert_refused(request: &http::Request<Vec<u8>>, service: Service, protocol: Protocol, expected: (u16, &str, &str)) {
    let refusal = check(request, service).expect_err("let in");
    assert_answer(&refusal, protocol, expected);
}

#[track_caller]
fn assert_answer(refusal: &Refusal, protocol: Protocol, (status, code, part): (u16, &str, &str)) {
    let answer: Answer = refusal.answer(protocol);
    assert_eq!((answer.status, answer.code), (status, code), "{answer:?}");
    assert!(answer.message.contains(part), "{answer:?} does not say {part:?}");
}

fn with_authorization(change: impl Fn(&str) -> String) -> http::Request<Vec<u8>> {
    let mut request = signer("proton").sign(call());
    let header = request.headers()["authorization"].to_str().expect("ASCII").to_owned();
    request.headers_mut().insert("authorization", change(&header).parse().expect("a value"));
    request
}

#[test]
fn a_signed_call_is_let_in_as_its_key_and_for_its_region() {
    let signed = check(&signer("proton").sign(call()), PROTON).expect("let in");
    assert_eq!(signed.credential.access_key_id, ID);
    assert_eq!(signed.credential.identity.principal, Principal::root("000000000000"));
    assert_eq!(signed.region, "eu-west-1");
}

#[test]
fn presigned_requests_of_each_service_are_let_in() {
    let link = |service| Signer { expires_in: Some(Duration::from_secs(60)), ..signer(service) };
    check(&link("s3").sign(get("/bucket/a%20key//../x%2By?versionId=1&empty=")), S3).expect("S3");
    check(&link("sts").sign(get("/?Action=GetCallerIdentity&Version=2011-06-15")), STS).expect("STS");
    check(&link("proton").sign(call()), PROTON).expect("Proton");
}

#[test]
fn a_key_is_signed_for_again_after_it_was_replaced() {
    let keys = keys();
    let request = signer("proton").sign(call());
    let (parts, body) = request.into_parts();
    let request = Request::new(&parts, Payload::Whole(&body));
    for _ in 0..2 {
        verify(&request, PROTON, &keys, NOW_MS).expect("let in");
    }
    keys.insert(Credential::new(ID, Secret::new("another"), Identity::root("000000000000")));
    assert_eq!(refused(&request, PROTON, &keys, NOW_MS), Refusal::Mismatch);
}

#[test]
fn a_request_without_signature_is_refused() {
    assert_refused(
        &call(),
        PROTON,
        Protocol::Json,
        (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    );
    assert_refused(&call(), STS, Protocol::Query, (403, "MissingAuthenticationToken", "Request is missing"));
    assert_refused(&get("/bucket/key"), S3, Protocol::S3, (403, "AccessDenied", "Access Denied"));
}

#[test]
fn a_header_with_missing_parts_is_refused_and_the_parts_are_named() {
    let json = (400, "IncompleteSignatureException");
    for part in ["Credential", "SignedHeaders", "Signature"] {
        let request = with_authorization(|header| header.replace(&format!("{part}="), "Other="));
        let message = format!("Authorization header requires '{part}' parameter.");
        assert_refused(&request, PROTON, Protocol::Json, (json.0, json.1, &message));
        assert_refused(&request, STS, Protocol::Query, (400, "IncompleteSignature", &message));
        assert_refused(&request, S3, Protocol::S3, (400, "AuthorizationHeaderMalformed", &message));
    }
    let mut undated = signer("proton").sign(call());
    undated.headers_mut().remove("x-amz-date");
    assert_refused(&undated, PROTON, Protocol::Json, (json.0, json.1, "either a 'X-Amz-Date' or a 'Date' header"));
    for (request, message) in [
        (with_authorization(|_| "AWS4-HMAC-SHA256".to_owned()), "requires 'Credential' parameter"),
        (with_authorization(|header| format!("{header}, nonsense")), "not a key=value pair"),
        (with_authorization(|header| format!("{header}, Signature=00")), "more than one 'Signature'"),
        (with_authorization(|header| header.replace("/aws4_request", "")), "exactly 5 slash-delimited elements"),
        (with_authorization(|_| "Basic dXNlcjpwYXNz".to_owned()), "Unsupported AWS 'algorithm': 'Basic'"),
        (with_authorization(|header| header.replace("SHA256", "SHA512")), "Unsupported AWS 'algorithm'"),
    ] {
        assert_refused(&request, PROTON, Protocol::Json, (json.0, json.1, message));
    }
}

#[test]
fn a_link_with_missing_or_wrong_parts_is_refused_and_the_parts_are_named() {
    let link = Signer { expires_in: Some(Duration::from_secs(60)), ..signer("s3") }.sign(get("/b/k"));
    let uri = link.uri().to_string();
    let code = "AuthorizationQueryParametersError";
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        let cut = uri.replace(&format!("X-Amz-{name}="), "other=");
        let message = format!("must include 'X-Amz-{name}'");
        assert_refused(&get_again(&cut), S3, Protocol::S3, (400, code, &message));
    }
    for (expires, message) in [("x", "a number"), ("0", "at least 1"), ("604801", "less than a week")] {
        let request = get_again(&uri.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={expires}")));
        assert_refused(&request, S3, Protocol::S3, (400, code, message));
    }
    let twice = get_again(&format!("{uri}&X-Amz-Expires=120"));
    assert_refused(&twice, S3, Protocol::S3, (400, code, "'X-Amz-Expires' is given more than once"));
}

fn get_again(uri: &str) -> http::Request<Vec<u8>> {
    get(uri.strip_prefix("http://127.0.0.1:8420").expect("the same host"))
}

#[test]
fn an_unknown_key_is_refused() {
    let strange = |service: &str| Signer { access_key_id: "AKIDSTRANGER".to_owned(), ..signer(service) };
    let message = "The security token included in the request is invalid.";
    assert_refused(
        &strange("proton").sign(call()),
        PROTON,
        Protocol::Json,
        (400, "UnrecognizedClientException", message),
    );
    assert_refused(&strange("sts").sign(call()), STS, Protocol::Query, (403, "InvalidClientTokenId", message));
    assert_refused(
        &strange("s3").sign(get("/b")),
        S3,
        Protocol::S3,
        (403, "InvalidAccessKeyId", "does not exist in our records"),
    );
}

#[test]
fn a_wrong_secret_is_refused() {
    let wrong = |service: &str| Signer { secret: "guess".to_owned(), ..signer(service) };
    let message = "The request signature we calculated does not match the signature you provided. Check your";
    assert_refused(&wrong("proton").sign(call()), PROTON, Protocol::Json, (400, "InvalidSignatureException", message));
    assert_refused(&wrong("sts").sign(call()), STS, Protocol::Query, (403, "SignatureDoesNotMatch", message));
    assert_refused(&wrong("s3").sign(get("/b")), S3, Protocol::S3, (403, "SignatureDoesNotMatch", message));
}

#[test]
fn whatever_is_altered_after_signing_is_noticed() {
    let original = || signer("proton").sign(call());
    let mut body = original();
    body.body_mut().push(b' ');
    let mut header = original();
    header.headers_mut().insert("x-amz-target", HeaderValue::from_static("AwsProton20200720.DeleteService"));
    let mut value_added = original();
    value_added.headers_mut().append("x-amz-target", HeaderValue::from_static("AwsProton20200720.DeleteService"));
    let mut removed = original();
    removed.headers_mut().remove("content-type");
    let mut host = original();
    host.headers_mut().insert("host", HeaderValue::from_static("example.com"));
    let mut query = original();
    *query.uri_mut() = "http://127.0.0.1:8420/?x=1".parse().expect("a URI");
    let mut path = original();
    *path.uri_mut() = "http://127.0.0.1:8420/x".parse().expect("a URI");
    let mut method = original();
    *method.method_mut() = http::Method::PUT;
    for request in [body, header, value_added, removed, host, query, path, method] {
        assert_eq!(check(&request, PROTON).err(), Some(Refusal::Mismatch), "{request:?}");
    }
}

#[test]
fn another_path_query_or_lifetime_of_a_link_is_noticed() {
    let link = Signer { expires_in: Some(Duration::from_secs(60)), ..signer("s3") }.sign(get("/b/key?versionId=1"));
    let uri = link.uri().to_string();
    for (from, to) in [("/b/key", "/b/kex"), ("versionId=1", "versionId=2"), ("Expires=60", "Expires=600")] {
        let request = get_again(&uri.replace(from, to));
        assert_eq!(check(&request, S3).err(), Some(Refusal::Mismatch), "{to}");
    }
}

#[test]
fn a_date_too_old_or_from_the_future_is_refused_with_both_times() {
    let request = signer("proton").sign(call());
    let minute = 60_000;
    check_at(&request, PROTON, NOW_MS + 5 * minute - 1000).expect("five minutes late");
    check_at(&request, PROTON, NOW_MS - 5 * minute).expect("five minutes early");
    let late = check_at(&request, PROTON, NOW_MS + 6 * minute).expect_err("too late");
    assert_answer(
        &late,
        Protocol::Json,
        (
            400,
            "InvalidSignatureException",
            "Signature expired: 20260921T141320Z is now earlier than 20260921T141420Z (20260921T141920Z - 5 min.)",
        ),
    );
    let early = check_at(&request, PROTON, NOW_MS - 6 * minute).expect_err("too early");
    assert_answer(
        &early,
        Protocol::Json,
        (
            400,
            "InvalidSignatureException",
            "Signature not yet current: 20260921T141320Z is still later than 20260921T141220Z (20260921T140720Z + 5 min.)",
        ),
    );
    assert_answer(&late, Protocol::Query, (403, "SignatureDoesNotMatch", "Signature expired"));

    let object = signer("s3").sign(get("/b/k"));
    check_at(&object, S3, NOW_MS + 14 * minute).expect("S3 allows a quarter of an hour");
    let late = check_at(&object, S3, NOW_MS + 16 * minute).expect_err("too late");
    assert_answer(&late, Protocol::S3, (403, "RequestTimeTooSkewed", "difference between the request time"));
}

#[test]
fn a_link_holds_until_it_expires() {
    let link = Signer { expires_in: Some(Duration::from_secs(3600)), ..signer("s3") }.sign(get("/b/k"));
    check_at(&link, S3, NOW_MS + 3_599_000).expect("within the hour");
    let late = check_at(&link, S3, NOW_MS + 3_601_000).expect_err("after the hour");
    assert_answer(&late, Protocol::S3, (403, "AccessDenied", "Request has expired"));
    let early = check_at(&link, S3, NOW_MS - 3_600_000).expect_err("before its time");
    assert_answer(&early, Protocol::S3, (403, "RequestTimeTooSkewed", "too large"));
}

#[test]
fn a_date_that_is_none_is_refused() {
    let mut request = signer("proton").sign(call());
    request.headers_mut().insert("x-amz-date", HeaderValue::from_static("yesterday"));
    assert_refused(
        &request,
        PROTON,
        Protocol::Json,
        (400, "IncompleteSignatureException", "ISO-8601 'basic format', e.g. 20150830T123600Z. Got 'yesterday'"),
    );
}

#[test]
fn a_scope_for_another_service_region_day_or_protocol_is_refused_and_named() {
    let ec2 = signer("ec2").sign(call());
    assert_refused(
        &ec2,
        PROTON,
        Protocol::Json,
        (400, "InvalidSignatureException", "Credential should be scoped to correct service: 'proton'."),
    );
    assert_refused(&ec2, STS, Protocol::Query, (403, "SignatureDoesNotMatch", "correct service: 'sts'"));
    assert_refused(&ec2, S3, Protocol::S3, (400, "AuthorizationHeaderMalformed", "correct service: 's3'"));
    for (from, to, message) in [
        ("/eu-west-1/", "//", "scoped to a valid region"),
        ("/eu-west-1/", "/EU west/", "scoped to a valid region"),
        ("aws4_request", "aws5_request", "valid terminator: 'aws4_request', not 'aws5_request'"),
        (
            "/20260921/",
            "/20260920/",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260920' != '20260921', from '20260921T141320Z'.",
        ),
    ] {
        let request = with_authorization(|header| header.replace(from, to));
        assert_refused(&request, PROTON, Protocol::Json, (400, "InvalidSignatureException", message));
    }
}

#[test]
fn host_and_every_amz_header_must_be_signed() {
    let hostless = with_authorization(|header| header.replace(";host;", ";"));
    assert_refused(
        &hostless,
        PROTON,
        Protocol::Json,
        (400, "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader'"),
    );
    assert_refused(&hostless.clone(), S3, Protocol::S3, (400, "AuthorizationHeaderMalformed", "correct service"));
    let targetless = with_authorization(|header| header.replace(";x-amz-target", ""));
    assert_refused(
        &targetless,
        PROTON,
        Protocol::Json,
        (400, "InvalidSignatureException", "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."),
    );
    let mut extra = signer("s3").sign(get("/b/k"));
    extra.headers_mut().insert("x-amz-acl", HeaderValue::from_static("public-read"));
    assert_refused(
        &extra,
        S3,
        Protocol::S3,
        (403, "AccessDenied", "There were headers present in the request which were not signed: x-amz-acl"),
    );
}

#[test]
fn headers_of_the_signature_given_twice_are_refused() {
    for name in ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"] {
        let mut request = signer("proton").sign(call());
        for _ in 0..2 {
            let value = request.headers().get(name).cloned();
            request.headers_mut().append(name, value.unwrap_or(HeaderValue::from_static("x")));
        }
        assert_refused(
            &request,
            PROTON,
            Protocol::Json,
            (400, "IncompleteSignatureException", &format!("Header '{name}' is given more than once")),
        );
    }
}

#[test]
fn a_signature_in_header_and_query_at_once_is_refused() {
    let mut link = Signer { expires_in: Some(Duration::from_secs(60)), ..signer("s3") }.sign(get("/b/k"));
    link.headers_mut().insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 x=y"));
    assert_refused(&link, S3, Protocol::S3, (400, "InvalidArgument", "Only one auth mechanism allowed"));
}

#[test]
fn older_signature_versions_are_refused() {
    let header = with_authorization(|_| "AWS AKIDTESTS:c2lnbmF0dXJl".to_owned());
    assert_refused(&header, S3, Protocol::S3, (400, "InvalidRequest", "Please use AWS4-HMAC-SHA256"));
    let query = get("/b/k?AWSAccessKeyId=AKIDTESTS&Expires=99999999999&Signature=c2ln");
    assert_refused(&query, S3, Protocol::S3, (400, "InvalidRequest", "Please use AWS4-HMAC-SHA256"));
}

#[test]
fn a_session_token_for_a_key_that_has_none_is_refused() {
    let with_token = |service: &str| Signer { token: Some("token".to_owned()), ..signer(service) };
    let message = "The security token included in the request is invalid.";
    assert_refused(
        &with_token("proton").sign(call()),
        PROTON,
        Protocol::Json,
        (400, "UnrecognizedClientException", message),
    );
    assert_refused(
        &with_token("s3").sign(get("/b")),
        S3,
        Protocol::S3,
        (400, "InvalidToken", "malformed or otherwise invalid"),
    );
}

#[test]
fn a_temporary_key_needs_its_own_session_token() {
    let keys = Keys::new([Credential::new(ID, Secret::new(SECRET), Identity::root("000000000000"))
        .with_session_token(Secret::new("the token"))]);
    let with = |token: Option<&str>| {
        let signer = Signer { token: token.map(str::to_owned), ..signer("proton") };
        let (parts, body) = signer.sign(call()).into_parts();
        verify(&Request::new(&parts, Payload::Whole(&body)), PROTON, &keys, NOW_MS)
    };
    with(Some("the token")).expect("let in");
    assert_eq!(with(Some("another")).err(), Some(Refusal::Token));
    assert_eq!(with(None).err(), Some(Refusal::Token));
}

#[test]
fn a_body_other_than_the_declared_one_is_refused() {
    let mut request = call();
    request.headers_mut().insert("x-amz-content-sha256", HeaderValue::from_str(&"0".repeat(64)).expect("a value"));
    let request = signer("proton").sign(request);
    assert_eq!(check(&request, PROTON).err(), Some(Refusal::PayloadMismatch));
    assert_answer(
        &Refusal::PayloadMismatch,
        Protocol::S3,
        (400, "XAmzContentSHA256Mismatch", "does not match what was computed"),
    );
}

#[test]
fn a_request_of_the_store_must_declare_its_body() {
    let mut request = signer("s3").sign(get("/b/k"));
    request.headers_mut().insert("x-amz-content-sha256", HeaderValue::from_static("nothing"));
    assert_refused(
        &request,
        S3,
        Protocol::S3,
        (400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD"),
    );
    request.headers_mut().remove("x-amz-content-sha256");
    assert_refused(
        &request,
        S3,
        Protocol::S3,
        (400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"),
    );
}

#[test]
fn the_service_is_read_from_header_and_link_before_anything_is_checked() {
    let header = signer("proton").sign(call());
    let claimed = ClaimedCredential::find(header.headers(), header.uri().query()).unwrap();
    assert_eq!((claimed.key(), claimed.service()), ("AKIDTESTS", Some("proton")));
    let link = Signer { expires_in: Some(Duration::from_secs(60)), ..signer("s3") }.sign(get("/b/k"));
    let claimed = ClaimedCredential::find(link.headers(), link.uri().query()).unwrap();
    assert_eq!((claimed.key(), claimed.service()), ("AKIDTESTS", Some("s3")));
    assert!(ClaimedCredential::find(call().headers(), None).is_none());
}

// ---------------------------------------------------------------- hostile input

/// Texts near the ones that matter: pieces of real headers in any order, and noise.
fn near(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What clients encode: all but the unreserved characters of RFC 3986.
const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_header_query_path_or_body_makes_it_panic(
        authorization in proptest::option::of(near(&["AWS4-HMAC-SHA256", " ", "Credential=", "AKIDTESTS/20260921/eu-west-1/proton/aws4_request", "/", ",", "SignedHeaders=", "host;x-amz-date", ";", "Signature=", "0123456789abcdef"])),
        query in proptest::option::of(near(&["X-Amz-Algorithm=AWS4-HMAC-SHA256", "&", "=", "X-Amz-Credential=AKIDTESTS%2F20260921%2Feu-west-1%2Fproton%2Faws4_request", "X-Amz-Date=20260921T141320Z", "X-Amz-Expires=", "9223372036854775807", "X-Amz-SignedHeaders=host", "X-Amz-Signature=00", "%", "%zz", "+", "\u{1f642}", "X-Amz-Security-Token=t"])),
        path in near(&["/", "..", ".", "%2F", "%", "a", "\u{1234}"]),
        date in proptest::option::of(near(&["20260921T141320Z", "99999999T999999Z", "Mon, 21 Sep 2026 14:13:20 GMT", "-"])),
        hash in proptest::option::of(near(&["UNSIGNED-PAYLOAD", "STREAMING-", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])),
        body in proptest::collection::vec(any::<u8>(), 0..64),
        now_ms in prop_oneof![Just(NOW_MS), Just(i64::MAX), Just(i64::MIN), any::<i64>()],
    ) {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("h"));
        for (name, value) in [("authorization", authorization), ("x-amz-date", date), ("x-amz-content-sha256", hash)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
                headers.insert(name, value);
            }
        }
        let keys = keys();
        for (service, payload) in [(PROTON, Payload::Whole(&body)), (S3, Payload::Declared)] {
            let request = Request { method: "POST", path: &path, query: query.as_deref(), headers: &headers, authority: None, payload };
            let refusal = verify(&request, service, &keys, now_ms).err();
            prop_assert!(refusal.is_some(), "a request that nobody signed was let in");
            for protocol in [Protocol::Json, Protocol::Query, Protocol::S3] {
                let answer = refusal.as_ref().map(|refusal| refusal.answer(protocol));
                prop_assert!(answer.is_some_and(|answer| matches!(answer.status, 400..=499)));
            }
            if let Some(claimed) = ClaimedCredential::find(&headers, query.as_deref()) {
                prop_assert!(!claimed.key().contains('/'));
            }
        }
    }

    #[test]
    fn what_the_other_signer_signs_is_let_in(
        segments in proptest::collection::vec("[ -.0-~]{1,8}", 0..4),
        pairs in proptest::collection::vec(("[a-zA-Z][ -~]{0,8}", "[ -~]{0,8}"), 0..4),
        body in proptest::collection::vec(any::<u8>(), 0..64),
        presigned in any::<bool>(),
    ) {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, RESERVED).to_string();
        let path: String = segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let target = format!("http://h{}?{}", if path.is_empty() { "/" } else { &path }, query.join("&"));
        for service in [S3, PROTON] {
            let request = http::Request::put(&target).header("host", "h").body(body.clone()).expect("a request");
            let expires_in = presigned.then_some(Duration::from_secs(60));
            let signed = Signer { expires_in, ..signer(service.name) }.sign(request);
            prop_assert!(check(&signed, service).is_ok(), "{}: {}", signed.uri(), check(&signed, service).err().map(|e| e.to_string()).unwrap_or_default());
        }
    }
}
