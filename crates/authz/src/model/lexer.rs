//! The modelling language as words and marks with their places. Comments and white space end here; what a word means
//! is the parser's.

use super::{Position, Problem};

/// One piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or a keyword.
    Word(&'a str),
    /// One of `[ ] ( ) { } < > , : * #`.
    Mark(char),
    /// Nothing is left.
    End,
}

/// A token, where it stands and whether it is the first of its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub token: Token<'a>,
    pub at: Position,
    pub first: bool,
}

/// Reads a text from its beginning.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    at: Position,
    first: bool,
}

const fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        let at = Position { line: 1, column: 1 };
        Self {
            rest: text,
            at,
            first: true,
        }
    }

    fn step(&mut self, c: char) {
        self.rest = self.rest.strip_prefix(c).unwrap_or_default();
        self.at.column = self.at.column.saturating_add(1);
        if c == '\n' {
            self.at.line = self.at.line.saturating_add(1);
            self.at.column = 1;
            self.first = true;
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, _) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        taken.chars().for_each(|c| self.step(c));
        taken
    }

    /// A `#` begins a comment at the start of a line and after white space; elsewhere it is `group#member`.
    fn skip(&mut self) {
        let mut spaced = self.first;
        while let Some(c) = self.rest.chars().next() {
            if c == '#' && spaced {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(end);
            } else if c.is_whitespace() {
                self.step(c);
                spaced = true;
            } else {
                return;
            }
        }
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Placed<'a>, Problem> {
        self.skip();
        let (at, first) = (self.at, self.first);
        self.first = false;
        let token = self.token(at)?;
        Ok(Placed { token, at, first })
    }

    fn token(&mut self, at: Position) -> Result<Token<'a>, Problem> {
        let Some(c) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        if in_word(c) {
            let end = self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len());
            return Ok(Token::Word(self.take(end)));
        }
        if !"[](){}<>,:*#".contains(c) {
            return Err(Problem::new(
                Some(at),
                format!("`{}` has no meaning here", c.escape_debug()),
            ));
        }
        self.step(c);
        Ok(Token::Mark(c))
    }

    /// The text up to the brace that closes the one just read, which is taken too. Braces in quotes do not count.
    pub(super) fn block(&mut self) -> Result<&'a str, Problem> {
        let (from, began) = (self.rest, self.at);
        let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
        while let Some(c) = self.rest.chars().next() {
            let length = from.len() - self.rest.len();
            self.step(c);
            match quote {
                Some(_) if escaped => escaped = false,
                Some(_) if c == '\\' => escaped = true,
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if c == '"' || c == '\'' => quote = Some(c),
                None if c == '{' => depth = depth.saturating_add(1),
                None if c == '}' && depth == 0 => {
                    return Ok(from.split_at_checked(length).map_or("", |(text, _)| text));
                }
                None if c == '}' => depth = depth.saturating_sub(1),
                None => {}
            }
        }
        Err(Problem::new(
            Some(began),
            "the expression does not end: close it with `}`",
        ))
    }
}
