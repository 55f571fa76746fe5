//! From an expression to one that can be evaluated: every name is a parameter or a macro's variable, every function is
//! known, the types fit as far as they are known before evaluation, and the whole is a `bool`.

use super::call::call;
use super::estimate;
use super::expr::{Expr, Kind, Refused};
use super::fault::Meter;
use super::node::{Each, Fold, Node, Program};
use super::overload::{self, Function};
use super::parse;
use super::pattern::Pattern;
use super::types::Type;
use super::value::Value;
use authz::model::Condition;
use kernel::limits::{CONDITION_PARAMETERS, CONDITION_STEPS};

type Checked = Result<(Node, Type), Refused>;

/// Compiles a condition.
pub(super) fn program(condition: &Condition) -> Result<Program, Refused> {
    let parameters = parameters(condition)?;
    let expression = parse::expression(&condition.expression)?;
    let scope = parameters
        .iter()
        .map(|(name, of)| (name.to_string(), of.clone()));
    let mut check = Check {
        scope: scope.collect(),
    };
    let (root, gives) = check.expr(&expression)?;
    if gives != Type::Bool {
        let message = format!("a condition is a `bool`, and this is a `{gives}`");
        return Err(Refused::new(expression.at, message));
    }
    if estimate::steps(&root) > CONDITION_STEPS {
        let message = format!(
            "the expression costs more than {CONDITION_STEPS} steps with lists of ten elements"
        );
        return Err(Refused::new(expression.at, message));
    }
    Ok(Program {
        name: condition.name.as_str().into(),
        parameters,
        root,
    })
}

fn parameters(condition: &Condition) -> Result<Vec<(Box<str>, Type)>, Refused> {
    let refuse = |message| Err(Refused { at: None, message });
    if condition.parameters.len() > CONDITION_PARAMETERS {
        return refuse(format!(
            "it has more than {CONDITION_PARAMETERS} parameters"
        ));
    }
    let mut parameters = Vec::with_capacity(condition.parameters.len());
    for (name, of) in &condition.parameters {
        let quoted: String = name.chars().take(80).flat_map(char::escape_debug).collect();
        if !parse::is_name(name) {
            return refuse(format!(
                "parameter `{quoted}` cannot be named in an expression: use letters, digits and `_`, and no reserved word"
            ));
        }
        match Type::of(of) {
            Some(of) => parameters.push((name.as_str().into(), of)),
            None => return refuse(format!("parameter `{quoted}` has no type `{of}`")),
        }
    }
    Ok(parameters)
}

struct Check {
    /// Parameters, then the variables of the macros around.
    scope: Vec<(String, Type)>,
}

impl Check {
    fn expr(&mut self, expr: &Expr) -> Checked {
        match &expr.kind {
            Kind::Literal(value) => Ok((Node::Constant(value.clone()), literal(value))),
            Kind::Name(name) => self.name(expr.at, name),
            Kind::Select(of, field) => self.select(expr, of, field),
            Kind::Call(name, arguments) => self.call(expr.at, name, arguments),
            Kind::Member(of, name, arguments) => self.member(expr.at, of, name, arguments),
            Kind::All(parts) => Ok((Node::All(self.truths("&&", parts)?), Type::Bool)),
            Kind::Any(parts) => Ok((Node::Any(self.truths("||", parts)?), Type::Bool)),
            Kind::If(parts) => self.choice(expr.at, parts),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
        }
    }

    fn name(&self, at: usize, name: &str) -> Checked {
        if let Some(place) = self.scope.iter().rposition(|(one, _)| one == name) {
            let of = self
                .scope
                .get(place)
                .map_or(Type::Dyn, |(_, of)| of.clone());
            return Ok((Node::Variable(place), of));
        }
        match type_named(name) {
            Some(of) => Ok((Node::Constant(Value::Type(of)), Type::Kind)),
            None => Err(Refused::new(at, format!("`{name}` is not a parameter"))),
        }
    }

    fn select(&mut self, expr: &Expr, of: &Expr, field: &str) -> Checked {
        if let Some(named) = qualified(expr).as_deref().and_then(type_named) {
            return Ok((Node::Constant(Value::Type(named)), Type::Kind));
        }
        let (of, gives) = self.fields(expr.at, of, field)?;
        Ok((Node::Field(Box::new(of), field.into()), gives))
    }

    /// Something that has fields, and the type of them.
    fn fields(&mut self, at: usize, of: &Expr, field: &str) -> Checked {
        match self.expr(of)? {
            (of, Type::Map(key, value)) if Type::Text.fits(&key) => Ok((of, *value)),
            (of, Type::Dyn) => Ok((of, Type::Dyn)),
            (_, other) => Err(Refused::new(
                at,
                format!("a `{other}` has no field `{field}`"),
            )),
        }
    }

    fn all_of(&mut self, all: &[Expr]) -> Result<(Vec<Node>, Vec<Type>), Refused> {
        let checked: Result<Vec<_>, _> = all.iter().map(|one| self.expr(one)).collect();
        Ok(checked?.into_iter().unzip())
    }

