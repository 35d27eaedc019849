//! The bundle store on a listener of its own, and a client that signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use protium::audit::Audit;
use protium::auth::{Credential, Identity, Keys, Secret};
use protium::clock::Clock;
use protium::config::AuditSettings;
use protium::http::s3::{Blobs, S3};
use protium::operations::Origin;
use protium::store::Store;
use protium::throttle::{Allowance, Throttle};

use super::database::TestDb;
use super::sign::Signer;

const SECRET: &str = "a secret/of+forty characters, or so";

/// A listening bundle store. It ends when it is dropped.
pub struct BundleStore {
    pub store: Store,
    pub blobs: Blobs,
    pub clock: Clock,
    pub url: String,
    folder: PathBuf,
    server: tokio::task::JoinHandle<()>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl BundleStore {
    /// With two accounts, `111111111111` and `222222222222`, whose key ids begin with `AKID`.
    pub async fn on(db: &TestDb) -> Self {
        Self::start(db.store(), db.folder()).await
    }

    pub async fn start(store: Store, folder: &Path) -> Self {
        let keys = ["111111111111", "222222222222"]
            .map(|account| Credential::new(format!("AKID{account}"), Secret::new(SECRET), Identity::root(account)));
        let blobs = Blobs::open(folder).expect("a folder");
        let clock = Clock::default();
        let keys = Arc::new(Keys::new(keys));
        let settings = AuditSettings { retention: Some(Duration::from_secs(3600)), log: None };
        let audit = Audit::open(store.clone(), clock.clone(), &settings).expect("no file");
        let bounds = (Arc::new(audit), Arc::new(Throttle::new(Allowance::ALL)));
        let s3 = S3::new(store.clone(), blobs.clone(), keys, clock.clone(), bounds, Some("s3.test"));
        let (s3, time) = (Arc::new(s3), clock.clone());
        let route = move |request| {
            // From nowhere that is known.
            let (s3, origin) = (Arc::clone(&s3), Origin::new(time.now_ms()));
            async move { s3.answer(request, origin).await }
        };
        let router = axum::Router::new().fallback(axum::routing::any(route));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { store, blobs, clock, url, folder: folder.to_owned(), server }
    }

    pub fn signer(&self) -> Signer {
        Signer::new("AKID111111111111", SECRET, "s3")
    }

    pub fn other_account(&self) -> Signer {
        Signer::new("AKID222222222222", SECRET, "s3")
    }

    /// A request to a path (and query) of the store, not yet signed.
    pub fn request(&self, method: &str, target: &str) -> http::request::Builder {
        let host = self.url.strip_prefix("http://").expect("a URL");
        Request::builder().method(method).uri(format!("{}{target}", self.url)).header("host", host)
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = client.request(request.map(|body| Full::new(body.into()))).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Signs and sends.
    pub async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.call_as(&self.signer(), method, target, headers, body).await
    }

    pub async fn call_as(
        &self,
        signer: &Signer,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let request =
            headers.iter().fold(self.request(method, target), |request, (name, value)| request.header(*name, *value));
        self.send(signer.sign(request.body(body.to_vec()).expect("a request"))).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.call("GET", target, &[], b"").await
    }

    #[track_caller]
    pub fn put(&self, target: &str, body: &[u8]) -> impl Future<Output = Answer> {
        let (target, body) = (target.to_owned(), body.to_vec());
        async move { self.call("PUT", &target, &[], &body).await.ok() }
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.call("DELETE", target, &[], b"").await
    }

    /// The names of all files that hold objects or parts, or began to.
    pub fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in std::fs::read_dir(self.folder.join("objects")).expect("a folder") {
            let folder = folder.expect("an entry").path();
            // Beside the folders stands the lock of backups.
            if !folder.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(folder).expect("a folder") {
                names.push(file.expect("an entry").file_name().into_string().expect("a name"));
            }
        }
        names.sort();
        names
    }
}

impl Drop for BundleStore {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Answer {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self
    }

    /// Status and code of an error.
    pub fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.tag("Code").unwrap_or_default())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The text in the first element of that name.
    pub fn tag(&self, name: &str) -> Option<String> {
        self.tags(name).into_iter().next()
    }

    /// The texts in the elements of that name.
    pub fn tags(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
    }
}
