//! What policies decide of a request to the bundle store.

use crate::support::app::TestApp;
use crate::support::database::TestDb;
use crate::support::sign::Signer;
use protium_domain::iam::Policies;
use serde_json::{Value, json};
use std::time::Duration;

/// One request to the store: the status, and the body as text.
async fn send(app: &TestApp, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = http::Request::builder().method(method).uri(format!("http://127.0.0.1{target}"));
    for (name, value) in headers.iter().chain(&[("host", "127.0.0.1"), ("content-length", &body.len().to_string())]) {
        request = request.header(*name, *value);
    }
    let (status, answer) = app.send("s3", request.body(body.as_bytes().to_vec()).unwrap()).await;
    (status.as_u16(), String::from_utf8(answer).unwrap())
}

async fn status(app: &TestApp, method: &str, target: &str) -> u16 {
    send(app, method, target, &[], "").await.0
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

/// With the bucket `bundles` and the objects `a/1` and `b/1` in it.
async fn store() -> (TestDb, TestApp) {
    let db = TestDb::sqlite().await;
    let app = TestApp::on(&db).await;
    for key in ["a/1", "b/1"] {
        app.upload("bundles", key, key.as_bytes().to_vec()).await;
    }
    (db, app)
}

#[tokio::test]
async fn each_operation_is_an_action_on_its_bucket_or_object() {
    let (_db, app) = store().await;
    let (bucket, object) = ("arn:aws:s3:::bundles", "arn:aws:s3:::bundles/a/1");
    let nobody = app.with_policies("nobody", Policies::default());
    for (method, target, action, resource) in [
        ("GET", "/", "s3:ListAllMyBuckets", "*"),
        ("HEAD", "/bundles", "s3:ListBucket", bucket),
        ("GET", "/bundles", "s3:ListBucket", bucket),
        ("GET", "/bundles?list-type=2", "s3:ListBucket", bucket),
        ("GET", "/bundles?location", "s3:GetBucketLocation", bucket),
        ("GET", "/bundles?uploads", "s3:ListBucketMultipartUploads", bucket),
        ("GET", "/bundles/a/1", "s3:GetObject", object),
        ("HEAD", "/bundles/a/1", "s3:GetObject", object),
        ("PUT", "/bundles/a/1", "s3:PutObject", object),
        ("POST", "/bundles/a/1?uploads", "s3:PutObject", object),
        ("DELETE", "/bundles/a/1", "s3:DeleteObject", object),
        ("PUT", "/another", "s3:CreateBucket", "arn:aws:s3:::another"),
        ("DELETE", "/another", "s3:DeleteBucket", "arn:aws:s3:::another"),
    ] {
        let (refused, why) = send(&nobody, method, target, &[], "").await;
        assert_eq!(refused, 403, "{method} {target}");
        let expected = format!("user/nobody is not authorized to perform: {action} on resource: {resource} because");
        assert!(method == "HEAD" || why.contains("<Code>AccessDenied</Code>") && why.contains(&expected), "{why}");
        let one = app.as_user("one", json!(allow(action, resource)));
        let allowed = status(&one, method, target).await;
        assert!((200..300).contains(&allowed), "{method} {target}: {allowed}");
        let others = json!([allow("*", "*"), { "Effect": "Deny", "Action": action, "Resource": resource }]);
        assert_eq!(status(&app.as_user("others", others), method, target).await, 403, "{method} {target}");
    }
    // What is not here is not told to those who may not ask for it.
    assert_eq!(status(&nobody, "GET", "/bundles?policy").await, 403);
    assert_eq!(status(&app, "GET", "/bundles?policy").await, 501);
    assert_eq!(status(&nobody, "GET", "/none/none").await, 403);
}

#[tokio::test]
async fn who_copies_reads_and_writes() {
    let (_db, app) = store().await;
    let from = [("x-amz-copy-source", "/bundles/a/1")];
    let write = allow("s3:PutObject", "arn:aws:s3:::bundles/b/*");
    let writer = app.as_user("writer", json!([write, allow("s3:GetObject", "arn:aws:s3:::bundles/b/*")]));
    let (refused, why) = send(&writer, "PUT", "/bundles/b/2", &from, "").await;
    assert_eq!(refused, 403);
    assert!(why.contains("s3:GetObject on resource: arn:aws:s3:::bundles/a/1"), "{why}");
    let both = app.as_user("both", json!([write, allow("s3:GetObject", "arn:aws:s3:::bundles/a/*")]));
    assert_eq!(send(&both, "PUT", "/bundles/b/2", &from, "").await.0, 200);
    assert_eq!(send(&both, "PUT", "/bundles/a/2", &from, "").await.0, 403);
}

#[tokio::test]
async fn a_list_may_be_allowed_below_a_prefix() {
    let (_db, app) = store().await;
    let below = json!({
        "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bundles",
        "Condition": { "StringLike": { "s3:prefix": "${aws:username}/*" }, "NumericLessThanEquals": { "s3:max-keys": "10" } },
    });
    let ada = app.as_user("a", json!(below));
    for list in ["", "list-type=2&"] {
        let of = |prefix: &str| format!("/bundles?{list}max-keys=10&prefix={prefix}");
        let (allowed, listed) = send(&ada, "GET", &of("a%2F"), &[], "").await;
        assert!(allowed == 200 && listed.contains("<Key>a/1</Key>") && !listed.contains("b/1"), "{listed}");
        assert_eq!(status(&ada, "GET", &of("b%2F")).await, 403);
        assert_eq!(status(&ada, "GET", &format!("/bundles?{list}prefix=a%2F")).await, 403);
        assert_eq!(status(&ada, "GET", &format!("/bundles?{list}max-keys=10")).await, 403);
    }
}

#[tokio::test]
async fn of_many_objects_those_are_deleted_that_may_be() {
    let (_db, app) = store().await;
    let ada = app.as_user("ada", json!(allow("s3:DeleteObject", "arn:aws:s3:::bundles/a/*")));
    let body = "<Delete><Object><Key>a/1</Key></Object><Object><Key>b/1</Key></Object></Delete>";
    let digest = [("content-md5", "/OhR9+tbpgOzkdnyao1UlA==")];
    let (status, answer) = send(&ada, "POST", "/bundles?delete", &digest, body).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("<Deleted><Key>a/1</Key></Deleted>"), "{answer}");
    assert!(answer.contains("<Code>AccessDenied</Code><Key>b/1</Key>"), "{answer}");
    let (_, listed) = send(&app, "GET", "/bundles", &[], "").await;
    assert!(listed.contains("<Key>b/1</Key>") && !listed.contains("<Key>a/1</Key>"), "{listed}");
    // Who may delete nothing does not learn which buckets there are.
    let nobody = app.as_user("bob", json!(allow("s3:GetObject", "*")));
    for bucket in ["bundles", "nowhere"] {
        let (status, answer) = send(&nobody, "POST", &format!("/{bucket}?delete"), &digest, body).await;
        assert!(status == 200 && answer.matches("<Code>AccessDenied</Code>").count() == 2, "{status} {answer}");
    }
    let records = app.ok("ListAuditRecords", json!({ "operation": "DeleteObjects" })).await;
    let mut records: Vec<_> = records["auditRecords"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let told: Value = one["requestParameters"].as_str().map_or(Value::Null, |text| text.parse().unwrap());
            (one["outcome"].clone(), one["resourceArn"].clone(), told)
        })
        .collect();
    records.sort_by_key(|(_, arn, told)| (arn.to_string(), told.is_null()));
    let told = json!({ "bucket": "bundles", "keys": ["a/1"], "deniedKeys": ["b/1"] });
    let denied = |bucket: &str| (json!("DENIED"), json!(format!("arn:aws:s3:::{bucket}/a/1")), Value::Null);
    let expected = [(json!("SUCCEEDED"), json!("arn:aws:s3:::bundles"), told), denied("bundles"), denied("nowhere")];
    assert_eq!(records, expected);
}

#[tokio::test]
async fn a_link_may_what_who_signed_it_may() {
    let (_db, app) = store().await;
    let ada = app.as_user("ada", json!(allow("s3:GetObject", "arn:aws:s3:::bundles/a/*")));
    for (key, expected) in [("a/1", 200), ("b/1", 403)] {
        let request = http::Request::get(format!("http://127.0.0.1/bundles/{key}")).header("host", "127.0.0.1");
        let signer = Signer { expires_in: Some(Duration::from_secs(60)), ..ada.signer("s3") };
        let link = signer.sign(request.body(Vec::new()).unwrap());
        assert_eq!(ada.exchange(link).await.0.as_u16(), expected, "{key}");
    }
}