    fn truths(&mut self, operator: &str, parts: &[Expr]) -> Result<Box<[Node]>, Refused> {
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts {
            let (node, of) = self.expr(part)?;
            if !Type::Bool.fits(&of) {
                return Err(Refused::new(
                    part.at,
                    format!("`{operator}` joins what is a `bool`, and this is a `{of}`"),
                ));
            }
            nodes.push(node);
        }
        Ok(nodes.into())
    }

    fn choice(&mut self, at: usize, [condition, yes, no]: &[Expr; 3]) -> Checked {
        let (condition, chooses) = self.expr(condition)?;
        let (yes, one) = self.expr(yes)?;
        let (no, other) = self.expr(no)?;
        if !Type::Bool.fits(&chooses) || !one.fits(&other) {
            return Err(mismatch(at, "?:", &[chooses, one, other]));
        }
        Ok((Node::If(Box::new([condition, yes, no])), one.joined(other)))
    }

    fn list(&mut self, elements: &[Expr]) -> Checked {
        let (nodes, types) = self.all_of(elements)?;
        let of = types.into_iter().reduce(Type::joined).unwrap_or(Type::Dyn);
        Ok((Node::List(nodes.into()), Type::list(of)))
    }

    fn map(&mut self, entries: &[(Expr, Expr)]) -> Checked {
        let (mut nodes, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in entries {
            let at = key.at;
            let ((key, of), (value, holds)) = (self.expr(key)?, self.expr(value)?);
            let good = [Type::Bool, Type::Int, Type::Uint, Type::Text];
            if !good.iter().any(|one| one.fits(&of)) {
                return Err(Refused::new(at, format!("a `{of}` cannot be a key")));
            }
            nodes.push((key, value));
            keys.push(of);
            values.push(holds);
        }
        let joined = |all: Vec<Type>| {
            let joined = all.into_iter().reduce(Type::joined);
            Box::new(joined.unwrap_or(Type::Dyn))
        };
        Ok((
            Node::Map(nodes.into()),
            Type::Map(joined(keys), joined(values)),
        ))
    }

    fn call(&mut self, at: usize, name: &str, arguments: &[Expr]) -> Checked {
        if let ("has", [of]) = (name, arguments) {
            let Kind::Select(of, field) = &of.kind else {
                return Err(Refused::new(of.at, "`has` takes a field: `has(x.field)`"));
            };
            let (of, _) = self.fields(at, of, field)?;
            return Ok((Node::Has(Box::new(of), field.as_str().into()), Type::Bool));
        }
        let (nodes, types) = self.all_of(arguments)?;
        // In a list that says itself that it is empty is nothing, whatever it would be.
        if let ("in", [_, Node::List(all)]) = (name, nodes.as_slice())
            && all.is_empty()
        {
            return Ok((Node::Constant(Value::Bool(false)), Type::Bool));
        }
        if let Some((function, gives)) = general(name, &types) {
            return Ok((Node::Call(function, nodes.into()), gives));
        }
        self.overloaded(at, name, false, nodes, types)
    }

    fn member(&mut self, at: usize, of: &Expr, name: &str, arguments: &[Expr]) -> Checked {
        if let Some(fold) = Fold::named(name, arguments.len()) {
            return self.each(at, fold, of, arguments);
        }
        let (first, of) = self.expr(of)?;
        let (mut nodes, mut types) = self.all_of(arguments)?;
        nodes.insert(0, first);
        types.insert(0, of);
        if name == "size" && types.len() == 1 && sized(&types) {
            return Ok((Node::Call(Function::Size, nodes.into()), Type::Int));
        }
        self.overloaded(at, name, true, nodes, types)
    }

    fn overloaded(
        &mut self,
        at: usize,
        name: &str,
        member: bool,
        nodes: Vec<Node>,
        types: Vec<Type>,
    ) -> Checked {
        let fitting = overload::fitting(name, member, &types);
        let Some(first) = fitting.first() else {
            return Err(mismatch(at, name, &types));
        };
        let alike = fitting.iter().all(|one| one.gives == first.gives);
        let gives = if alike {
            first.gives.clone()
        } else {
            Type::Dyn
        };
        if first.function == Function::Matches
            && let Some(Node::Constant(Value::Text(pattern))) = nodes.get(1)
        {
            let pattern = Pattern::new(pattern).map_err(|said| Refused::new(at, said))?;
            let text = nodes.into_iter().next();
            let text = text.unwrap_or(Node::Constant(Value::Null));
            return Ok((Node::Matches(Box::new(text), pattern), gives));
        }
        // What is converted from a literal is converted once.
        if let ([Node::Constant(value)], true) = (nodes.as_slice(), first.function.converts()) {
            let given = std::slice::from_ref(value);
            let made = call(first.function, given, &mut Meter::full());
            let value = made.map_err(|fault| Refused::new(at, fault.to_string()))?;
            return Ok((Node::Constant(value), gives));
        }
        Ok((Node::Call(first.function, nodes.into()), gives))
    }

    /// A macro over a list or the keys of a map, with a variable of its own.
    fn each(&mut self, at: usize, fold: Fold, range: &Expr, arguments: &[Expr]) -> Checked {
        let [variable, rest @ ..] = arguments else {
            return Err(Refused::new(at, "a macro has arguments"));
        };
        let Kind::Name(variable) = &variable.kind else {
            return Err(Refused::new(
                variable.at,
                "the first argument of a macro is the name of its variable",
            ));
        };
        let (range, of) = self.expr(range)?;
        let element = match &of {
            Type::List(of) => (**of).clone(),
            Type::Map(key, _) => (**key).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!("a `{other}` has no elements to go through");
                return Err(Refused::new(at, message));
            }
        };
        self.scope.push((variable.clone(), element.clone()));
        let inside = self.all_of(rest);
        self.scope.pop();
        let (mut nodes, mut types) = inside?;
        let body = nodes.pop().zip(types.pop());
        let Some((body, gives)) = body else {
            return Err(Refused::new(at, "a macro has arguments"));
        };
        let filter = nodes.pop();
        let truth = types.first().or((fold != Fold::Map).then_some(&gives));
        if let Some(of) = truth.filter(|of| !Type::Bool.fits(of)) {
            let message = format!("the macro asks for a `bool`, and this is a `{of}`");
            return Err(Refused::new(rest.first().map_or(at, |one| one.at), message));
        }
        let gives = match fold {
            Fold::Map => Type::list(gives),
            Fold::Filter => Type::list(element),
            Fold::All | Fold::Exists | Fold::ExistsOne => Type::Bool,
        };
        let each = Each {
            fold,
            range,
            filter,
            body,
        };
        Ok((Node::Each(Box::new(each)), gives))
    }
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::Text(_) => Type::Text,
        Value::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}

