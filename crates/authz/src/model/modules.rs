//! Modular models (schema 1.2): several files, each a module, read as one model. A module may add relations to
//! another module's type; it never replaces one.

use super::parse::{self, Places, Spot, Text};
use super::{Model, Problem};

/// One file of a modular model.
#[derive(Clone, Copy, Debug)]
pub struct ModuleFile<'a> {
    /// Its name, for problems.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

pub(super) fn merge(files: &[ModuleFile<'_>]) -> Result<(Model, Places), Problem> {
    let mut texts = Vec::new();
    for file in files {
        let named = |problem| Problem {
            file: Some(file.name.to_owned()),
            ..problem
        };
        let text = parse::read(file.text).map_err(named)?;
        if text.module.is_none() {
            return Err(named(Problem::new(
                None,
                "a file of a modular model begins with `module` and its name",
            )));
        }
        texts.push((file.name, text));
    }
    join(texts)
}

/// Puts texts together: first everything that is defined, then what extends it.
pub(super) fn join(texts: Vec<(&str, Text)>) -> Result<(Model, Places), Problem> {
    let mut places = Places::default();
    let schema = texts
        .first()
        .map_or_else(String::new, |(_, text)| text.schema.clone());
    let (mut types, mut extensions, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (file, text)) in texts.into_iter().enumerate() {
        if !file.is_empty() {
            places.files.push(file.to_owned());
        }
        let spot = |at| Spot { file: number, at };
        for (one, extends, at) in text.types {
            if extends {
                extensions.push((file, one, at));
            } else if places.types.insert(one.name.clone(), spot(at)).is_some() {
                return Err(placed(
                    file,
                    at,
                    format!("type `{}` is defined twice", one.name),
                ));
            } else {
                types.push(one);
            }
        }
        for (one, at) in text.conditions {
            if places
                .conditions
                .insert(one.name.clone(), spot(at))
                .is_some()
            {
                let message = format!("condition `{}` is defined twice", one.name);
                return Err(placed(file, at, message));
            }
            conditions.push(one);
        }
        for (type_name, relation, at) in text.relations {
            let message = format!("relation `{relation}` of type `{type_name}` is defined twice");
            if places
                .relations
                .insert((type_name, relation), spot(at))
                .is_some()
            {
                return Err(placed(file, at, message));
            }
        }
    }
    for (file, mut one, at) in extensions {
        let Some(extended) = types.iter_mut().find(|defined| defined.name == one.name) else {
            return Err(placed(
                file,
                at,
                format!("type `{}` is not defined", one.name),
            ));
        };
        for relation in &mut one.relations {
            relation.module.clone_from(&one.module);
        }
        extended.relations.append(&mut one.relations);
    }
    let model = Model {
        schema,
        types,
        conditions,
    };
    Ok((model, places))
}

fn placed(file: &str, at: super::Position, message: String) -> Problem {
    Problem {
        file: (!file.is_empty()).then(|| file.to_owned()),
        ..Problem::new(Some(at), message)
    }
}
