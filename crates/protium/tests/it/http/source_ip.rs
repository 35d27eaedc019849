//! Policies that look at where a request comes from: past proxies, those that are trusted and others.

use super::wire::{Wire, call};
use crate::support::app::ACCOUNT;
use axum::extract::ConnectInfo;
use protium::http::Peer;
use serde_json::json;
use std::net::SocketAddr;

#[tokio::test]
async fn a_condition_on_the_address_sees_past_trusted_proxies_and_believes_nobody_else() {
    let wire = Wire::with(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    wire.send("CreateServiceTemplate", br#"{"name":"mine","pipelineProvisioning":"CUSTOMER_MANAGED"}"#).await.ok();
    let office = json!({ "aws:SourceIp": "203.0.113.0/24" });
    let allowed = json!({ "Effect": "Allow", "Action": "proton:*", "Resource": "*" });
    let with = |effect: &str, operator: &str| {
        let mut statement = allowed.clone();
        statement["Effect"] = effect.into();
        statement["Condition"] = json!({ operator: office });
        statement
    };
    let policy = |statements: serde_json::Value| json!({ "Version": "2012-10-17", "Statement": statements });
    let users = [
        wire.app.user(ACCOUNT, "allowed", &policy(json!([with("Allow", "IpAddress")]))),
        wire.app.user(ACCOUNT, "denied", &policy(json!([allowed, with("Deny", "NotIpAddress")]))),
    ];
    for (peer, forwarded, is_allowed) in [
        ("203.0.113.7", None, true),
        ("198.51.100.1", None, false),
        // Whoever is no proxy says of himself what he likes.
        ("198.51.100.1", Some("203.0.113.7"), false),
        ("203.0.113.7", Some("198.51.100.1"), true),
        ("10.0.0.1", Some("203.0.113.7"), true),
        ("10.0.0.1", Some("203.0.113.7, 10.0.0.2"), true),
        // The last one that is no proxy counts: what stands before is its own claim.
        ("10.0.0.1", Some("203.0.113.7, 198.51.100.1"), false),
        ("10.0.0.1", Some("198.51.100.1, 203.0.113.7"), true),
        // Nobody says where that came from.
        ("10.0.0.1", Some("unknown"), false),
        ("10.0.0.1", None, false),
    ] {
        for user in &users {
            let request = call("GetServiceTemplate", br#"{"name":"mine"}"#);
            let mut request = wire.app.signer_of(user, "proton").sign(request);
            let address = SocketAddr::new(peer.parse().unwrap(), 4711);
            request.extensions_mut().insert(ConnectInfo(Peer(address)));
            if let Some(forwarded) = forwarded {
                request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            let answer = wire.exchange(request).await;
            if is_allowed {
                answer.ok();
            } else {
                assert_eq!(answer.error().0, "AccessDeniedException", "{peer} {forwarded:?} {user:?}");
            }
        }
    }
}
