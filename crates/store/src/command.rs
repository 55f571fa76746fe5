//! A governed command on its way to a database thread: the plan it was decided under, the closure that writes,
//! and what comes back. The closure may run more than once; its answer is sent only after the commit.

use crate::{CommitError, Head, Priority, Refusal, StoreError, tx::Tx};
use domain::{Change, Stream};
use kernel::{Event, Id, Timestamp};
use tokio::sync::oneshot;

/// An idempotency key with what it was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: the plan's scope or the instance.
    pub stream: Stream,
    /// A digest of caller, path and key.
    pub key: [u8; 32],
    /// A digest of the request's body.
    pub body_digest: [u8; 32],
    /// Until when the answer is kept.
    pub expires_at: Timestamp,
}

/// What a commit was decided on and what it may touch.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The one stream, beside the instance's, that the closure may read and write.
    pub scope: Stream,
    /// The `authority_rev` seen in each stream the decision was made on. Naming the instance locks it first;
    /// a closure that touches it unannounced locks it late and may have to run again.
    pub decided_at: Vec<(Stream, u64)>,
    /// The instance's `authority_rev`, for a closure that decided on it and does not write it: compared under a
    /// lock that such closures share.
    pub instance_at: Option<u64>,
    /// The idempotency key of the request.
    pub idempotency: Option<Idempotency>,
    /// Whether everything is rolled back after the closure ran.
    pub dry_run: bool,
    /// When its turn comes.
    pub priority: Priority,
}

impl Plan {
    /// A plan that was decided on nothing.
    pub fn new(scope: impl Into<Stream>) -> Self {
        Self {
            scope: scope.into(),
            decided_at: Vec::new(),
            instance_at: None,
            idempotency: None,
            dry_run: false,
            priority: Priority::Usual,
        }
    }

    /// The same plan, decided at this `authority_rev` of this stream.
    #[must_use]
    pub fn decided_at(mut self, stream: Stream, authority_rev: u64) -> Self {
        self.decided_at.push((stream, authority_rev));
        self
    }

    /// The same plan, taken before others and out of reserved room: for what takes authority away.
    #[must_use]
    pub fn urgent(mut self) -> Self {
        self.priority = Priority::Urgent;
        self
    }

    pub(crate) fn covers(&self, stream: Stream) -> bool {
        stream == self.scope || stream == Stream::INSTANCE
    }

    /// What is locked before the closure, in the one order in which everybody locks.
    pub(crate) fn locks(&self) -> Vec<Stream> {
        let named = self.decided_at.iter().map(|(stream, _)| *stream);
        let key = self.idempotency.iter().map(|key| key.stream);
        let mut streams: Vec<_> = named.chain(key).chain([self.scope]).collect();
        streams.sort_unstable();
        streams.dedup();
        streams
    }
}

/// A stream that a commit moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub stream: Stream,
    /// Where it stands now.
    pub head: Head,
    /// What the live state needs to know, in order.
    pub changes: Vec<Change>,
}

/// What a commit did.
#[derive(Clone, Debug)]
pub struct Committed<T> {
    /// What the closure returned.
    pub value: T,
    /// The streams it moved; none after a dry run.
    pub moved: Vec<Moved>,
    /// Whether the database's own answer was lost and the entries were found by looking again.
    pub replayed: bool,
}

/// What a transaction did, as the engines pass it on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) moved: Vec<Moved>,
    pub(crate) replayed: bool,
    /// One of its entries, to look for when the answer to COMMIT is lost.
    pub(crate) proof: Option<Proof>,
}

impl Done {
    /// Whether anybody's live state moved.
    pub(crate) fn changed(&self) -> bool {
        self.moved.iter().any(|moved| !moved.changes.is_empty())
    }
}

/// An entry that is in the log if its transaction was committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) stream: Stream,
    pub(crate) seq: u64,
    pub(crate) event: Id<Event>,
}

/// A command without its types.
pub(crate) trait Command: Send {
    fn plan(&self) -> &Plan;
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal>;
    fn reply(self: Box<Self>, outcome: Result<Done, CommitError>);
}

/// The one implementation of `Command`.
pub(crate) struct Pending<T, F> {
    pub(crate) plan: Plan,
    pub(crate) run: F,
    pub(crate) value: Option<T>,
    pub(crate) told: Told,
    pub(crate) reply: oneshot::Sender<Result<Committed<T>, CommitError>>,
}

/// Who hears on the database's thread what a commit moved.
pub(crate) type Told = Box<dyn FnOnce(&[Moved]) + Send>;

impl<T, F> Command for Pending<T, F>
where
    T: Send,
    F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync,
{
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        self.value = None;
        self.value = Some((self.run)(tx)?);
        Ok(())
    }

    fn reply(self: Box<Self>, outcome: Result<Done, CommitError>) {
        let Self {
            value, told, reply, ..
        } = *self;
        let committed = outcome.and_then(|done| {
            told(&done.moved);
            let value = value.ok_or(CommitError::Unavailable(StoreError::Panicked))?;
            Ok(Committed {
                value,
                moved: done.moved,
                replayed: done.replayed,
            })
        });
        // Whoever asked may have gone away.
        let _gone = reply.send(committed);
    }
}
