//! Which `Host` and `Origin` a request may name. A page of another site that made a browser resolve its name to
//! this server is refused here (DNS rebinding); a list that is empty allows nothing.

use url::{Host, Url};

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The hosts: what is configured and the public URL's own; every spelling of loopback where that is loopback.
pub fn hosts(public_url: &str, configured: Vec<String>) -> Vec<String> {
    let mut hosts = configured;
    match Url::parse(public_url) {
        Ok(url) if is_loopback(&url) => hosts.extend(LOOPBACK.map(str::to_owned)),
        Ok(url) => hosts.extend(authority(&url)),
        Err(_) => {}
    }
    if hosts.is_empty() {
        LOOPBACK.map(str::to_owned).to_vec()
    } else {
        hosts
    }
}

/// The one origin: the public URL's, with its port written out.
pub fn origin(public_url: &str) -> Option<String> {
    let url = Url::parse(public_url).ok()?;
    Some(format!(
        "{}://{}:{}",
        url.scheme(),
        url.host_str()?,
        url.port_or_known_default()?
    ))
}

/// As clients write it: without the port that the scheme implies.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_host_is_always_allowed_and_an_empty_list_never_arises() {
        assert_eq!(hosts("https://iam.example", vec![]), ["iam.example"]);
        assert_eq!(
            hosts("https://iam.example:8443", vec!["inner".into()]),
            ["inner", "iam.example:8443"]
        );
        assert_eq!(hosts("http://localhost:8080", vec![]), LOOPBACK);
        assert_eq!(hosts("no url", vec![]), LOOPBACK);
    }

    #[test]
    fn the_origin_names_its_port() {
        assert_eq!(
            origin("https://iam.example").as_deref(),
            Some("https://iam.example:443")
        );
        assert_eq!(
            origin("http://localhost:8080/x").as_deref(),
            Some("http://localhost:8080")
        );
        assert_eq!(origin("no url"), None);
    }
}
