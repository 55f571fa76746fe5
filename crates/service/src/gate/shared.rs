//! What a gate counts together with other nodes, and the names under which it does. A name holds no address, no
//! secret and nothing that a request said: an organization's id, and a keyed digest of where a failure came from.

use aws_lc_rs::hmac;
use egress::Guarded;
use kernel::{Id, Org};
use std::{net::IpAddr, sync::Arc};

/// The shared counts, and the key of the digests.
pub(super) struct Shared {
    pub(super) fast: Arc<Guarded>,
    key: hmac::Key,
}

impl Shared {
    pub(super) fn new(fast: Arc<Guarded>, key: hmac::Key) -> Self {
        Self { fast, key }
    }

    pub(super) fn requests(org: Id<Org>) -> String {
        format!("rate:{org}")
    }

    pub(super) fn failures(&self, org: Option<Id<Org>>, source: Option<IpAddr>) -> String {
        let text = source.map(|ip| ip.to_string()).unwrap_or_default();
        let whose = org.map(|org| org.to_string()).unwrap_or_default();
        let digest = hmac::sign(&self.key, format!("{whose} {text}").as_bytes());
        let half = digest.as_ref().get(..16).unwrap_or_default();
        format!("failed:{}", data_encoding::HEXLOWER.encode(half))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fast.fmt(f)
    }
}
