//! Keeps audiences away from this server's own origins: a token made for a downstream system must mean nothing
//! here, however the address is spelled (CAP-5). Nothing is resolved; names are compared.

use crate::{Cx, Error, Result};
use domain::name;
use std::net::IpAddr;
use url::{Host, Url};

/// The canonical form of an audience that is not this server.
///
/// # Errors
/// `invalid_input` on `audience`.
pub(super) fn audience(cx: &Cx, text: &str) -> Result<String> {
    let canonical =
        name::audience(text).map_err(|error| Error::invalid("audience", error.to_string()))?;
    let own = [
        cx.platform.public_url.as_str(),
        cx.view()?.organization.issuer.as_str(),
    ];
    if own.into_iter().any(|own| same_door(&canonical, own)) {
        let text = "must not be an address of this server; name the system that the tokens are for";
        return Err(Error::invalid("audience", text));
    }
    Ok(canonical)
}

/// Whether two addresses lead to the same listener: same host and port, every loopback name being one host and
/// the usual ports of `http` and `https` one port.
fn same_door(a: &str, b: &str) -> bool {
    let door = |text: &str| {
        Url::parse(text)
            .ok()
            .and_then(|url| Some((host(&url)?, port(&url)?)))
    };
    door(a).zip(door(b)).is_some_and(|(a, b)| a == b)
}

fn host(url: &Url) -> Option<String> {
    let loopback = || Some("loopback".to_owned());
    match url.host()? {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if name == "localhost" || name.ends_with(".localhost") {
                loopback()
            } else {
                Some(name)
            }
        }
        Host::Ipv4(ip) => ip_host(IpAddr::V4(ip)),
        Host::Ipv6(ip) => ip_host(IpAddr::V6(ip).to_canonical()),
    }
}

fn ip_host(ip: IpAddr) -> Option<String> {
    let here = ip.is_loopback() || ip.is_unspecified();
    Some(if here {
        "loopback".to_owned()
    } else {
        ip.to_string()
    })
}

fn port(url: &Url) -> Option<u16> {
    let port = url.port_or_known_default()?;
    Some(if port == 80 { 443 } else { port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_server_is_recognized_under_every_name() {
        let here = "http://localhost:8080";
        for own in [
            "http://127.0.0.1:8080/o/acme",
            "https://LOCALHOST:8080/x",
            "http://[::1]:8080",
            "http://[::ffff:127.0.0.1]:8080",
            "http://127.1.2.3:8080",
            "http://localhost.:8080",
            "http://0.0.0.0:8080",
        ] {
            assert!(same_door(own, here), "{own}");
        }
        assert!(same_door("http://id.example.com", "https://id.example.com"));
        assert!(same_door(
            "https://ID.example.com.",
            "https://id.example.com/o/acme"
        ));
        for other in [
            "http://localhost:9000",
            "https://orders.example.com",
            "urn:api",
        ] {
            assert!(!same_door(other, here), "{other}");
        }
        assert!(!same_door(
            "https://id.example.com:8443",
            "https://id.example.com"
        ));
    }
}
