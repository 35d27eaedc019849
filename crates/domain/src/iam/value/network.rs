//! Addresses and networks of conditions, IPv4 and IPv6.

use std::net::IpAddr;

/// A network in CIDR form; bits of the address beyond the prefix do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32`, or an address alone, which is a network of one.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => longest,
        };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    pub(in super::super) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - self.prefix).unwrap_or_default() == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.prefix).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

/// The address of a request. An IPv4 address that a listener for both shows as `::ffff:203.0.113.9` is that of IPv4.
pub(in super::super) fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(parse_address(address).unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_of_its_prefix() {
        for (network, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.7/24", "203.0.113.0", "203.0.112.7"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.6"),
            ("203.0.113.7", "::ffff:203.0.113.7", "::203.0.113.7"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678:9::1", "2001:db8:1234:5679::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ] {
            assert!(contains(network, inside), "{network} {inside}");
            assert!(!contains(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0", "10.0.0.*", "10.0.0.0/8/8", "x"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
