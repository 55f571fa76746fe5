//! Verifies the log where it lies: reads a database that it never changes, or an export, and holds every entry
//! against its neighbours, the tree, the signatures and, when asked, every column.

use domain::{KeyPurpose, Organization, SigningKey, Stream};
use jose::{Jwk, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use store::{
    EventQuery, EventRow, Order, Query, Store, StoreError,
    log::{
        VerifierKey,
        note::origin,
        verify::{
            Against, Claims, Fault, Finding, HeadRow, Kept, Options, Positions, Report, Row,
            Verifier,
        },
    },
};

const PAGE: usize = 500;

/// What to verify and with what.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Only this organization, by slug or id.
    pub org: Option<String>,
    /// Every column, not only what hashes cover.
    pub deep: bool,
    /// Keys that somebody keeps elsewhere; for their logs, the database's own are not believed.
    pub keys: Vec<VerifierKey>,
    /// Checkpoints that somebody keeps elsewhere.
    pub anchors: Vec<String>,
}

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database.
    #[error("the log cannot be read: {0}")]
    Store(#[from] StoreError),
    /// There is no such organization.
    #[error("there is no organization `{0}` in this database")]
    NoOrganization(String),
}

/// What was found.
#[derive(Debug)]
pub struct Verified {
    /// By stream, with the slug of an organization.
    pub reports: Vec<(Option<String>, Report)>,
    /// What is wrong across streams, or could not be read at all.
    pub wrong: Vec<String>,
}

impl Verified {
    /// 0 whole, 1 broken, 3 incomplete.
    pub fn exit_code(&self) -> u8 {
        let codes: BTreeSet<u8> = self
            .reports
            .iter()
            .map(|(_, report)| report.exit_code())
            .collect();
        match (
            self.wrong.is_empty(),
            codes.contains(&1),
            codes.contains(&3),
        ) {
            (false, _, _) | (_, true, _) => 1,
            (true, false, true) => 3,
            _ => 0,
        }
    }
}

/// Reads the whole log of a database, or one organization's part of it.
///
/// # Errors
/// When the database cannot be read or there is no such organization.
pub async fn verify(store: &Store, asked: Asked) -> Result<Verified, VerifyError> {
    let mut slugs = organizations(store).await?;
    let streams = streams(store, &slugs).await?;
    let claims = claims(store, &asked, &streams).await?;
    let mut wanted: BTreeSet<Stream> = streams.into_iter().chain(claims.streams()).collect();
    if let Some(org) = &asked.org {
        let chosen = slugs
            .iter()
            .find(|(stream, slug)| *slug == org || stream.to_string() == *org)
            .map(|(stream, _)| *stream);
        let chosen = chosen.ok_or_else(|| VerifyError::NoOrganization(org.clone()))?;
        wanted.retain(|stream| *stream == chosen);
    }
    let cap = last_position(store, &wanted).await?;
    let mut positions = Positions::new();
    let (mut reports, mut wrong) = (Vec::new(), Vec::new());
    for stream in &wanted {
        match one(store, *stream, asked.deep, &claims, &mut positions, cap).await {
            Ok(report) => reports.push((slugs.remove(stream), report)),
            Err(error @ StoreError::Corrupt { .. }) => wrong.push(format!("{stream}: {error}")),
            Err(error) => return Err(error.into()),
        }
    }
    if asked.deep && asked.org.is_none() {
        wrong.extend(positions.finish().iter().map(Finding::to_string));
    }
    Ok(Verified { reports, wrong })
}

/// The slugs of the organizations that the instance knows.
async fn organizations(store: &Store) -> Result<BTreeMap<Stream, String>, StoreError> {
    let mut all = BTreeMap::new();
    loop {
        let after = all.keys().next_back().map(|stream: &Stream| stream.bytes());
        let query = Query {
            after,
            limit: PAGE,
            filter: Vec::new(),
        };
        let page = store
            .read(Stream::INSTANCE, move |reader| {
                reader.list::<Organization>(Stream::INSTANCE, &query)
            })
            .await?;
        let ended = page.len() < PAGE;
        all.extend(
            page.into_iter()
                .map(|row| (Stream::org(row.value.core.id), row.value.core.slug)),
        );
        if ended {
            return Ok(all);
        }
    }
}

/// Every stream with a head, and every organization: a head that is gone does not hide its entries.
async fn streams(
    store: &Store,
    slugs: &BTreeMap<Stream, String>,
) -> Result<BTreeSet<Stream>, StoreError> {
    let known = slugs.keys().copied().chain([Stream::INSTANCE]);
    match store.heads(None).await {
        Ok(heads) => Ok(known
            .chain(heads.into_iter().map(|(stream, _)| stream))
            .collect()),
        Err(StoreError::Corrupt { .. }) => Ok(known.collect()),
        Err(error) => Err(error),
    }
}

