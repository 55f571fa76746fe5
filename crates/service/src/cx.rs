//! The context of one call: who calls from where, one view, and the only way to write: `commit` with an entry.

use crate::{Act, Caller, Error, Meta, Platform, Result, audit, gate::Class, sealing};
use authz::Access;
use domain::{Permission, Stream};
use kernel::{Code, Id, limits};
use live::View;
use serde::{Serialize, de::DeserializeOwned};
use std::{net::IpAddr, sync::Arc};
use store::{CommitError, Idempotency, Plan, Prepared, Priority, Refusal, Tx};

/// Where a request comes from. What the client says of itself is sealed in entries and believed nowhere.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The address of the peer, or the one a trusted proxy named.
    pub ip: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The request's id, made here.
    pub request_id: String,
    /// The door: `api`, `oauth`, `authzen`, `mcp`, `cli`.
    pub door: &'static str,
}

impl Peer {
    /// What happens by itself comes from nowhere.
    pub(crate) fn job() -> Self {
        Self {
            door: "job",
            ..Self::default()
        }
    }
}

/// What a request asks of its commit.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The version the caller has read.
    pub if_match: Option<u64>,
    /// The key under which this request happens once.
    pub idempotency_key: Option<String>,
    /// Digest of the input, so that a key is never used for two requests.
    pub body_digest: [u8; 32],
    /// Whether to do everything but keep it.
    pub dry_run: bool,
}

/// The context of one call.
#[derive(Clone)]
pub struct Cx {
    /// The process's means.
    pub platform: Arc<Platform>,
    /// Where the request comes from.
    pub peer: Peer,
    /// What it asks of its commit.
    pub envelope: Envelope,
    caller: Option<Caller>,
    view: Option<View>,
    operation: &'static str,
    priority: Priority,
    access: Access,
}

/// What a commit gave.
#[derive(Debug)]
pub struct Done<T> {
    /// The closure's answer, or the answer to the first request with this idempotency key.
    pub value: T,
    /// Whether it is the earlier answer. Secrets of an earlier answer are gone.
    pub replayed: bool,
}

impl Cx {
    /// A context without a caller, for what is guarded by a secret in the body.
    pub fn anonymous(platform: Arc<Platform>, peer: Peer) -> Self {
        let envelope = Envelope::default();
        Self {
            platform,
            peer,
            envelope,
            caller: None,
            view: None,
            operation: "",
            priority: Priority::Usual,
            access: Access::None,
        }
    }
    /// A context for an authenticated caller in one organization.
    pub fn new(
        platform: Arc<Platform>,
        peer: Peer,
        envelope: Envelope,
        caller: Caller,
        view: View,
    ) -> Self {
        let (caller, view) = (Some(caller), Some(view));
        Self {
            platform,
            peer,
            envelope,
            caller,
            view,
            operation: "",
            priority: Priority::Usual,
            access: Access::None,
        }
    }
    /// The caller.
    ///
    /// # Errors
    /// `unauthenticated` when there is none.
    pub fn caller(&self) -> Result<&Caller> {
        self.caller.as_ref().ok_or_else(Error::unauthenticated)
    }
    /// The view everything is decided on.
    ///
    /// # Errors
    /// `unauthenticated` when the request has no organization.
    pub fn view(&self) -> Result<&View> {
        self.view.as_ref().ok_or_else(Error::unauthenticated)
    }
    /// The organization's stream.
    ///
    /// # Errors
    /// `unauthenticated` when the request has no organization.
    pub fn stream(&self) -> Result<Stream> {
        self.view().map(|view| Stream::org(view.id()))
    }
    /// How far the operation's permission reaches for this caller.
    pub const fn access(&self) -> Access {
        self.access
    }
    /// How far any permission reaches for this caller.
    pub fn reaches(&self, permission: Permission) -> Access {
        self.caller.as_ref().map_or(Access::None, |caller| {
            authz::access(&caller.held, permission)
        })
    }
    /// Refuses unless the caller just proved who they are.
    ///
    /// # Errors
    /// `sudo_required`.
    pub fn require_sudo(&self) -> Result<()> {
        if self.caller()?.sudo {
            return Ok(());
        }
        let detail = "this needs proof of a recent sign-in; use a bootstrap token from `cardea recover-admin`";
        Err(Error::new(Code::SudoRequired, detail))
    }
    /// A new identifier.
    pub fn id<K>(&self) -> Id<K> {
        self.platform.id()
    }
    /// Seals personal text of a subject for an entry.
    ///
    /// # Errors
    /// When the subject's key cannot be read.
    pub async fn prepare(&self, stream: Stream, act: Act) -> Result<Prepared> {
        audit::prepare(
            &self.platform,
            stream,
            self.caller.as_ref(),
            &self.peer,
            act,
        )
        .await
    }

