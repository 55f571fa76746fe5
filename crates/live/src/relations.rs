//! What a node knows of one relation store: its tuples, the latest version of its model and some older ones, compiled.
//! It belongs to the state of its organization and moves with it, so that one view is one revision of both. It is loaded
//! when somebody asks the store, and let go with the organization.

use authz::{
    model::Model,
    relation::{Loading, Plan, Tuple, TupleError, TupleKey, Tuples},
};
use domain::{AuthorizationModelCore, Change, RelationKey, RelationTuple, RelationsCore};
use kernel::{AuthorizationModel, Id, RelationStore, limits};
use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

/// Why a store cannot be held in memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A tuple is none.
    #[error(transparent)]
    Tuple(#[from] TupleError),
    /// A version of the model cannot be compiled.
    #[error("model {0} cannot be compiled: {1}")]
    Model(String, String),
}

/// A version of a model, compiled for the tuples beside it.
#[derive(Debug)]
pub struct Compiled {
    /// Which version.
    pub id: Id<AuthorizationModel>,
    /// The model.
    pub model: Model,
    /// Its plan.
    pub plan: Plan,
    /// What somebody else made of the model, for as long as this version is kept.
    made: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Compiled {
    /// What `make` makes of the model, made when it is first asked for. Whoever uses this asks for one type alone;
    /// another one is made each time.
    pub fn made<T: Any + Send + Sync>(&self, make: impl Fn(&Model) -> T) -> Arc<T> {
        let made = self.made.get_or_init(|| Arc::new(make(&self.model)));
        let known = made.clone().downcast();
        known.unwrap_or_else(|_| Arc::new(make(&self.model)))
    }
}

/// The tuples of a store and the versions of its model that are compiled.
#[derive(Clone, Default)]
pub struct Relations {
    tuples: Tuples,
    latest: Option<Id<AuthorizationModel>>,
    /// In the order in which they were compiled.
    compiled: Vec<Arc<Compiled>>,
}

impl std::fmt::Debug for Relations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tuples, model {:?}", self.tuples.len(), self.latest)
    }
}

/// Which versions happen to be compiled says nothing about the store.
impl PartialEq for Relations {
    fn eq(&self, other: &Self) -> bool {
        self.latest == other.latest && self.tuples == other.tuples
    }
}

fn key(key: &RelationKey) -> Result<TupleKey<'_>, TupleError> {
    TupleKey::parse(&key.object, &key.relation, &key.subject)
}

/// A stored tuple as the engine takes it.
///
/// # Errors
/// When a part has not the form it must have.
pub fn tuple(of: &RelationTuple) -> Result<Tuple<'_>, TupleError> {
    let condition = of.condition.as_ref();
    let context = condition.and_then(|condition| condition.context.clone());
    Ok(Tuple {
        key: key(&of.key)?,
        condition: condition.map(|condition| condition.name.as_str()),
        context: context.map(Arc::new),
        valid_from: of.valid_from,
        valid_until: of.valid_until,
    })
}

impl Relations {
    /// A store with the tuples that were loaded and the latest version of its model.
    ///
    /// # Errors
    /// When there are too many names, or the model is none.
    pub fn new(
        loading: Loading,
        latest: Option<&AuthorizationModelCore>,
    ) -> Result<Self, Unusable> {
        let mut relations = Self {
            tuples: loading.done()?,
            ..Self::default()
        };
        latest.map_or(Ok(()), |latest| relations.put_model(latest))?;
        Ok(relations)
    }

    /// The tuples.
    pub const fn tuples(&self) -> &Tuples {
        &self.tuples
    }

    /// The latest version of the model.
    pub const fn latest(&self) -> Option<Id<AuthorizationModel>> {
        self.latest
    }

    /// A version that is compiled.
    pub fn compiled(&self, id: Id<AuthorizationModel>) -> Option<&Arc<Compiled>> {
        self.compiled.iter().find(|one| one.id == id)
    }

    /// Takes in what a write did.
    pub(crate) fn apply(&mut self, change: &RelationsCore) -> Result<(), Unusable> {
        for gone in &change.deleted {
            self.tuples.remove(&key(gone)?);
        }
        for there in &change.written {
            self.tuples.put(&tuple(there)?)?;
        }
        Ok(())
    }

    /// Takes in a change of the organization, if it concerns this store.
    ///
    /// # Errors
    /// When it cannot be taken in.
    pub fn follow(&mut self, store: Id<RelationStore>, change: &Change) -> Result<(), Unusable> {
        match change {
            Change::Relations(core) if core.store == store => self.apply(core),
            Change::AuthorizationModel(core) if core.store == store => self.put_model(core),
            _ => Ok(()),
        }
    }

    /// Takes in another version of the model.
    pub(crate) fn put_model(&mut self, core: &AuthorizationModelCore) -> Result<(), Unusable> {
        self.latest = self.latest.max(Some(core.id));
        self.compile(core)
    }

    /// Compiles a version, and lets the one go that was compiled first when there are too many.
    pub(crate) fn compile(&mut self, core: &AuthorizationModelCore) -> Result<(), Unusable> {
        let refused = |why: String| Unusable::Model(core.id.ulid(), why);
        let model: Model =
            serde_json::from_str(&core.model).map_err(|error| refused(error.to_string()))?;
        let plan = self.tuples.compile(&model).map_err(|problems| {
            let first = problems.first();
            refused(first.map(ToString::to_string).unwrap_or_default())
        })?;
        let compiled = Compiled {
            id: core.id,
            model,
            plan,
            made: OnceLock::new(),
        };
        self.compiled.retain(|one| one.id != core.id);
        self.compiled.push(Arc::new(compiled));
        if self.compiled.len() > limits::MODELS_COMPILED {
            let latest = self.latest;
            let oldest = self.compiled.iter().position(|one| Some(one.id) != latest);
            oldest.map(|oldest| self.compiled.remove(oldest));
        }
        Ok(())
    }

    /// The same with all tuples in their compact form.
    ///
    /// # Errors
    /// When there are too many objects.
    pub fn merged(&self) -> Result<Self, Unusable> {
        Ok(Self {
            tuples: self.tuples.merged()?,
            ..self.clone()
        })
    }

    /// Whether so much changed since the tuples were in their compact form that they should be again.
    pub fn is_loose(&self) -> bool {
        let changed = self.tuples.changed();
        changed > 4_096 && changed > self.tuples.len() / 8
    }
}