async fn claims(
    store: &Store,
    asked: &Asked,
    streams: &BTreeSet<Stream>,
) -> Result<Claims, StoreError> {
    let mut keys = asked.keys.clone();
    let mut notes = Vec::new();
    for stream in streams.iter().copied() {
        let query = Query {
            after: None,
            limit: PAGE,
            filter: Vec::new(),
        };
        let read = move |reader: &mut store::Reader<'_>| {
            Ok((
                reader.list::<SigningKey>(stream, &query)?,
                reader.checkpoints(stream, usize::MAX)?,
            ))
        };
        let (rows, checkpoints) = store.read(stream, read).await?;
        let name = origin(stream);
        if !asked.keys.iter().any(|key| key.name() == name) {
            let logs = rows
                .iter()
                .filter(|row| row.value.core.purpose == KeyPurpose::Log);
            keys.extend(logs.filter_map(|row| verifier_key(&name, &row.value.core.public)));
        }
        let kept = if stream == Stream::INSTANCE {
            Kept::Instance
        } else {
            Kept::Stream(stream.bytes())
        };
        notes.extend(checkpoints.into_iter().map(|row| (row.note, kept)));
    }
    notes.extend(
        asked
            .anchors
            .iter()
            .map(|note| (note.clone(), Kept::Anchor)),
    );
    let mut claims = Claims::new(&keys);
    notes
        .iter()
        .for_each(|(note, kept)| claims.add(note, *kept));
    Ok(claims)
}

fn verifier_key(name: &str, public: &str) -> Option<VerifierKey> {
    match serde_json::from_str::<Jwk>(public).ok()?.key {
        PublicKey::Ed25519 { x } => VerifierKey::new(name, x).ok(),
        _ => None,
    }
}

/// The last position at this moment: later rows of a running server may be seen in one stream and not in another.
async fn last_position(store: &Store, streams: &BTreeSet<Stream>) -> Result<u64, StoreError> {
    let mut last = 0;
    for stream in streams.iter().copied() {
        let query = EventQuery {
            limit: 1,
            order: Order::Descending,
            ..EventQuery::default()
        };
        match store
            .read(stream, move |reader| reader.events(stream, &query))
            .await
        {
            Ok(rows) => {
                last = rows
                    .first()
                    .and_then(|row| row.position)
                    .unwrap_or(0)
                    .max(last)
            }
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(last)
}

async fn one(
    store: &Store,
    stream: Stream,
    deep: bool,
    claims: &Claims,
    positions: &mut Positions,
    cap: u64,
) -> Result<Report, StoreError> {
    let mut verifier = Verifier::new(stream.bytes(), Options { deep, span: None });
    let mut after = 0;
    loop {
        // Rows and head in one snapshot: the head that comes with the last page is the one of its rows.
        let read = move |reader: &mut store::Reader<'_>| {
            Ok((
                reader.event_rows(stream, after, PAGE)?,
                reader.frontier(stream)?,
            ))
        };
        let (rows, (head, frontier)) = store.read(stream, read).await?;
        let ended = rows.len() < PAGE;
        for found in rows {
            after = found.seq;
            let row = row(found);
            if row.position.is_some_and(|position| position <= cap) {
                positions.row(&row);
            }
            verifier.row(&row);
        }
        if ended {
            let head = HeadRow {
                seq: head.seq,
                hash: head.hash,
                time: head.time.micros(),
                frontier: frontier.to_bytes(),
                state_rev: head.state_rev,
            };
            return Ok(verifier.finish(Against {
                head: Some(head),
                claims,
                feed: None,
            }));
        }
    }
}

fn row(found: EventRow) -> Row {
    Row {
        position: found.position,
        stream: found.stream.bytes(),
        seq: found.seq,
        time: found.time.micros(),
        event_id: found.event_id.bytes(),
        state_rev: found.state_rev,
        kind: found.kind,
        actor: found.actor,
        resource: found.resource,
        agent: found.agent.map(|agent| agent.bytes()),
        lineage: found.lineage,
        expires_at: found.expires_at.map(kernel::Timestamp::micros),
        body: found.body,
        hash: found.hash,
    }
}

/// The first entry that a finding places, for whoever wants to look.
pub fn first_place(verified: &Verified) -> Option<(Stream, u64)> {
    let findings = verified
        .reports
        .iter()
        .flat_map(|(_, report)| &report.findings);
    findings
        .filter(|finding| {
            matches!(
                finding.fault,
                Fault::Changed { .. } | Fault::Unreadable { .. }
            )
        })
        .find_map(|finding| Some((finding.stream, finding.fault.seq()?)))
}
