//! A model as the OpenFGA API sends it (`schema_version`, `type_definitions`, `conditions`), both ways. Field names are
//! the API's; an id, which the API adds, is not a model's.

use super::{
    Condition, Model, PARAMETER_TYPES, ParameterType, Relation, Restriction, Rewrite, SubjectKind,
    TypeDefinition,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

type Named<T> = BTreeMap<String, T>;

#[derive(Serialize, Deserialize)]
pub(super) struct ModelJson {
    schema_version: String,
    type_definitions: Vec<TypeJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conditions: Option<Named<ConditionJson>>,
}

#[derive(Serialize, Deserialize)]
struct TypeJson {
    #[serde(rename = "type")]
    name: String,
    #[serde(default)]
    relations: Option<Named<RewriteJson>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataJson>,
}

#[derive(Default, Serialize, Deserialize)]
struct MetadataJson {
    #[serde(default)]
    relations: Option<Named<RelationMetadataJson>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    module: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct RelationMetadataJson {
    #[serde(default)]
    directly_related_user_types: Option<Vec<RestrictionJson>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    module: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RestrictionJson {
    #[serde(rename = "type")]
    type_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    relation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wildcard: Option<Nothing>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    condition: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Nothing {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RewriteJson {
    This(Nothing),
    ComputedUserset(RelationJson),
    TupleToUserset(TupleToUsersetJson),
    Union(ChildrenJson),
    Intersection(ChildrenJson),
    Difference(DifferenceJson),
}

#[derive(Serialize, Deserialize)]
struct RelationJson {
    relation: String,
}

#[derive(Serialize, Deserialize)]
struct TupleToUsersetJson {
    tupleset: RelationJson,
    #[serde(rename = "computedUserset")]
    computed: RelationJson,
}

#[derive(Serialize, Deserialize)]
struct ChildrenJson {
    child: Vec<RewriteJson>,
}

#[derive(Serialize, Deserialize)]
struct DifferenceJson {
    base: Box<RewriteJson>,
    subtract: Box<RewriteJson>,
}

#[derive(Serialize, Deserialize)]
struct ConditionJson {
    name: String,
    expression: String,
    #[serde(default)]
    parameters: Option<Named<ParameterJson>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<ConditionMetadataJson>,
}

#[derive(Serialize, Deserialize)]
struct ConditionMetadataJson {
    #[serde(default)]
    module: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ParameterJson {
    type_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    generic_types: Vec<ParameterJson>,
}

impl From<Model> for ModelJson {
    fn from(model: Model) -> Self {
        let conditions = model.conditions.into_iter();
        let conditions: Named<_> = conditions
            .map(|one| (one.name.clone(), one.into()))
            .collect();
        Self {
            schema_version: model.schema,
            type_definitions: model.types.into_iter().map(Into::into).collect(),
            conditions: (!conditions.is_empty()).then_some(conditions),
        }
    }
}

impl From<TypeDefinition> for TypeJson {
    fn from(one: TypeDefinition) -> Self {
        let (mut relations, mut about) = (Named::new(), Named::new());
        for relation in one.relations {
            let types = relation.restrictions.into_iter().map(Into::into).collect();
            let of = RelationMetadataJson {
                directly_related_user_types: Some(types),
                module: relation.module,
            };
            about.insert(relation.name.clone(), of);
            relations.insert(relation.name, relation.rewrite.into());
        }
        let metadata = MetadataJson {
            module: one.module,
            relations: Some(about),
        };
        Self {
            name: one.name,
            metadata: (!relations.is_empty() || metadata.module.is_some()).then_some(metadata),
            relations: Some(relations),
        }
    }
}

impl From<Restriction> for RestrictionJson {
    fn from(one: Restriction) -> Self {
        let (relation, wildcard) = match one.kind {
            SubjectKind::Object => (String::new(), None),
            SubjectKind::Wildcard => (String::new(), Some(Nothing {})),
            SubjectKind::Userset(relation) => (relation, None),
        };
        Self {
            type_name: one.type_name,
            relation,
            wildcard,
            condition: one.condition.unwrap_or_default(),
        }
    }
}

impl From<Rewrite> for RewriteJson {
    fn from(one: Rewrite) -> Self {
        let children = |parts: Vec<Rewrite>| ChildrenJson {
            child: parts.into_iter().map(Into::into).collect(),
        };
        match one {
            Rewrite::Direct => Self::This(Nothing {}),
            Rewrite::Computed(relation) => Self::ComputedUserset(RelationJson { relation }),
            Rewrite::TupleToUserset { tupleset, computed } => {
                Self::TupleToUserset(TupleToUsersetJson {
                    tupleset: RelationJson { relation: tupleset },
                    computed: RelationJson { relation: computed },
                })
            }
            Rewrite::Union(parts) => Self::Union(children(parts)),
            Rewrite::Intersection(parts) => Self::Intersection(children(parts)),
            Rewrite::Exclusion { base, subtract } => Self::Difference(DifferenceJson {
                base: Box::new((*base).into()),
                subtract: Box::new((*subtract).into()),
            }),
        }
    }
}

impl From<Condition> for ConditionJson {
    fn from(one: Condition) -> Self {
        let parameters = one.parameters.into_iter();
        Self {
            name: one.name,
            expression: one.expression,
            parameters: Some(parameters.map(|(name, of)| (name, of.into())).collect()),
            metadata: one.module.map(|module| ConditionMetadataJson {
                module: Some(module),
            }),
        }
    }
}

impl From<ParameterType> for ParameterJson {
    fn from(one: ParameterType) -> Self {
        Self {
            type_name: format!("TYPE_NAME_{}", one.name.to_ascii_uppercase()),
            generic_types: one.of.into_iter().map(|of| (*of).into()).collect(),
        }
    }
}

impl TryFrom<ModelJson> for Model {
    type Error = String;

    fn try_from(model: ModelJson) -> Result<Self, String> {
        let types = model.type_definitions.into_iter().map(TryInto::try_into);
        let conditions = model.conditions.unwrap_or_default().into_iter();
        let condition = |(name, one): (String, ConditionJson)| {
            if name == one.name {
                return Condition::try_from(one);
            }
            Err(format!("condition `{name}` has the name `{}`", one.name))
        };
        Ok(Self {
            schema: model.schema_version,
            types: types.collect::<Result<_, _>>()?,
            conditions: conditions.map(condition).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<TypeJson> for TypeDefinition {
    type Error = String;

    fn try_from(one: TypeJson) -> Result<Self, String> {
        let metadata = one.metadata.unwrap_or_default();
        let mut about = metadata.relations.unwrap_or_default();
        let mut relations = Vec::new();
        for (name, rewrite) in one.relations.unwrap_or_default() {
            let of = about.remove(&name).unwrap_or_default();
            let restrictions = of.directly_related_user_types.unwrap_or_default();
            let restrictions = restrictions.into_iter().map(TryInto::try_into);
            relations.push(Relation {
                restrictions: restrictions.collect::<Result<_, _>>()?,
                module: of.module.filter(|module| !module.is_empty()),
                rewrite: rewrite.into(),
                name,
            });
        }
        if let Some((name, _)) = about.pop_first() {
            let of = one.name;
            return Err(format!(
                "metadata of type `{of}` names relation `{name}`, which it does not have"
            ));
        }
        Ok(Self {
            name: one.name,
            module: metadata.module.filter(|module| !module.is_empty()),
            relations,
        })
    }
}

impl TryFrom<RestrictionJson> for Restriction {
    type Error = String;

    fn try_from(one: RestrictionJson) -> Result<Self, String> {
        let kind = match (one.wildcard, one.relation) {
            (Some(_), relation) if !relation.is_empty() => {
                return Err(format!(
                    "type `{}` is restricted to a wildcard and a relation: choose one",
                    one.type_name
                ));
            }
            (Some(_), _) => SubjectKind::Wildcard,
            (None, relation) if relation.is_empty() => SubjectKind::Object,
            (None, relation) => SubjectKind::Userset(relation),
        };
        Ok(Self {
            type_name: one.type_name,
            kind,
            condition: Some(one.condition).filter(|condition| !condition.is_empty()),
        })
    }
}

impl From<RewriteJson> for Rewrite {
    fn from(one: RewriteJson) -> Self {
        let parts = |children: ChildrenJson| children.child.into_iter().map(Into::into).collect();
        match one {
            RewriteJson::This(_) => Self::Direct,
            RewriteJson::ComputedUserset(of) => Self::Computed(of.relation),
            RewriteJson::TupleToUserset(of) => Self::TupleToUserset {
                tupleset: of.tupleset.relation,
                computed: of.computed.relation,
            },
            RewriteJson::Union(children) => Self::Union(parts(children)),
            RewriteJson::Intersection(children) => Self::Intersection(parts(children)),
            RewriteJson::Difference(of) => Self::Exclusion {
                base: Box::new((*of.base).into()),
                subtract: Box::new((*of.subtract).into()),
            },
        }
    }
}

impl TryFrom<ConditionJson> for Condition {
    type Error = String;

    fn try_from(one: ConditionJson) -> Result<Self, String> {
        let parameters = one.parameters.unwrap_or_default().into_iter();
        let parameter = |(name, of): (String, ParameterJson)| Ok((name, of.try_into()?));
        Ok(Self {
            name: one.name,
            module: one.metadata.and_then(|about| about.module),
            parameters: parameters.map(parameter).collect::<Result<_, String>>()?,
            expression: one.expression,
        })
    }
}

impl TryFrom<ParameterJson> for ParameterType {
    type Error = String;

    fn try_from(one: ParameterJson) -> Result<Self, String> {
        let name = one.type_name.strip_prefix("TYPE_NAME_");
        let name = name.map(str::to_ascii_lowercase).unwrap_or_default();
        let known = PARAMETER_TYPES.into_iter().find(|known| *known == name);
        let name =
            known.ok_or_else(|| format!("parameter type `{}` does not exist", one.type_name))?;
        let mut of = one.generic_types.into_iter();
        match (matches!(name, "list" | "map"), of.next(), of.next()) {
            (false, None, None) => Ok(Self { name, of: None }),
            (true, Some(inner), None) => Ok(Self {
                name,
                of: Some(Box::new(inner.try_into()?)),
            }),
            _ => Err(format!(
                "a parameter of type `{name}` holds the wrong number of types"
            )),
        }
    }
}
