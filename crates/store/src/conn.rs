//! What both engines are to the rest of this crate: statements with `$1` parameters, and a place where closures
//! run in a transaction. Everything above this file is written once.

use crate::{
    Load, Priority, StoreError,
    command::Command,
    postgres::Outbox,
    record::Waiting,
    value::{Cell, Param, Row},
};
use domain::Stream;
use kernel::Timestamp;
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

/// Which database is underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of this process.
    Sqlite,
    /// A server.
    Postgres,
}

/// A connection inside a transaction. Parameters appear first in ascending order (`$1` before `$2`): SQLite
/// numbers them by first appearance.
pub(crate) trait Conn {
    fn engine(&self) -> Engine;
    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError>;
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError>;
    /// Whether what logs are searched by is at hand.
    fn searches(&self) -> bool {
        true
    }
    /// Where writes wait that nobody asks about; none when each is made at once.
    fn outbox(&mut self) -> Option<&mut Outbox> {
        None
    }

    /// Shows every row where it lies, for those who read millions of them.
    fn each(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        show: &mut dyn FnMut(&[Cell<'_>]),
    ) -> Result<(), StoreError> {
        for row in self.query(sql, params)? {
            let cells: Vec<Cell<'_>> = row.iter().map(Cell::from).collect();
            show(&cells);
        }
        Ok(())
    }
}

/// In whose name a transaction runs. SQLite has no roles and ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sees one stream and the instance's.
    Tenant(Stream),
    /// Sees heads and operational rows of every stream.
    Node,
    /// Appends record entries of every stream.
    Appender,
    /// Owns the tables that belong to no stream.
    Owner,
}

impl Role {
    /// Whose queue it waits in.
    pub(crate) fn lane(self) -> Stream {
        match self {
            Self::Tenant(stream) => stream,
            Self::Node | Self::Appender | Self::Owner => Stream::INSTANCE,
        }
    }

    /// A node that cannot read the heads in time stops permitting: its reads come first.
    pub(crate) const fn reads_at(self) -> Priority {
        match self {
            Self::Node => Priority::Urgent,
            _ => Priority::Usual,
        }
    }

    /// Nobody waits for what a node writes by itself: times of use, sweeps, checkpoints.
    pub(crate) const fn writes_at(self) -> Priority {
        match self {
            Self::Owner => Priority::Usual,
            _ => Priority::Bulk,
        }
    }
}

/// A closure on its way to a database thread. It runs at most once; its answer is sent after the transaction.
pub(crate) trait Work: Send {
    fn run(&mut self, conn: &mut dyn Conn) -> Result<(), StoreError>;
    fn reply(self: Box<Self>, ended: Result<(), StoreError>);
}

/// Where closures run.
pub(crate) trait Backend: Send + Sync {
    fn engine(&self) -> Engine;
    fn commit(&self, command: Box<dyn Command>) -> Result<(), StoreError>;
    fn record(&self, waiting: Waiting) -> Result<(), StoreError>;
    fn write(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError>;
    fn read(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError>;
    /// Writes what logs are searched by, which may be kept apart.
    fn project(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError> {
        self.write(role, work)
    }
    /// Whether there is no room and nothing is written but what takes authority away. A server keeps its own.
    fn is_full(&self) -> bool {
        false
    }
    /// How much waits in each queue.
    fn load(&self) -> Vec<Load>;
    /// Makes room for what will be logged from this moment on; says how much was missing.
    fn ahead(&self) -> fn(&mut dyn Conn, Timestamp) -> Result<u64, StoreError> {
        |_, _| Ok(0)
    }
    /// The same as `write` or `read`, in front of everybody who waits for those.
    fn watch(&self, role: Role, writes: bool, work: Box<dyn Work>) -> Result<(), StoreError>;
    /// Is notified when another process may have moved something.
    fn subscribe(&self) -> Result<Arc<Notify>, StoreError>;
    /// Uses no connection any more that was made before.
    fn renew(&self);
    /// The name of a thread that has ended before its time.
    fn ended(&self) -> Option<String>;
    /// The last migration that this build knows.
    fn schema(&self) -> u64;
    /// Runs what waits, then ends the threads.
    fn close(&self);
}

/// The one implementation of `Work`.
pub(crate) struct Task<T, F> {
    run: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Task<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
{
    pub(crate) fn queued(run: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let task = Self {
            run: Some(run),
            value: None,
            reply,
        };
        (Box::new(task), answer)
    }
}

impl<T, F> Work for Task<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
{
    fn run(&mut self, conn: &mut dyn Conn) -> Result<(), StoreError> {
        let run = self.run.take().ok_or_else(StoreError::closed)?;
        let guarded = std::panic::AssertUnwindSafe(|| run(conn));
        let value = std::panic::catch_unwind(guarded).map_err(|_| StoreError::Panicked)??;
        self.value = Some(value);
        Ok(())
    }

    fn reply(self: Box<Self>, ended: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        let value = ended.and_then(|()| value.ok_or_else(StoreError::closed));
        // Whoever asked may have gone away.
        let _gone = reply.send(value);
    }
}
