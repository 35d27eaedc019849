//! Where a request came from.

use super::Peer;
use crate::config::Config;
use crate::operations::Origin;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, header};

/// The origin of a request with these headers, under a new id.
pub(super) fn origin(config: &Config, headers: &HeaderMap, extensions: &Extensions) -> Origin {
    let peer = extensions.get::<ConnectInfo<Peer>>();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Origin {
        request_id: uuid::Uuid::new_v4(),
        source_ip: peer.map(|ConnectInfo(Peer(address))| address.ip().to_canonical()),
        is_secure: config.tls.is_some(),
        user_agent: agent.unwrap_or_default().to_owned(),
    }
}
