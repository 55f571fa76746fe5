//! Letting a new token-signing key take over at once. The old one signs nothing more and stays published while a
//! token that it signed may live (KEY-1). The log's key is not touched.

use super::list::KeyView;
use crate::{
    Act, Cx, Result,
    oauth::{new_signing_key, overlap_end},
    operation::{Meta, Method, Operation, Target},
};
use domain::{KeyAlgorithm, KeyPurpose, KeyState, Permission, SigningKey, Stream};
use kernel::{Code, Id, SigningKeyId, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Refusal, Tx};

/// Makes a new signing key.
pub struct RotateKeys;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The algorithm whose key is replaced; `EdDSA` when absent.
    #[serde(default)]
    algorithm: Option<KeyAlgorithm>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The new key.
    key: KeyView,
    /// The keys that sign nothing more.
    retiring: Vec<Id<SigningKeyId>>,
    /// When those leave the JWKS.
    retires_at: Timestamp,
}

impl Operation for RotateKeys {
    const META: Meta = Meta {
        summary: "Let a new signing key take over; the old one stays published for an overlap",
        tool: Some("rotate-signing-keys"),
        command: "keys rotate",
        status: 201,
        ..Meta::write(
            "keys.rotate",
            Method::Post,
            "/orgs/{org}/keys/rotate",
            Permission::KeysRotate,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let (view, stream, platform) = (cx.view()?, cx.stream()?, &cx.platform);
        let (algorithm, now) = (
            input.algorithm.unwrap_or(KeyAlgorithm::EdDSA),
            platform.clock.now(),
        );
        let kind = (algorithm, KeyPurpose::Token, KeyState::Active);
        let key = new_signing_key(
            &platform.keyring,
            &*platform.entropy,
            stream,
            cx.id(),
            kind,
            now,
        )?;
        let shown = KeyView::new(&key.core, now)?;
        let replaced =
            |core: &domain::SigningKeyCore| (core.algorithm, core.purpose, core.state) == kind;
        let old: Vec<_> = view
            .org
            .keys()
            .filter(|core| replaced(core))
            .map(|core| core.id)
            .collect();
        let retires_at = overlap_end(now);
        let after = json!({ "kid": key.core.kid, "algorithm": algorithm, "retiring": old, "retires_at": retires_at });
        let act = Act::create("signing_key.rotated")
            .on(key.core.id)
            .after(after);
        let write = move |tx: &mut Tx<'_>| {
            for id in &old {
                retire(tx, stream, *id, retires_at)?;
            }
            tx.insert(stream, &key)?;
            Ok(Output {
                key: shown.clone(),
                retiring: old.clone(),
                retires_at,
            })
        };
        Ok(cx.commit(act, write).await?.value)
    }
}

/// Another rotation may have retired it a moment ago: keys do not move the authority a decision is made on.
fn retire(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<SigningKeyId>,
    retires_at: Timestamp,
) -> Result<(), Refusal> {
    let gone = || Refusal::new(Code::NotFound, "no such signing key here");
    let mut key = tx
        .get::<SigningKey>(stream, id.bytes())?
        .ok_or_else(gone)?
        .value;
    if key.core.state != KeyState::Active {
        return Err(Refusal::new(
            Code::ConcurrentChange,
            "another rotation took place meanwhile; send the request again",
        ));
    }
    key.core.state = KeyState::Retiring;
    key.core.retires_at = Some(retires_at);
    tx.put(stream, &key).map(|_| ())
}
