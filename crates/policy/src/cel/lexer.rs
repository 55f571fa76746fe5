//! An expression as words, literals and marks with their places. Comments and white space end here.

use super::expr::Refused;
use super::literal;
use super::value::Value;

/// One piece of the text.
#[derive(Clone, Debug)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Literal(Value),
    /// The digits of the smallest `int`, which are a number only behind `-`.
    Smallest,
    Mark(&'static str),
    End,
}

const MARKS: [&str; 23] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{",
];

const SMALLEST: [&str; 2] = ["9223372036854775808", "0x8000000000000000"];

/// Reads a text from its beginning.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// The next token and where it begins.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, usize), Refused> {
        self.skip();
        let (at, rest) = (self.at, self.rest());
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, at));
        };
        if let Some((value, length)) = literal::quoted(rest).map_err(|said| refuse(at, said))? {
            self.at += length;
            return Ok((Token::Literal(value), at));
        }
        let ends = |rest: &str| !rest.starts_with(|c| in_word(c) || c == '.');
        let smallest = |one: &&&str| rest.strip_prefix(**one).is_some_and(ends);
        if let Some(digits) = SMALLEST.iter().find(smallest) {
            self.at += digits.len();
            return Ok((Token::Smallest, at));
        }
        let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        if digit(rest) || rest.strip_prefix('.').is_some_and(digit) {
            let (value, length) = literal::number(rest).map_err(|said| refuse(at, said))?;
            self.at += length;
            return Ok((Token::Literal(value), at));
        }
        if in_word(first) {
            let length = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            self.at += length;
            return Ok((Token::Word(rest.get(..length).unwrap_or_default()), at));
        }
        let known = MARKS.iter().chain(&["}"]);
        let Some(mark) = known.copied().find(|mark| rest.starts_with(mark)) else {
            let said = format!("`{}` has no meaning here", first.escape_debug());
            return Err(Refused::new(at, said));
        };
        self.at += mark.len();
        Ok((Token::Mark(mark), at))
    }
}

fn refuse(at: usize, (from, said): (usize, String)) -> Refused {
    Refused::new(at + from, said)
}
