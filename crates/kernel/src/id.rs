//! Typed identifiers: sixteen bytes of UUIDv7 (RFC 9562 section 5.7), a prefix and 26 Crockford base32
//! characters in text. An identifier of one kind cannot be passed where another is wanted.

use crate::{Clock, Entropy};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, hash, marker::PhantomData, str::FromStr};

/// A kind of thing that has identifiers.
pub trait Kind: 'static {
    /// What stands before the underscore in text.
    const PREFIX: &'static str;
    /// What people call it.
    const NOUN: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $noun:literal;)*) => {
        $($(#[$doc])* #[derive(Clone, Copy, Debug)] pub enum $name {}
        impl Kind for $name {
            const PREFIX: &'static str = $prefix;
            const NOUN: &'static str = $noun;
        })*
    };
}

kinds! {
    /// An organization, the boundary of isolation.
    Org "org" "organization";
    /// A human account.
    User "usr" "user";
    /// A registered non-human principal with an accountable owner.
    Agent "agt" "agent";
    /// An API token.
    Token "tok" "token";
    /// One execution of a task by an agent.
    Run "run" "run";
    /// A configured way from agents to a downstream system.
    Connection "con" "connection";
    /// A named set of permissions and scopes.
    Role "rol" "role";
    /// A role given to a principal.
    Assignment "asg" "role assignment";
    /// An entry of the log.
    Event "evt" "event";
    /// A dispatch decision.
    Dispatch "dsp" "dispatch";
    /// A signing key.
    SigningKeyId "key" "signing key";
    /// A rotation of a credential.
    Rotation "rot" "rotation";
    /// A request for approval.
    Approval "apr" "approval";
    /// A stored decision that gives something.
    Grant "grt" "grant";
    /// A store of relation tuples.
    RelationStore "rst" "relation store";
    /// One version of a store's authorization model.
    AuthorizationModel "mdl" "authorization model";
}

/// An identifier of a thing of kind `K`. Never reused.
pub struct Id<K> {
    bytes: [u8; 16],
    kind: PhantomData<fn() -> K>,
}

/// Why a text is not an identifier of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an id such as `{prefix}_01h…` with 26 characters after the underscore")]
pub struct IdError {
    prefix: &'static str,
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl<K> Id<K> {
    /// The identifier with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self {
            bytes,
            kind: PhantomData,
        }
    }
    /// The sixteen bytes, in sorting order.
    pub const fn bytes(&self) -> [u8; 16] {
        self.bytes
    }
    /// A new identifier, sortable by the time it was made.
    pub fn generate(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let millis = u64::try_from(clock.now().micros() / 1_000).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &entropy.bytes());
        Self::from_bytes(uuid.into_uuid().into_bytes())
    }
}

/// What each byte of a text stands for; 255 for none.
#[expect(
    clippy::indexing_slicing,
    reason = "worked out by the compiler, where an index out of range does not build"
)]
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        values[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

/// Sixteen bytes as 26 digits of five bits, the first of them of three.
fn digits(bytes: [u8; 16]) -> [u8; 26] {
    let mut rest = u128::from_be_bytes(bytes);
    let mut text = [0u8; 26];
    for slot in text.iter_mut().rev() {
        let [.., low] = rest.to_be_bytes();
        *slot = ALPHABET.get(usize::from(low & 31)).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    text
}

/// The sixteen bytes of 26 digits, in whichever spelling `value` knows them.
fn number(digits: &str, value: impl Fn(u8) -> u8) -> Option<[u8; 16]> {
    // The first digit has three bits.
    let (first, rest) = digits.as_bytes().split_first()?;
    if rest.len() != 25 || value(*first) > 7 {
        return None;
    }
    let number = digits.bytes().try_fold(0u128, |number, byte| {
        let digit = value(byte);
        (digit < 32).then(|| (number << 5) | u128::from(digit))
    });
    number.map(u128::to_be_bytes)
}

fn lower(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(255)
}

/// As ULIDs are spelled; the same digits in lower case are something else.
fn upper(byte: u8) -> u8 {
    if byte.is_ascii_lowercase() {
        return 255;
    }
    lower(byte.to_ascii_lowercase())
}

impl<K> Id<K> {
    /// The identifier as others write ULIDs: 26 digits in upper case, without a prefix.
    pub fn ulid(&self) -> String {
        let digits = digits(self.bytes).map(|digit| digit.to_ascii_uppercase());
        str::from_utf8(&digits).unwrap_or_default().to_owned()
    }
    /// The identifier with this ULID, in upper case alone.
    pub fn from_ulid(text: &str) -> Option<Self> {
        number(text, upper).map(Self::from_bytes)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(str::from_utf8(&digits(self.bytes)).unwrap_or_default())
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'));
        let bytes = digits.and_then(|digits| number(digits, lower));
        bytes
            .map(Self::from_bytes)
            .ok_or(IdError { prefix: K::PREFIX })
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<K: Kind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}_id", K::PREFIX).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX);
        json_schema!({ "type": "string", "pattern": pattern, "description": format!("id of a {}", K::NOUN) })
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_reads_back_and_sorts_like_the_bytes(a: [u8; 16], b: [u8; 16]) {
            let (a, b) = (Id::<Agent>::from_bytes(a), Id::<Agent>::from_bytes(b));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(Id::<Agent>::from_ulid(&a.ulid()), Some(a));
            prop_assert_eq!(format!("agt_{}", a.ulid().to_lowercase()), a.to_string());
        }
    }

    #[test]
    fn other_kinds_and_other_spellings_are_refused() {
        let id = Id::<Agent>::from_bytes([7; 16]).to_string();
        assert!(id.parse::<Id<User>>().is_err());
        assert!(id.to_uppercase().parse::<Id<Agent>>().is_err());
        assert!(format!("{id}0").parse::<Id<Agent>>().is_err());
        assert!(
            "agt_8zzzzzzzzzzzzzzzzzzzzzzzzz"
                .parse::<Id<Agent>>()
                .is_err()
        );
        assert!(id.replace('_', "-").parse::<Id<Agent>>().is_err());
        let ulid = Id::<RelationStore>::from_bytes([7; 16]).ulid();
        for wrong in [
            ulid.to_lowercase(),
            format!("{ulid}0"),
            format!("8{}", &ulid[1..]),
            format!("{}U", &ulid[..25]),
            format!("{}é", &ulid[..24]),
            String::new(),
        ] {
            assert_eq!(Id::<RelationStore>::from_ulid(&wrong), None, "{wrong}");
        }
    }
}
