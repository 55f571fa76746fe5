//! Letting a new key sign a log's checkpoints (AUD-8). The old key signs a last checkpoint and, in the entry itself,
//! the name of the new one, so that whoever keeps the first key follows to the last. Never touches token keys.

use super::{
    list::{KeyView, verifier_key},
    rotate::retire,
};
use crate::{
    Act, Cx, Error, Result,
    checkpoint::{log_key, sign_now},
    oauth::{new_signing_key, open_log_key},
    operation::{Meta, Method, Operation, Target},
};
use domain::{
    KeyAlgorithm, KeyPurpose, KeyState, Permission, SigningKeyCore, entry::LOG_KEY_ROTATED,
};
use kernel::{Id, SigningKeyId};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Tx, log::note::Handover};

/// Makes a new key for the log.
pub struct RotateLogKey;

/// What it takes: nothing.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The new key.
    key: KeyView,
    /// The key that signs nothing more.
    retired: Id<SigningKeyId>,
    /// The last checkpoint under the old key.
    checkpoint: String,
}

impl Operation for RotateLogKey {
    const META: Meta = Meta {
        summary: "Let a new key sign the log's checkpoints; the old one signs it in",
        command: "keys rotate-log",
        status: 201,
        ..Meta::write(
            "keys.rotate_log",
            Method::Post,
            "/orgs/{org}/keys/rotate-log",
            Permission::KeysRotate,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, _: Input) -> Result<Output> {
        let (platform, stream) = (&cx.platform, cx.stream()?);
        let (now, entropy) = (platform.clock.now(), &*platform.entropy);
        let old = log_key(platform, stream).await?;
        let checkpoint = sign_now(platform, stream).await?;
        let kind = (KeyAlgorithm::EdDSA, KeyPurpose::Log, KeyState::Active);
        let key = new_signing_key(&platform.keyring, entropy, stream, platform.id(), kind, now)?;
        let named = verifier_key(stream, &key.core);
        let named = named.ok_or_else(|| Error::internal("a log key without a name"))?;
        let signer = open_log_key(&platform.keyring, stream, &old)?;
        let before = verifier_key(stream, &old);
        let before = before.ok_or_else(|| Error::internal("a log key without a name"))?;
        let (old_key, new) = (before, named.clone());
        let statement = Handover { old: old_key, new }.sign(&signer);
        let answer = Output {
            key: KeyView::new(stream, &key.core, now)?,
            retired: old.id,
            checkpoint,
        };
        let write = move |tx: &mut Tx<'_>| {
            retire(tx, stream, answer.retired, now)?;
            tx.insert(stream, &key)?;
            Ok(answer.clone())
        };
        let act = act(&old, named.to_string(), statement);
        Ok(cx.commit(act, write).await?.value)
    }
}

fn act(old: &SigningKeyCore, verifier_key: String, statement: String) -> Act {
    let after = json!({ "statement": statement, "verifier_key": verifier_key });
    let act = Act::update(LOG_KEY_ROTATED).on(old.id);
    act.after(after)
}
