//! The modelling language by recursive descent, after the grammar that OpenFGA publishes. It reads one model or one
//! module and remembers where each name stands; whether the names mean anything is `validate`'s.

use super::lexer::{Lexer, Placed, Token};
use super::{
    Condition, Model, PARAMETER_TYPES, ParameterType, Position, Problem, Relation, Restriction,
    Rewrite, SubjectKind, TypeDefinition,
};
use kernel::limits::{MODEL_BYTES, MODEL_NESTING};
use std::collections::HashMap;

/// Where names stand: of types, of relations with their type, and of conditions.
#[derive(Default)]
pub(super) struct Places {
    pub types: HashMap<String, Spot>,
    pub relations: HashMap<(String, String), Spot>,
    pub conditions: HashMap<String, Spot>,
    /// The names of the files of a modular model.
    pub files: Vec<String>,
}

/// A place in one of the files, by number; a model that is one text has no files.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub file: usize,
    pub at: Position,
}

/// A text as read: a model, or a module and which of its types extend another's.
pub(super) struct Text {
    pub module: Option<String>,
    pub schema: String,
    pub types: Vec<(TypeDefinition, bool, Position)>,
    pub conditions: Vec<(Condition, Position)>,
    pub relations: Vec<(String, String, Position)>,
}

type Read<T> = Result<T, Problem>;

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Placed<'a>,
    text: Text,
}

/// Reads a text that is a whole model.
pub(super) fn model(text: &str) -> Read<(Model, Places)> {
    let read = read(text)?;
    if read.module.is_some() {
        let message = "this is a module, not a model: read it with the other files of its model";
        return Err(Problem::new(None, message));
    }
    if let Some((_, _, at)) = read.types.iter().find(|(_, extends, _)| *extends) {
        return Err(Problem::new(Some(*at), "`extend` is for modules"));
    }
    super::modules::join(vec![("", read)])
}

/// Reads a model or a module.
pub(super) fn read(text: &str) -> Read<Text> {
    if text.len() > MODEL_BYTES {
        let message = format!("the model is longer than {MODEL_BYTES} bytes");
        return Err(Problem::new(None, message));
    }
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    let text = Text {
        module: None,
        schema: "1.2".into(),
        types: Vec::new(),
        conditions: Vec::new(),
        relations: Vec::new(),
    };
    let mut parser = Parser { lexer, next, text };
    parser.header()?;
    while parser.next.token != Token::End {
        parser.definition()?;
    }
    Ok(parser.text)
}

impl<'a> Parser<'a> {
    fn problem<T>(&self, wanted: &str) -> Read<T> {
        let found = match self.next.token {
            Token::Word(word) => format!("`{word}`"),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end".into(),
        };
        let message = format!("expected {wanted}, found {found}");
        Err(Problem::new(Some(self.next.at), message))
    }

