//! One management act: its name at every door, who may do it, what it takes and answers, and what it does.
//! Doors derive from this; adding an operation is one file and one line in the registry.

use crate::{Cx, Error, Result, gate::Class};
use authz::Access;
use domain::{Permission, Principal};
use futures::future::BoxFuture;
use live::View;
use schemars::{JsonSchema, Schema};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::marker::PhantomData;

/// An HTTP method of the management API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or does.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
    /// Whether the request has a body.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Whoever holds the secret in the body; there is no caller yet.
    Public,
    /// Whoever is authenticated; the operation answers about the caller alone.
    Anyone,
    /// Whoever holds the permission with the reach that the target asks for.
    Permission(Permission),
}

/// What an operation works on, as far as permission goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The organization or something every holder of the permission may act on; own reach is not enough.
    Organization,
    /// A list: own reach shows what is one's own; the operation filters by `Cx::access`.
    Collection,
    /// One thing with owners; `read` is the permission without which it may not be known.
    Thing {
        /// What people call it, for the refusal.
        noun: &'static str,
        /// Who owns it.
        owners: Vec<Principal>,
        /// What lets somebody know that it exists.
        read: Permission,
    },
    /// The instance.
    Instance,
}

/// The fixed facts of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// `noun.verb`, also the OpenAPI operation id.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The method.
    pub method: Method,
    /// The path under `/api/v1`, with `{org}` and other parameters; each parameter is a field of the input.
    pub path: &'static str,
    /// Who may call.
    pub guard: Guard,
    /// The MCP tool's name; none when it is no tool, as when it answers a secret.
    pub tool: Option<&'static str>,
    /// The command's words after `cardea`.
    pub command: &'static str,
    /// The status of success.
    pub status: u16,
    /// Whether it needs proof of a recent sign-in.
    pub sudo: bool,
    /// The type of the entry that records the answer of a read, where reading is itself recorded.
    pub records: Option<&'static str>,
    /// When its turn comes. What takes authority away goes before everything else and has room of its own (AUD-9).
    pub class: Class,
}

impl Meta {
    /// A read at this path.
    pub const fn read(name: &'static str, path: &'static str, permission: Permission) -> Self {
        Self {
            name,
            summary: "",
            method: Method::Get,
            path,
            guard: Guard::Permission(permission),
            tool: None,
            command: "",
            status: 200,
            sudo: false,
            records: None,
            class: Class::Management,
        }
    }
    /// A write at this path.
    pub const fn write(
        name: &'static str,
        method: Method,
        path: &'static str,
        permission: Permission,
    ) -> Self {
        Self {
            method,
            ..Self::read(name, path, permission)
        }
    }
    /// Whether it changes nothing.
    pub const fn is_read(&self) -> bool {
        matches!(self.method, Method::Get)
    }
}

/// A management act.
pub trait Operation: Send + Sync + 'static {
    /// Its fixed facts.
    const META: Meta;
    /// What it takes: path parameters, query and body together. Unknown fields must be refused.
    type Input: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;
    /// What it answers.
    type Output: Serialize + JsonSchema + Send + Sync + 'static;

    /// What it works on. Something of another organization, or unknown, is `not_found`.
    ///
    /// # Errors
    /// `not_found`, or an input that cannot be.
    fn target(input: &Self::Input, view: &View, cx: &Cx) -> Result<Target>;

    /// Does it. Called again with a fresh view when what it decided on moved before the commit.
    fn run(cx: &Cx, input: Self::Input) -> impl Future<Output = Result<Self::Output>> + Send;

    /// The version of the answered thing, for `ETag`.
    fn version(_output: &Self::Output) -> Option<u64> {
        None
    }
}

/// An answer, ready for any door.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body.
    pub body: Vec<u8>,
    /// The version of the answered thing.
    pub version: Option<u64>,
}

/// An operation without its types.
pub trait Erased: Send + Sync {
    /// Its fixed facts.
    fn meta(&self) -> &'static Meta;
    /// The JSON Schema (2020-12) of the input.
    fn input_schema(&self) -> Schema;
    /// The JSON Schema (2020-12) of the output.
    fn output_schema(&self) -> Schema;
    /// Reads the input, checks, runs.
    fn call<'a>(&'a self, cx: Cx, input: Value) -> BoxFuture<'a, Result<Answer>>;
    /// How far the caller could use it at all, before any target is named; for listing tools.
    fn usable_by(&self, cx: &Cx) -> bool;
}

pub(crate) struct Typed<O>(PhantomData<fn() -> O>);

impl<O: Operation> Typed<O> {
    pub(crate) const NEW: Self = Self(PhantomData);
    const META: Meta = O::META;
}

impl<O: Operation> Erased for Typed<O> {
    fn meta(&self) -> &'static Meta {
        const { &Self::META }
    }
    fn input_schema(&self) -> Schema {
        schemars::schema_for!(O::Input)
    }
    fn output_schema(&self) -> Schema {
        // As it is written, not as it is read: a field that may be left out is not required.
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        settings
            .into_generator()
            .into_root_schema_for::<O::Output>()
    }
    fn call<'a>(&'a self, cx: Cx, input: Value) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(crate::pipeline::call::<O>(cx, input))
    }
    fn usable_by(&self, cx: &Cx) -> bool {
        match O::META.guard {
            Guard::Public => false,
            Guard::Anyone => true,
            Guard::Permission(permission) if permission.is_instance() => cx
                .caller()
                .is_ok_and(|caller| caller.instance.has(permission)),
            Guard::Permission(permission) => cx
                .caller()
                .is_ok_and(|caller| authz::access(&caller.held, permission) != Access::None),
        }
    }
}

/// The path of a field with dots alone, an item of a list by its number; `.` for the whole.
fn dotted(path: &serde_path_to_error::Path) -> String {
    path.to_string()
        .replace("].", ".")
        .replace('[', ".")
        .replace(']', "")
}

/// Reads an input, naming the field that is wrong and how.
///
/// # Errors
/// `invalid_input` with the field.
pub fn parse_input<T: DeserializeOwned>(input: Value) -> Result<T> {
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = dotted(error.path());
        let text = error.inner().to_string();
        let quoted = text.split('`').nth(1).unwrap_or_default().to_owned();
        let joined = |field: &str| match path.as_str() {
            "." => field.to_owned(),
            outer if outer == field || outer.ends_with(&format!(".{field}")) => outer.to_owned(),
            outer => format!("{outer}.{field}"),
        };
        if text.starts_with("unknown field") {
            Error::field(
                &joined(&quoted),
                "unknown",
                "is not a field of this request; remove it",
            )
        } else if text.starts_with("missing field") {
            Error::field(&joined(&quoted), "missing", "is required")
        } else {
            let field = if path == "." { "" } else { &path };
            let code = if text.starts_with("invalid type") {
                "wrong_type"
            } else {
                "invalid"
            };
            Error::field(field, code, text)
        }
    })
}
