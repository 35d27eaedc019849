//! What a caller meets who asks too much.

use http::Request;
use protium::store::Call;
use protium::throttle::Allowance;
use serde_json::json;
use std::sync::{Arc, Mutex, mpsc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::wire::{Wire, call};
use crate::support::database::SOON;

const OTHER: &str = "222222222222";
/// More than any bucket here holds.
const MANY: usize = 1000;

async fn narrow() -> Wire {
    Wire::with(|config| config.allowance = Allowance { per_second: [3, 2, 1], at_once: 2, waiting: 2 }).await
}

/// How many calls are answered before one is refused, as SDKs expect it.
async fn answered(wire: &Wire, operation: &str) -> usize {
    for count in 0..MANY {
        let answer = wire.send(operation, b"{}").await;
        if answer.status.is_success() || answer.error().0 != "ThrottlingException" {
            continue;
        }
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("x-amzn-errortype"), "ThrottlingException");
        assert_eq!(answer.error().1, "Rate exceeded");
        return count;
    }
    panic!("{MANY} times {operation} are answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_operation_has_a_bucket_that_fills_again() {
    let wire = narrow().await;
    // More time may pass than the calls themselves take, so that more are answered.
    for (operation, per_second) in [("GetAccountSettings", 3), ("ListServices", 2), ("UpdateAccountSettings", 1)] {
        assert!(answered(&wire, operation).await >= 10 * per_second, "{operation}");
        wire.app.pass(5000);
        assert!(answered(&wire, operation).await >= 5 * per_second, "{operation}");
        wire.app.pass(60_000);
    }
    let text = wire.exchange(Request::get("http://127.0.0.1/metrics").body(Vec::new()).unwrap()).await.text();
    for kind in ["read", "list", "write"] {
        assert!(text.contains(&format!("protium_throttled_requests_total{{kind=\"{kind}\"}} 2")), "{kind}\n{text}");
    }
    assert!(text.contains("protium_unrecorded_refusals_total"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_is_refused_alone_and_leaves_no_record() {
    let wire = narrow().await;
    let other = wire.app.in_account(OTHER);
    answered(&wire, "UpdateAccountSettings").await;
    other.ok("UpdateAccountSettings", json!({})).await;
    wire.app.ok("GetAccountSettings", json!({})).await;
    let found = wire.app.ok("ListAuditRecords", json!({ "outcome": "DENIED" })).await;
    assert_eq!(found["auditRecords"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_store_and_sts_refuse_in_their_own_words() {
    let wire = narrow().await;
    let request = |service: &str, path: &str, form: &[u8]| {
        let request = Request::post(format!("http://127.0.0.1{path}")).header("host", "127.0.0.1");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        wire.signer(service).sign(request.body(form.to_vec()).unwrap())
    };
    let refused = async |service: &str, path: &str, form: &[u8], code: &str| {
        for _ in 0..MANY {
            let text = wire.exchange(request(service, path, form)).await.text();
            if text.contains(&format!("<Code>{code}</Code>")) {
                return;
            }
        }
        panic!("{MANY} calls of {service} are answered");
    };
    refused("s3", "/bundles?delete", b"", "SlowDown").await;
    refused("sts", "/", b"Action=GetCallerIdentity&Version=2011-06-15", "Throttling").await;
}

/// One caller has all its turns, and waits for a database that does not answer; another one is answered meanwhile. Some of
/// its requests wait for a turn, and what is more is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_that_floods_waits_for_its_own_requests() {
    let wire = Wire::with(|config| config.allowance = Allowance { per_second: [0; 3], at_once: 2, waiting: 8 }).await;
    let other = wire.app.in_account(OTHER);
    let (closed, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (count, mut counted) = watch::channel(0);
    wire.app.store().db().set_probe(Some(Arc::new(move |call: Call<'_>| {
        if matches!(call, Call::Statement(sql) if sql.contains("account_settings")) {
            count.send_modify(|count| *count += 1);
            // Until the other end is dropped.
            tokio::task::block_in_place(|| gate.lock().unwrap().recv().unwrap_or_default());
        }
        Ok(())
    })));
    let mut flood: JoinSet<_> = (0..15)
        .map(|_| {
            let (router, request) = (wire.app.router(), wire.signer("proton").sign(call("GetAccountSettings", b"{}")));
            let request = request.map(axum::body::Body::from);
            async move { router.oneshot(request).await.unwrap().into_parts().0 }
        })
        .collect();
    counted.wait_for(|count| *count == 2).await.unwrap();
    other.ok("ListServices", json!({})).await;
    assert_eq!(*counted.borrow(), 2, "the others wait for their turns");
    for _ in 0..5 {
        let refused = timeout(SOON, flood.join_next()).await.expect("not all may wait").unwrap().unwrap();
        assert_eq!(refused.status, 400);
        assert_eq!(refused.headers["x-amzn-errortype"], "ThrottlingException");
    }
    drop(closed);
    for answered in flood.join_all().await {
        assert!(answered.status.is_success(), "{answered:?}");
    }
}
