//! Who asks and in which organization, for the doors that take a bearer token: the token from the header only,
//! the organization from the path, and a proxy's word only when it agrees.

use crate::{arrival::Arrival, door::Door};
use domain::Stream;
use http::{HeaderMap, header};
use kernel::{Code, limits};
use service::View;
use service::{Caller, Error, Result, authenticate, organization_of};
use std::time::Duration;

const ORGANIZATION: &str = "cardea-organization";
/// Milliseconds between looks at the feed; together `limits::AT_LEAST_WAIT`.
const PAUSES: [u64; 5] = [20, 80, 200, 300, 400];

/// The bearer token of the one `Authorization` header (RFC 6750 section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let usable = !token.is_empty()
        && token.len() <= limits::TOKEN_BYTES
        && token.bytes().all(|b| b.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && usable).then_some(token)
}

/// Believes the bearer token in the organization that the path names, or in the token's own where it names none.
///
/// # Errors
/// `unauthenticated`, `not_found` for the organization, `tenant_conflict`, `stale_state`.
pub(crate) async fn identify(
    door: &Door,
    arrival: &Arrival,
    headers: &HeaderMap,
    org: Option<&str>,
    at_least: Option<u64>,
) -> Result<(Caller, View)> {
    let bearer = bearer(headers).ok_or_else(Error::unauthenticated)?;
    let node = &door.platform.node;
    let view = match org {
        Some(org) => node.view_of(org).await?,
        None => {
            node.view(organization_of(&door.platform, bearer).await?)
                .await?
        }
    };
    agree(arrival, headers, &view)?;
    let Some(revision) = at_least.filter(|revision| *revision > view.revision.state) else {
        let caller = authenticate(&door.platform, &view, bearer, &arrival.peer).await?;
        return Ok((caller, view));
    };
    // A credential may be as new as the revision: one look at the feed before it is judged, waiting only after.
    let nearer = look(door, &view, revision).await?;
    authenticate(&door.platform, &nearer, bearer, &arrival.peer).await?;
    let view = reach(door, nearer, revision).await?;
    let caller = authenticate(&door.platform, &view, bearer, &arrival.peer).await?;
    Ok((caller, view))
}

/// A trusted proxy may name the organization; it must be the one of the path (TEN-4).
///
/// # Errors
/// `tenant_conflict`.
pub(crate) fn agree(arrival: &Arrival, headers: &HeaderMap, view: &View) -> Result<()> {
    let organization = &view.organization;
    let same = |name: &str| name == organization.slug || name == organization.id.to_string();
    let agrees = |value: &http::HeaderValue| value.to_str().is_ok_and(same);
    if !arrival.proxied || headers.get_all(ORGANIZATION).iter().all(agrees) {
        return Ok(());
    }
    let detail = "the header `Cardea-Organization` names another organization than the path; send one of them";
    Err(Error::new(Code::TenantConflict, detail))
}

/// Follows the feed towards a revision, once.
pub(crate) async fn look(door: &Door, view: &View, revision: u64) -> Result<View> {
    let (node, org) = (&door.platform.node, view.id());
    node.catch_up(Stream::org(org), revision).await?;
    node.view(org).await
}

/// Waits until this node has seen the revision that the caller has seen elsewhere.
pub(crate) async fn reach(door: &Door, mut view: View, revision: u64) -> Result<View> {
    for pause in PAUSES {
        if view.revision.state >= revision {
            return Ok(view);
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
        view = look(door, &view, revision).await?;
    }
    if view.revision.state >= revision {
        return Ok(view);
    }
    let detail =
        "the revision named in `Cardea-At-Least` has not reached this node; try again shortly";
    Err(Error::new(Code::StaleState, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn one_bearer_header_is_read_and_nothing_else() {
        assert_eq!(read(&["Bearer cdt_x"]).as_deref(), Some("cdt_x"));
        assert_eq!(read(&["bearer  cdt_x"]).as_deref(), Some("cdt_x"));
        for wrong in [
            &["Basic YTpi"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a", "Bearer a"],
            &[],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert_eq!(
            read(&[&format!("Bearer {}", "a".repeat(limits::TOKEN_BYTES + 1))]),
            None
        );
    }

    #[test]
    fn the_pauses_fill_the_wait() {
        let together = i64::try_from(PAUSES.iter().sum::<u64>()).unwrap();
        assert_eq!(together * 1_000, limits::AT_LEAST_WAIT.get());
    }
}
