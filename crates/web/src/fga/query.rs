//! The queries of the OpenFGA API: pages and filters. A name that comes twice is refused, one that is unknown ignored, as
//! the API does with fields that it does not know.

use kernel::{Code, limits};
use service::{Error, Result};
use std::collections::BTreeMap;
use url::form_urlencoded;

/// The fields of a query.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query.
    pub(super) fn read(query: Option<&str>) -> Result<Self> {
        let mut fields = BTreeMap::new();
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (place, (name, text)) in pairs.enumerate() {
            if place >= limits::PARAMETERS {
                let text = "the query has too many fields";
                return Err(Error::new(Code::InvalidInput, text));
            }
            if text.contains('\0') || name.contains('\0') {
                return Err(Error::invalid(&name, "must not hold a NUL character"));
            }
            let before = fields.insert(name.to_string(), text.into_owned());
            if before.is_some() {
                return Err(Error::field(&name, "repeated", "comes twice; send it once"));
            }
        }
        Ok(Self(fields))
    }

    /// The text of a field.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// The number of a field.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.0.remove(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let number = text.parse().ok();
        let wrong = || Error::field(name, "wrong_type", "must be a whole number");
        number.map(Some).ok_or_else(wrong)
    }
}
