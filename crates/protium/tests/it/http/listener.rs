//! One listener: who answers a request.

use axum::body::Body;
use http::{Request, StatusCode};
use protium::config::Role;
use protium::http::TooSlow;
use protium::store::{Call, DbError, DbErrorKind};
use std::sync::Arc;
use std::time::Duration;

use super::wire::{Wire, call};
use crate::support::sign::Signer;

fn get(path: &str) -> Request<Vec<u8>> {
    Request::get(format!("http://127.0.0.1{path}")).header("host", "127.0.0.1").body(Vec::new()).unwrap()
}

fn form(body: &str) -> Request<Vec<u8>> {
    Request::post("http://127.0.0.1/")
        .header("host", "127.0.0.1")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(body.as_bytes().to_vec())
        .unwrap()
}

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test]
async fn operations_paths_answer_who_does_not_sign() {
    let wire = Wire::start().await;
    let health = wire.exchange(get("/healthz")).await;
    assert_eq!((health.status, health.text().as_str()), (StatusCode::OK, "ok\n"));
    let ready = wire.exchange(get("/readyz")).await;
    assert_eq!((ready.status, ready.text().as_str()), (StatusCode::OK, "ready\n"));
    let metrics = wire.exchange(get("/metrics")).await;
    assert_eq!(metrics.status, StatusCode::OK);
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"), "{metrics:?}");
}

#[tokio::test]
async fn signed_requests_to_operations_paths_go_where_they_were_signed_for() {
    let wire = Wire::start().await;
    for path in ["/healthz", "/readyz", "/metrics", "/console/x", "/hooks/a/b"] {
        // For the bundle store they are buckets, and these names belong to nobody.
        let signed = wire.exchange(wire.signer("s3").sign(get(path))).await;
        assert!(signed.text().contains("<Code>"), "{path}: {}", signed.text());
        let presigned = Signer { expires_in: Some(Duration::from_secs(60)), ..wire.signer("s3") };
        let presigned = wire.exchange(presigned.sign(get(path))).await;
        assert!(presigned.text().contains("<Code>"), "{path}: {}", presigned.text());
        let proton = wire.exchange(wire.signer("proton").sign(get(path))).await;
        assert_eq!(proton.error().0, "UnknownOperationException", "{path}");
        let sts = wire.exchange(wire.signer("sts").sign(get(path))).await;
        assert!(sts.text().starts_with("<ErrorResponse"), "{path}: {}", sts.text());
    }
}

#[tokio::test]
async fn the_scope_of_the_signature_wins_over_target_and_form() {
    let wire = Wire::start().await;
    let mut target = form(WHO);
    target.headers_mut().insert("x-amz-target", "AwsProton20200720.ListServices".parse().unwrap());
    let sts = wire.exchange(wire.signer("sts").sign(target)).await;
    assert_eq!(sts.status, StatusCode::OK, "{}", sts.text());
    assert!(sts.text().contains("<Account>"), "{}", sts.text());
    let proton = wire.exchange(wire.signer("proton").sign(form(WHO))).await;
    assert_eq!(proton.error().0, "UnknownOperationException");
    let s3 = wire.exchange(wire.signer("s3").sign(call("ListServices", b"{}"))).await;
    assert!(s3.text().contains("<Code>"), "{}", s3.text());
}

#[tokio::test]
async fn without_a_signature_the_target_wins_over_the_form_and_the_form_over_the_bundle_store() {
    let wire = Wire::start().await;
    let mut both = form(WHO);
    both.headers_mut().insert("x-amz-target", "AwsProton20200720.ListServices".parse().unwrap());
    assert_eq!(wire.exchange(both).await.error().0, "MissingAuthenticationTokenException");
    let sts = wire.exchange(form(WHO)).await;
    assert!(sts.text().contains("<Code>MissingAuthenticationToken</Code>"), "{}", sts.text());
    for path in ["/", "/bucket/key", "/console/", "/healthz/more", "/run/token"] {
        let anything = wire.exchange(get(path)).await;
        assert!(anything.text().contains("<Code>AccessDenied</Code>"), "{path}: {}", anything.text());
    }
}

#[tokio::test]
async fn a_process_is_not_ready_while_its_database_is_gone_and_alive_all_the_same() {
    let wire = Wire::start().await;
    wire.app.store().db().set_probe(Some(Arc::new(|call| match call {
        Call::Statement(_) => Err(DbError::new(DbErrorKind::Unavailable, "the cable is out")),
        _ => Ok(()),
    })));
    let ready = wire.exchange(get("/readyz")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!ready.text().contains("cable"), "the cause is for the log: {}", ready.text());
    assert_eq!(wire.exchange(get("/healthz")).await.status, StatusCode::OK);
    assert_eq!(wire.exchange(get("/metrics")).await.status, StatusCode::OK);
    wire.app.store().db().set_probe(None);
    assert_eq!(wire.exchange(get("/readyz")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_process_that_only_works_answers_the_operations_paths_and_nothing_else() {
    let wire = Wire::with(|config| config.role = Role::Worker).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(wire.exchange(get(path)).await.status, StatusCode::OK, "{path}");
    }
    for request in [wire.signer("s3").sign(get("/")), wire.signer("sts").sign(form(WHO)), get("/")] {
        let answer = wire.exchange(request).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text().contains("--role api"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_the_clients_fault_and_named_as_each_protocol_does() {
    let wire = Wire::start().await;
    let put = Request::put("http://127.0.0.1/bundles/k").header("host", "127.0.0.1").header("content-length", "9");
    let unsigned = Signer { declared: Some("UNSIGNED-PAYLOAD".to_owned()), ..wire.signer("s3") };
    let bucket = Request::put("http://127.0.0.1/bundles").header("host", "127.0.0.1").body(Vec::new()).unwrap();
    assert_eq!(wire.exchange(wire.signer("s3").sign(bucket)).await.status, StatusCode::OK);
    for (request, said) in [
        (call("ListServices", b""), "SerializationException"),
        (form(""), "<Code>RequestTimeout</Code>"),
        (unsigned.sign(put.body(Vec::new()).unwrap()), "<Code>RequestTimeout</Code>"),
        (unsigned.sign(post("/bundles?delete")), "<Code>RequestTimeout</Code>"),
    ] {
        let parts = [Ok("{"), Err(TooSlow)];
        let answer = wire.stream(request.map(|_| Body::from_stream(futures::stream::iter(parts)))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        assert!(answer.text().contains(said) && answer.text().contains("too slowly"), "{}", answer.text());
    }
}

fn post(path: &str) -> Request<Vec<u8>> {
    Request::post(format!("http://127.0.0.1{path}")).header("host", "127.0.0.1").body(Vec::new()).unwrap()
}
