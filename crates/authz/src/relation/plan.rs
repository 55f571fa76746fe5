//! A model compiled for one store: for each relation of each type a plan of numbers, which subjects can ever be in it,
//! and where a member may be found from. A plan decides nothing by itself and holds no tuple.

use super::compile::Compiler;
use super::names::{NONE, Symbol, Symbols, WILDCARD};
use super::{Subject, Tuple, TupleError, Tuples};
use crate::model::{Model, Problem};
use hashbrown::HashMap;

/// The number of a relation of a type within its plan.
pub(super) type Place = u32;

/// A model compiled for one store. It stays good for every later revision of the store's tuples.
pub struct Plan {
    pub(super) symbols: Symbols,
    /// The model's own names, for questions.
    names: HashMap<Box<str>, Symbol>,
    nodes: Vec<Node>,
    places: HashMap<(Symbol, Symbol), Place>,
    /// By type: which relations an object of it may be in, and whether any names all objects of it.
    relevant: HashMap<Symbol, (Box<[bool]>, bool)>,
    /// By relation: the relations that depend on it, in any way.
    dependents: Vec<Vec<Place>>,
    /// By relation: those that it depends on.
    dependencies: Vec<Vec<Place>>,
    /// By relation: how a member of it may become a member of others.
    uses: Vec<Vec<Use>>,
}

/// A relation of a type.
pub(super) struct Node {
    pub of: Symbol,
    pub relation: Symbol,
    pub op: Op,
    /// What its tuples may name.
    pub allowed: Box<[Allowed]>,
    /// It names usersets.
    pub usersets: bool,
    /// Nothing but its own tuples matters, and they name no userset.
    pub leaf: bool,
    /// Whoever is found by following tuples is a member: no `and`, no `but not` on any way to it.
    pub union_only: bool,
}

/// One kind of subject that a tuple may name.
pub(super) struct Allowed {
    /// A type, with [`WILDCARD`] for all its objects.
    pub kind: Symbol,
    pub relation: Symbol,
    pub condition: Symbol,
    /// The plan of the userset.
    pub target: Option<Place>,
}

/// How members are found.
pub(super) enum Op {
    Direct,
    Computed(Place),
    /// The relation that names objects, and by their type what to look at there.
    Through(Place, Box<[(Symbol, Place)]>),
    Union(Box<[Op]>),
    Intersection(Box<[Op]>),
    Exclusion(Box<(Op, Op)>),
}

/// How a member of one relation may be a member of another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Of the same object.
    Computed(Place),
    /// Of the objects whose relation (the first) names this object.
    Through(Place, Place),
    /// Of the objects whose relation names this userset.
    Userset(Place),
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a plan of {} relations", self.nodes.len())
    }
}

impl Tuples {
    /// Compiles a model for this store and its later revisions.
    pub fn compile(&mut self, model: &Model) -> Result<Plan, Vec<Problem>> {
        let problems = model.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        Plan::of(model, &mut self.symbols).ok_or_else(|| {
            let message =
                "the store knows too many names of types, relations and conditions".into();
            vec![Problem {
                file: None,
                at: None,
                message,
            }]
        })
    }
}

impl Node {
    /// The restriction that lets a tuple of this relation name such a subject.
    pub(super) fn admit(
        &self,
        kind: Symbol,
        relation: Symbol,
        condition: Symbol,
    ) -> Option<&Allowed> {
        let fits = |one: &&Allowed| {
            one.kind == kind && one.relation == relation && one.condition == condition
        };
        self.allowed.iter().find(fits)
    }
}

