//! Expressions by recursive descent, after the grammar that the language's specification publishes. It knows no types
//! and expands no macros.

use super::expr::{Expr, Kind, Refused, too_deep};
use super::lexer::{Lexer, Token};
use super::value::Value;
use kernel::limits::{CONDITION_BYTES, CONDITION_NESTING};

type Read<T> = Result<T, Refused>;

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Token<'a>,
    at: usize,
    level: usize,
}

/// Words that mean nothing yet and may not be used as names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// Whether a parameter can be named in an expression.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&text)
        && !matches!(text, "in" | "true" | "false" | "null")
}

/// Reads a whole expression.
pub(super) fn expression(text: &str) -> Read<Expr> {
    if text.len() > CONDITION_BYTES {
        let message = format!("the expression is longer than {CONDITION_BYTES} bytes");
        return Err(Refused { at: None, message });
    }
    let mut parser = Parser {
        lexer: Lexer::new(text),
        next: Token::End,
        at: 0,
        level: 0,
    };
    parser.advance()?;
    let read = parser.expr()?;
    match parser.next {
        Token::End => Ok(read),
        _ => parser.wrong("an operator or the end"),
    }
}

impl<'a> Parser<'a> {
    fn wrong<T>(&self, wanted: &str) -> Read<T> {
        let found = match &self.next {
            Token::Word(word) => format!("`{word}`"),
            Token::Literal(value) => format!("a literal {}", value.type_name()),
            Token::Smallest => "a number that is too large".into(),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end".into(),
        };
        Err(Refused::new(
            self.at,
            format!("expected {wanted}, found {found}"),
        ))
    }

