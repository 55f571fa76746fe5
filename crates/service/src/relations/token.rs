//! Continuation tokens: where a page ended, signed and bound to the organization, the store and what was asked, so that
//! it is read back as what it was and nowhere else.

use super::{Answered, Fault};
use crate::Cx;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use kernel::limits;
use proto::fga::ErrorName;
use serde::{Serialize, de::DeserializeOwned};

const TAG: usize = 32;
/// Longest token: a tuple's key and the tag.
const LONGEST: usize = 4_096;

fn bound(cx: &Cx, list: &str, place: &[u8]) -> Answered<Vec<u8>> {
    Ok([&cx.stream()?.bytes()[..], list.as_bytes(), b"\0", place].concat())
}

/// The token for a place in a list.
pub(super) fn give(cx: &Cx, list: &str, place: &impl Serialize) -> Answered<String> {
    let place = serde_json::to_vec(place).map_err(crate::Error::internal)?;
    let tag = cx.platform.keyring.sign_cursor(&bound(cx, list, &place)?);
    Ok(B64URL.encode([&tag[..], &place].concat()))
}

/// The place that a token of this list names; none without a token.
pub(super) fn take<T: DeserializeOwned>(cx: &Cx, list: &str, token: &str) -> Answered<Option<T>> {
    if token.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        let message = "`continuation_token` is not one of this list; start again without it";
        Fault::new(ErrorName::InvalidContinuationToken, message)
    };
    let short = Some(token).filter(|token| token.len() <= LONGEST);
    let bytes = short.and_then(|token| B64URL.decode(token).ok());
    let bytes = bytes.ok_or_else(wrong)?;
    let (tag, place) = bytes.split_at_checked(TAG).ok_or_else(wrong)?;
    let keyring = &cx.platform.keyring;
    if !keyring.verify_cursor(&bound(cx, list, place)?, tag) {
        return Err(wrong());
    }
    serde_json::from_slice(place).map(Some).map_err(|_| wrong())
}

/// How many items a page has.
pub(super) fn size(asked: Option<i64>) -> Answered<usize> {
    let asked = asked.map_or(Some(limits::PAGE_DEFAULT), |size| {
        usize::try_from(size).ok()
    });
    let size = asked.filter(|size| (1..=limits::RELATION_PAGE).contains(size));
    size.ok_or_else(|| {
        let most = limits::RELATION_PAGE;
        Fault::new(
            ErrorName::PageSizeInvalid,
            format!("`page_size` must be within 1 and {most}"),
        )
    })
}
