//! What a governed closure writes with. Every write is a row and, where the live state depends on it, a change;
//! an entry takes the changes before it. It decides nothing and commits nothing.

use crate::{
    Head, Prepared, Query, Refusal, StoreError, Versioned, artefacts, command::Proof, conn::Conn,
    entity, head::Heads, log_rows, touched::Touched,
};
use domain::{Change, Entity, Stream};
use kernel::{Code, Timestamp};
use std::collections::BTreeMap;

/// A transaction in which a closure reads and writes the plan's scope and the instance's stream.
pub struct Tx<'c> {
    pub(crate) conn: &'c mut (dyn Conn + 'c),
    pub(crate) heads: &'c mut Heads,
    pub(crate) scope: Stream,
    pub(crate) now: Timestamp,
    pub(crate) touched: BTreeMap<Stream, Touched>,
    pub(crate) answer: Option<String>,
    /// The first failure of the database: nothing is committed after one, whatever the closure says.
    pub(crate) failure: Option<StoreError>,
    pub(crate) proof: Option<Proof>,
}

impl Tx<'_> {
    /// Writes `entity` whether or not it is there; returns its new version.
    ///
    /// # Errors
    /// When the stream is not the plan's or the database fails; so for every call here.
    pub fn put<E: Entity>(&mut self, stream: Stream, entity: &E) -> Result<u64, Refusal> {
        self.writes::<E>(stream)?;
        let now = self.now;
        let version = self.sql(|conn| entity::put(conn, stream, entity, now))?;
        self.changed(stream, entity.change());
        Ok(version)
    }

    /// Writes `entity`, which must not be there.
    ///
    /// # Errors
    /// `already_exists`.
    pub fn insert<E: Entity>(&mut self, stream: Stream, entity: &E) -> Result<(), Refusal> {
        self.writes::<E>(stream)?;
        let now = self.now;
        if !self.sql(|conn| entity::insert(conn, stream, entity, now))? {
            return Err(Refusal::new(Code::AlreadyExists, "it exists already"));
        }
        self.changed(stream, entity.change());
        Ok(())
    }

    /// Writes `entity`, which must be there, at `expected` if given; returns its new version.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`.
    pub fn update<E: Entity>(
        &mut self,
        stream: Stream,
        entity: &E,
        expected: Option<u64>,
    ) -> Result<u64, Refusal> {
        let present = self.get::<E>(stream, entity.key())?;
        let present =
            present.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such thing"))?;
        if expected.is_some_and(|expected| expected != present.version) {
            let detail = format!("it is at version {} now; read it again", present.version);
            return Err(Refusal::new(Code::VersionMismatch, detail));
        }
        self.put(stream, entity)
    }

    /// Removes `entity` if it is there.
    ///
    /// # Errors
    /// As for `put`.
    pub fn remove<E: Entity>(&mut self, stream: Stream, entity: &E) -> Result<(), Refusal> {
        self.writes::<E>(stream)?;
        if self.sql(|conn| entity::remove::<E>(conn, stream, entity.key()))? {
            self.changed(stream, entity.removal());
        }
        Ok(())
    }

    /// The entity with this key.
    ///
    /// # Errors
    /// As for `put`.
    pub fn get<E: Entity>(
        &mut self,
        stream: Stream,
        key: [u8; 16],
    ) -> Result<Option<Versioned<E>>, Refusal> {
        self.covers(stream)?;
        self.sql(|conn| entity::get(conn, stream, key))
    }

    /// Entities in the order of their keys.
    ///
    /// # Errors
    /// As for `put`.
    pub fn list<E: Entity>(
        &mut self,
        stream: Stream,
        after: Option<[u8; 16]>,
        limit: usize,
    ) -> Result<Vec<Versioned<E>>, Refusal> {
        let filter = Vec::new();
        self.select(
            stream,
            &Query {
                after,
                limit,
                filter,
            },
        )
    }

    /// Entities whose bodies fit the query.
    ///
    /// # Errors
    /// As for `put`.
    pub fn select<E: Entity>(
        &mut self,
        stream: Stream,
        query: &Query,
    ) -> Result<Vec<Versioned<E>>, Refusal> {
        self.covers(stream)?;
        self.sql(|conn| entity::list(conn, stream, query))
    }

    /// How many entities there are whose bodies have these members.
    ///
    /// # Errors
    /// As for `put`.
    pub fn count<E: Entity>(
        &mut self,
        stream: Stream,
        filter: &[(&'static str, String)],
    ) -> Result<u64, Refusal> {
        self.covers(stream)?;
        self.sql(|conn| entity::count::<E>(conn, stream, filter))
    }

    /// How many `users`, `agents` or `tokens` of an organization did not end, as the tables themselves count.
    ///
    /// # Errors
    /// As for `put`.
    pub fn tally(&mut self, stream: Stream, kind: &'static str) -> Result<u64, Refusal> {
        self.covers(stream)?;
        self.sql(|conn| entity::tally(conn, stream, kind))
    }

    /// How many API tokens are neither revoked nor past their end.
    ///
    /// # Errors
    /// As for `put`.
    pub fn live_tokens(&mut self, stream: Stream) -> Result<u64, Refusal> {
        self.covers(stream)?;
        let now = self.now;
        self.sql(|conn| entity::live_tokens(conn, stream, now))
    }

    /// Takes the name `value` among those of this `kind` (such as `agent.name`) for `id`.
    ///
    /// # Errors
    /// `already_exists`, naming the last part of the kind, when another holds it.
    pub fn claim(
        &mut self,
        stream: Stream,
        kind: &str,
        value: &str,
        id: [u8; 16],
    ) -> Result<(), Refusal> {
        self.names(stream)?;
        let field = kind.rsplit('.').next().unwrap_or(kind);
        if value.contains('\0') {
            let refusal = Refusal::new(Code::InvalidInput, "take out the NUL character");
            return Err(refusal.on(field));
        }
        if !self.sql(|conn| artefacts::claim(conn, stream, kind, value, id))? {
            let detail = format!("another has this {field} already; choose a different one");
            return Err(Refusal::new(Code::AlreadyExists, detail).on(field));
        }
        Ok(())
    }

    /// Gives a name back.
    ///
    /// # Errors
    /// As for `put`.
    pub fn release(&mut self, stream: Stream, kind: &str, value: &str) -> Result<(), Refusal> {
        self.names(stream)?;
        self.sql(|conn| artefacts::release(conn, stream, kind, value))
    }

    /// Who holds a name.
    ///
    /// # Errors
    /// As for `put`.
    pub fn claimed(
        &mut self,
        stream: Stream,
        kind: &str,
        value: &str,
    ) -> Result<Option<[u8; 16]>, Refusal> {
        self.covers(stream)?;
        self.sql(|conn| artefacts::claimed(conn, stream, kind, value))
    }

    /// Consumes a one-time artefact, which is remembered until `expires`. The one function that does (I6).
    ///
    /// # Errors
    /// When it was consumed before; passed on, it becomes `CommitError::AlreadyUsed`.
    pub fn consume(
        &mut self,
        stream: Stream,
        kind: &str,
        hash: [u8; 32],
        expires: Timestamp,
    ) -> Result<(), Refusal> {
        self.wrote(stream)?;
        if self.sql(|conn| artefacts::consume(conn, stream, kind, &hash, expires))? {
            return Ok(());
        }
        Err(Refusal::already_used())
    }

    /// Appends an entry. Every change since the last entry of this stream belongs to it.
    ///
    /// # Errors
    /// As for `put`.
    pub fn entry(&mut self, stream: Stream, entry: Prepared) -> Result<(), Refusal> {
        self.covers(stream)?;
        self.unbroken()?;
        entry.check()?;
        let mut touched = self.touched.remove(&stream).unwrap_or_default();
        let done = log_rows::append(self.conn, self.heads, stream, &entry, &mut touched);
        self.touched.insert(stream, touched);
        let proof = done.map_err(|error| self.failed(error))?;
        self.proof.get_or_insert(proof);
        Ok(())
    }

    /// The answer, JSON, that a repetition with the same idempotency key gets.
    pub fn answer(&mut self, json: String) {
        self.answer = Some(json);
    }

    /// Where the stream stands, this closure's entries included. Locks it if the plan did not.
    ///
    /// # Errors
    /// As for `put`.
    pub fn head(&mut self, stream: Stream) -> Result<Head, Refusal> {
        self.covers(stream)?;
        let head = self.heads.lock(self.conn, stream).map(|chain| chain.head);
        head.map_err(|error| self.failed(error))
    }

    /// The present, fixed for this transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    fn covers(&mut self, stream: Stream) -> Result<(), Refusal> {
        if stream == self.scope || stream == Stream::INSTANCE {
            return Ok(());
        }
        Err(self.failed(StoreError::OutOfScope))
    }

    /// A stream is locked before it is written, so that its commits are serial.
    pub(crate) fn wrote(&mut self, stream: Stream) -> Result<(), Refusal> {
        self.head(stream)?;
        self.touched.entry(stream).or_default().wrote = true;
        Ok(())
    }

    /// A name belongs to what the plan's scope is about, wherever it must be unique: the scope owes the entry,
    /// and the unique index decides between two who claim at once, so that no other stream is locked.
    fn names(&mut self, stream: Stream) -> Result<(), Refusal> {
        self.covers(stream)?;
        self.wrote(self.scope)
    }

    fn writes<E: Entity>(&mut self, stream: Stream) -> Result<(), Refusal> {
        entity::belongs::<E>(stream)?;
        self.wrote(stream)
    }

    pub(crate) fn changed(&mut self, stream: Stream, change: Option<Change>) {
        self.touched.entry(stream).or_default().open.extend(change);
    }

    pub(crate) fn sql<T>(
        &mut self,
        run: impl FnOnce(&mut dyn Conn) -> Result<T, StoreError>,
    ) -> Result<T, Refusal> {
        self.unbroken()?;
        run(self.conn).map_err(|error| self.failed(error))
    }

    /// After a failure the transaction may be gone, and a statement on its own would be committed alone.
    fn unbroken(&self) -> Result<(), Refusal> {
        self.failure
            .clone()
            .map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// A value that cannot be stored is the request's fault and reached no database.
    fn failed(&mut self, error: StoreError) -> Refusal {
        if !matches!(error, StoreError::Value(_)) {
            self.failure.get_or_insert_with(|| error.clone());
        }
        error.into()
    }
}
