//! Which hosts and paths are answered at all: the configured host and loopback names (against DNS rebinding), and
//! paths of plain characters only, taken as they are. Nothing is normalised.

use http::{HeaderMap, Uri, header};
use std::net::IpAddr;
use url::Url;

/// The hosts this server answers for.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    public: Option<String>,
}

impl Hosts {
    pub(crate) fn new(public_url: &str) -> Self {
        let host = Url::parse(public_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_ascii_lowercase));
        Self { public: host }
    }

    /// Whether the request names a host of this server. An absolute request target counts as well as the header.
    /// Probes and scrapers name addresses, which cannot be rebound: `by_address` lets them in.
    pub(crate) fn answers(&self, uri: &Uri, headers: &HeaderMap, by_address: bool) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        let known = |authority: &str| self.knows(authority, by_address);
        host.to_str().is_ok_and(known)
            && uri
                .authority()
                .is_none_or(|authority| known(authority.as_str()))
    }

    fn knows(&self, authority: &str, by_address: bool) -> bool {
        let Some(host) = host_of(authority) else {
            return false;
        };
        let is = |name: &str| host.eq_ignore_ascii_case(name);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = by_address && bare.parse::<IpAddr>().is_ok();
        is("localhost")
            || is("127.0.0.1")
            || is("[::1]")
            || self.public.as_deref().is_some_and(is)
            || address
    }
}

/// The host of an authority, with any port taken off; none when a user is in it or the port is no number.
fn host_of(authority: &str) -> Option<&str> {
    let split = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let (host, port) = split;
    let digits = port.strip_prefix(':').unwrap_or(port);
    let whole =
        digits.bytes().all(|b| b.is_ascii_digit()) && (port.is_empty() || port.starts_with(':'));
    (whole && !host.is_empty() && !host.contains(['@', '/'])).then_some(host)
}

/// Whether a path may be routed: unreserved characters (RFC 3986 section 2.3) and `:` in segments, none of them
/// empty but the last, none of them dots only.
pub(crate) fn is_plain_path(path: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b'~' | b':');
    let dots = |segment: &str| matches!(segment, "." | "..");
    path.starts_with('/')
        && path.bytes().all(plain)
        && !path.contains("//")
        && !path.split('/').any(dots)
}

/// What a proxy asks about a request that it holds: the part of the path that is ours, up to the connection and scope
/// of forward authentication. What follows is the client's own path.
pub(crate) fn forwarded(path: &str) -> Option<&str> {
    let mut segments = path.splitn(9, '/');
    let mut next = || segments.next();
    let (root, issuers, _org) = (next()?, next()?, next()?);
    let door = [next()?, next()?, next()?];
    let (_connection, _scope) = (next()?, next()?);
    let theirs = next().map_or(0, |rest| rest.len() + 1);
    let is_it = root.is_empty() && issuers == "o" && door == ["access", "v1", "forward"];
    path.get(..path.len() - theirs).filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxys_question_may_end_in_anything() {
        let ours = "/o/acme/access/v1/forward/con_1/orders:read";
        for path in ["", "/", "/a/b", "//..%2f", "/%00"] {
            assert_eq!(forwarded(&format!("{ours}{path}")), Some(ours), "{path}");
        }
        for path in [
            "/o/acme/access/v1/forward/con_1",
            "/o/acme/access/v1/evaluation/con_1/orders:read/x",
            "/x/o/acme/access/v1/forward/con_1/orders:read",
            "o/acme/access/v1/forward/con_1/orders:read",
            "//o/acme/access/v1/forward/con_1/x",
        ] {
            assert_eq!(forwarded(path), None, "{path}");
        }
    }

    fn answers(host: &[&str], target: &str, by_address: bool) -> bool {
        let mut headers = HeaderMap::new();
        for value in host {
            headers.append(header::HOST, value.parse().unwrap());
        }
        Hosts::new("https://Id.Example.com:8443").answers(
            &target.parse().unwrap(),
            &headers,
            by_address,
        )
    }

    #[test]
    fn the_public_host_and_loopback_names_are_answered() {
        for host in [
            "id.example.com",
            "ID.example.com:8443",
            "localhost:1",
            "127.0.0.1",
            "[::1]:8080",
        ] {
            assert!(answers(&[host], "/", false), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_misdirected() {
        for host in [
            "evil.example",
            "id.example.com.evil.example",
            "badid.example.com",
            "127.0.0.1.evil.example",
            "10.0.0.7",
            "localhost@evil.example",
            "evil@localhost",
            "",
            "localhost:x",
            "[::1]x",
            "id.example.com.",
        ] {
            assert!(!answers(&[host], "/", false), "{host}");
        }
        assert!(!answers(&[], "/", false), "no host at all");
        assert!(
            !answers(&["localhost", "localhost"], "/", false),
            "two hosts"
        );
        assert!(
            !answers(&["localhost"], "http://evil.example/", false),
            "absolute form"
        );
        assert!(answers(&["10.0.0.7:9090"], "/metrics", true));
        assert!(!answers(&["evil.example"], "/metrics", true));
    }

    #[test]
    fn odd_paths_are_no_paths() {
        for path in [
            "/",
            "/o/acme/mcp/",
            "/.well-known/openid-configuration",
            "/api/v1/orgs/a-b_c.d~e",
        ] {
            assert!(is_plain_path(path), "{path}");
        }
        for path in [
            "//", "/a//b", "/a/./b", "/a/..", "/a%2fb", "/a%2e", "/a;b", "/a\\b", "/a b", "*", "",
            "/é", "/a%",
        ] {
            assert!(!is_plain_path(path), "{path}");
        }
    }
}
