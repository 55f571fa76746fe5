//! The interpreter. Every part that is looked at is a step, every byte and element made is paid for, and what costs too
//! much ends at once. It recurses no deeper than the expression nests.

use super::call::call;
use super::fault::{Fault, Meter};
use super::node::{Each, Fold, Node};
use super::value::{Key, Value, no_overload};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One evaluation.
pub(super) struct Evaluation {
    /// The parameters, then the variables of the macros around.
    variables: Vec<Value>,
    pub meter: Meter,
}

type Found = Result<Value, Fault>;

impl Evaluation {
    pub(super) const fn new(parameters: Vec<Value>, meter: Meter) -> Self {
        Self {
            variables: parameters,
            meter,
        }
    }

    /// Whether the whole is true. What has been checked gives a `bool` or nothing.
    pub(super) fn truth(&mut self, node: &Node) -> Result<bool, Fault> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(Fault::of(format!(
                "gives a {}, not a bool",
                other.type_name()
            ))),
        }
    }

    fn value(&mut self, node: &Node) -> Found {
        self.meter.pay(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Variable(place) => {
                let value = self.variables.get(*place).cloned();
                value.ok_or(Fault::new("the variable has no value"))
            }
            Node::All(parts) => self.logic(parts, false),
            Node::Any(parts) => self.logic(parts, true),
            Node::If(parts) => {
                let [condition, yes, no] = &**parts;
                match self.truth(condition)? {
                    true => self.value(yes),
                    false => self.value(no),
                }
            }
            Node::List(elements) => {
                let values: Result<Arc<[Value]>, _> =
                    elements.iter().map(|one| self.value(one)).collect();
                Ok(Value::List(values?))
            }
            Node::Map(entries) => self.map(entries),
            Node::Field(of, field) => {
                let map = self.fields(of)?;
                let found = map.get(&Key::Text(Arc::clone(field)));
                found.cloned().ok_or(Fault::new("the map has no such key"))
            }
            // What is neither a map nor a list has no fields, and that is an answer.
            Node::Has(of, field) => Ok(Value::Bool(match self.value(of)? {
                Value::Map(map) => map.contains_key(&Key::Text(Arc::clone(field))),
                Value::List(_) => return Err(Fault::new("a list has no fields")),
                _ => false,
            })),
            Node::Call(function, arguments) => {
                let mut values: SmallVec<[Value; 2]> = SmallVec::new();
                for one in arguments {
                    values.push(self.value(one)?);
                }
                call(*function, &values, &mut self.meter)
            }
            Node::Matches(text, pattern) => match self.value(text)? {
                Value::Text(text) => pattern.found(&text, &mut self.meter).map(Value::Bool),
                other => Err(no_overload("matches", &[&other])),
            },
            Node::Each(each) => self.each(each),
        }
    }

    /// `&&`, and `||` when `decides` is true: one part that decides does so whatever goes wrong in the others.
    fn logic(&mut self, parts: &[Node], decides: bool) -> Found {
        let mut wrong = None;
        for part in parts {
            match self.truth(part) {
                Ok(truth) if truth == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(Fault::Cost) => return Err(Fault::Cost),
                Err(fault) => wrong = wrong.or(Some(fault)),
            }
        }
        wrong.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Found {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let key = self.value(key)?;
            let name = key.key().filter(|_| !matches!(key, Value::Double(_)));
            let name = name.ok_or_else(|| {
                Fault::of(format!("a {} cannot be the key of a map", key.type_name()))
            })?;
            map.insert(name, self.value(value)?);
        }
        Ok(Value::Map(Arc::new(map)))
    }

    fn fields(&mut self, of: &Node) -> Result<Arc<BTreeMap<Key, Value>>, Fault> {
        match self.value(of)? {
            Value::Map(map) => Ok(map),
            other => Err(Fault::of(format!("a {} has no fields", other.type_name()))),
        }
    }

    fn each(&mut self, each: &Each) -> Found {
        let elements: Box<dyn Iterator<Item = Value>> = match self.value(&each.range)? {
            Value::List(list) => Box::new(Elements { list, at: 0 }),
            Value::Map(map) => {
                self.meter.pay(map.len())?;
                let keys: Vec<_> = map.keys().map(Key::value).collect();
                Box::new(keys.into_iter())
            }
            other => {
                return Err(Fault::of(format!(
                    "a {} has no elements",
                    other.type_name()
                )));
            }
        };
        match each.fold {
            Fold::All => self.decided(each, elements, false),
            Fold::Exists => self.decided(each, elements, true),
            Fold::ExistsOne => {
                let mut found = 0_usize;
                for element in elements {
                    found += usize::from(self.with(element, |this| this.truth(&each.body))?);
                }
                Ok(Value::Bool(found == 1))
            }
            Fold::Filter | Fold::Map => self.listed(each, elements),
        }
    }

    /// With one more variable.
    fn with<T>(
        &mut self,
        element: Value,
        inside: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.meter.pay(1)?;
        self.variables.push(element);
        let found = inside(self);
        self.variables.pop();
        found
    }

    /// `all` and `exists` are `&&` and `||` over the elements.
    fn decided(
        &mut self,
        each: &Each,
        elements: impl Iterator<Item = Value>,
        decides: bool,
    ) -> Found {
        let mut wrong = None;
        for element in elements {
            match self.with(element, |this| this.truth(&each.body)) {
                Ok(truth) if truth == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(Fault::Cost) => return Err(Fault::Cost),
                Err(fault) => wrong = wrong.or(Some(fault)),
            }
        }
        wrong.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn listed(&mut self, each: &Each, elements: impl Iterator<Item = Value>) -> Found {
        let mut made = Vec::new();
        for element in elements {
            let value = self.with(element.clone(), |this| match each.fold {
                Fold::Filter => Ok(this.truth(&each.body)?.then_some(element)),
                _ => match &each.filter {
                    Some(filter) if !this.truth(filter)? => Ok(None),
                    _ => this.value(&each.body).map(Some),
                },
            })?;
            made.extend(value);
        }
        Ok(Value::List(made.into()))
    }
}

/// The elements of a list, one after the other.
struct Elements {
    list: Arc<[Value]>,
    at: usize,
}

impl Iterator for Elements {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let element = self.list.get(self.at).cloned();
        self.at += 1;
        element
    }
}
