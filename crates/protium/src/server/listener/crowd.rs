//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts who is in. Does not know what a connection is.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    most_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    All,
    Address,
}

/// One who is in, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, inside: Mutex::default() })
    }

    /// A place for a connection from that address.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = network(address);
        let mut inside = self.inside();
        if inside.all >= self.most {
            return Err(Full::All);
        }
        let here = inside.by_address.entry(address).or_default();
        if *here >= self.most_per_address {
            return Err(Full::Address);
        }
        *here += 1;
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
        if let Some(here) = inside.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                inside.by_address.remove(&self.address);
            }
        }
    }
}

/// Whom an address stands for: hosts have as many IPv6 addresses as they like, of one network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn there_are_so_many_places_for_each_address_and_so_many_in_all() {
        let crowd = Crowd::new(3, 2);
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
        let crowd = Crowd::new(9, 1);
        let _one = crowd.enter(ip("2001:db8::1")).expect("a place");
        assert_eq!(crowd.enter(ip("2001:db8::ffff:2")).unwrap_err(), Full::Address);
        let _other = crowd.enter(ip("2001:db8:0:1::1")).expect("a place");
    }
}
