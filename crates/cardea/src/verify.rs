//! Verifies the log where it lies: reads a database that it never changes, or an export, and holds every entry
//! against its neighbours, the tree, the signatures and, when asked, every column.

mod rows;

use domain::{KeyPurpose, Organization, SigningKey, Stream, entry::LOG_KEY_ROTATED};
use jose::{Jwk, PublicKey};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use store::{
    Engine, EventQuery, Query, Store, StoreError,
    log::{
        VerifierKey,
        note::{self, Handover, origin},
        verify::{Claims, Fault, Kept, Report},
    },
};

const PAGE: usize = 500;
/// Entries among which one query looks for those in which a key hands over.
const STRETCH: usize = 65_536;

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
    let mut wrong = Vec::new();
    let claims = claims(store, &asked, &streams, &mut wrong).await?;
    let mut wanted: BTreeSet<Stream> = streams.into_iter().chain(claims.streams()).collect();
    if let Some(org) = &asked.org {
        let chosen = slugs
            .iter()
            .find(|(stream, slug)| *slug == org || stream.to_string() == *org)
            .map(|(stream, _)| *stream);
        let chosen = chosen.ok_or_else(|| VerifyError::NoOrganization(org.clone()))?;
        wanted.retain(|stream| *stream == chosen);
    }
    let mut found = if asked.org.is_none() && store.engine() == Engine::Sqlite {
        rows::in_file(store, &wanted, asked.deep, &claims).await?
    } else {
        rows::by_stream(store, &wanted, asked.deep, &claims).await?
    };
    wrong.append(&mut found.wrong);
    let named = |report: Report| (slugs.remove(&report.stream), report);
    let reports = found.reports.into_iter().map(named).collect();
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

/// Every stream with a head or with entries, and every organization: what is gone from one place is known from
/// another.
async fn streams(
    store: &Store,
    slugs: &BTreeMap<Stream, String>,
) -> Result<BTreeSet<Stream>, StoreError> {
    let known = slugs.keys().copied().chain([Stream::INSTANCE]);
    let logged = match store.streams().await {
        Err(StoreError::Corrupt { .. }) => Vec::new(),
        logged => logged?,
    };
    let known = known.chain(logged);
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
    wrong: &mut Vec<String>,
) -> Result<Claims, StoreError> {
    let mut keys = led_to(store, &asked.keys).await?;
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
        let (rows, checkpoints) = match store.read(stream, read).await {
            Err(error @ StoreError::Corrupt { .. }) => {
                wrong.push(format!("{stream}: {error}"));
                continue;
            }
            read => read?,
        };
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
        notes.extend(checkpoints.into_iter().map(|row| (row, kept)));
    }
    let mut claims = Claims::new(&keys);
    for (row, kept) in notes {
        claims.add_row(&row.note, kept, row.size, row.time);
    }
    for note in &asked.anchors {
        claims.add(note, Kept::Anchor);
    }
    Ok(claims)
}

/// The keys that somebody keeps, and those that the instance's key among them led to, each signed in by the one before:
/// what the last of them signs covers the logs of all organizations.
async fn led_to(store: &Store, kept: &[VerifierKey]) -> Result<Vec<VerifierKey>, StoreError> {
    let (stream, mut keys) = (Stream::INSTANCE, kept.to_vec());
    if !keys.iter().any(|key| key.name() == origin(stream)) {
        return Ok(keys);
    }
    let last = store.heads(Some(vec![stream])).await?;
    let last = last.first().map_or(0, |(_, head)| head.seq);
    let mut ended: Vec<[u8; 32]> = Vec::new();
    for after in (0..last).step_by(STRETCH) {
        let query = EventQuery {
            after_seq: after,
            before_seq: Some(after.saturating_add(STRETCH as u64 + 1)),
            limit: usize::MAX,
            kind: Some(LOG_KEY_ROTATED.into()),
            ..EventQuery::default()
        };
        let read = store.read(stream, move |reader| reader.events(stream, &query));
        let rows = match read.await {
            // Whatever cannot be read is found, and told, by whoever reads all of it.
            Err(StoreError::Corrupt { .. }) => continue,
            rows => rows?,
        };
        for Handover { old, new } in rows.iter().filter_map(|row| handover(&row.body)) {
            if !keys.contains(&old) || ended.contains(old.public()) {
                continue;
            }
            ended.push(*old.public());
            if !keys.contains(&new) {
                keys.push(new);
            }
        }
    }
    Ok(keys)
}

/// What an entry in which a log's key hands over holds, if the old key signed it.
fn handover(body: &[u8]) -> Option<Handover> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let statement = body.pointer("/action/details/after/statement")?.as_str()?;
    Handover::open(&note::parse(statement).ok()?).ok()
}

fn verifier_key(name: &str, public: &str) -> Option<VerifierKey> {
    match serde_json::from_str::<Jwk>(public).ok()?.key {
        PublicKey::Ed25519 { x } => VerifierKey::new(name, x).ok(),
        _ => None,
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
