//! The one listener: which part of Protium a request is for.
//!
//! Told apart in the order of the contract: operations paths without a signature, runs, then the service
//! that was signed for, then the target, then STS forms, then hosts of buckets, then S3.

mod aws_json;
mod bounds;
mod health;
mod keys;
mod metrics;
mod origin;
pub mod s3;
mod sessions;
mod sts;

use crate::app::App;
use crate::auth::sigv4::ClaimedCredential;
use crate::config::Role;
use crate::crowd::{Full, Place};
use crate::operations::run_token;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Router, routing};
use bounds::Bounds;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

pub use keys::save_uses;
pub use metrics::Metrics;

/// The largest body of a Proton request, in bytes.
const JSON_LIMIT: usize = 1024 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct Front {
    pub app: Arc<App>,
    pub s3: Arc<s3::S3>,
    pub metrics: Metrics,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Why a body does not come to its end: its client sends it too slowly.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body comes too slowly; see [connections] in the configuration of the server")]
pub struct TooSlow;

impl TooSlow {
    /// Whether that is the cause of an error.
    fn is_cause_of(error: &(dyn std::error::Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<Self>())
    }
}

/// The service of the listener.
pub fn router(front: Front) -> Router {
    let bounds = Arc::new(Bounds::new(&front.app.config));
    Router::new().fallback(routing::any(route)).with_state((front, bounds))
}

async fn route(State((front, bounds)): State<(Front, Arc<Bounds>)>, request: Request) -> Response {
    let works_only = front.app.config.role == Role::Worker;
    let claimed = ClaimedCredential::find(request.headers(), request.uri().query());
    let signed_for = claimed.as_ref().and_then(ClaimedCredential::service);
    let destination = destination(&request, signed_for, front.app.config.s3_domain.as_deref());
    let place = enter(&front, &bounds, &destination, &request);
    let Ok(_place) = place else { return health::busy() };
    if let Some(claimed) = &claimed {
        let learned = match claimed.token() {
            Some(token) => Box::pin(sessions::learn(&front.app, claimed.key(), token)).await,
            None => keys::learn(&front.app, claimed.key(), &bounds.look_ups).await,
        };
        if let Err(error) = learned {
            tracing::warn!("whose an access key is can't be looked up: {error}");
            return health::unavailable();
        }
    }
    // The large futures of the rare ones are made apart, so that all requests needn't carry their size.
    match destination {
        Destination::Sts | Destination::S3 if works_only => health::only_a_worker(),
        Destination::Health => health::alive(),
        Destination::Ready => {
            let app = Arc::clone(&front.app);
            health::readiness(bounds.ready.look(|| async move { health::is_ready(&app).await }).await)
        }
        Destination::Metrics => {
            let Front { app, metrics, .. } = front;
            metrics::answer(bounds.metrics.look(|| async move { Bytes::from(metrics.render(&app).await) }).await)
        }
        Destination::Proton => aws_json::answer(&front, request, None).await,
        Destination::Run(token) => Box::pin(aws_json::answer(&front, request, Some(token))).await,
        Destination::Sts => Box::pin(sts::answer(&front.app, request)).await,
        Destination::S3 => {
            let origin =
                origin::origin(&front.app.config, front.app.clock.now_ms(), request.headers(), request.extensions());
            Box::pin(front.s3.answer(request, origin)).await
        }
    }
}

/// A place for a request. None is needed for who looks whether the server is well, and is answered in any case.
fn enter(front: &Front, bounds: &Bounds, destination: &Destination, request: &Request) -> Result<Option<Place>, Full> {
    if matches!(destination, Destination::Health | Destination::Ready | Destination::Metrics) {
        return Ok(None);
    }
    let client = origin::client(&front.app.config, request.headers(), request.extensions());
    let place = bounds.places.enter(client);
    if let Err(full) = &place {
        front.metrics.turned_away(match full {
            Full::All => "most-requests",
            Full::Address => "most-requests-per-address",
        });
    }
    place.map(Some)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Destination {
    Health,
    Ready,
    Metrics,
    Proton,
    /// A run of commands, known by its token.
    Run(String),
    Sts,
    S3,
}

fn destination(request: &Request<Body>, signed_for: Option<&str>, s3_domain: Option<&str>) -> Destination {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    let presigned = query.split('&').any(|pair| pair.starts_with("X-Amz-Credential="));
    let signed = presigned || request.headers().contains_key("authorization");
    if !signed {
        match request.uri().path() {
            "/healthz" => return Destination::Health,
            "/readyz" => return Destination::Ready,
            "/metrics" => return Destination::Metrics,
            _ => {}
        }
    }
    let targeted = || header(protium_api::aws_json::TARGET).is_some();
    // Clients end the path of an endpoint with a slash.
    if let Some(token) = request.uri().path().strip_prefix(run_token::PATH)
        && request.method() == axum::http::Method::POST
        && targeted()
    {
        return Destination::Run(token.trim_end_matches('/').to_owned());
    }
    match signed_for {
        Some("s3") => return Destination::S3,
        Some("sts") => return Destination::Sts,
        Some("proton") => return Destination::Proton,
        Some(_) | None => {}
    }
    if targeted() {
        return Destination::Proton;
    }
    let is_form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    // HTTP/2 says in the address of the request what HTTP/1 says in a header.
    let host = header("host").or(request.uri().host());
    let of_bucket = s3_domain.zip(host).is_some_and(|(domain, host)| is_under(host, domain));
    if is_form && request.method() == axum::http::Method::POST && request.uri().path() == "/" && !of_bucket {
        return Destination::Sts;
    }
    Destination::S3
}

/// Whether `host` (with or without a port) is a subdomain of `domain`.
fn is_under(host: &str, domain: &str) -> bool {
    let host = host.split_once(':').map_or(host, |(name, _)| name);
    let end = host.len().saturating_sub(domain.len());
    host.get(end..).is_some_and(|end| end.eq_ignore_ascii_case(domain))
        && host.get(..end).is_some_and(|bucket| bucket.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is moved from layer to layer, for each request: what is large and rare in it stands on the heap.
    #[test]
    fn the_future_of_a_request_is_small() {
        fn size<A, B, F: Future>(_: impl Fn(A, B) -> F) -> usize {
            std::mem::size_of::<F>()
        }
        let size = size(route);
        assert!(size <= 4096, "{size} bytes");
    }

    fn to(method: &str, uri: &str, headers: &[(&str, &str)]) -> Destination {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let claimed = ClaimedCredential::find(request.headers(), request.uri().query());
        destination(&request, claimed.as_ref().and_then(ClaimedCredential::service), Some("buckets.example"))
    }

    fn scope(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn the_signed_service_decides() {
        for (service, destination) in
            [("s3", Destination::S3), ("sts", Destination::Sts), ("proton", Destination::Proton)]
        {
            assert_eq!(to("POST", "/metrics", &[("authorization", &scope(service))]), destination);
            let presigned = format!("/x?X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2F{service}%2Faws4_request");
            assert_eq!(to("GET", &presigned, &[]), destination);
        }
    }

    #[test]
    fn operations_paths_are_only_for_unsigned_requests() {
        assert_eq!(to("GET", "/healthz", &[]), Destination::Health);
        assert_eq!(to("GET", "/readyz", &[]), Destination::Ready);
        assert_eq!(to("GET", "/metrics", &[]), Destination::Metrics);
        assert_eq!(to("GET", "/metrics", &[("authorization", "x")]), Destination::S3);
        assert_eq!(to("GET", "/healthz/", &[]), Destination::S3);
    }

    #[test]
    fn runs_are_known_by_their_path_however_they_sign() {
        let target = ("x-amz-target", "AwsProton20200720.NotifyResourceDeploymentStatusChange");
        let run = Destination::Run("abc".to_owned());
        for path in ["/run/abc", "/run/abc/"] {
            assert_eq!(to("POST", path, &[target]), run);
            assert_eq!(to("POST", path, &[target, ("authorization", &scope("proton"))]), run);
        }
        assert_eq!(to("GET", "/run/abc", &[target]), Destination::Proton);
        assert_eq!(to("POST", "/run/abc", &[]), Destination::S3);
        assert_eq!(to("PUT", "/run/abc", &[("authorization", &scope("s3"))]), Destination::S3);
    }

    #[test]
    fn without_a_signature_the_target_then_the_form_then_the_host_decide() {
        assert_eq!(to("POST", "/", &[("x-amz-target", "AwsProton20200720.GetService")]), Destination::Proton);
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(to("POST", "/", &[form]), Destination::Sts);
        for host in ["b.buckets.example:8420", "B.Buckets.Example"] {
            assert_eq!(to("POST", "/", &[form, ("host", host)]), Destination::S3);
        }
        assert_eq!(to("POST", "https://b.buckets.example/", &[form]), Destination::S3);
        for host in ["buckets.example", "notbuckets.example", "example", ""] {
            assert_eq!(to("POST", "/", &[form, ("host", host)]), Destination::Sts);
        }
        assert_eq!(to("GET", "/", &[]), Destination::S3);
        assert_eq!(to("GET", "/bucket/key", &[]), Destination::S3);
    }
}
