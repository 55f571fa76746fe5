//! Listing an organization's signing keys, those of its log included, by their public halves.

use crate::{
    Cx, Error, Page, PageQuery, Result,
    operation::{Meta, Operation, Target},
};
use domain::{KeyAlgorithm, KeyPurpose, KeyState, Permission, SigningKey, SigningKeyCore, Stream};
use jose::{Jwk, PublicKey};
use kernel::{Id, SigningKeyId, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Query, log::note::VerifierKey};

/// Lists signing keys.
pub struct ListKeys;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to count everything that matches.
    #[serde(default)]
    total: Option<bool>,
}

/// A signing key, as it is shown.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeyView {
    id: Id<SigningKeyId>,
    /// The key id in token headers, or the log key's name.
    kid: String,
    algorithm: KeyAlgorithm,
    purpose: KeyPurpose,
    state: KeyState,
    /// The public JWK (RFC 7517).
    public_jwk: serde_json::Value,
    /// A log key as verifiers of signed notes write it, for `cardea audit verify --key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verifier_key: Option<String>,
    created_at: Timestamp,
    /// When a retiring key leaves the JWKS.
    #[serde(skip_serializing_if = "Option::is_none")]
    retires_at: Option<Timestamp>,
}

impl KeyView {
    /// What is shown of a key at this moment.
    ///
    /// # Errors
    /// When the stored public half is no JSON.
    pub(super) fn new(stream: Stream, core: &SigningKeyCore, now: Timestamp) -> Result<Self> {
        let gone =
            core.state == KeyState::Retiring && core.retires_at.is_some_and(|end| end <= now);
        Ok(Self {
            id: core.id,
            kid: core.kid.clone(),
            algorithm: core.algorithm,
            purpose: core.purpose,
            state: if gone { KeyState::Retired } else { core.state },
            verifier_key: verifier_key(stream, core).map(|key| key.to_string()),
            public_jwk: serde_json::from_str(&core.public).map_err(Error::internal)?,
            created_at: core.created_at,
            retires_at: core.retires_at,
        })
    }
}

/// A log key as verifiers of signed notes know it (C2SP signed-note).
pub(super) fn verifier_key(stream: Stream, core: &SigningKeyCore) -> Option<VerifierKey> {
    let jwk =
        (core.purpose == KeyPurpose::Log).then(|| Jwk::parse(core.public.as_bytes()).ok())??;
    let PublicKey::Ed25519 { x } = jwk.key else {
        return None;
    };
    let public = <[u8; 32]>::try_from(x.as_slice()).ok()?;
    VerifierKey::new(&crate::checkpoint::origin(stream), public).ok()
}

impl Operation for ListKeys {
    const META: Meta = Meta {
        summary: "List signing keys",
        tool: Some("list-signing-keys"),
        command: "keys list",
        ..Meta::read("keys.list", "/orgs/{org}/keys", Permission::KeysRead)
    };
    type Input = Input;
    type Output = Page<KeyView>;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Page<KeyView>> {
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let (limit, after, stream) = (page.limit()?, page.after(cx, "keys")?, cx.stream()?);
        let (counted, now) = (page.total.unwrap_or(false), cx.view()?.now);
        let read = cx.platform.store.read(stream, move |reader| {
            let total = counted
                .then(|| reader.count::<SigningKey>(stream, &[]))
                .transpose()?;
            Ok((
                reader.list::<SigningKey>(
                    stream,
                    &Query {
                        after,
                        limit: limit + 1,
                        filter: Vec::new(),
                    },
                )?,
                total,
            ))
        });
        let (rows, total) = read.await?;
        let shown = rows.iter().map(|row| {
            Ok((
                row.value.core.id.bytes(),
                KeyView::new(stream, &row.value.core, now)?,
            ))
        });
        Page::cut(cx, "keys", limit, shown.collect::<Result<_>>()?, total)
    }
}
