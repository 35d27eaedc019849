//! Asking an issuer for its keys: its discovery document, and the key set that this names.
//!
//! Redirects are not followed, and answers are small and soon there, or they are none.

use super::keys::KeySet;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use protium_domain::oidc_provider::is_plain_loopback;
use serde_json::Value;
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The largest answer, in bytes.
const LARGEST: usize = 256 * 1024;
/// How long both requests together may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of an issuer.
///
/// # Errors
/// They can't be had; the text says why, for the log.
pub(super) async fn keys(issuer: &str) -> Result<KeySet, String> {
    let asked = tokio::time::timeout(PATIENCE, ask(issuer)).await;
    asked.unwrap_or_else(|_| Err(format!("it did not answer within {} s", PATIENCE.as_secs())))
}

async fn ask(issuer: &str) -> Result<KeySet, String> {
    let document = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let found: Value = serde_json::from_slice(&get(&document).await?)
        .map_err(|error| format!("the answer of {document} is no JSON: {error}"))?;
    if found.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(format!("{document} is not of this issuer: its member `issuer` differs"));
    }
    let keys = found.get("jwks_uri").and_then(Value::as_str).ok_or(format!("{document} has no `jwks_uri`"))?;
    // An issuer elsewhere must not send us to this machine's own services.
    let is_safe = keys.starts_with("https://") || (is_plain_loopback(issuer) && is_plain_loopback(keys));
    if !is_safe {
        return Err(format!("the `jwks_uri` of {document} is no https URL"));
    }
    KeySet::read(&get(keys).await?)
}

async fn get(url: &str) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
    let client = Client::builder(TokioExecutor::new()).build(connector(&uri)?);
    let request = Request::get(uri)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("protium/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = client.request(request).await.map_err(|error| format!("{url}: {}", with_cause(&error)))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("{url} answers {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| format!("the answer of {url} can't be read: {error}"))
}

/// Made anew each time, which is rarely: authorities that the system trusts meanwhile are trusted.
fn connector(uri: &Uri) -> Result<HttpsConnector<HttpConnector>, String> {
    let provider = aws_lc_rs::default_provider();
    let builder = HttpsConnectorBuilder::new();
    let builder = if uri.scheme_str() == Some("https") {
        let trusting = builder.with_provider_and_native_roots(provider);
        trusting.map_err(|error| format!("the certificates of the system can't be read: {error}"))?
    } else {
        let config = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?;
        builder.with_tls_config(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    };
    Ok(builder.https_or_http().enable_http1().build())
}

/// What went wrong, and what that came of.
fn with_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
