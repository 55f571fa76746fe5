//! Regular expressions as Go reads them (RE2), matched in linear time. Compiling and matching are paid for; a pattern
//! grows no larger than a limit, however it counts.

use super::fault::{Fault, Meter};
use kernel::limits::CONDITION_PATTERN_BYTES;
use regex::{Regex, RegexBuilder};

/// A compiled pattern and what it costs to match a byte.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    steps: usize,
}

/// The sizes that a compiled pattern may have, and steps for each byte: the machine behind it may have to follow as
/// many states at once as fit into it.
const SIZES: [(usize, usize); 3] = [(8 << 10, 8), (32 << 10, 32), (128 << 10, 128)];

/// Steps for compiling, and for each byte of the pattern.
const COMPILE: usize = 2_000;
const COMPILE_BYTE: usize = 20;

impl Pattern {
    /// A pattern that the expression says itself.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > CONDITION_PATTERN_BYTES {
            return Err(format!(
                "the pattern is longer than {CONDITION_PATTERN_BYTES} bytes"
            ));
        }
        let translated = translated(pattern)?;
        for (size, steps) in SIZES {
            let mut builder = RegexBuilder::new(&translated);
            let built = builder.size_limit(size).nest_limit(32).build();
            match built {
                Ok(regex) => return Ok(Self { regex, steps }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err("the pattern is not a regular expression".into()),
            }
        }
        Err("the pattern is too large when it is compiled".into())
    }

    /// A pattern that is only known now.
    pub(super) fn paid(pattern: &str, meter: &mut Meter) -> Result<Self, Fault> {
        let bytes = pattern.len().saturating_mul(COMPILE_BYTE);
        meter.pay(bytes.saturating_add(COMPILE))?;
        Self::new(pattern).map_err(Fault::of)
    }

    /// Whether it is found anywhere in a text.
    pub(super) fn found(&self, text: &str, meter: &mut Meter) -> Result<bool, Fault> {
        meter.pay(text.len().saturating_mul(self.steps))?;
        Ok(self.regex.is_match(text))
    }
}

/// The same pattern in the words of the library: `\d`, `\w`, `\s` and `\b` are about ASCII, and a bracket is a set of
/// characters, never an operation on sets.
fn translated(pattern: &str) -> Result<String, String> {
    let mut made = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    // How many characters were read of the bracket that is open.
    let mut bracket: Option<usize> = None;
    while let Some(c) = chars.next() {
        match (c, bracket) {
            ('\\', inside) => {
                let escaped = chars.next().ok_or("the pattern ends in a backslash")?;
                escape(escaped, inside.is_some(), &mut made)?;
            }
            ('[', None) => {
                made.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    made.push('^');
                }
                bracket = Some(0);
                continue;
            }
            (']', Some(1..)) => {
                made.push(']');
                bracket = None;
            }
            ('[', Some(_)) if chars.peek() == Some(&':') => made.push('['),
            ('[' | ']' | '&' | '~', Some(_)) if !named(&made, c) => {
                made.push('\\');
                made.push(c);
            }
            ('-', Some(_)) if chars.peek() == Some(&'-') => {
                return Err("the pattern has `--` in brackets: write `\\-`".into());
            }
            (c, _) => made.push(c),
        }
        bracket = bracket.map(|read| read + 1);
    }
    Ok(made)
}

/// Whether a bracket closes a class such as `[:alpha:]`.
fn named(made: &str, c: char) -> bool {
    c == ']' && made.ends_with(':') && made.rfind("[:").is_some()
}

fn escape(escaped: char, inside: bool, made: &mut String) -> Result<(), String> {
    let class = match escaped {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => "\\t\\n\\f\\r ",
        'b' if !inside => {
            made.push_str("(?-u:\\b)");
            return Ok(());
        }
        'B' | 'b' => {
            return Err(format!(
                "the pattern has `\\{escaped}`, which is not supported"
            ));
        }
        other => {
            made.push('\\');
            made.push(other);
            return Ok(());
        }
    };
    match (escaped.is_uppercase(), inside) {
        (false, true) => made.push_str(class),
        (false, false) => made.extend(["[", class, "]"]),
        (true, _) => made.extend(["[^", class, "]"]),
    }
    Ok(())
}