impl Plan {
    fn of(model: &Model, symbols: &mut Symbols) -> Option<Self> {
        let mut places = HashMap::new();
        for (of, relation) in model.relations() {
            let key = (symbols.intern(&of.name)?, symbols.intern(&relation.name)?);
            let place = Place::try_from(places.len()).ok()?;
            places.insert(key, place);
        }
        let types: Option<Vec<_>> = model
            .types
            .iter()
            .map(|of| symbols.intern(&of.name))
            .collect();
        let mut compiler = Compiler {
            model,
            symbols,
            places: &places,
        };
        let nodes = model
            .relations()
            .map(|(of, relation)| compiler.node(&of.name, relation));
        let nodes: Option<Vec<_>> = nodes.collect();
        let mut plan = Self {
            symbols: symbols.clone(),
            names: HashMap::new(),
            dependents: vec![Vec::new(); places.len()],
            dependencies: vec![Vec::new(); places.len()],
            uses: vec![Vec::new(); places.len()],
            nodes: nodes?,
            places,
            relevant: HashMap::new(),
        };
        plan.connect();
        for (of, relation) in model.relations() {
            plan.name(&of.name);
            plan.name(&relation.name);
        }
        model.types.iter().for_each(|of| plan.name(&of.name));
        for of in types? {
            let relevant = plan.naming(|one| one.relation == NONE && one.kind & !WILDCARD == of);
            let named = |node: &Node| node.allowed.iter().any(|one| one.kind == of | WILDCARD);
            let everyone = plan.nodes.iter().any(named);
            plan.relevant.insert(of, (relevant, everyone));
        }
        Some(plan)
    }

    fn name(&mut self, name: &str) {
        if let Some(symbol) = self.symbols.get(name) {
            self.names.insert(name.into(), symbol);
        }
    }

    fn connect(&mut self) {
        let (mut dependents, mut uses) = (
            std::mem::take(&mut self.dependents),
            std::mem::take(&mut self.uses),
        );
        for (place, node) in self.enumerated() {
            let mut add = |from: Place, how: Use, positive: bool| {
                if let Some(list) = dependents.get_mut(from as usize) {
                    list.push(place);
                }
                let list = uses.get_mut(from as usize).filter(|_| positive);
                if let Some(list) = list.filter(|list| !list.contains(&how)) {
                    list.push(how);
                }
            };
            node.op.each(true, &mut |op, positive| match op {
                Op::Direct => {
                    let targets = node.allowed.iter().filter_map(|one| one.target);
                    targets.for_each(|from| add(from, Use::Userset(place), positive));
                }
                Op::Computed(from) => add(*from, Use::Computed(place), positive),
                Op::Through(tupleset, targets) => {
                    let how = Use::Through(*tupleset, place);
                    targets
                        .iter()
                        .for_each(|(_, from)| add(*from, how, positive));
                }
                Op::Union(_) | Op::Intersection(_) | Op::Exclusion(_) => {}
            });
        }
        for (from, list) in (0..).zip(&dependents) {
            for place in list {
                if let Some(list) = self.dependencies.get_mut(*place as usize) {
                    list.push(from);
                }
            }
        }
        (self.dependents, self.uses) = (dependents, uses);
        let mixed = self
            .enumerated()
            .filter(|(_, node)| node.op.mixed())
            .map(|(place, _)| place);
        let mixed = self.above(mixed.collect());
        for (node, mixed) in self.nodes.iter_mut().zip(mixed) {
            node.union_only = !mixed;
        }
    }

    fn enumerated(&self) -> impl Iterator<Item = (Place, &Node)> {
        (0..).zip(&self.nodes)
    }

    /// Everything that depends on these, themselves too.
    fn above(&self, from: Vec<Place>) -> Box<[bool]> {
        closure(&self.dependents, from)
    }

    /// Everything that a relation depends on, itself too.
    pub(super) fn below(&self, place: Place) -> Box<[bool]> {
        closure(&self.dependencies, vec![place])
    }

    /// The relations into which a tuple that names such a subject may lead.
    fn naming(&self, names: impl Fn(&Allowed) -> bool) -> Box<[bool]> {
        let naming = self
            .enumerated()
            .filter(|(_, node)| node.allowed.iter().any(&names));
        self.above(naming.map(|(place, _)| place).collect())
    }

    /// The relations that a subject of a type may be in.
    pub(super) fn relevant(&self, of: Symbol) -> Option<&[bool]> {
        self.relevant.get(&of).map(|(relevant, _)| &**relevant)
    }

