//! Where a request comes from: the socket's peer, or the hop that trusted proxies name, and an id made here.
//! Nothing that a client outside the trusted networks says of itself is believed.

use crate::door::{Door, DoorConfig};
use axum::extract::Request;
use http::{HeaderMap, header};
use kernel::Kind;
use service::Peer;
use std::net::{IpAddr, SocketAddr};

/// The longest `User-Agent` that is kept.
const USER_AGENT_BYTES: usize = 256;

/// The other end of the connection; the server puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Socket(pub SocketAddr);

/// Request ids.
enum RequestId {}
impl Kind for RequestId {
    const PREFIX: &'static str = "req";
    const NOUN: &'static str = "request";
}

/// What is known of a request before it is read.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Who sends it, in the form use cases take.
    pub peer: Peer,
    /// Whether it came through a trusted proxy.
    pub proxied: bool,
}

impl Arrival {
    pub(crate) fn of(door: &Door, request: &Request, name: &'static str) -> Self {
        let socket = request
            .extensions()
            .get::<Socket>()
            .map(|socket| socket.0.ip().to_canonical());
        let proxied = socket.is_some_and(|ip| door.config.trusts(ip));
        let ip = if proxied {
            socket.map(|socket| forwarded_for(&door.config, socket, request.headers()))
        } else {
            socket
        };
        let request_id = door.platform.id::<RequestId>().to_string();
        Self {
            peer: Peer {
                ip,
                user_agent: user_agent(request.headers()),
                request_id,
                door: name,
            },
            proxied,
        }
    }

    /// The arrival that the outer layer left in the request.
    pub(crate) fn take(request: &mut Request) -> Self {
        let nowhere = || Self {
            peer: Peer::default(),
            proxied: false,
        };
        request
            .extensions_mut()
            .remove::<Self>()
            .unwrap_or_else(nowhere)
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::USER_AGENT)?.as_bytes();
    Some(String::from_utf8_lossy(value.get(..USER_AGENT_BYTES).unwrap_or(value)).into_owned())
}

/// The rightmost hop that is no trusted proxy; a hop that cannot be read ends the search at the one after it.
fn forwarded_for(config: &DoorConfig, socket: IpAddr, headers: &HeaderMap) -> IpAddr {
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let hops = lines.iter().rev();
    let mut nearest = socket;
    // As bytes: a proxy appends to what a client sent, and bytes of that client's must not hide what was appended.
    for hop in hops.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
        let text = std::str::from_utf8(hop).ok();
        let Some(ip) = text.and_then(|hop| hop_address(hop.trim())) else {
            return nearest;
        };
        nearest = ip;
        if !config.trusts(ip) {
            return nearest;
        }
    }
    nearest
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<IpAddr>()
            .ok()
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse::<IpAddr>()
        .ok()
        .or_else(bare)
        .or_else(with_port)
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Readiness;
    use std::sync::Arc;

    fn config() -> DoorConfig {
        DoorConfig {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            metrics: Arc::new(String::new),
            ready: Arc::new(Readiness::default),
        }
    }

    fn seen(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        forwarded_for(&config(), "10.0.0.1".parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_rightmost_untrusted_hop_counts() {
        assert_eq!(
            seen(&["203.0.113.9, 198.51.100.7, 10.0.0.2"]),
            "198.51.100.7"
        );
        assert_eq!(
            seen(&["203.0.113.9", "198.51.100.7"]),
            "198.51.100.7",
            "lines are one list"
        );
        assert_eq!(seen(&["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(seen(&["::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen(&["198.51.100.7:80"]), "198.51.100.7");
    }

    #[test]
    fn nothing_readable_means_the_nearest_known() {
        assert_eq!(seen(&[]), "10.0.0.1");
        assert_eq!(seen(&["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen(&["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn bytes_of_a_client_do_not_hide_the_hop_that_a_proxy_appended() {
        let mut headers = HeaderMap::new();
        let line = http::HeaderValue::from_bytes(b"\xff, 198.51.100.7").unwrap();
        headers.append("x-forwarded-for", line);
        let seen = forwarded_for(&config(), "10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(seen.to_string(), "198.51.100.7");
    }

    #[test]
    fn mapped_addresses_of_proxies_are_proxies() {
        assert!(config().trusts("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!config().trusts("192.0.2.1".parse().unwrap()));
    }
}
