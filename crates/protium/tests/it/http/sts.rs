//! STS through the whole listener.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::support::app::TestApp;
use crate::support::database::TestDb;
use crate::support::server::TestServer;
use crate::support::sign::Signer;
use protium_domain::iam::Policies;

const CALL: &str = "Action=GetCallerIdentity&Version=2011-06-15";

fn form(server: &TestServer, body: &str) -> Request<Vec<u8>> {
    let url = server.server.url();
    Request::post(format!("{url}/"))
        .header("host", url.strip_prefix("http://").unwrap())
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(body.as_bytes().to_vec())
        .unwrap()
}

async fn send(request: Request<Vec<u8>>) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.request(request.map(|body| Full::new(body.into()))).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/xml");
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_learns_whom_its_key_stands_for() {
    let server = TestServer::start().await;
    let (status, body) = send(server.signer("sts").sign(form(&server, CALL))).await;
    assert_eq!(status, 200, "{body}");
    for part in [
        "<Account>123456789012</Account>",
        "<UserId>123456789012</UserId>",
        "<Arn>arn:aws:iam::123456789012:root</Arn>",
        "<RequestId>",
        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"",
    ] {
        assert!(body.contains(part), "{body} lacks {part}");
    }
    let presigned = Signer { expires_in: Some(std::time::Duration::from_secs(60)), ..server.signer("sts") };
    let url = server.server.url();
    let get = Request::get(format!("{url}/?{CALL}")).header("host", url.strip_prefix("http://").unwrap());
    let (status, body) = send(presigned.sign(get.body(Vec::new()).unwrap())).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_the_form_of_sts() {
    let server = TestServer::start().await;
    let sts = server.signer("sts");
    let unknown = Signer { access_key_id: "AKIANOBODY".into(), ..sts.clone() };
    let guess = Signer { secret: "guess".into(), ..sts.clone() };
    let mut altered = sts.sign(form(&server, CALL));
    altered.body_mut().extend(b"&more=1");
    let mut malformed = sts.sign(form(&server, CALL));
    malformed.headers_mut().insert("authorization", "AWS4-HMAC-SHA256 Signature=x".parse().unwrap());
    // No scope leads to STS here; the form does.
    for (request, status, code) in [
        (sts.sign(form(&server, "Action=GetFederationToken&Version=2011-06-15")), 400, "InvalidAction"),
        (sts.sign(form(&server, "Action=AssumeRole&Version=2011-06-15")), 400, "ValidationError"),
        (sts.sign(form(&server, "Action=GetCallerIdentity&Version=2010-01-01")), 400, "InvalidAction"),
        (sts.sign(form(&server, "Version=2011-06-15")), 400, "MissingAction"),
        (sts.sign(form(&server, &format!("{CALL}&x={}", "x".repeat(64 * 1024)))), 413, "RequestEntityTooLarge"),
        (unknown.sign(form(&server, CALL)), 403, "InvalidClientTokenId"),
        (guess.sign(form(&server, CALL)), 403, "SignatureDoesNotMatch"),
        (altered, 403, "SignatureDoesNotMatch"),
        (malformed, 400, "IncompleteSignature"),
        (form(&server, CALL), 403, "MissingAuthenticationToken"),
    ] {
        let (got, body) = send(request).await;
        assert!(got == status && body.contains(&format!("<Code>{code}</Code>")), "{got} {body} is not {status} {code}");
        assert!(body.starts_with("<ErrorResponse") && body.contains("<Type>Sender</Type>"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_gets_its_caller_identity() {
    let server = TestServer::start().await;
    let answer = server.aws(&["sts", "get-caller-identity"]).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["Account"], "123456789012");
    assert_eq!(answer["Arn"], "arn:aws:iam::123456789012:root");
    let refused = server.aws_error(&["sts", "get-session-token"]).await;
    assert!(refused.contains("InvalidAction"), "{refused}");
}

#[tokio::test]
async fn nobody_needs_a_permission_to_learn_who_they_are() {
    let db = TestDb::sqlite().await;
    let nobody = TestApp::on(&db).await.with_policies("nobody", Policies::default());
    let request = Request::post("http://127.0.0.1/")
        .header("host", "127.0.0.1")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(CALL.as_bytes().to_vec())
        .unwrap();
    let (status, body) = nobody.send("sts", request).await;
    let body = String::from_utf8(body).unwrap();
    assert!(status.is_success() && body.contains("<Arn>arn:aws:iam::000000000000:user/nobody</Arn>"), "{body}");
}