    /// Whether any relation may name all objects of a type.
    pub(super) fn everyone(&self, of: Symbol) -> bool {
        self.relevant
            .get(&of)
            .is_some_and(|(_, everyone)| *everyone)
    }

    /// The relations that a userset may be in.
    pub(super) fn relevant_userset(&self, of: Symbol, relation: Symbol) -> Box<[bool]> {
        let itself = self.place(of, relation);
        let mut found = self.naming(|one| one.kind == of && one.relation == relation);
        let inside = self.above(itself.into_iter().collect());
        found
            .iter_mut()
            .zip(inside)
            .for_each(|(found, inside)| *found |= inside);
        found
    }

    pub(super) fn place(&self, of: Symbol, relation: Symbol) -> Option<Place> {
        self.places.get(&(of, relation)).copied()
    }

    pub(super) fn node(&self, place: Place) -> Option<&Node> {
        self.nodes.get(place as usize)
    }

    pub(super) fn uses(&self, place: Place) -> &[Use] {
        self.uses.get(place as usize).map_or(&[], Vec::as_slice)
    }

    /// The number of a type of the model.
    pub(super) fn type_symbol(&self, name: &str) -> Option<Symbol> {
        let symbol = *self.names.get(name)?;
        self.relevant.contains_key(&symbol).then_some(symbol)
    }

    /// The number of a name that the model uses.
    pub(super) fn symbol(&self, name: &str) -> Option<Symbol> {
        self.names.get(name).copied()
    }

    /// Whether the model allows a tuple: its type, its relation, and its subject with exactly its condition.
    pub fn allows(&self, tuple: &Tuple<'_>) -> Result<(), TupleError> {
        let key = &tuple.key;
        let known = |name: &str| {
            self.type_symbol(name)
                .ok_or_else(|| TupleError::UnknownType(name.into()))
        };
        let of = known(key.object.type_name)?;
        let place = self
            .symbol(key.relation)
            .and_then(|relation| self.place(of, relation));
        let unknown =
            || TupleError::UnknownRelation(key.object.type_name.into(), key.relation.into());
        let node = place
            .and_then(|place| self.node(place))
            .ok_or_else(unknown)?;
        let named = known(key.subject.type_name())?;
        let symbol = |name: Option<&str>| name.map_or(Some(NONE), |name| self.symbols.get(name));
        let (kind, relation) = match key.subject {
            Subject::Object(_) => (named, Some(NONE)),
            Subject::Wildcard(_) => (named | WILDCARD, Some(NONE)),
            Subject::Userset(_, relation) => (named, symbol(Some(relation))),
        };
        let admitted = relation.zip(symbol(tuple.condition));
        let admitted =
            admitted.and_then(|(relation, condition)| node.admit(kind, relation, condition));
        match admitted {
            Some(_) => Ok(()),
            None => Err(TupleError::Restricted(
                key.subject.to_string(),
                key.relation.into(),
            )),
        }
    }
}

fn closure(edges: &[Vec<Place>], mut open: Vec<Place>) -> Box<[bool]> {
    let mut found = vec![false; edges.len()].into_boxed_slice();
    while let Some(place) = open.pop() {
        match found.get_mut(place as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        open.extend(edges.get(place as usize).into_iter().flatten());
    }
    found
}

impl Op {
    /// Itself and every part, and whether it adds members or takes them away.
    fn each<'a>(&'a self, positive: bool, see: &mut impl FnMut(&'a Self, bool)) {
        see(self, positive);
        match self {
            Self::Direct | Self::Computed(_) | Self::Through(..) => {}
            Self::Union(parts) | Self::Intersection(parts) => {
                parts.iter().for_each(|part| part.each(positive, see));
            }
            Self::Exclusion(parts) => {
                parts.0.each(positive, see);
                parts.1.each(false, see);
            }
        }
    }

    fn mixed(&self) -> bool {
        match self {
            Self::Direct | Self::Computed(_) | Self::Through(..) => false,
            Self::Union(parts) => parts.iter().any(Self::mixed),
            Self::Intersection(_) | Self::Exclusion(_) => true,
        }
    }
}