    fn advance(&mut self) -> Read<Token<'a>> {
        let (next, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn sees(&self, mark: &str) -> bool {
        matches!(self.next, Token::Mark(next) if next == mark)
    }

    fn accept(&mut self, mark: &str) -> Read<bool> {
        let found = self.sees(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, mark: &str) -> Read<()> {
        match self.accept(mark)? {
            true => Ok(()),
            false => self.wrong(&format!("`{mark}`")),
        }
    }

    fn expr(&mut self) -> Read<Expr> {
        self.level += 1;
        if self.level > CONDITION_NESTING {
            return Err(too_deep(self.at));
        }
        let condition = self.any()?;
        let at = self.at;
        let read = match self.accept("?")? {
            false => condition,
            true => {
                let yes = self.any()?;
                self.expect(":")?;
                let no = self.expr()?;
                Expr::new(at, Kind::If(Box::new([condition, yes, no])))?
            }
        };
        self.level -= 1;
        Ok(read)
    }

    fn any(&mut self) -> Read<Expr> {
        let first = self.all()?;
        if !self.sees("||") {
            return Ok(first);
        }
        let (at, mut parts) = (self.at, vec![first]);
        while self.accept("||")? {
            parts.push(self.all()?);
        }
        Expr::new(at, Kind::Any(parts))
    }

    fn all(&mut self) -> Read<Expr> {
        let first = self.relation()?;
        if !self.sees("&&") {
            return Ok(first);
        }
        let (at, mut parts) = (self.at, vec![first]);
        while self.accept("&&")? {
            parts.push(self.relation()?);
        }
        Expr::new(at, Kind::All(parts))
    }

    fn relation(&mut self) -> Read<Expr> {
        self.chain(&["<", "<=", ">", ">=", "==", "!=", "in"], Self::sum)
    }

    fn sum(&mut self) -> Read<Expr> {
        self.chain(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Read<Expr> {
        self.chain(&["*", "/", "%"], Self::unary)
    }

    fn chain(&mut self, operators: &[&str], part: fn(&mut Self) -> Read<Expr>) -> Read<Expr> {
        let mut left = part(self)?;
        loop {
            let operator = match &self.next {
                Token::Mark(mark) if operators.contains(mark) => *mark,
                Token::Word("in") if operators.contains(&"in") => "in",
                _ => return Ok(left),
            };
            let at = self.at;
            self.advance()?;
            let right = part(self)?;
            left = Expr::new(at, Kind::Call(operator.into(), vec![left, right]))?;
        }
    }

    /// Signs in a row cancel each other; one right before a number is the number's.
    fn unary(&mut self) -> Read<Expr> {
        let at = self.at;
        let operator = match self.next {
            Token::Mark(mark @ ("!" | "-")) => mark,
            _ => return self.member(),
        };
        let mut odd = false;
        while self.accept(operator)? {
            odd = !odd;
        }
        let negative = odd && operator == "-";
        let literal = match &self.next {
            Token::Smallest if negative => Some(Value::Int(i64::MIN)),
            Token::Literal(Value::Int(number)) if negative => Some(Value::Int(-number)),
            Token::Literal(Value::Double(number)) if negative => Some(Value::Double(-number)),
            _ => None,
        };
        if let Some(value) = literal {
            self.advance()?;
            let number = Expr::new(at, Kind::Literal(value))?;
            return self.behind(number);
        }
        let of = self.member()?;
        match odd {
            true => Expr::new(at, Kind::Call(format!("{operator}_"), vec![of])),
            false => Ok(of),
        }
    }

    fn member(&mut self) -> Read<Expr> {
        let first = self.primary()?;
        self.behind(first)
    }

    /// Fields, calls and indexes behind something.
    fn behind(&mut self, mut of: Expr) -> Read<Expr> {
        loop {
            let at = self.at;
            if self.accept("[")? {
                let index = self.expr()?;
                self.expect("]")?;
                of = Expr::new(at, Kind::Call("[]".into(), vec![of, index]))?;
            } else if self.accept(".")? {
                let (name, at) = self.name(true)?;
                let kind = match self.accept("(")? {
                    true => Kind::Member(Box::new(of), name, self.list(")")?),
                    false => Kind::Select(Box::new(of), name),
                };
                of = Expr::new(at, kind)?;
            } else if self.sees("{") {
                return Err(Refused::new(at, "messages cannot be made here"));
            } else {
                return Ok(of);
            }
        }
    }

    /// A name; of a field it may be a reserved word.
    fn name(&mut self, field: bool) -> Read<(String, usize)> {
        let at = self.at;
        let Token::Word(word) = self.next else {
            return self.wrong("a name");
        };
        if word == "in" || (!field && RESERVED.contains(&word)) {
            return Err(Refused::new(
                at,
                format!("`{word}` is reserved and cannot be a name"),
            ));
        }
        self.advance()?;
        Ok((word.to_owned(), at))
    }

    fn primary(&mut self) -> Read<Expr> {
        let at = self.at;
        if self.accept("(")? {
            let inside = self.expr()?;
            self.expect(")")?;
            return Ok(inside);
        }
        if self.accept("[")? {
            let kind = Kind::List(self.list("]")?);
            return Expr::new(at, kind);
        }
        if self.accept("{")? {
            let kind = Kind::Map(self.entries()?);
            return Expr::new(at, kind);
        }
        let literal = match &self.next {
            Token::Literal(value) => Some(value.clone()),
            Token::Word("true") => Some(Value::Bool(true)),
            Token::Word("false") => Some(Value::Bool(false)),
            Token::Word("null") => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = literal {
            self.advance()?;
            return Expr::new(at, Kind::Literal(value));
        }
        if !matches!(self.next, Token::Word(_)) && !self.sees(".") {
            return self.wrong("a value");
        }
        // A dot in front says that the name is none of a container's; there is no container here.
        self.accept(".")?;
        let (name, at) = self.name(false)?;
        match self.accept("(")? {
            true => {
                let kind = Kind::Call(name, self.list(")")?);
                Expr::new(at, kind)
            }
            false => Expr::new(at, Kind::Name(name)),
        }
    }

    /// Expressions with commas between them, up to the mark that ends them. A list may have a comma behind its last.
    fn list(&mut self, end: &'static str) -> Read<Vec<Expr>> {
        let mut all = Vec::new();
        loop {
            if (all.is_empty() || end == "]") && self.accept(end)? {
                return Ok(all);
            }
            all.push(self.expr()?);
            if !self.accept(",")? {
                self.expect(end)?;
                return Ok(all);
            }
        }
    }

    fn entries(&mut self) -> Read<Vec<(Expr, Expr)>> {
        let mut all = Vec::new();
        loop {
            if self.accept("}")? {
                return Ok(all);
            }
            let key = self.expr()?;
            self.expect(":")?;
            all.push((key, self.expr()?));
            if !self.accept(",")? {
                self.expect("}")?;
                return Ok(all);
            }
        }
    }
}
