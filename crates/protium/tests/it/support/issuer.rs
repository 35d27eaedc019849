//! An identity provider of the test's own: it signs tokens and serves its keys on this machine.

use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// With a 503.
    Down,
    /// With more keys than anybody reads.
    Huge,
    /// By sending the client to where it does answer.
    Redirecting,
    /// As another issuer.
    Posing,
    /// With keys that are somewhere else on this network.
    Luring,
}

/// A listening provider. It ends when it is dropped.
pub struct Issuer {
    pub url: String,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

struct Inner {
    url: String,
    mood: Mutex<Mood>,
    keys: Mutex<Vec<SigningKey>>,
    /// The paths that were asked for.
    asked: Mutex<Vec<String>>,
}

/// A key of a provider.
#[derive(Clone)]
pub struct SigningKey {
    pub id: String,
    pub algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// A fresh one for tokens that are signed in this way.
    pub fn new(id: &str, algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let key = match algorithm {
            Algorithm::ES256 => {
                let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
                EncodingKey::from_ec_der(der.as_ref())
            }
            Algorithm::EdDSA => EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref()),
            Algorithm::RS256 | Algorithm::PS256 => {
                let der = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap().as_der().unwrap();
                // What is within PKCS #8: behind version, algorithm and the head of a string, in 26 bytes.
                EncodingKey::from_rsa_der(&der.as_ref()[26..])
            }
            other => panic!("{other:?} is no algorithm of these tests"),
        };
        Self { id: id.to_owned(), algorithm, key }
    }

    /// The same key for tokens that are signed in another way.
    pub fn by(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// The key as everybody may know it.
    pub fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    /// A token with those claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }
}

impl Issuer {
    /// With one key, `one`, for ES256.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Mutex::new(vec![SigningKey::new("one", Algorithm::ES256)]);
        let mood = Mutex::new(Mood::Well);
        let inner = Arc::new(Inner { url: url.clone(), mood, keys, asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, server }
    }

    /// The name in condition keys and ARNs.
    pub fn identifier(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub fn be(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// Has other keys from now on.
    pub fn rotate(&self, keys: Vec<SigningKey>) {
        *self.inner.keys.lock().unwrap() = keys;
    }

    /// A token, signed with the first key.
    pub fn token(&self, claims: &Value) -> String {
        self.inner.keys.lock().unwrap()[0].sign(claims)
    }

    /// The paths that were asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.asked.lock().unwrap())
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(inner): State<Arc<Inner>>, uri: Uri) -> Response {
    let path = uri.path().to_owned();
    inner.asked.lock().unwrap().push(path.clone());
    let mood = *inner.mood.lock().unwrap();
    let document = |issuer: &str, keys: &str| json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
    let keys = || {
        let keys: Vec<Value> = inner.keys.lock().unwrap().iter().map(SigningKey::public).collect();
        json!({ "keys": keys }).to_string()
    };
    let url = &inner.url;
    let own = document(url, &format!("{url}/keys"));
    match (mood, path.as_str()) {
        (Mood::Down, _) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        (Mood::Huge, "/keys") => format!("{{\"keys\":[{}]}}", vec!["{}"; 400_000].join(",")).into_response(),
        (Mood::Redirecting, "/keys") => {
            (StatusCode::FOUND, [(header::LOCATION, format!("{url}/elsewhere"))]).into_response()
        }
        (Mood::Posing, "/.well-known/openid-configuration") => {
            document("https://issuer.example.com", &format!("{url}/keys")).into_response()
        }
        (Mood::Luring, "/.well-known/openid-configuration") => {
            document(url, "http://169.254.169.254/keys").into_response()
        }
        (_, "/.well-known/openid-configuration") => own.into_response(),
        (_, "/keys" | "/elsewhere") => keys().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
