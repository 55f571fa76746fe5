//! Letting a new token-signing key take over, at once or when the old one is due. The old one signs nothing more and stays published while a
//! token that it signed may live (KEY-1). The log's key is not touched.

use super::list::KeyView;
use crate::{
    Act, Cx, Peer, Platform, Result, audit,
    oauth::{new_signing_key, overlap_end, rotate_due},
    operation::{Meta, Method, Operation, Target},
};
use domain::{
    KeyAlgorithm, KeyPurpose, KeyState, Permission, Principal, SigningKey, SigningKeyCore, Stream,
};
use kernel::{Code, Id, SigningKeyId, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Plan, Query, Refusal, Tx};

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
        let (view, stream) = (cx.view()?, cx.stream()?);
        let algorithm = input.algorithm.unwrap_or(KeyAlgorithm::EdDSA);
        let keys = view.org.keys().map(AsRef::as_ref);
        let rotation = Rotation::new(&cx.platform, stream, keys, algorithm)?;
        let act = rotation.act();
        let write = move |tx: &mut Tx<'_>| rotation.write(tx, stream);
        Ok(cx.commit(act, write).await?.value)
    }
}

/// Lets new keys take over from those of an organization that have signed for as long as they may.
///
/// # Errors
/// When the database does not answer, or somebody else rotates them at this moment.
pub(crate) async fn rotate_due_keys(platform: &Platform, stream: Stream) -> Result<()> {
    let every = Query {
        after: None,
        limit: usize::MAX,
        filter: Vec::new(),
    };
    let read = move |reader: &mut store::Reader<'_>| reader.list::<SigningKey>(stream, &every);
    let keys = platform.store.read(stream, read).await?;
    let now = platform.clock.now();
    let due = |core: &&SigningKeyCore| core.purpose == KeyPurpose::Token && rotate_due(core, now);
    let cores = || keys.iter().map(|row| &row.value.core);
    for algorithm in [KeyAlgorithm::EdDSA, KeyAlgorithm::ES256] {
        if !cores().filter(due).any(|core| core.algorithm == algorithm) {
            continue;
        }
        let rotation = Rotation::new(platform, stream, cores(), algorithm)?;
        let act = rotation.act().by(Principal::System, "schedule");
        let entry = audit::prepare(platform, stream, None, &Peer::job(), act).await?;
        let write = move |tx: &mut Tx<'_>| {
            rotation.write(tx, stream)?;
            tx.entry(stream, entry.clone())
        };
        platform.node.commit(Plan::new(stream), write).await?;
    }
    Ok(())
}

/// A new key and those that it takes over from.
struct Rotation {
    key: SigningKey,
    answer: Output,
}

impl Rotation {
    fn new<'a>(
        platform: &Platform,
        stream: Stream,
        keys: impl Iterator<Item = &'a SigningKeyCore>,
        algorithm: KeyAlgorithm,
    ) -> Result<Self> {
        let (now, entropy) = (platform.clock.now(), &*platform.entropy);
        let kind = (algorithm, KeyPurpose::Token, KeyState::Active);
        let key = new_signing_key(&platform.keyring, entropy, stream, platform.id(), kind, now)?;
        let replaced = |core: &&SigningKeyCore| (core.algorithm, core.purpose, core.state) == kind;
        let answer = Output {
            key: KeyView::new(stream, &key.core, now)?,
            retiring: keys.filter(replaced).map(|core| core.id).collect(),
            retires_at: overlap_end(now),
        };
        Ok(Self { key, answer })
    }

    fn act(&self) -> Act {
        let (core, told) = (&self.key.core, &self.answer);
        Act::create("signing_key.rotated").on(core.id).after(json!({
            "kid": core.kid,
            "algorithm": core.algorithm,
            "retiring": told.retiring,
            "retires_at": told.retires_at,
        }))
    }

    fn write(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<Output, Refusal> {
        for id in &self.answer.retiring {
            retire(tx, stream, *id, self.answer.retires_at)?;
        }
        tx.insert(stream, &self.key)?;
        Ok(self.answer.clone())
    }
}

/// Another rotation may have retired it a moment ago: keys do not move the authority a decision is made on.
pub(super) fn retire(
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
