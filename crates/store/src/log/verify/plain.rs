//! The quick way to the answer that reading a body in full would give. It accepts a body that is canonical JSON in
//! its plainest spelling (no escape, no fraction) and agrees with every column, and gives up on any other: what it
//! accepts, the full reading accepts too. It never finds anything wrong.

use super::row::RowRef;
use domain::entry::TOKEN_ISSUED;
use kernel::Timestamp;

/// Deeper values are left to the full reading.
const DEEPEST: u8 = 16;

/// Remembers the seconds it has read last, since neighbours share them.
#[derive(Debug, Default)]
pub(super) struct Plain {
    own: Second,
    end: Second,
}

impl Plain {
    /// The entry's own time, if the body is plain and agrees with the row.
    pub(super) fn own_time(&mut self, row: &RowRef<'_>) -> Option<i64> {
        str::from_utf8(row.body).ok()?;
        let mut body = Cursor { rest: row.body };
        body.action(row, &mut self.end)?;
        body.actor(row)?;
        body.skip(b",\"build\":")?.string()?;
        body.context()?;
        body.skip(b",\"delegation_chain\":")?.strings()?;
        let event = body.skip(b",\"event_id\":")?.string()?;
        if id(event, b"evt_")? != row.event_id {
            return None;
        }
        body.skip(b",\"node\":")?.string()?;
        body.outcome()?;
        body.security()?;
        let own = self.own.read(body.skip(b",\"timestamp\":")?.string()?)?;
        let kind = body.skip(b",\"type\":")?.string()?;
        body.skip(b",\"v\":")?.number(u64::from(u32::MAX))?;
        body.skip(b"}")?;
        (kind == row.kind.as_bytes() && body.rest.is_empty()).then_some(own)
    }
}

