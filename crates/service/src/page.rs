//! Pages of a list: at most so many items, in the order in which they were made, stable while more are added.
//! A cursor is signed and bound to the list it came from; it is read back as typed values, never as text.

use crate::{Cx, Error, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use kernel::{limit, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a list is asked for; every list takes these three fields beside its filters.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    /// Most items wanted.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Whether to count everything that matches.
    pub total: Option<bool>,
}

/// One page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The items, oldest first.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl PageQuery {
    /// The number of items to read.
    ///
    /// # Errors
    /// When it is not within 1 to 200.
    pub fn limit(&self) -> Result<usize> {
        match self.limit.unwrap_or(limits::PAGE_DEFAULT) {
            limit @ 1..=limits::PAGE_MAX => Ok(limit),
            _ => Err(Error::invalid(
                "limit",
                format!("must be within 1 and {}", limits::PAGE_MAX),
            )
            .at(limit!(PAGE_MAX))),
        }
    }
    /// The key after which to read.
    ///
    /// # Errors
    /// When the cursor is not one that this list gave to this organization with these filters.
    pub fn after(&self, cx: &Cx, list: &str) -> Result<Option<[u8; 16]>> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let wrong = || {
            Error::invalid(
                "cursor",
                "is not a cursor of this list; start again without it",
            )
        };
        let bytes = B64URL.decode(cursor).map_err(|_| wrong())?;
        let (key, tag) = bytes.split_first_chunk::<16>().ok_or_else(wrong)?;
        let genuine = cx
            .platform
            .keyring
            .verify_cursor(&bound(cx, list, key)?, tag);
        if genuine {
            Ok(Some(*key))
        } else {
            Err(wrong())
        }
    }
}

/// What a cursor is bound to. `list` names the list with its filters.
fn bound(cx: &Cx, list: &str, key: &[u8; 16]) -> Result<Vec<u8>> {
    Ok([&cx.stream()?.bytes()[..], key, list.as_bytes()].concat())
}

impl<T> Page<T> {
    /// A page of what was read with one item more than the limit, so that the last page is known to be last.
    ///
    /// # Errors
    /// When the context has no organization.
    pub fn cut(
        cx: &Cx,
        list: &str,
        limit: usize,
        mut read: Vec<([u8; 16], T)>,
        total: Option<u64>,
    ) -> Result<Self> {
        let more = read.len() > limit;
        read.truncate(limit);
        let next_cursor = match read.last().filter(|_| more) {
            Some((key, _)) => {
                let tag = cx.platform.keyring.sign_cursor(&bound(cx, list, key)?);
                Some(B64URL.encode([&key[..], &tag].concat()))
            }
            None => None,
        };
        Ok(Self {
            items: read.into_iter().map(|(_, item)| item).collect(),
            next_cursor,
            total,
        })
    }
}