/// The types that can be named: `type(x) == int`.
fn type_named(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 12] = [
        "null_type",
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "type",
        "google.protobuf.Duration",
        "google.protobuf.Timestamp",
    ];
    NAMES.into_iter().find(|one| *one == name)
}

/// `a.b.c`, when it is nothing but names.
fn qualified(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Name(name) => Some(name.clone()),
        Kind::Select(of, field) => Some(format!("{}.{field}", qualified(of)?)),
        _ => None,
    }
}

fn sized(types: &[Type]) -> bool {
    let sized = |of: &Type| {
        let scalar = [Type::Text, Type::Bytes];
        matches!(of, Type::Dyn | Type::List(_) | Type::Map(..)) || scalar.contains(of)
    };
    types.iter().all(sized)
}

/// The functions that take more than fixed types.
fn general(name: &str, types: &[Type]) -> Option<(Function, Type)> {
    Some(match (name, types) {
        ("==", [a, b]) if a.fits(b) => (Function::Equal, Type::Bool),
        ("!=", [a, b]) if a.fits(b) => (Function::NotEqual, Type::Bool),
        ("in", [one, Type::List(of) | Type::Map(of, _)]) if one.fits(of) => {
            (Function::In, Type::Bool)
        }
        ("in", [_, Type::Dyn]) => (Function::In, Type::Bool),
        ("[]", [Type::List(of), Type::Int | Type::Dyn]) => (Function::Index, (**of).clone()),
        ("[]", [Type::Map(key, value), by]) if key.fits(by) => (Function::Index, (**value).clone()),
        ("[]", [Type::Dyn, _]) => (Function::Index, Type::Dyn),
        ("+", [Type::List(a), Type::List(b)]) if a.fits(b) => {
            (Function::Add, Type::list(a.clone().joined((**b).clone())))
        }
        ("+", [Type::List(of), Type::Dyn] | [Type::Dyn, Type::List(of)]) => {
            (Function::Add, Type::list((**of).clone()))
        }
        ("+", [Type::Dyn, Type::Dyn]) => (Function::Add, Type::Dyn),
        ("size", [of]) if sized(std::slice::from_ref(of)) => (Function::Size, Type::Int),
        (name, [a, b]) if overload::ordered(a, b) => (overload::comparison(name)?, Type::Bool),
        _ => return None,
    })
}

fn mismatch(at: usize, name: &str, types: &[Type]) -> Refused {
    let general = ["==", "!=", "in", "[]", "size", "?:"];
    let shown = name.trim_end_matches('_');
    let exists = overload::known(name)
        || general.contains(&name)
        || overload::comparison(name).is_some()
        || name == "has"
        || [2, 3].iter().any(|n| Fold::named(name, *n).is_some());
    if !exists {
        return Refused::new(at, format!("there is no function `{shown}`"));
    }
    let types: Vec<_> = types.iter().map(ToString::to_string).collect();
    Refused::new(
        at,
        format!("`{shown}` does not take ({})", types.join(", ")),
    )
}
