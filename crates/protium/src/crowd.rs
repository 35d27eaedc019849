//! How many there are at once, in all and from each address: connections, and requests.

use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts who is in. Does not know what for.
#[derive(Debug)]
pub(crate) struct Crowd {
    most: usize,
    most_per_address: usize,
    /// Proxies: whoever is behind them has their addresses.
    many_behind: Vec<IpNet>,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    All,
    Address,
}

/// One who is in, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    /// Where it is counted beside all others.
    address: Option<IpAddr>,
}

impl Crowd {
    /// Addresses of the networks `many_behind` may have all places.
    pub(crate) fn new(most: usize, most_per_address: usize, many_behind: &[IpNet]) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, many_behind: many_behind.to_vec(), inside: Mutex::default() })
    }

    /// A place for somebody from that address; who comes from an unknown one is counted among all only.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let address = address.map(|address| address.to_canonical());
        let is_one = |address: &IpAddr| !self.many_behind.iter().any(|network| network.contains(address));
        let address = address.filter(is_one).map(network);
        let mut inside = self.inside();
        if inside.all >= self.most {
            return Err(Full::All);
        }
        if let Some(address) = address {
            let here = inside.by_address.entry(address).or_default();
            if *here >= self.most_per_address {
                return Err(Full::Address);
            }
            *here += 1;
        }
        inside.all += 1;
        Ok(Place { crowd: Arc::clone(self), address })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside();
        inside.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(here) = inside.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                inside.by_address.remove(&address);
            }
        }
    }
}

/// Whom a canonical address stands for: hosts have as many IPv6 addresses as they like, of one network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn there_are_so_many_places_for_each_address_and_so_many_in_all() {
        let crowd = Crowd::new(3, 2, &[]);
        let first = crowd.enter(ip("10.0.0.1")).expect("a place");
        let second = crowd.enter(ip("::ffff:10.0.0.1")).expect("a place");
        assert_eq!(crowd.enter(ip("10.0.0.1")).unwrap_err(), Full::Address);
        let _third = crowd.enter(ip("10.0.0.2")).expect("a place");
        assert_eq!(crowd.enter(ip("10.0.0.3")).unwrap_err(), Full::All);
        drop((first, second));
        assert_eq!(crowd.inside().all, 1);
        assert_eq!(crowd.inside().by_address.len(), 1, "who is gone is forgotten");
        let _again = crowd.enter(ip("10.0.0.1")).expect("a place");
    }

    #[test]
    fn a_host_with_many_addresses_is_one() {
        let crowd = Crowd::new(9, 1, &[]);
        let _one = crowd.enter(ip("2001:db8::1")).expect("a place");
        assert_eq!(crowd.enter(ip("2001:db8::ffff:2")).unwrap_err(), Full::Address);
        let _other = crowd.enter(ip("2001:db8:0:1::1")).expect("a place");
    }

    #[test]
    fn many_are_behind_a_proxy_and_behind_an_unknown_address() {
        let proxies = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
        for address in [ip("10.0.0.1"), ip("::ffff:10.0.0.1"), ip("fd00::1"), None] {
            let crowd = Crowd::new(3, 1, &proxies);
            let places = [(); 3].map(|()| crowd.enter(address).expect("a place"));
            assert_eq!(crowd.enter(ip("192.0.2.1")).unwrap_err(), Full::All, "{address:?}");
            drop(places);
            assert_eq!(crowd.inside().all, 0);
            let _one = crowd.enter(ip("192.0.2.1")).expect("a place");
            assert_eq!(crowd.enter(ip("192.0.2.1")).unwrap_err(), Full::Address);
        }
    }
}
