//! How many connections each address holds, so that one alone cannot take every place. An IPv6 network of 64 bits
//! counts as one address, as one customer usually has all of it. It refuses connections and nothing else.

use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The counts.
pub(crate) struct Sources {
    held: Counts,
    most: usize,
}

/// One connection of an address; given back when this is dropped.
pub(crate) struct Source(Option<(Counts, IpAddr)>);

/// The address by which a peer is counted.
fn counted(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Sources {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            held: Counts::default(),
            most,
        }
    }

    /// A place for one more connection of this address, if it holds fewer than it may.
    pub(crate) fn enter(&self, ip: IpAddr, uncounted: &[IpNet]) -> Option<Source> {
        if uncounted.iter().any(|net| net.contains(&ip.to_canonical())) {
            return Some(Source(None));
        }
        let ip = counted(ip);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(ip).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Source(Some((self.held.clone(), ip))))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let Some((held, ip)) = self.0.take() else {
            return;
        };
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                held.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many_and_a_proxy_any_number() {
        let sources = Sources::new(2);
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let enter = |ip: &str| sources.enter(ip.parse().unwrap(), &proxies);
        let first = enter("203.0.113.1").unwrap();
        let _second = enter("::ffff:203.0.113.1").unwrap();
        assert!(enter("203.0.113.1").is_none());
        assert!(enter("203.0.113.2").is_some());
        drop(first);
        assert!(enter("203.0.113.1").is_some());
        let _six = (enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap());
        assert!(enter("2001:db8::3").is_none() && enter("2001:db8:0:1::1").is_some());
        let proxied: Vec<_> = (0..9).map(|_| enter("10.1.2.3")).collect();
        assert!(proxied.iter().all(Option::is_some));
    }

    #[test]
    fn nothing_is_kept_of_who_has_gone() {
        let sources = Sources::new(2);
        drop(sources.enter("203.0.113.1".parse().unwrap(), &[]));
        assert!(sources.held.lock().unwrap().is_empty());
    }
}
