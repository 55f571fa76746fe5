//! Points in time and lengths of time, as whole microseconds. Text form is RFC 3339, UTC, six decimals.
//! No calendar arithmetic happens here; that is `jiff`'s.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// A length of time in microseconds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(i64);

impl Micros {
    /// A length given in whole microseconds.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }
    /// A length given in whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }
    /// A length given in whole days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self::seconds(days.saturating_mul(86_400))
    }
    /// Whole microseconds.
    pub const fn get(self) -> i64 {
        self.0
    }
    /// Whole seconds, rounded toward zero.
    pub const fn as_seconds(self) -> i64 {
        self.0 / 1_000_000
    }
}

/// A moment, UTC, in microseconds since 1970-01-01. Years 1 to 9999 have a text form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that many microseconds after 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// The moment that many seconds after 1970-01-01T00:00:00Z (a JWT's NumericDate).
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// This moment moved forward; saturates at the ends of the range.
    #[must_use]
    pub const fn plus(self, length: Micros) -> Self {
        Self(self.0.saturating_add(length.0))
    }
    /// This moment moved back; saturates at the ends of the range.
    #[must_use]
    pub const fn minus(self, length: Micros) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
    /// How long after `earlier` this is (negative when before it).
    pub const fn since(self, earlier: Timestamp) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
    /// Reads RFC 3339 text; any offset is accepted and turned into UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        Some(Self(parsed.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(at) = jiff::Timestamp::from_microsecond(self.0) else {
            return f.write_str("9999-12-31T23:59:59.999999Z");
        };
        write!(f, "{at:.6}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("expected a time such as `2026-11-22T09:00:00Z`"))
    }
}

/// A reading of a clock that never steps back; only differences mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Monotonic(i64);

impl Monotonic {
    /// A reading in microseconds since an unnamed start.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Microseconds since the unnamed start.
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// How long after `earlier` this is.
    pub const fn since(self, earlier: Monotonic) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_has_six_decimals_and_reads_back() {
        let at = Timestamp::from_micros(1_795_338_000_000_000);
        assert_eq!(at.to_string(), "2026-11-22T09:00:00.000000Z");
        assert_eq!(Timestamp::parse("2026-11-22T10:00:00+01:00"), Some(at));
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn moments_before_the_epoch_round_down() {
        assert_eq!(Timestamp::from_micros(-1).seconds(), -1);
    }
}
