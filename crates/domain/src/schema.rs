//! JSON Schemas of the types here that are text on the wire, so that every door describes them the same way.

use crate::{GrantId, KillTarget, Owner, Permission, Permissions, Principal, Scope, ScopePattern};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

macro_rules! text_schemas {
    ($($name:ident: $schema:expr;)*) => {
        $(impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })*
    };
}

fn permissions() -> Vec<&'static str> {
    Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .collect()
}

text_schemas! {
    Scope: json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_./-]+(:[A-Za-z0-9_./-]+)+$", "maxLength": 128 });
    ScopePattern: json_schema!({ "type": "string", "pattern": "^([A-Za-z0-9_./-]+|\\*)(:([A-Za-z0-9_./-]+|\\*))+$", "maxLength": 128 });
    Permission: json_schema!({ "type": "string", "enum": permissions() });
    Permissions: json_schema!({ "type": "array", "items": { "type": "string", "enum": permissions() } });
    Principal: json_schema!({ "type": "string" });
    Owner: json_schema!({ "type": "string", "pattern": "^usr_" });
    KillTarget: json_schema!({ "type": "string", "pattern": "^(instance|org|con_.+|agt_.+)$" });
    GrantId: json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" });
}
