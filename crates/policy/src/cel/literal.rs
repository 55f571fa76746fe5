//! Numbers, texts and bytes as an expression writes them.

use super::value::Value;

/// Where a literal goes wrong, from its beginning, and how.
type Wrong = (usize, String);

/// A number at the beginning of a text, and how long it is. It has no sign; `-` is an operator, which the parser joins.
pub(super) fn number(text: &str) -> Result<(Value, usize), Wrong> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let length = hex
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(hex.len());
        let (digits, rest) = hex.split_at(length);
        return whole(digits, 16, rest, 2 + length);
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let at = |from: usize| text.get(from..).unwrap_or_default();
    let mut length = digits(text);
    let whole_digits = length;
    let mut real = false;
    if at(length).starts_with('.') && at(length + 1).starts_with(|c: char| c.is_ascii_digit()) {
        real = true;
        length += 1 + digits(at(length + 1));
    }
    if at(length).starts_with(['e', 'E']) {
        let sign = usize::from(at(length + 1).starts_with(['+', '-']));
        let exponent = digits(at(length + 1 + sign));
        if exponent > 0 {
            real = true;
            length += 1 + sign + exponent;
        }
    }
    let (digits, rest) = text.split_at(length);
    if !real {
        return whole(digits, 10, rest, whole_digits);
    }
    ends(rest, length)?;
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Value::Double(value), length)),
        _ => Err((0, "the number is too large".into())),
    }
}

fn whole(digits: &str, radix: u32, rest: &str, length: usize) -> Result<(Value, usize), Wrong> {
    let large = |_| {
        let said = if digits.is_empty() {
            "a number after `0x` has digits"
        } else {
            "the number is too large"
        };
        (0, said.to_owned())
    };
    let number = u64::from_str_radix(digits, radix).map_err(large)?;
    if let Some(rest) = rest.strip_prefix(['u', 'U']) {
        ends(rest, length + 1)?;
        return Ok((Value::Uint(number), length + 1));
    }
    ends(rest, length)?;
    let large = |_| {
        (
            0,
            "the number is too large: write `u` behind it for a `uint`".into(),
        )
    };
    let number = i64::try_from(number).map_err(large)?;
    Ok((Value::Int(number), length))
}

fn ends(rest: &str, length: usize) -> Result<(), Wrong> {
    match rest.chars().next() {
        Some(c) if c.is_alphanumeric() || c == '_' => {
            Err((length, "a number ends before a letter".into()))
        }
        _ => Ok(()),
    }
}

/// A quoted text or bytes at the beginning of a text, and how long it is with its quotes; nothing if it is something else.
pub(super) fn quoted(text: &str) -> Result<Option<(Value, usize)>, Wrong> {
    let (mut bytes, mut raw, mut start) = (false, false, 0);
    for c in text.chars().take(2) {
        match c {
            'b' | 'B' if !bytes && !raw => bytes = true,
            'r' | 'R' if !raw => raw = true,
            _ => break,
        }
        start += 1;
    }
    let body = text.get(start..).unwrap_or_default();
    let Some(quote) = body.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Ok(None);
    };
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let close = if body.starts_with(&triple) {
        triple
    } else {
        quote.to_string()
    };
    let mut read = Reading {
        rest: body.get(close.len()..).unwrap_or_default(),
        bytes,
        made: Vec::new(),
    };
    loop {
        let from = text.len() - read.rest.len();
        if let Some(rest) = read.rest.strip_prefix(close.as_str()) {
            let length = text.len() - rest.len();
            return Ok(Some((read.done(bytes), length)));
        }
        match read.rest.chars().next() {
            None => return Err((0, "the text does not end: close its quote".into())),
            Some('\n' | '\r') if close.len() == 1 => {
                let said = "a text of several lines stands between three quotes";
                return Err((from, said.into()));
            }
            Some('\\') if !raw => read.escape().map_err(|said| (from, said))?,
            Some('\r') => read.line(),
            Some(c) => read.take(c),
        }
    }
}

struct Reading<'a> {
    rest: &'a str,
    bytes: bool,
    made: Vec<u8>,
}

impl Reading<'_> {
    fn done(self, bytes: bool) -> Value {
        if bytes {
            return Value::Bytes(self.made.into());
        }
        // Only whole characters were put in.
        Value::Text(String::from_utf8_lossy(&self.made).into())
    }

    fn put(&mut self, c: char) {
        let mut room = [0; 4];
        self.made
            .extend_from_slice(c.encode_utf8(&mut room).as_bytes());
    }

    fn take(&mut self, c: char) {
        self.put(c);
        self.rest = self.rest.strip_prefix(c).unwrap_or_default();
    }

    /// Lines end with one character, however the file writes it.
    fn line(&mut self) {
        let rest = self.rest.strip_prefix("\r\n");
        self.rest = rest
            .or_else(|| self.rest.strip_prefix('\r'))
            .unwrap_or_default();
        self.put('\n');
    }

    fn escape(&mut self) -> Result<(), String> {
        let behind = self.rest.strip_prefix('\\').unwrap_or_default();
        let kind = behind.chars().next().ok_or("the text does not end")?;
        self.rest = behind.strip_prefix(kind).unwrap_or_default();
        let plain = match kind {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '?' | '"' | '\'' | '`' => kind,
            'x' | 'X' => return self.code(2, 16),
            'u' if !self.bytes => return self.code(4, 16),
            'U' if !self.bytes => return self.code(8, 16),
            '0'..='3' => {
                self.rest = behind;
                return self.code(3, 8);
            }
            _ => return Err(format!("`\\{}` is no escape", kind.escape_debug())),
        };
        self.put(plain);
        Ok(())
    }

    fn code(&mut self, length: usize, radix: u32) -> Result<(), String> {
        let digits = self.rest.get(..length).unwrap_or_default();
        let wrong = || format!("an escape of this kind has {length} digits");
        let good = digits.len() == length && digits.chars().all(|c| c.is_digit(radix));
        let number = u32::from_str_radix(digits, radix).ok().filter(|_| good);
        let number = number.ok_or_else(wrong)?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        if self.bytes {
            let byte = u8::try_from(number).map_err(|_| wrong())?;
            self.made.push(byte);
            return Ok(());
        }
        let c = char::from_u32(number).ok_or("the escape is no character")?;
        self.put(c);
        Ok(())
    }
}
