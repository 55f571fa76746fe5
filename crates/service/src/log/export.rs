//! Giving a log away as a file: which entries, recorded before anything leaves, and then the lines themselves, a
//! page at a time, signed at the end by the log's key. Personal values stay sealed.

use super::tiles::Tree;
use crate::{
    Cx, Error, Platform, Result,
    checkpoint::{log_key, origin, signed_now},
    gate::{Class, Permit},
    oauth::open_log_key,
    operation::{Meta, Operation, Target},
    pipeline,
};
use authz::Access;
use domain::{Permission, SigningKeyCore, Stream};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use store::{
    Reader,
    log::{
        note::{parse, sign_text},
        verify::{Row, export::Writer},
    },
};

const PAGE: usize = 500;
/// How long a page waits that was not let in.
const PAUSE: Duration = Duration::from_millis(50);

/// Says which entries an export holds and records that they were asked for.
pub struct ExportEvents;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The first entry; 1 when absent.
    #[serde(default)]
    from: Option<u64>,
    /// The last entry; the last there is when absent, and then a checkpoint comes with it.
    #[serde(default)]
    to: Option<u64>,
}

/// What it answers. The lines are at `/api/v1/orgs/{org}/log/export`, which takes the same input.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The first entry.
    pub from: u64,
    /// The last entry.
    pub to: u64,
    /// Whether it reaches the log's end, where a checkpoint can be signed.
    pub whole: bool,
    /// How many entries that were at least.
    pub count: u64,
}

impl Operation for ExportEvents {
    const META: Meta = Meta {
        summary: "Export entries of the log with a signed manifest",
        command: "audit export",
        records: Some("audit.exported"),
        ..Meta::read(
            "audit.export",
            "/orgs/{org}/audit/export",
            Permission::AuditRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let size = Tree::size(&cx.platform, cx.stream()?).await?;
        let (from, to) = (input.from.unwrap_or(1), input.to.unwrap_or(size));
        if to > size {
            let detail = format!("the log has {size} entries; ask for at most that");
            return Err(Error::invalid("to", detail));
        }
        if from == 0 || from > to {
            let detail = format!("must be within 1 and the last entry, {to}");
            return Err(Error::invalid("from", detail));
        }
        let whole = input.to.is_none();
        let count = to - from + 1;
        Ok(Output {
            from,
            to,
            whole,
            count,
        })
    }
}

/// An export under way. Whoever makes one has asked `ExportEvents` first.
pub struct Export {
    platform: Arc<Platform>,
    stream: Stream,
    to: u64,
    /// The last entry that was written.
    done: u64,
    checkpoint: Option<String>,
    /// The key that signs at its last entry.
    key: SigningKeyCore,
    /// Whoever reads it, when that is somebody who may lose the right meanwhile.
    reader: Option<Cx>,
    writer: Option<Writer<Vec<u8>>>,
}

impl Export {
    /// Begins. One that is whole reaches to the checkpoint that is signed for it.
    ///
    /// # Errors
    /// When the database does not answer or the log has no key.
    pub async fn begin(
        platform: Arc<Platform>,
        stream: Stream,
        wanted: Output,
        reader: Option<Cx>,
    ) -> Result<Self> {
        let (to, checkpoint, key) = if wanted.whole {
            let (note, key) = signed_now(&platform, stream).await?;
            let size = parse(&note).ok().and_then(|note| note.claimed_size());
            let size = size.ok_or_else(|| Error::internal("a checkpoint without a size"))?;
            (size, Some(note), key)
        } else {
            (wanted.to, None, log_key(&platform, stream).await?)
        };
        let writer = Writer::new(Vec::new(), stream, wanted.from, to).map_err(Error::internal)?;
        Ok(Self {
            platform,
            stream,
            to,
            done: wanted.from.saturating_sub(1),
            checkpoint,
            key,
            reader,
            writer: Some(writer),
        })
    }

    /// The next bytes; nothing after the last.
    ///
    /// # Errors
    /// When the database does not answer, the log's key cannot be used, or whoever reads it no longer may.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(None);
        };
        let _turn = self.turn().await;
        self.still_may().await?;
        let (stream, after) = (self.stream, self.done);
        let left = usize::try_from(self.to.saturating_sub(after)).unwrap_or(usize::MAX);
        let page = PAGE.min(left);
        let read = move |reader: &mut Reader<'_>| reader.event_rows(stream, after, page);
        let rows = self.platform.store.read(stream, read).await?;
        if rows.is_empty() {
            return self.end(writer).map(Some);
        }
        for row in rows {
            self.done = row.seq;
            writer.row(&Row::from(row)).map_err(Error::internal)?;
        }
        let lines = std::mem::take(writer.out());
        self.writer = Some(writer);
        Ok(Some(lines))
    }

    /// A page is a job: few at once, one of an organization, and while nobody is kept waiting by it.
    async fn turn(&self) -> Permit {
        let (gate, clock) = (&self.platform.gate, &self.platform.clock);
        loop {
            gate.quiet().await;
            let ticket = gate.admit(Class::Job, self.stream.organization(), clock.boot());
            if let Ok(ticket) = ticket
                && let Ok(permit) = ticket.enter().await
            {
                return permit;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A reader who takes hours is asked again with each page.
    async fn still_may(&mut self) -> Result<()> {
        let Some(cx) = &mut self.reader else {
            return Ok(());
        };
        pipeline::decide_again(cx).await?;
        match cx.reaches(Permission::AuditRead) {
            Access::All => Ok(()),
            _ => Err(Error::denied(Permission::AuditRead.as_str())),
        }
    }

    fn end(&self, writer: Writer<Vec<u8>>) -> Result<Vec<u8>> {
        let (platform, stream) = (&self.platform, self.stream);
        let key = open_log_key(&platform.keyring, stream, &self.key)?;
        let sign = |text: &str| sign_text(text, &origin(stream), &key);
        let written = writer.finish(self.checkpoint.as_deref(), sign);
        written.map_err(Error::internal)
    }
}
