//! Where a request came from.
//!
//! A proxy that is trusted (`--trusted-proxies`) is believed what it says of its client in `X-Forwarded-For` and
//! `X-Forwarded-Proto`; whoever else sends these headers is not.

use super::Peer;
use crate::config::Config;
use crate::operations::Origin;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, header};
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The origin of a request with these headers that comes in at `at` (milliseconds since 1970), under a new id.
pub(super) fn origin(config: &Config, at: i64, headers: &HeaderMap, extensions: &Extensions) -> Origin {
    let is_proxy = peer(extensions).is_some_and(|peer| trusts(config, &peer));
    let proto = values(headers, FORWARDED_PROTO).next_back().filter(|_| is_proxy);
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Origin {
        source_ip: client(config, headers, extensions),
        is_secure: proto.map_or(config.tls.is_some(), |proto| proto.eq_ignore_ascii_case("https")),
        user_agent: agent.unwrap_or_default().to_owned(),
        ..Origin::new(at)
    }
}

/// The address of the client that a request is from, which may be a trusted proxy itself. `None` if nobody says.
pub(super) fn client(config: &Config, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let peer = peer(extensions)?;
    let trusts = |address: &IpAddr| trusts(config, address);
    if trusts(&peer) { farthest(peer, values(headers, FORWARDED_FOR).rev(), trusts) } else { Some(peer) }
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(address))| address.ip().to_canonical())
}

fn trusts(config: &Config, address: &IpAddr) -> bool {
    config.trusted_proxies.iter().any(|network| network.contains(address))
}

/// The values of a header that is a list, however many lines it has.
fn values<'h>(headers: &'h HeaderMap, name: &'static str) -> impl DoubleEndedIterator<Item = &'h str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    lines.into_iter().flat_map(|line| line.split(',')).map(str::trim)
}

/// The client in front of trusted proxies: each adds whom it was asked by at the end, so the last address that is none
/// of theirs is the client's; what stands before that is its own claim. `None` if one of them does not say.
fn farthest<'h>(peer: IpAddr, hops: impl Iterator<Item = &'h str>, trusts: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let mut farthest = peer;
    for hop in hops {
        let address = address(hop)?;
        farthest = address;
        if !trusts(&address) {
            break;
        }
    }
    Some(farthest)
}

/// An address as proxies write it: some add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServeArgs;

    /// The client's address and whether it came over HTTPS, of a request from `peer` with these headers.
    fn seen(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let config = Config::new(ServeArgs { trusted_proxies, ..ServeArgs::default() }).unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(Peer(SocketAddr::new(peer.parse().unwrap(), 4711))));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let origin = origin(&config, 0, &map, &extensions);
        (origin.source_ip.map_or_else(|| "unknown".to_owned(), |address| address.to_string()), origin.is_secure)
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        for (peer, forwarded, expected) in [
            ("203.0.113.7", "", "203.0.113.7"),
            ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
            ("10.0.0.1", "", "unknown"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "192.0.2.9, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "192.0.2.9,198.51.100.1 ,10.0.0.2", "198.51.100.1"),
            ("fd00::1", "[2001:db8::9]:443, fd00::2", "2001:db8::9"),
            ("fd00::1", "198.51.100.1:51000", "198.51.100.1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "198.51.100.1, unknown", "unknown"),
            ("10.0.0.1", "unknown, 198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(seen(peer, &[(FORWARDED_FOR, forwarded)]).0, expected, "{peer} {forwarded}");
        }
        assert_eq!(seen("10.0.0.1", &[]).0, "10.0.0.1");
        assert_eq!(
            seen("10.0.0.1", &[(FORWARDED_FOR, "192.0.2.9"), (FORWARDED_FOR, "198.51.100.1")]).0,
            "198.51.100.1"
        );
    }

    #[test]
    fn what_a_trusted_proxy_was_asked_over_counts() {
        for (peer, proto, expected) in [
            ("10.0.0.1", "https", true),
            ("10.0.0.1", "HTTPS", true),
            ("10.0.0.1", "http", false),
            ("10.0.0.1", "https, http", false),
            ("203.0.113.7", "https", false),
        ] {
            assert_eq!(seen(peer, &[(FORWARDED_PROTO, proto)]).1, expected, "{peer} {proto}");
        }
        assert!(!seen("10.0.0.1", &[]).1);
    }
}
