//! Calls of STS through the router, and what they answer.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::ConnectInfo;
use protium::auth::{Credential, Identity, Secret};
use protium::http::Peer;
use protium_domain::iam::{Attachment, IdentityPolicy, NamedPolicy, Policies, Principal};
use serde_json::{Value, json};
use std::sync::Arc;

use super::app::TestApp;
use super::sign::Signer;

/// A key, for good or for a while.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

/// Code and message of a refusal, with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// The text of the first element of that name; panics if there is none.
pub fn element(xml: &str, name: &str) -> String {
    let found = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    let (text, _) = found.unwrap_or_else(|| panic!("{xml} has no {name}"));
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The credentials that an answer has.
pub fn credentials(xml: &str) -> Key {
    let [id, secret, token] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(xml, name));
    Key { id, secret, token: Some(token) }
}

impl TestApp {
    /// One call of STS: signed with a key, or not; from an address, or from nowhere.
    pub async fn sts(&self, key: Option<&Key>, from: Option<&str>, form: &[(&str, &str)]) -> Result<String, Fault> {
        let encoded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let pairs = [("Version", "2011-06-15")].iter().chain(form);
        let body: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let request = http::Request::post("http://127.0.0.1/")
            .header("host", "127.0.0.1")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(body.join("&").into_bytes())
            .unwrap();
        let mut request = match key {
            Some(key) => self.signer_of(key, "sts").sign(request),
            None => request,
        };
        if let Some(address) = from {
            let address = SocketAddr::new(address.parse().unwrap(), 40_000);
            request.extensions_mut().insert(ConnectInfo(Peer(address)));
        }
        let (status, body) = self.exchange(request).await;
        let body = String::from_utf8(body).unwrap();
        if status.is_success() {
            return Ok(body);
        }
        assert!(body.starts_with("<ErrorResponse"), "{body}");
        Err(Fault { status: status.as_u16(), code: element(&body, "Code"), message: element(&body, "Message") })
    }

    /// Signs with a key, now.
    pub fn signer_of(&self, key: &Key, service: &str) -> Signer {
        let now = u64::try_from(self.app.clock.now_ms()).unwrap();
        Signer {
            at: UNIX_EPOCH + Duration::from_millis(now),
            token: key.token.clone(),
            region: "us-east-1".to_owned(),
            ..Signer::new(&key.id, &key.secret, service)
        }
    }

    /// Who a key stands for.
    pub async fn who(&self, key: &Key) -> Result<String, Fault> {
        let answer = self.sts(Some(key), None, &[("Action", "GetCallerIdentity")]).await?;
        Ok(element(&answer, "Arn"))
    }

    /// A user of an account who has one policy, with a key that this process knows.
    pub fn user(&self, account: &str, name: &str, policy: &Value) -> Key {
        let key = Key { id: format!("AKIA{account}{name}"), secret: format!("the secret of {name}"), token: None };
        let policy = IdentityPolicy::parse(&policy.to_string(), Attachment::Managed).unwrap();
        let identity = vec![Arc::new(NamedPolicy { name: name.to_owned(), policy })];
        let principal = Principal::user(account, name, format!("AIDA{name}"));
        let identity = Identity { principal, policies: Policies { identity, ..Policies::default() } };
        self.app.keys.insert(Credential::new(&key.id, Secret::new(&key.secret), identity));
        key
    }
}

/// A document with one statement that allows something.
pub fn allow(statement: &Value) -> Value {
    let mut statement = statement.clone();
    statement["Effect"] = json!("Allow");
    json!({ "Version": "2012-10-17", "Statement": statement })
}
