//! The export form: JSON lines with a manifest first, a row a line, and the checkpoint last. It is read as strictly
//! as it is written, so that a changed byte either changes a row or makes the file unreadable.

#[cfg(test)]
mod tests;

use super::{Against, Claims, Kept, Options, Report, Row, Verifier};
use crate::log::note::origin;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Stream;
use kernel::{Id, Org};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

const VERSION: u32 = 1;
/// How many rows are looked at together.
const BATCH: usize = 4_096;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    stream: String,
    origin: String,
    from: u64,
    to: u64,
}

/// A row; what is not text is in base64. The stream is the manifest's. Position and revision are left out: no hash
/// covers them, so nobody could tell from the file whether they are right.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    time: i64,
    event_id: String,
    kind: String,
    actor: String,
    resource: Option<String>,
    agent: Option<String>,
    lineage: Option<String>,
    expires_at: Option<i64>,
    body: String,
    hash: String,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    checkpoint: Option<String>,
}

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file gives no more bytes.
    #[error("the export cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not what belongs there.
    #[error("line {line} of the export is not {expected}; export again")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What belongs there.
        expected: &'static str,
    },
}

/// Writes an export.
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Writes the manifest: entries `from` to `to` of `stream` follow.
    ///
    /// # Errors
    /// When `out` does.
    pub fn new(out: W, stream: Stream, from: u64, to: u64) -> io::Result<Self> {
        let mut writer = Self { out };
        writer.line(&Manifest {
            version: VERSION,
            stream: stream.to_string(),
            origin: origin(stream),
            from,
            to,
        })?;
        Ok(writer)
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When the output does.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.line(&Line::from(row))
    }

    /// Writes the checkpoint and gives the output back.
    ///
    /// # Errors
    /// When the output does.
    pub fn finish(mut self, checkpoint: Option<&str>) -> io::Result<W> {
        let checkpoint = checkpoint.map(str::to_owned);
        self.line(&Last { checkpoint })?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

/// Verifies an export against its own checkpoint and the `claims` at hand, which take the checkpoint in.
///
/// # Errors
/// When it is not an export.
pub fn verify(input: impl BufRead, mut claims: Claims, deep: bool) -> Result<Report, ExportError> {
    let mut lines = Lines {
        input,
        number: 0,
        text: String::new(),
    };
    let manifest: Manifest = lines.read("a manifest")?.ok_or(lines.wrong("a manifest"))?;
    let stream = stream(&manifest).ok_or(lines.wrong("a manifest"))?;
    let span = Some((manifest.from, manifest.to));
    let mut verifier = Verifier::new(stream.bytes(), Options { deep, span });
    let wrong = "an entry or the checkpoint";
    let mut batch = Vec::with_capacity(BATCH);
    while lines.advance()? {
        if let Some(last) = lines.parse::<Last>() {
            if let Some(note) = &last.checkpoint {
                claims.add(note, Kept::Stream(stream.bytes()));
            }
            if lines.advance()? {
                return Err(lines.wrong("the end"));
            }
            verifier.rows(&batch);
            let claims = &claims;
            return Ok(verifier.finish(Against {
                head: None,
                claims,
                feed: None,
            }));
        }
        let line = lines.parse::<Line>().ok_or(lines.wrong(wrong))?;
        batch.push(line.row(stream).ok_or(lines.wrong(wrong))?);
        if batch.len() == BATCH {
            verifier.rows(&batch);
            batch.clear();
        }
    }
    Err(lines.wrong("the checkpoint"))
}

fn stream(manifest: &Manifest) -> Option<Stream> {
    let stream = match manifest.stream.as_str() {
        "instance" => Stream::INSTANCE,
        org => Stream::org(org.parse::<Id<Org>>().ok()?),
    };
    (manifest.version == VERSION && manifest.origin == origin(stream)).then_some(stream)
}

/// Lines that must be spelled as they would be written.
struct Lines<R> {
    input: R,
    number: u64,
    text: String,
}

impl<R: BufRead> Lines<R> {
    fn advance(&mut self) -> io::Result<bool> {
        self.text.clear();
        self.number += 1;
        Ok(self.input.read_line(&mut self.text)? > 0)
    }

    fn parse<T: Serialize + for<'de> Deserialize<'de>>(&self) -> Option<T> {
        let text = self.text.strip_suffix('\n')?;
        let read: T = serde_json::from_str(text).ok()?;
        (serde_json::to_string(&read).ok()? == text).then_some(read)
    }

    fn read<T: Serialize + for<'de> Deserialize<'de>>(
        &mut self,
        expected: &'static str,
    ) -> Result<Option<T>, ExportError> {
        let there = self.advance()?;
        let read = self.parse();
        match (there, read) {
            (true, None) => Err(self.wrong(expected)),
            (_, read) => Ok(read),
        }
    }

    fn wrong(&self, expected: &'static str) -> ExportError {
        let line = self.number;
        ExportError::Line { line, expected }
    }
}

impl From<&Row> for Line {
    fn from(row: &Row) -> Self {
        let text = |bytes: &[u8]| STANDARD.encode(bytes);
        Self {
            seq: row.seq,
            time: row.time,
            event_id: text(&row.event_id),
            kind: row.kind.clone(),
            actor: row.actor.clone(),
            resource: row.resource.clone(),
            agent: row.agent.map(|agent| text(&agent)),
            lineage: row.lineage.as_deref().map(text),
            expires_at: row.expires_at,
            body: text(&row.body),
            hash: text(&row.hash),
        }
    }
}

impl Line {
    fn row(self, stream: Stream) -> Option<Row> {
        let bytes = |text: &String| STANDARD.decode(text).ok();
        let sixteen = |text: &String| bytes(text)?.try_into().ok();
        let agent: Option<Option<[u8; 16]>> = self.agent.as_ref().map(sixteen);
        let lineage = self.lineage.as_ref().map(bytes);
        Some(Row {
            position: None,
            stream: stream.bytes(),
            seq: self.seq,
            time: self.time,
            event_id: sixteen(&self.event_id)?,
            state_rev: None,
            agent: agent.map_or(Some(None), |read| read.map(Some))?,
            lineage: lineage.map_or(Some(None), |read| read.map(Some))?,
            expires_at: self.expires_at,
            body: bytes(&self.body)?,
            hash: bytes(&self.hash)?.try_into().ok()?,
            kind: self.kind,
            actor: self.actor,
            resource: self.resource,
        })
    }
}
