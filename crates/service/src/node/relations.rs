//! Loading what a relation store holds into the state of its organization, once however many ask. Tuples are read in
//! pieces, each a short transaction of its own; what happened meanwhile is taken from the feed, so that the whole is of
//! one revision. The same way brings tuples back into their compact form while others go on.

use super::Node;
use crate::{Error, Result};
use authz::relation::{Context, Loading, Tuple, TupleError, TupleKey};
use domain::Stream;
use kernel::{AuthorizationModel, Code, Id, Org, RelationStore};
use live::{Compiled, Era, Install, Relations, Unusable, View};
use std::sync::Arc;
use store::KnownTuple;

/// Tuples that one transaction reads.
const PIECE: usize = 50_000;
const FEED_PAGE: usize = 256;
/// How often the feed is followed before an installation is given up: the store changes faster than it is read.
const STEPS: usize = 4_096;

fn take(loading: &mut Loading, known: &KnownTuple<'_>) -> Result<(), TupleError> {
    let context = known.context.map(serde_json::from_str::<Context>);
    // A context that is none was not written by this product; without it the condition does not hold.
    let context = context.and_then(Result::ok).map(Arc::new);
    loading.add(&Tuple {
        key: TupleKey::parse(known.object, known.relation, known.subject)?,
        condition: known.condition,
        context,
        valid_from: known.valid_from,
        valid_until: known.valid_until,
    })
}

fn unusable(why: &Unusable) -> Error {
    tracing::error!(%why, "a relation store cannot be held in memory");
    let detail = format!("the relation store cannot be used: {why}");
    Error::new(Code::InvalidState, detail)
}

fn replaced() -> Error {
    let detail = "the state was replaced while the relation store was loaded; try again shortly";
    Error::new(Code::StaleState, detail)
}

impl Node {
    /// What a relation store holds, in the view that it is part of: this one where it is loaded, else a later one.
    ///
    /// # Errors
    /// `not_found` for a store that the organization does not have; when it cannot be loaded.
    pub async fn relations(
        self: &Arc<Self>,
        view: &View,
        store: Id<RelationStore>,
    ) -> Result<(View, Arc<Relations>)> {
        let unknown = || Error::not_found("relation store");
        let loaded = |view: &View| view.org.relations(store).cloned();
        let (view, relations) = match loaded(view) {
            Some(relations) => (view.clone(), relations),
            None => {
                view.org.relation_store(store).ok_or_else(unknown)?;
                self.load_relations(view.id(), store).await?;
                let view = self.view(view.id()).await?;
                view.org.relation_store(store).ok_or_else(unknown)?;
                let relations = loaded(&view).ok_or_else(replaced)?;
                (view, relations)
            }
        };
        if relations.is_loose() {
            self.compact(&view, store, &relations);
        }
        Ok((view, relations))
    }

