//! An expression as it was written, with its places. What its names mean and whether its types fit is found later.

use super::value::Value;
use kernel::limits::CONDITION_NESTING;

/// Why an expression cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The byte where.
    pub at: Option<usize>,
    pub message: String,
}

impl Refused {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            message: message.into(),
        }
    }
}

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub kind: Kind,
    /// The byte where it begins; for an operator where that stands.
    pub at: usize,
    /// How deep parts lie in it.
    depth: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Literal(Value),
    Name(String),
    Select(Box<Expr>, String),
    /// A function or an operator.
    Call(String, Vec<Expr>),
    /// A function of what stands before the dot.
    Member(Box<Expr>, String, Vec<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    If(Box<[Expr; 3]>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

impl Expr {
    /// A part around others; refused when it is too deep.
    pub(super) fn new(at: usize, kind: Kind) -> Result<Self, Refused> {
        let depth = 1 + kind.depth();
        if depth > CONDITION_NESTING {
            return Err(too_deep(at));
        }
        Ok(Self { kind, at, depth })
    }
}

pub(super) fn too_deep(at: usize) -> Refused {
    Refused::new(
        at,
        format!("the expression nests deeper than {CONDITION_NESTING}"),
    )
}

impl Kind {
    fn depth(&self) -> usize {
        let deepest = |all: &[Expr]| all.iter().map(|one| one.depth).max().unwrap_or(0);
        match self {
            Self::Literal(_) | Self::Name(_) => 0,
            Self::Select(of, _) => of.depth,
            Self::Call(_, all) | Self::All(all) | Self::Any(all) | Self::List(all) => deepest(all),
            Self::Member(of, _, all) => of.depth.max(deepest(all)),
            Self::If(parts) => deepest(parts.as_slice()),
            Self::Map(all) => {
                let depths = all.iter().map(|(key, value)| key.depth.max(value.depth));
                depths.max().unwrap_or(0)
            }
        }
    }
}
