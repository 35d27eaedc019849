//! `--trusted-proxies`: whose word is taken on where requests come from.

use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// An address, which is a network of one, or a network in CIDR form.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let alone = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    text.parse().or_else(|_| alone()).map_err(|_| {
        format!(
            "'{text}' is no network of proxies; give addresses or networks, as in 10.0.0.0/8,2001:db8::/32,127.0.0.1"
        )
    })
}

pub(super) fn networks_of_file<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| network(text).map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            (" ::1", "::1", "::2"),
            ("::ffff:10.0.0.7", "10.0.0.7", "::1"),
            ("2001:db8::/32", "2001:db8::9", "2001:db9::"),
        ] {
            let network = network(text).unwrap();
            assert!(network.contains(&inside.parse::<IpAddr>().unwrap()), "{text}");
            assert!(!network.contains(&outside.parse::<IpAddr>().unwrap()), "{text}");
        }
        for text in ["", "10.0.0.0/33", "proxy.internal", "10.0.0", "*"] {
            assert!(network(text).unwrap_err().contains(&format!("'{text}' is no network")), "{text}");
        }
    }
}