    /// A version of a store's model, compiled for the tuples beside it. None when the store has no such version.
    ///
    /// # Errors
    /// As for `relations`; when the version cannot be compiled any more.
    pub async fn compiled(
        self: &Arc<Self>,
        view: &View,
        store: Id<RelationStore>,
        model: Option<Id<AuthorizationModel>>,
    ) -> Result<Option<(View, Arc<Relations>, Arc<Compiled>)>> {
        let (view, relations) = self.relations(view, store).await?;
        let Some(wanted) = model.or(relations.latest()) else {
            return Ok(None);
        };
        if let Some(compiled) = relations.compiled(wanted).cloned() {
            return Ok(Some((view, relations, compiled)));
        }
        let stream = Stream::org(view.id());
        let read = move |reader: &mut store::Reader<'_>| {
            reader.get::<domain::AuthorizationModel>(stream, wanted.bytes())
        };
        let row = self.store.read(stream, read).await?;
        let Some(core) = row
            .map(|row| row.value.core)
            .filter(|core| core.store == store)
        else {
            return Ok(None);
        };
        let era = self.cells.era();
        self.cells
            .compile(era, view.id(), &core)
            .map_err(|why| unusable(&why))?;
        let view = self.view(view.id()).await?;
        let relations = view.org.relations(store).ok_or_else(replaced)?.clone();
        let compiled = relations.compiled(wanted).ok_or_else(replaced)?.clone();
        Ok(Some((view, relations, compiled)))
    }

    async fn load_relations(&self, org: Id<Org>, store: Id<RelationStore>) -> Result<()> {
        let gate = self.relating.lock().await.entry(store).or_default().clone();
        let one = gate.lock().await;
        // Who waited finds what the first has loaded.
        let there = self.cells.view(org, self.clock.now());
        let there = there.is_some_and(|view| view.org.relations(store).is_some());
        let done = if there {
            Ok(())
        } else {
            self.fill_relations(org, store).await
        };
        drop(one);
        self.relating.lock().await.remove(&store);
        done
    }

    async fn fill_relations(&self, org: Id<Org>, store: Id<RelationStore>) -> Result<()> {
        let (era, stream) = (self.cells.era(), Stream::org(org));
        // Whatever happens from this revision on is taken from the feed, also where a piece has it already: a tuple is
        // there or not, and doing the same again changes nothing.
        let heads = self.store.heads(Some(vec![stream])).await?;
        let begun = heads.first().map_or(0, |(_, head)| head.state_rev);
        let (mut loading, mut after) = (Loading::default(), None);
        loop {
            let piece = move |reader: &mut store::Reader<'_>| {
                let mut refused = None;
                let show = &mut |known: KnownTuple<'_>| {
                    if refused.is_none() {
                        refused = take(&mut loading, &known).err();
                    }
                };
                let last = reader.each_tuple(stream, store, after.as_ref(), PIECE, show)?;
                Ok((loading, last, refused))
            };
            let (taken, last, refused) = self.store.read(stream, piece).await?;
            if let Some(why) = refused {
                return Err(unusable(&why.into()));
            }
            loading = taken;
            if last.is_none() {
                break;
            }
            after = last;
        }
        let latest = move |reader: &mut store::Reader<'_>| reader.models(stream, store, None, 1);
        let latest = self.store.read(stream, latest).await?;
        let build = tokio::task::spawn_blocking(move || {
            let latest = latest.first().map(|row| &row.value.core);
            Relations::new(loading, latest)
        });
        let built = build.await.map_err(Error::internal)?;
        let relations = built.map_err(|why| unusable(&why))?;
        self.install(era, org, store, relations, begun).await
    }

    /// Makes it part of the state, following the feed from the revision that it is of to the one of the state.
    async fn install(
        &self,
        era: Era,
        org: Id<Org>,
        store: Id<RelationStore>,
        relations: Relations,
        mut at: u64,
    ) -> Result<()> {
        let stream = Stream::org(org);
        let mut relations = Arc::new(relations);
        for _ in 0..STEPS {
            match self.cells.install(era, org, store, &relations, at) {
                Install::Done => return Ok(()),
                Install::NotLoaded => return Err(replaced()),
                Install::Elsewhere(state) if state < at => {
                    self.catch_up(stream, at).await?;
                }
                Install::Elsewhere(_) => {
                    let rows = self.store.changes_after(stream, at, FEED_PAGE).await?;
                    let mut next = (*relations).clone();
                    let before = at;
                    for row in &rows {
                        if row.state_rev != at + 1 {
                            break;
                        }
                        let mut changes = row.changes.iter();
                        changes
                            .try_for_each(|change| next.follow(store, change))
                            .map_err(|why| unusable(&why))?;
                        at = row.state_rev;
                    }
                    if at == before {
                        return Err(replaced());
                    }
                    relations = Arc::new(next);
                }
            }
        }
        let detail = "the relation store changes faster than it can be loaded; try again shortly";
        Err(Error::new(Code::StaleState, detail))
    }

    /// Brings tuples into their compact form, once at a time for a store, while others go on asking.
    fn compact(
        self: &Arc<Self>,
        view: &View,
        store: Id<RelationStore>,
        relations: &Arc<Relations>,
    ) {
        let (era, org, at) = (self.cells.era(), view.id(), view.revision.state);
        if !self.compacting().insert(store) {
            return;
        }
        let (node, relations) = (self.clone(), relations.clone());
        tokio::spawn(async move {
            let merged = tokio::task::spawn_blocking(move || relations.merged()).await;
            if let Ok(Ok(merged)) = merged
                && let Err(error) = node.install(era, org, store, merged, at).await
            {
                tracing::debug!(%error, "a relation store was not made compact; it is tried again");
            }
            node.compacting().remove(&store);
        });
    }
}
