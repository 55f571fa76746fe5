//! Network addresses and ranges. An IPv4 address that an IPv6 address carries is that IPv4 address.

use super::fault::Fault;
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads an address. One with a zone is none.
pub(super) fn read(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

/// Whether an address is in a range such as `10.0.0.0/8`.
pub(super) fn within(address: IpAddr, range: &str) -> Result<bool, Fault> {
    let malformed =
        || Fault::new("a range is an address and the length of its prefix: `10.0.0.0/8`");
    let (first, length) = range.split_once('/').ok_or_else(malformed)?;
    let plain = length.bytes().all(|b| b.is_ascii_digit());
    let plain = plain && (length == "0" || !length.starts_with('0'));
    let length: u8 = length
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or_else(malformed)?;
    let first: IpAddr = first.parse().map_err(|_| malformed())?;
    let (first, length) = match first.to_canonical() {
        carried @ IpAddr::V4(_) if first.is_ipv6() && length >= 96 => (carried, length - 96),
        _ => (first, length),
    };
    let range = IpNet::new(first, length).map_err(|_| malformed())?;
    Ok(range.contains(&address))
}
