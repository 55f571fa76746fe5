//! The export form: JSON lines with a header first, a row a line, and last the checkpoint and a signed manifest over
//! every byte in front. It is read as strictly as it is written, so that no changed byte passes.

#[cfg(test)]
mod tests;

use super::{Against, Claims, Fault, Kept, Manifest, Options, Report, Row, Verifier};
use crate::log::note::origin;
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Stream;
use kernel::{Id, Org};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

const VERSION: u32 = 2;
/// How many rows are looked at together.
const BATCH: usize = 4_096;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
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

/// The last line. The manifest is a signed note over a `statement`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    checkpoint: Option<String>,
    manifest: String,
}

/// How the last line begins, and no other.
const LAST: &[u8] = b"{\"checkpoint\":";

/// What a manifest states: whose entries, from where to where, how many, and the digests of the lines in front of
/// the last and of the checkpoint. Its second line is no size, so that nobody takes it for a checkpoint.
fn statement(
    stream: Stream,
    (from, to): (u64, u64),
    count: u64,
    lines: &Context,
    checkpoint: Option<&str>,
) -> String {
    let lines = STANDARD.encode(lines.clone().finish());
    let note = super::digest(checkpoint.unwrap_or_default().as_bytes());
    let (origin, note) = (origin(stream), STANDARD.encode(note));
    format!("{origin}\nexport {from} {to} {count}\nlines {lines}\ncheckpoint {note}\n")
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
    stream: Stream,
    span: (u64, u64),
    count: u64,
    lines: Context,
}

impl<W: Write> Writer<W> {
    /// Writes the header: entries `from` to `to` of `stream` follow.
    ///
    /// # Errors
    /// When `out` does.
    pub fn new(out: W, stream: Stream, from: u64, to: u64) -> io::Result<Self> {
        let mut writer = Self {
            out,
            stream,
            span: (from, to),
            count: 0,
            lines: Context::new(&SHA256),
        };
        writer.line(&Header {
            version: VERSION,
            stream: stream.to_string(),
            origin: origin(stream),
            from,
            to,
        })?;
        Ok(writer)
    }

    /// Where it writes.
    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When the output does.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.count += 1;
        self.line(&Line::from(row))
    }

    /// Writes the checkpoint and the manifest that `sign` makes of its text, and gives the output back.
    ///
    /// # Errors
    /// When the output does.
    pub fn finish(
        mut self,
        checkpoint: Option<&str>,
        sign: impl FnOnce(&str) -> String,
    ) -> io::Result<W> {
        let stated = statement(self.stream, self.span, self.count, &self.lines, checkpoint);
        let last = Last {
            checkpoint: checkpoint.map(str::to_owned),
            manifest: sign(&stated),
        };
        self.line(&last)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.lines.update(&text);
        self.out.write_all(&text)
    }
}

/// Verifies an export against its own manifest and checkpoint and the `claims` at hand, which take the checkpoint
/// in. Whatever is damaged after the header is a finding.
///
/// # Errors
/// When it is not an export.
pub fn verify(input: impl BufRead, mut claims: Claims, deep: bool) -> Result<Report, ExportError> {
    let mut lines = Lines::new(input);
    lines.advance()?;
    let Some((stream, span)) = lines.parse().and_then(|header| whose(&header)) else {
        return lines.without_header(&claims);
    };
    let options = Options {
        deep,
        span: Some(span),
    };
    let mut verifier = Verifier::new(stream.bytes(), options);
    match rows(&mut lines, stream, &mut verifier)? {
        Ok(last) => {
            let note = last.checkpoint.as_deref();
            let wanted = statement(stream, span, verifier.entries, &lines.seen, note);
            if let Some(note) = note {
                claims.add(note, Kept::Stream(stream.bytes()));
            }
            verifier.manifest = Some(Manifest {
                note: last.manifest,
                wanted,
                to: span.1,
            });
        }
        Err(fault) => verifier.findings.push(fault),
    }
    let (head, feed, claims) = (None, None, &claims);
    Ok(verifier.finish(Against { head, claims, feed }))
}

/// Takes every row; gives the last line, or what is damaged in front of it.
fn rows<R: BufRead>(
    lines: &mut Lines<R>,
    stream: Stream,
    verifier: &mut Verifier,
) -> io::Result<Result<Last, Fault>> {
    let mut batch = Vec::with_capacity(BATCH);
    let ended = loop {
        if !lines.advance()? {
            break Err(lines.damaged("the checkpoint and manifest"));
        }
        if lines.text.starts_with(LAST) {
            break match lines.parse::<Last>() {
                Some(last) if lines.is_last()? => Ok(last),
                Some(_) => Err(lines.damaged("the last")),
                None => Err(lines.damaged("the checkpoint and manifest")),
            };
        }
        let Some(row) = lines.parse::<Line>().and_then(|line| line.row(stream)) else {
            break Err(lines.damaged("an entry"));
        };
        batch.push(row);
        if batch.len() == BATCH {
            verifier.rows(&batch);
            batch.clear();
        }
    };
    verifier.rows(&batch);
    Ok(ended)
}

/// Whose entries a header announces, and from where to where.
fn whose(header: &Header) -> Option<(Stream, (u64, u64))> {
    let stream = match header.stream.as_str() {
        "instance" => Stream::INSTANCE,
        org => Stream::org(org.parse::<Id<Org>>().ok()?),
    };
    let known = header.version == VERSION && header.origin == origin(stream);
    known.then_some((stream, (header.from, header.to)))
}

/// Lines that must be spelled as they would be written, and the digest of those in front of the present one.
struct Lines<R> {
    input: R,
    number: u64,
    text: Vec<u8>,
    seen: Context,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            text: Vec::new(),
            seen: Context::new(&SHA256),
        }
    }

    fn advance(&mut self) -> io::Result<bool> {
        self.seen.update(&self.text);
        self.text.clear();
        self.number += 1;
        Ok(self.input.read_until(b'\n', &mut self.text)? > 0)
    }

    fn is_last(&mut self) -> io::Result<bool> {
        Ok(self.input.fill_buf()?.is_empty())
    }

    fn parse<T: Serialize + for<'de> Deserialize<'de>>(&self) -> Option<T> {
        let text = self.text.strip_suffix(b"\n")?;
        let read: T = serde_json::from_slice(text).ok()?;
        (serde_json::to_vec(&read).ok()? == text).then_some(read)
    }

    const fn damaged(&self, expected: &'static str) -> Fault {
        let line = self.number;
        Fault::BadExport { line, expected }
    }

    /// Without its header a file is no export, unless its last line carries a manifest that somebody signed.
    fn without_header(mut self, claims: &Claims) -> Result<Report, ExportError> {
        let refused = ExportError::Line {
            line: 1,
            expected: "the header of an export",
        };
        while self.advance()? {
            if !self.text.starts_with(LAST) {
                continue;
            }
            let last = self.parse::<Last>();
            let signer = last.and_then(|last| claims.signer(&last.manifest));
            if let Some(stream) = signer {
                let mut verifier = Verifier::new(stream.bytes(), Options::default());
                let (line, expected) = (1, "the header of an export");
                verifier.findings.push(Fault::BadExport { line, expected });
                let (head, feed) = (None, None);
                return Ok(verifier.finish(Against { head, claims, feed }));
            }
        }
        Err(refused)
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
