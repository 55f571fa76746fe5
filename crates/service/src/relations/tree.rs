//! What leads into a relation of an object, one step as a tree.

use super::{
    Answered, Fault,
    asked::{self, Place, ask},
    conditions::Given,
};
use crate::Cx;
use authz::relation::Expansion;
use domain::Permission;
use proto::fga::{ExpandRequest, ExpandResponse, Leaf, Node, Nodes, Tree};

/// What leads into a relation of an object.
///
/// # Errors
/// When it cannot be asked.
pub async fn expand(cx: &Cx, store: &str, request: ExpandRequest) -> Answered<ExpandResponse> {
    let place = Place {
        store,
        model: &request.authorization_model_id,
        consistency: request.consistency,
    };
    let asked = ask(cx, "relations.expand", Permission::RelationsRead, place).await?;
    let here = asked.clone();
    let root = asked::aside(move || {
        let key = &request.tuple_key;
        let object = asked::object(&key.object)?;
        if key.relation.is_empty() {
            return Err(Fault::invalid("`relation` is missing"));
        }
        let tuples = here.with(&request.contextual_tuples.tuple_keys)?;
        let given = Given::of(&here.compiled, None);
        let given = given.request();
        let found = here.query(&tuples, &given).expand(object, &key.relation)?;
        Ok(node(&format!("{object}#{}", key.relation), found))
    });
    let root = root.await?;
    asked.leave(
        cx,
        ExpandResponse {
            tree: Tree { root },
        },
    )
}

fn node(name: &str, of: Expansion) -> Node {
    let nodes = |parts: Vec<Expansion>| Nodes {
        nodes: parts.into_iter().map(|part| node(name, part)).collect(),
    };
    let mut made = Node {
        name: name.into(),
        ..Node::default()
    };
    match of {
        Expansion::Users(users) => made.leaf = Some(Leaf::Users(users)),
        Expansion::Computed(userset) => made.leaf = Some(Leaf::Computed(userset)),
        Expansion::TupleToUserset { tupleset, computed } => {
            made.leaf = Some(Leaf::TupleToUserset(tupleset, computed));
        }
        Expansion::Union(parts) => made.union = Some(nodes(parts)),
        Expansion::Intersection(parts) => made.intersection = Some(nodes(parts)),
        Expansion::Difference(parts) => {
            let (base, subtract) = *parts;
            return Node::difference(name.into(), node(name, base), node(name, subtract));
        }
    }
    made
}
