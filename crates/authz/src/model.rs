//! Authorization models as OpenFGA defines them, schema 1.1 and modular 1.2: types, relations, rewrites and
//! conditions, read from and written as the modelling language or JSON. A condition's expression is kept as text;
//! nothing here evaluates it, and nothing here knows a tuple.

mod graph;
mod json;
mod lexer;
mod modules;
mod parse;
mod print;
mod problem;
mod validate;

pub use modules::ModuleFile;
pub use problem::{Position, Problem};

use parse::Places;
use serde::{Deserialize, Serialize};

/// A whole model. Its JSON is what the OpenFGA API calls an authorization model, without an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "json::ModelJson", try_from = "json::ModelJson")]
pub struct Model {
    /// `1.1`, or `1.2` for a model made of modules.
    pub schema: String,
    /// The types, in the order of the text; by JSON in its order.
    pub types: Vec<TypeDefinition>,
    /// The conditions that tuples may carry.
    pub conditions: Vec<Condition>,
}

/// A type of objects and its relations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDefinition {
    /// Its name.
    pub name: String,
    /// The module that defines it, in a modular model.
    pub module: Option<String>,
    /// Its relations; JSON keeps no order and gives them by name.
    pub relations: Vec<Relation>,
}

/// A relation of a type: who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// The module that adds it to a type of another module.
    pub module: Option<String>,
    /// How its members are found.
    pub rewrite: Rewrite,
    /// Whom a tuple may name; empty unless the rewrite has [`Rewrite::Direct`] in it.
    pub restrictions: Vec<Restriction>,
}

/// How the members of a relation are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Those whom a tuple names (`[user]`, in JSON `this`).
    Direct,
    /// The members of another relation of the same object.
    Computed(String),
    /// The members of a relation of the objects that a tuple names (`viewer from parent`).
    TupleToUserset {
        /// The relation that names the other objects.
        tupleset: String,
        /// The relation of those objects.
        computed: String,
    },
    /// Members of any of them.
    Union(Vec<Rewrite>),
    /// Members of each of them.
    Intersection(Vec<Rewrite>),
    /// Members of the first that are not members of the second.
    Exclusion {
        /// Who may be a member.
        base: Box<Rewrite>,
        /// Who is not.
        subtract: Box<Rewrite>,
    },
}

/// One kind of subject that a tuple of a relation may name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Restriction {
    /// The subject's type.
    pub type_name: String,
    /// What of that type.
    pub kind: SubjectKind,
    /// The condition that such a tuple must carry; without one it must carry none.
    pub condition: Option<String>,
}

/// What a subject of a type is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectKind {
    /// One object: `user:anne`.
    Object,
    /// All objects of the type: `user:*`.
    Wildcard,
    /// The members of a relation of an object: `group:eng#member`.
    Userset(String),
}

/// A named condition: what it takes and its expression (CEL), as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// The module that defines it.
    pub module: Option<String>,
    /// Its parameters and their types, in the order of the text; by JSON by name.
    pub parameters: Vec<(String, ParameterType)>,
    /// The expression, without the braces.
    pub expression: String,
}

/// The type of a condition's parameter: a name such as `int`, and for `list` and `map` what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterType {
    /// One of [`PARAMETER_TYPES`].
    pub name: &'static str,
    /// What a list or a map holds.
    pub of: Option<Box<ParameterType>>,
}

/// The types that a parameter may have. `list` and `map` hold one further type.
pub const PARAMETER_TYPES: [&str; 11] = [
    "any",
    "bool",
    "double",
    "duration",
    "int",
    "ipaddress",
    "list",
    "map",
    "string",
    "timestamp",
    "uint",
];

impl Model {
    /// Reads the modelling language and checks what it says; every problem has its line and column.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let (model, places) = parse::model(text).map_err(|problem| vec![problem])?;
        model.checked(&places)
    }

    /// Reads the files of a modular model (schema 1.2) and checks them as one.
    pub fn read_modules(files: &[ModuleFile<'_>]) -> Result<Self, Vec<Problem>> {
        let (model, places) = modules::merge(files).map_err(|problem| vec![problem])?;
        model.checked(&places)
    }

    /// What is wrong with it; nothing for a model that can be compiled. A model that came as JSON has no positions.
    pub fn problems(&self) -> Vec<Problem> {
        validate::problems(self, &Places::default())
    }

    fn checked(self, places: &Places) -> Result<Self, Vec<Problem>> {
        let problems = validate::problems(&self, places);
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(problems)
        }
    }

    /// A relation of a type.
    pub fn relation(&self, type_name: &str, relation: &str) -> Option<&Relation> {
        let defined = self.types.iter().find(|one| one.name == type_name)?;
        defined.relations.iter().find(|one| one.name == relation)
    }

    /// Every relation with its type.
    pub(crate) fn relations(&self) -> impl Iterator<Item = (&TypeDefinition, &Relation)> {
        let of = |one| (std::iter::repeat(one), one);
        let pairs = self.types.iter().map(of);
        pairs.flat_map(|(types, one): (_, &TypeDefinition)| types.zip(&one.relations))
    }
}

impl Relation {
    /// The types whose objects a tupleset of this relation names.
    pub(crate) fn types(&self) -> impl Iterator<Item = &str> {
        self.restrictions.iter().map(|one| one.type_name.as_str())
    }
}

impl Rewrite {
    /// The rewrites directly inside, and whether each is taken away.
    pub(crate) fn parts(&self) -> Vec<(&Rewrite, bool)> {
        match self {
            Self::Union(parts) | Self::Intersection(parts) => {
                parts.iter().map(|part| (part, false)).collect()
            }
            Self::Exclusion { base, subtract } => vec![(base, false), (subtract, true)],
            Self::Direct | Self::Computed(_) | Self::TupleToUserset { .. } => Vec::new(),
        }
    }

    /// How many times `[…]` stands in it.
    pub(crate) fn directs(&self) -> usize {
        let inside = self.parts().into_iter().map(|(part, _)| part.directs());
        usize::from(*self == Self::Direct) + inside.sum::<usize>()
    }

    /// Operators inside operators.
    pub(crate) fn nesting(&self) -> usize {
        let inside = self.parts().into_iter().map(|(part, _)| 1 + part.nesting());
        inside.max().unwrap_or(0)
    }
}
