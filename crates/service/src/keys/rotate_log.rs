//! Letting a new key sign a log's checkpoints (AUD-8). The old key signs a last checkpoint and, in the entry itself,
//! the name of the new one, so that whoever keeps the first key follows to the last. Never touches token keys.

use super::{
    list::{KeyView, verifier_key},
    rotate::retire,
};
use crate::{
    Act, Cx, Error, Peer, Platform, Result, audit,
    checkpoint::{Covered, log_key, sign_instance_now, sign_now},
    oauth::{new_signing_key, open_log_key},
    operation::{Meta, Method, Operation, Target},
};
use domain::{
    KeyAlgorithm, KeyPurpose, KeyState, Permission, Principal, SigningKey, SigningKeyCore, Stream,
    entry::LOG_KEY_ROTATED,
};
use kernel::{Id, SigningKeyId};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Plan, Refusal, Tx, log::note::Handover};

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
        let stream = cx.stream()?;
        let handing = Handing::new(&cx.platform, stream).await?;
        let checkpoint = sign_now(&cx.platform, stream).await?;
        let act = handing.act();
        let write = move |tx: &mut Tx<'_>| handing.write(tx, stream, &checkpoint);
        Ok(cx.commit(act, write).await?.value)
    }
}

/// Lets a new key sign the instance's checkpoints, in the name of the operator at the machine. What the old key signs
/// last covers every log.
///
/// # Errors
/// When the database does not answer or the log has no key.
pub async fn rotate_instance_log(platform: &Platform) -> Result<Output> {
    let stream = Stream::INSTANCE;
    let handing = Handing::new(platform, stream).await?;
    let whole = sign_instance_now(platform, &Covered::default()).await?;
    let checkpoint = whole.ok_or_else(|| Error::internal("an instance without a log"))?;
    let act = handing.act().by(Principal::System, "operator");
    let entry = audit::prepare(platform, stream, None, &Peer::job(), act).await?;
    let write = move |tx: &mut Tx<'_>| {
        let done = handing.write(tx, stream, &checkpoint)?;
        tx.entry(stream, entry.clone())?;
        Ok(done)
    };
    Ok(platform.node.commit(Plan::new(stream), write).await?.value)
}

/// A new key of a log, and what the old one says of it.
struct Handing {
    key: SigningKey,
    shown: KeyView,
    old: SigningKeyCore,
    statement: String,
    verifier_key: String,
}

impl Handing {
    async fn new(platform: &Platform, stream: Stream) -> Result<Self> {
        let (now, entropy) = (platform.clock.now(), &*platform.entropy);
        let old = log_key(platform, stream).await?;
        let kind = (KeyAlgorithm::EdDSA, KeyPurpose::Log, KeyState::Active);
        let key = new_signing_key(&platform.keyring, entropy, stream, platform.id(), kind, now)?;
        let named = |core| {
            let nameless = || Error::internal("a log key without a name");
            verifier_key(stream, core).ok_or_else(nameless)
        };
        let (before, after) = (named(&old)?, named(&key.core)?);
        let verifier_key = after.to_string();
        let signer = open_log_key(&platform.keyring, stream, &old)?;
        let handover = Handover {
            old: before,
            new: after,
        };
        Ok(Self {
            shown: KeyView::new(stream, &key.core, now)?,
            statement: handover.sign(&signer),
            key,
            old,
            verifier_key,
        })
    }

    fn act(&self) -> Act {
        let after = json!({ "statement": self.statement, "verifier_key": self.verifier_key });
        Act::update(LOG_KEY_ROTATED).on(self.old.id).after(after)
    }

    fn write(
        &self,
        tx: &mut Tx<'_>,
        stream: Stream,
        checkpoint: &str,
    ) -> std::result::Result<Output, Refusal> {
        retire(tx, stream, self.old.id, self.key.core.created_at)?;
        tx.insert(stream, &self.key)?;
        Ok(Output {
            key: self.shown.clone(),
            retired: self.old.id,
            checkpoint: checkpoint.to_owned(),
        })
    }
}