/// What is left of a body. Every method takes what it names from the front, or gives up.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn action(&mut self, row: &RowRef<'_>, end: &mut Second) -> Option<()> {
        self.skip(b"{\"action\":{\"details\":{\"after\":")?;
        if row.kind == TOKEN_ISSUED {
            self.issued(row, end)?;
        } else if (row.agent, row.lineage, row.expires_at) == (None, None, None) {
            self.value(DEEPEST)?;
        } else {
            return None;
        }
        self.skip(b",\"before\":")?.value(DEEPEST)?;
        self.skip(b"},\"lifecycle\":")?.string()?;
        let resource = self.skip(b",\"resource\":")?.optional()?;
        self.skip(b",\"resource_type\":")?.optional()?;
        self.skip(b",\"verb\":")?.string()?;
        self.skip(b"}")?;
        (resource == row.resource.map(str::as_bytes)).then_some(())
    }

    /// What an entry about an issued token says after the act.
    fn issued(&mut self, row: &RowRef<'_>, end: &mut Second) -> Option<()> {
        let agent = id(self.skip(b"{\"agent\":")?.string()?, b"agt_")?;
        self.skip(b",\"aud\":")?.string()?;
        let ends = end.read(self.skip(b",\"expires_at\":")?.string()?)?;
        self.skip(b",\"jti\":")?.string()?;
        self.skip(b",\"kind\":")?.string()?;
        self.skip(b",\"lineage\":")?.lineage(row.lineage?)?;
        self.skip(b",\"scope\":")?.string()?;
        self.skip(b"}")?;
        ((row.agent, row.expires_at) == (Some(agent), Some(ends))).then_some(())
    }

    fn lineage(&mut self, wanted: &[u8]) -> Option<()> {
        let (wanted, extra) = wanted.as_chunks::<8>();
        self.skip(b"[")?;
        for (at, grant) in wanted.iter().enumerate() {
            let comma: &[u8] = if at == 0 { b"" } else { b"," };
            let digits = self.skip(comma)?.string()?;
            if hexadecimal(digits)? != u64::from_be_bytes(*grant) {
                return None;
            }
        }
        self.skip(b"]")?;
        extra.is_empty().then_some(())
    }

    fn actor(&mut self, row: &RowRef<'_>) -> Option<()> {
        self.skip(b",\"actor\":{\"authentication\":")?.strings()?;
        self.skip(b",\"device_id\":")?.optional()?;
        self.skip(b",\"ip_address\":")?.sealed()?;
        self.skip(b",\"location\":")?.value(DEEPEST)?;
        self.skip(b",\"session_id\":")?.optional()?;
        self.skip(b",\"user_agent\":")?.sealed()?;
        let who = self.skip(b",\"user_id\":")?.string()?;
        self.skip(b",\"user_type\":")?.string()?;
        self.skip(b"}")?;
        (who == row.actor.as_bytes() && is_principal(who)).then_some(())
    }

    fn context(&mut self) -> Option<()> {
        self.skip(b",\"context\":{\"api_version\":")?.string()?;
        self.skip(b",\"application\":")?.string()?;
        self.skip(b",\"approvals\":")?.strings()?;
        self.skip(b",\"business_justification\":")?.sealed()?;
        self.skip(b",\"claimed\":")?.object(DEEPEST)?;
        self.skip(b",\"correlation_id\":")?.optional()?;
        self.skip(b",\"guardrails\":")?.array(DEEPEST)?;
        self.skip(b",\"parent_event_id\":null,\"request_id\":")?
            .string()?;
        self.skip(b",\"run_id\":")?.optional()?;
        self.skip(b",\"source_system\":")?.optional()?;
        self.skip(b",\"trust_score\":")?;
        if self.skip(b"null").is_none() {
            self.number(u64::from(u8::MAX))?;
        }
        self.skip(b"}").map(|_| ())
    }

    fn outcome(&mut self) -> Option<()> {
        self.skip(b",\"outcome\":{\"error_code\":")?.optional()?;
        self.skip(b",\"error_message\":")?.optional()?;
        self.skip(b",\"result\":")?.string()?;
        self.skip(b",\"rollback\":")?.value(DEEPEST)?;
        self.skip(b",\"verification\":")?.value(DEEPEST)?;
        self.skip(b"}").map(|_| ())
    }

    fn security(&mut self) -> Option<()> {
        self.skip(b",\"security\":{\"anomaly_flags\":")?.strings()?;
        self.skip(b",\"compliance_flags\":")?.strings()?;
        self.skip(b",\"risk_score\":")?.number(u64::from(u8::MAX))?;
        self.skip(b"}").map(|_| ())
    }

    fn sealed(&mut self) -> Option<()> {
        if self.skip(b"null").is_some() {
            return Some(());
        }
        self.skip(b"{\"c\":")?.string()?;
        self.skip(b",\"k\":")?.string()?;
        self.skip(b"}").map(|_| ())
    }

    fn skip(&mut self, text: &[u8]) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(self)
    }

    /// The text between two quotes, without any escape in it.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.skip(b"\"")?;
        let (text, rest) = self.rest.split_at_checked(plain_length(self.rest))?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    fn optional(&mut self) -> Option<Option<&'a [u8]>> {
        match self.skip(b"null") {
            Some(_) => Some(None),
            None => self.string().map(Some),
        }
    }

    fn strings(&mut self) -> Option<()> {
        self.listed(b"[", b"]", |all| all.string().map(|_| ()))
    }

    fn array(&mut self, depth: u8) -> Option<()> {
        let inner = depth.checked_sub(1)?;
        self.listed(b"[", b"]", |all| all.value(inner))
    }

    /// Members in ascending order of their names, each once.
    fn object(&mut self, depth: u8) -> Option<()> {
        let inner = depth.checked_sub(1)?;
        let mut before: Option<&[u8]> = None;
        self.listed(b"{", b"}", |all| {
            let name = all.string()?;
            if before.is_some_and(|before| before >= name) {
                return None;
            }
            before = Some(name);
            all.skip(b":")?.value(inner)
        })
    }

    fn listed(
        &mut self,
        open: &[u8],
        close: &[u8],
        mut item: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.skip(open)?;
        if self.skip(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.skip(close).is_some() {
                return Some(());
            }
            self.skip(b",")?;
        }
    }

    fn value(&mut self, depth: u8) -> Option<()> {
        match self.rest.first()? {
            b'n' => self.skip(b"null").map(|_| ()),
            b't' => self.skip(b"true").map(|_| ()),
            b'f' => self.skip(b"false").map(|_| ()),
            b'"' => self.string().map(|_| ()),
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            _ => self.number(u64::MAX),
        }
    }

    /// A whole number that is not negative, of at most eighteen digits, without a zero in front.
    fn number(&mut self, most: u64) -> Option<()> {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at_checked(length.count())?;
        let number = decimal(digits)?;
        let plain = digits == b"0" || digits.first() != Some(&b'0');
        self.rest = rest;
        (plain && number <= most).then_some(())
    }
}

const ONES: u64 = u64::MAX / 255;
const TOPS: u64 = ONES * 128;

/// How many bytes there are before a quote, a backslash or a control character, eight at a time. In each of the
/// three masks the lowest bit that is set is exact, so the lowest of them all is.
fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & TOPS;
        if found != 0 {
            return length + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
        }
        length += 8;
    }
    let plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    length + rest.iter().take_while(plain).count()
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(number * 10 + u64::from(digit))
    })
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

/// The identifier that is spelled so.
fn id(text: &[u8], prefix: &[u8]) -> Option<[u8; 16]> {
    let digits = text.strip_prefix(prefix)?;
    if digits.len() != 26 || digits.first()? > &b'7' {
        return None;
    }
    let value = digits.iter().try_fold(0u128, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'h' => byte - b'a' + 10,
            b'j' | b'k' => byte - b'j' + 18,
            b'm' | b'n' => byte - b'm' + 20,
            b'p'..=b't' => byte - b'p' + 22,
            b'v'..=b'z' => byte - b'v' + 27,
            _ => return None,
        };
        Some(value << 5 | u128::from(digit))
    });
    value.map(u128::to_be_bytes)
}