    pub(crate) fn set_operation(&mut self, meta: &Meta) {
        self.operation = meta.name;
        if meta.class == Class::Revocation {
            self.priority = Priority::Urgent;
        }
    }
    pub(crate) fn set_access(&mut self, access: Access) {
        self.access = access;
    }
    pub(crate) async fn refresh_view(&mut self) -> Result<()> {
        if let Some(view) = &self.view {
            self.view = Some(self.platform.node.view(view.id()).await?);
        }
        Ok(())
    }
    pub(crate) fn set_caller(&mut self, caller: Caller) {
        self.caller = Some(caller);
    }

    /// Writes the organization's state with one entry. `run` may be called again; it reads through `Tx` and
    /// holds no secret. Its answer is kept under the idempotency key and must be the one that a repetition gets:
    /// where a secret was delivered it says so.
    ///
    /// # Errors
    /// What `run` refuses, a decision that moved meanwhile, or a database that does not answer.
    pub async fn commit<T, F>(&self, act: Act, run: F) -> Result<Done<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync + 'static,
    {
        let stream = self.stream()?;
        self.commit_with(false, vec![(stream, act)], run).await
    }

    /// Writes the organization's state and the instance's, with an entry in each.
    ///
    /// # Errors
    /// As `commit`.
    pub async fn commit_with<T, F>(
        &self,
        instance: bool,
        acts: Vec<(Stream, Act)>,
        run: F,
    ) -> Result<Done<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync + 'static,
    {
        let mut entries = Vec::with_capacity(acts.len());
        for (stream, act) in acts {
            entries.push((stream, self.prepare(stream, act).await?));
        }
        self.commit_prepared(instance, entries, run).await
    }

    /// Writes with entries that are ready already, in this order; the first takes the changes of its stream.
    ///
    /// # Errors
    /// As `commit`.
    pub async fn commit_prepared<T, F>(
        &self,
        instance: bool,
        entries: Vec<(Stream, Prepared)>,
        run: F,
    ) -> Result<Done<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync + 'static,
    {
        let plan = self.plan(
            instance,
            entries
                .first()
                .map_or(Stream::INSTANCE, |(stream, _)| *stream),
        );
        let keeps_answer = plan.idempotency.is_some();
        let closure = move |tx: &mut Tx<'_>| {
            let value = run(tx)?;
            for (stream, entry) in &entries {
                tx.entry(*stream, entry.clone())?;
            }
            if keeps_answer {
                tx.answer(serde_json::to_string(&value).unwrap_or_default());
            }
            Ok(value)
        };
        match self.platform.node.commit(plan, closure).await {
            Ok(done) => Ok(Done {
                value: done.value,
                replayed: false,
            }),
            Err(CommitError::Replay { answer }) => replay(&answer),
            Err(CommitError::AuthorityMoved { stream, .. }) => {
                // What moved it may not have reached this node's cells; it must before deciding again.
                self.platform.node.reach_head(stream).await?;
                Err(Error::moved())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// What this request was answered when it was carried out, if it carries an idempotency key and was.
    pub(crate) async fn answered(&self) -> Result<Option<String>> {
        let (Some(view), now) = (&self.view, self.platform.clock.now()) else {
            return Ok(None);
        };
        let own = Stream::org(view.id());
        let keys: Vec<_> = [own, Stream::INSTANCE]
            .into_iter()
            .filter_map(|stream| self.idempotency(stream))
            .collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let look = move |reader: &mut store::Reader<'_>| {
            let mut answers = keys.iter().map(|key| reader.answered(key, now));
            answers.find_map(Result::transpose).transpose()
        };
        Ok(self.platform.store.read(own, look).await?)
    }

    fn plan(&self, instance: bool, scope: Stream) -> Plan {
        let mut decided_at = Vec::new();
        let mut instance_at = None;
        if let Some(view) = &self.view {
            let seen = view.instance_revision.authority;
            decided_at.extend(
                (Stream::org(view.id()) == scope).then_some((scope, view.revision.authority)),
            );
            match instance || scope == Stream::INSTANCE {
                true => decided_at.push((Stream::INSTANCE, seen)),
                false => instance_at = Some(seen),
            }
        }
        Plan {
            scope,
            decided_at,
            instance_at,
            idempotency: self.idempotency(scope),
            dry_run: self.envelope.dry_run,
            priority: self.priority,
        }
    }

    /// The key is bound to principal, credential and operation (DIR-10).
    fn idempotency(&self, stream: Stream) -> Option<Idempotency> {
        let key = self.envelope.idempotency_key.as_ref()?;
        let caller = self.caller.as_ref()?;
        let bound = format!(
            "{}\n{}\n{}\n{key}",
            caller.principal, caller.credential, self.operation
        );
        Some(Idempotency {
            stream,
            key: sealing::sha256(bound.as_bytes()),
            body_digest: self.envelope.body_digest,
            expires_at: self.platform.clock.now().plus(limits::IDEMPOTENCY_LIFE),
        })
    }
}

fn replay<T: DeserializeOwned>(answer: &str) -> Result<Done<T>> {
    let value = serde_json::from_str(answer).map_err(Error::internal)?;
    Ok(Done {
        value,
        replayed: true,
    })
}
