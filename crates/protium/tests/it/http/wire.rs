//! Requests as bytes, and answers with their heads, through the application's router.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use protium::auth::{Credential, Identity, Secret};
use protium::config::Config;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::app::{ACCOUNT, TestApp, target};
use crate::support::database::TestDb;
use crate::support::sign::Signer;

const ID: &str = "AKIAWIRETESTS0000001";
const SECRET: &str = "a secret that only this file knows";

/// An application on a database of its own, and a key of its root user.
pub(super) struct Wire {
    pub(super) app: TestApp,
    _db: TestDb,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With changed settings.
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let db = TestDb::sqlite().await;
        let app = TestApp::with(&db, change).await;
        app.app.keys.insert(Credential::new(ID, Secret::new(SECRET), Identity::root(ACCOUNT)));
        Self { app, _db: db }
    }

    pub(super) fn signer(&self, service: &str) -> Signer {
        Signer { region: "us-east-1".to_owned(), ..Signer::new(ID, SECRET, service) }
    }

    /// Signed for the API, with exactly this body.
    pub(super) async fn send(&self, operation: &str, body: &[u8]) -> Answer {
        self.exchange(self.signer("proton").sign(call(operation, body))).await
    }

    /// As it is.
    pub(super) async fn exchange(&self, request: Request<Vec<u8>>) -> Answer {
        self.stream(request.map(Body::from)).await
    }

    /// As it is, with a body that comes as it comes.
    pub(super) async fn stream(&self, request: Request<Body>) -> Answer {
        let answer = self.app.router().oneshot(request).await.expect("the router does not fail");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }
}

/// A call of the API, not yet signed.
pub(super) fn call(operation: &str, body: &[u8]) -> Request<Vec<u8>> {
    Request::post("http://127.0.0.1/")
        .header("host", "127.0.0.1")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target(operation))
        .body(body.to_vec())
        .expect("a request")
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.text()))
    }

    /// The body of an answer that is no error.
    #[track_caller]
    pub(super) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()
    }

    /// The bare code and the message of an error of the API.
    #[track_caller]
    pub(super) fn error(&self) -> (String, String) {
        let body = self.json();
        let kind = body["__type"].as_str().unwrap_or_else(|| panic!("no error: {}", self.text()));
        let code = kind.rsplit_once('#').expect("a namespace").1;
        (code.to_owned(), body["message"].as_str().expect("a message").to_owned())
    }
}