fn is_principal(text: &[u8]) -> bool {
    let ids: [&[u8]; 3] = [b"usr_", b"agt_", b"con_"];
    text == b"system" || text == b"anonymous" || ids.iter().any(|prefix| id(text, prefix).is_some())
}

/// A second as it is spelled, up to the point before its fraction.
#[derive(Debug, Default)]
struct Second {
    text: [u8; 20],
    micros: i64,
}

impl Second {
    /// The moment that is spelled so; a calendar is asked for each new second.
    fn read(&mut self, text: &[u8]) -> Option<i64> {
        let (second, fraction) = text.split_first_chunk::<20>()?;
        let digits = fraction.strip_suffix(b"Z").filter(|d| d.len() == 6)?;
        let micros = i64::try_from(decimal(digits)?).ok()?;
        if *second != self.text {
            let text = str::from_utf8(text).ok()?;
            let at = Timestamp::parse(text)?;
            if at.to_string() != text {
                return None;
            }
            *self = Self {
                text: *second,
                micros: at.micros() - micros,
            };
        }
        Some(self.micros + micros)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        columns::differing,
        fixture::{entry, row},
    };
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_entry_as_it_is_written_is_plain() {
        let mut plain = Plain::default();
        for number in 0..500 {
            let entry = entry(number);
            let row = row(&entry, 1, 0, &[0; 32], None);
            let own = plain.own_time(&row.lying());
            assert_eq!(own, Some(entry.timestamp.micros()), "{number}");
        }
    }

    #[test]
    fn other_spellings_are_left_to_the_full_reading() {
        let mut whole = row(&entry(3), 1, 0, &[0; 32], None);
        let spoil = |from: &str, to: &str| {
            let text = String::from_utf8(whole.body.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            let mut other = whole.clone();
            other.body = text.replacen(from, to, 1).into_bytes();
            Plain::default().own_time(&other.lying())
        };
        for (from, to) in [
            ("\"risk_score\":0", "\"risk_score\":00"),
            ("\"risk_score\":0", "\"risk_score\":256"),
            ("\"risk_score\":0", "\"risk_score\":-0"),
            ("\"risk_score\":0", "\"risk_score\":1.0"),
            ("\"claimed\":{}", "\"claimed\":{\"b\":1,\"a\":1}"),
            ("\"claimed\":{}", "\"claimed\":{\"a\":1,\"a\":1}"),
            ("\"claimed\":{}", "\"claimed\":{ }"),
            ("\"guardrails\":[]", "\"guardrails\":[1,]"),
            ("\"node\":\"n1\"", "\"node\":\"n\\u0031\""),
            ("\"node\":\"n1\"", "\"node\":\"n\t1\""),
            ("\"v\":1}", "\"v\":1} "),
            ("000000Z", "000000z"),
        ] {
            assert_eq!(spoil(from, to), None, "{to}");
        }
        whole.body.push(b' ');
        assert_eq!(Plain::default().own_time(&whole.lying()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_is_accepted_is_accepted_in_full(
            number in 0u64..400, column in 0usize..9, at: usize, by in 1u8..=255, twice: bool,
        ) {
            let mut changed = row(&entry(number), 1, 0, &[0; 32], None);
            let body = changed.body.len();
            match column {
                0 => changed.kind.push('x'),
                1 => changed.actor.push('x'),
                2 => changed.resource = changed.resource.is_none().then(String::new),
                3 => changed.agent = changed.agent.is_none().then_some([by; 16]),
                4 => changed.lineage = changed.lineage.is_none().then(Vec::new),
                5 => changed.expires_at = Some(changed.expires_at.unwrap_or(0) + i64::from(by)),
                6 => changed.event_id[at % 16] ^= by,
                7 => changed.body[at % body] = b"0123456789-+.eE\"\\{}[],:azAZ \t\x00\xff"[usize::from(by) % 31],
                _ => changed.body[at % body] ^= by,
            }
            if twice {
                changed.body.remove(at % body);
            }
            let mut plain = Plain::default();
            if let Some(own) = plain.own_time(&changed.lying()) {
                prop_assert_eq!(differing(&changed.lying(), &mut Vec::new()), Ok((own, vec![])));
            }
        }

        #[test]
        fn a_plain_stretch_is_measured_exactly(text: Vec<u8>) {
            let slow = text.iter().take_while(|b| **b >= 0x20 && **b != b'"' && **b != b'\\');
            prop_assert_eq!(plain_length(&text), slow.count());
        }
    }
}