    fn advance(&mut self) -> Read<Placed<'a>> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn accept(&mut self, token: Token<'_>) -> Read<bool> {
        let found = self.next.token == token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, token: Token<'_>) -> Read<()> {
        if self.accept(token)? {
            return Ok(());
        }
        match token {
            Token::Word(word) => self.problem(&format!("`{word}`")),
            Token::Mark(mark) => self.problem(&format!("`{mark}`")),
            Token::End => self.problem("the end"),
        }
    }

    fn name(&mut self, of: &str) -> Read<(String, Position)> {
        let Token::Word(word) = self.next.token else {
            return self.problem(of);
        };
        let at = self.advance()?.at;
        Ok((word.to_owned(), at))
    }

    fn header(&mut self) -> Read<()> {
        if self.accept(Token::Word("module"))? {
            self.text.module = Some(self.name("the name of the module")?.0);
            return Ok(());
        }
        self.expect(Token::Word("model"))?;
        self.expect(Token::Word("schema"))?;
        self.text.schema = self.name("a schema version, `1.1` or `1.2`")?.0;
        Ok(())
    }

    fn definition(&mut self) -> Read<()> {
        if !self.next.first {
            return self.problem("a new line");
        }
        if self.accept(Token::Word("condition"))? {
            return self.condition();
        }
        let extends = self.accept(Token::Word("extend"))?;
        if !self.accept(Token::Word("type"))? {
            return self.problem("`type` or `condition`");
        }
        self.type_definition(extends)
    }

    fn type_definition(&mut self, extends: bool) -> Read<()> {
        let (name, at) = self.name("the name of the type")?;
        let module = self.text.module.clone();
        let mut relations = Vec::new();
        if self.accept(Token::Word("relations"))? {
            while self.next.first && self.accept(Token::Word("define"))? {
                relations.push(self.relation(&name)?);
            }
            if relations.is_empty() {
                return self.problem("`define`");
            }
        }
        let defined = TypeDefinition {
            name,
            module,
            relations,
        };
        self.text.types.push((defined, extends, at));
        Ok(())
    }

    fn relation(&mut self, type_name: &str) -> Read<Relation> {
        let (name, at) = self.name("the name of the relation")?;
        self.expect(Token::Mark(':'))?;
        let mut restrictions = Vec::new();
        let rewrite = self.rewrite(&mut restrictions, 0)?;
        let place = (type_name.to_owned(), name.clone(), at);
        self.text.relations.push(place);
        Ok(Relation {
            name,
            module: None,
            rewrite,
            restrictions,
        })
    }

    /// One operator joins all operands of a level; another one needs parentheses.
    fn rewrite(&mut self, to: &mut Vec<Restriction>, depth: usize) -> Read<Rewrite> {
        let first = self.operand(to, depth)?;
        if self.next.first {
            return Ok(first);
        }
        let joined = match self.next.token {
            Token::Word("or") => Rewrite::Union(self.operands("or", first, to, depth)?),
            Token::Word("and") => Rewrite::Intersection(self.operands("and", first, to, depth)?),
            Token::Word("but") => self.exclusion(first, to, depth)?,
            _ => return Ok(first),
        };
        match self.next.token {
            Token::Word("or" | "and" | "but") if !self.next.first => {
                self.problem("parentheses around operators that are mixed")
            }
            _ => Ok(joined),
        }
    }

    fn operands(
        &mut self,
        operator: &str,
        first: Rewrite,
        to: &mut Vec<Restriction>,
        depth: usize,
    ) -> Read<Vec<Rewrite>> {
        let mut operands = vec![first];
        while self.accept(Token::Word(operator))? {
            operands.push(self.operand(to, depth)?);
        }
        Ok(operands)
    }

    fn exclusion(
        &mut self,
        base: Rewrite,
        to: &mut Vec<Restriction>,
        depth: usize,
    ) -> Read<Rewrite> {
        self.expect(Token::Word("but"))?;
        self.expect(Token::Word("not"))?;
        let subtract = Box::new(self.operand(to, depth)?);
        let base = Box::new(base);
        Ok(Rewrite::Exclusion { base, subtract })
    }

    fn operand(&mut self, to: &mut Vec<Restriction>, depth: usize) -> Read<Rewrite> {
        if depth > MODEL_NESTING {
            return self.problem(&format!("at most {MODEL_NESTING} parentheses"));
        }
        if self.accept(Token::Mark('('))? {
            let inner = self.rewrite(to, depth.saturating_add(1))?;
            self.expect(Token::Mark(')'))?;
            return Ok(inner);
        }
        if self.next.token == Token::Mark('[') {
            return self.direct(to);
        }
        let (name, _) = self.name("a relation, `[` or `(`")?;
        if !self.next.first && self.accept(Token::Word("from"))? {
            let (tupleset, _) = self.name("the relation that names the other objects")?;
            return Ok(Rewrite::TupleToUserset {
                tupleset,
                computed: name,
            });
        }
        Ok(Rewrite::Computed(name))
    }

    fn direct(&mut self, to: &mut Vec<Restriction>) -> Read<Rewrite> {
        if !to.is_empty() {
            return self.problem("one `[…]` in a relation");
        }
        self.expect(Token::Mark('['))?;
        loop {
            to.push(self.restriction()?);
            if !self.accept(Token::Mark(','))? {
                break;
            }
        }
        self.expect(Token::Mark(']'))?;
        Ok(Rewrite::Direct)
    }

    fn restriction(&mut self) -> Read<Restriction> {
        let (type_name, _) = self.name("the name of a type")?;
        let mut kind = SubjectKind::Object;
        if self.accept(Token::Mark(':'))? {
            self.expect(Token::Mark('*'))?;
            kind = SubjectKind::Wildcard;
        } else if self.accept(Token::Mark('#'))? {
            kind = SubjectKind::Userset(self.name("the name of a relation")?.0);
        }
        let mut condition = None;
        if self.accept(Token::Word("with"))? {
            condition = Some(self.name("the name of a condition")?.0);
        }
        Ok(Restriction {
            type_name,
            kind,
            condition,
        })
    }

    fn condition(&mut self) -> Read<()> {
        let (name, at) = self.name("the name of the condition")?;
        self.expect(Token::Mark('('))?;
        let mut parameters = Vec::new();
        loop {
            let (parameter, _) = self.name("the name of a parameter")?;
            self.expect(Token::Mark(':'))?;
            parameters.push((parameter, self.parameter_type()?));
            if !self.accept(Token::Mark(','))? {
                break;
            }
        }
        self.expect(Token::Mark(')'))?;
        if self.next.token != Token::Mark('{') {
            return self.problem("`{`");
        }
        // The brace is the token that was looked at last, so the lexer stands right behind it.
        let expression = self.lexer.block()?.trim().to_owned();
        self.next = self.lexer.next()?;
        let module = self.text.module.clone();
        let condition = Condition {
            name,
            module,
            parameters,
            expression,
        };
        self.text.conditions.push((condition, at));
        Ok(())
    }

    fn parameter_type(&mut self) -> Read<ParameterType> {
        let known = |word: &str| PARAMETER_TYPES.into_iter().find(|one| *one == word);
        let name = match self.next.token {
            Token::Word(word) => known(word),
            _ => None,
        };
        let Some(name) = name else {
            return self.problem(&format!("one of {}", PARAMETER_TYPES.join(", ")));
        };
        self.advance()?;
        if !matches!(name, "list" | "map") {
            return Ok(ParameterType { name, of: None });
        }
        self.expect(Token::Mark('<'))?;
        if matches!(self.next.token, Token::Word("list" | "map")) {
            return self.problem("a type that is not a list or a map");
        }
        let of = Some(Box::new(self.parameter_type()?));
        self.expect(Token::Mark('>'))?;
        Ok(ParameterType { name, of })
    }
}
