//! A snapshot of one stream and the instance's, for reading. Short: a reading transaction lasts at most two
//! seconds, so that it holds nothing back.

use crate::{
    CheckpointRow, EventQuery, EventRow, Head, Idempotency, Query, StoreError, Versioned,
    artefacts, conn::Conn, entity, events, head::look, log::Frontier, operate,
};
use domain::{Change, Entity, GrantId, Stream, Table};
use kernel::{Agent, Id, Timestamp};

/// A reading transaction. Every call names its stream, which must be the scope or the instance's (I7).
pub struct Reader<'c> {
    conn: &'c mut (dyn Conn + 'c),
    scope: Stream,
}

impl<'c> Reader<'c> {
    pub(crate) fn new(conn: &'c mut (dyn Conn + 'c), scope: Stream) -> Self {
        Self { conn, scope }
    }

    pub(crate) fn on(&mut self, stream: Stream) -> Result<&mut (dyn Conn + 'c), StoreError> {
        if stream != self.scope && stream != Stream::INSTANCE {
            return Err(StoreError::OutOfScope);
        }
        Ok(&mut *self.conn)
    }

    /// The entity with this key.
    ///
    /// # Errors
    /// When the stream is out of scope, a row is unreadable or the database fails; so for every call here.
    pub fn get<E: Entity>(
        &mut self,
        stream: Stream,
        key: [u8; 16],
    ) -> Result<Option<Versioned<E>>, StoreError> {
        entity::get(self.on(stream)?, stream, key)
    }

    /// Entities in the order of their keys.
    ///
    /// # Errors
    /// As for `get`.
    pub fn list<E: Entity>(
        &mut self,
        stream: Stream,
        query: &Query,
    ) -> Result<Vec<Versioned<E>>, StoreError> {
        entity::list(self.on(stream)?, stream, query)
    }

    /// How many entities there are whose bodies have these members.
    ///
    /// # Errors
    /// As for `get`.
    pub fn count<E: Entity>(
        &mut self,
        stream: Stream,
        filter: &[(&'static str, String)],
    ) -> Result<u64, StoreError> {
        entity::count::<E>(self.on(stream)?, stream, filter)
    }

    /// How many `users`, `agents` or `tokens` of an organization did not end, as the tables themselves count.
    ///
    /// # Errors
    /// As for `get`.
    pub fn tally(&mut self, stream: Stream, kind: &'static str) -> Result<u64, StoreError> {
        entity::tally(self.on(stream)?, stream, kind)
    }

    /// How many API tokens are neither revoked nor past their end at `now`.
    ///
    /// # Errors
    /// As for `get`.
    pub fn live_tokens(&mut self, stream: Stream, now: Timestamp) -> Result<u64, StoreError> {
        entity::live_tokens(self.on(stream)?, stream, now)
    }

    /// Who holds a unique name.
    ///
    /// # Errors
    /// As for `get`.
    pub fn claimed(
        &mut self,
        stream: Stream,
        kind: &str,
        value: &str,
    ) -> Result<Option<[u8; 16]>, StoreError> {
        artefacts::claimed(self.on(stream)?, stream, kind, value)
    }

    /// What the request with this key and body was answered when it was carried out.
    ///
    /// # Errors
    /// As for `get`.
    pub fn answered(
        &mut self,
        key: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let found = artefacts::answered(self.on(key.stream)?, key, now)?;
        Ok(found.and_then(|(digest, answer)| (digest == key.body_digest).then_some(answer)))
    }

    /// Rows of the log. Filters other than by place scan the stream: whoever filters for people asks `search`.
    ///
    /// # Errors
    /// As for `get`.
    pub fn events(
        &mut self,
        stream: Stream,
        query: &EventQuery,
    ) -> Result<Vec<EventRow>, StoreError> {
        events::events(self.on(stream)?, stream, query)
    }

    /// The next rows of the log for somebody who reads all of it, such as a verifier.
    ///
    /// # Errors
    /// As for `get`.
    pub fn event_rows(
        &mut self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<EventRow>, StoreError> {
        let query = EventQuery {
            after_seq,
            limit,
            ..EventQuery::default()
        };
        self.events(stream, &query)
    }

    /// How many unexpired tokens of these agents were issued under any of these grants.
    ///
    /// # Errors
    /// As for `get`.
    pub fn tokens_under(
        &mut self,
        stream: Stream,
        agents: &[Id<Agent>],
        grants: &[GrantId],
        now: Timestamp,
    ) -> Result<events::Issues, StoreError> {
        events::tokens_under(self.on(stream)?, stream, agents, grants, now)
    }

    /// The newest checkpoints, newest first, at most `latest`.
    ///
    /// # Errors
    /// As for `get`.
    pub fn checkpoints(
        &mut self,
        stream: Stream,
        latest: usize,
    ) -> Result<Vec<CheckpointRow>, StoreError> {
        events::checkpoints(self.on(stream)?, stream, latest)
    }

    /// Where the stream stands and the right edge of its Merkle tree.
    ///
    /// # Errors
    /// As for `get`.
    pub fn frontier(&mut self, stream: Stream) -> Result<(Head, Frontier), StoreError> {
        let chain = look(self.on(stream)?, stream)?;
        Ok((chain.head, chain.frontier))
    }

    /// When a credential was last used.
    ///
    /// # Errors
    /// As for `get`.
    pub fn last_used(
        &mut self,
        stream: Stream,
        key_id: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        operate::last_used(self.on(stream)?, stream, key_id)
    }

    /// Where the database stands in its history.
    pub(crate) fn standing(&mut self) -> Result<crate::Standing, StoreError> {
        crate::standing::look(self.conn)
    }

    /// The changes that a cell of the stream is made of.
    pub(crate) fn needed_changes(&mut self, stream: Stream) -> Result<Vec<Change>, StoreError> {
        let conn = self.on(stream)?;
        let mut all = Vec::new();
        for table in Table::ALL {
            all.append(&mut entity::needed(conn, stream, *table)?);
        }
        Ok(all)
    }

    /// The change that every row of the stream stands for (I4).
    pub(crate) fn all_changes(&mut self, stream: Stream) -> Result<Vec<Change>, StoreError> {
        let conn = self.on(stream)?;
        let mut all = Vec::new();
        for table in Table::ALL {
            all.append(&mut entity::changes(conn, stream, *table)?);
        }
        all.append(&mut crate::relations::changes(conn, stream)?);
        Ok(all)
    }
}
