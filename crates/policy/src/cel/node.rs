//! A checked expression: names are places, functions are known, fixed patterns are compiled.

use super::overload::Function;
use super::pattern::Pattern;
use super::types::Type;
use super::value::Value;
use std::sync::Arc;

/// A condition that can be evaluated.
#[derive(Debug)]
pub(super) struct Program {
    pub name: Box<str>,
    /// The parameters, in the order of their places.
    pub parameters: Vec<(Box<str>, Type)>,
    pub root: Node,
}

#[derive(Debug)]
pub(super) enum Node {
    Constant(Value),
    /// A parameter, or a variable of a macro around it.
    Variable(usize),
    All(Box<[Node]>),
    Any(Box<[Node]>),
    If(Box<[Node; 3]>),
    List(Box<[Node]>),
    Map(Box<[(Node, Node)]>),
    Field(Box<Node>, Arc<str>),
    Has(Box<Node>, Arc<str>),
    Call(Function, Box<[Node]>),
    /// With a pattern that the expression itself says.
    Matches(Box<Node>, Pattern),
    Each(Box<Each>),
}

/// A macro over the elements of a list or the keys of a map. Its variable has the next free place.
#[derive(Debug)]
pub(super) struct Each {
    pub fold: Fold,
    pub range: Node,
    /// The condition of a `map` with three arguments.
    pub filter: Option<Node>,
    pub body: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

impl Fold {
    /// The macro of that name with so many arguments.
    pub(super) fn named(name: &str, arguments: usize) -> Option<Self> {
        match (name, arguments) {
            ("all", 2) => Some(Self::All),
            ("exists", 2) => Some(Self::Exists),
            ("exists_one", 2) => Some(Self::ExistsOne),
            ("map", 2 | 3) => Some(Self::Map),
            ("filter", 2) => Some(Self::Filter),
            _ => None,
        }
    }
}
