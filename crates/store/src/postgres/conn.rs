//! A connection to the server: whose name a transaction runs in, prepared statements, writes held back until they
//! can travel with others. Never takes a role for longer than a transaction.

use super::{
    answers::{self, lost, meaning},
    outbox::{Outbox, Write},
    pipeline::{Answer, Pipeline, Question},
    target::Target,
};
use crate::{
    Engine, StoreError,
    conn::{Conn, Role},
    head::Heads,
    value::{Param, Row},
};
use kernel::{Clock, Micros};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{runtime::Runtime, sync::mpsc::UnboundedReceiver};
use tokio_postgres::{Client, Statement, types::ToSql};

/// The schema is named once, so that taking a role cannot lead to another one's tables; a server that is told to
/// answer before the disk has it is told otherwise; plans are made once, as every statement names its key.
const SETTINGS: &str = "
    SELECT set_config('search_path', quote_ident(current_schema()), false);
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET client_min_messages = warning;
    SET idle_in_transaction_session_timeout = '10s';
    SET plan_cache_mode = force_generic_plan;
    SET jit = off;
";
/// A COMMIT may wait for a standby as long as it takes: cut short, the server would call it done without one.
const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";
const READ: Micros = Micros::seconds(2);
/// How long an exchange may take before the connection counts as broken: longer than the server's own limits.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One snapshot, at most two seconds.
    Read,
    /// Sees what is committed and locks what it changes.
    Write,
}

/// A connection.
pub(super) struct Pg {
    // Before the runtime: the driver ends when nobody can ask any more.
    client: Client,
    heard: UnboundedReceiver<String>,
    runtime: Runtime,
    statements: HashMap<String, Statement>,
    clock: Arc<dyn Clock>,
    /// When the present read must have ended, by the boot-time clock.
    deadline: i64,
    /// What starts the transaction; travels with its first statement.
    start: Option<String>,
    /// Whether the server knows of the transaction.
    begun: bool,
    outbox: Outbox,
    /// Whether writes may be held back.
    holds: bool,
    broken: bool,
}

/// Everything in a parameter list of a statement with arrays.
pub(super) type Arrays<'a> = [&'a (dyn ToSql + Sync)];

impl Pg {
    pub(super) fn connect(target: &Target, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Lost(format!("no runtime: {error}")))?;
        let opened = async {
            let (client, heard) = target.connect().await?;
            client.batch_execute(SETTINGS).await.map_err(meaning)?;
            Ok((client, heard))
        };
        let (client, heard) = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, opened).await })
            .map_err(|_| lost("connecting took too long"))??;
        Ok(Self {
            client,
            heard,
            runtime,
            statements: HashMap::new(),
            clock,
            deadline: i64::MAX,
            start: None,
            begun: false,
            outbox: Outbox::default(),
            holds: false,
            broken: false,
        })
    }

    pub(super) fn closed(&self) -> bool {
        self.broken || self.client.is_closed()
    }

    /// The text of the next notification, or none within this time.
    pub(super) fn notice(&mut self, within: Duration) -> Result<Option<String>, StoreError> {
        let heard = &mut self.heard;
        let wait = async { tokio::time::timeout(within, heard.recv()).await };
        match self.runtime.block_on(wait) {
            Ok(Some(text)) => Ok(Some(text)),
            Ok(None) => Err(lost("the connection ended")),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.exchange(&[], Some(sql)).map(|_| ())
    }

    /// Starts a transaction with the next statement.
    pub(super) fn begin(&mut self, role: Role, mode: Mode) {
        self.deadline = i64::MAX;
        self.holds = false;
        self.outbox.clear();
        let start = match mode {
            Mode::Read => {
                let now = self.clock.boot().micros();
                self.deadline = now.saturating_add(READ.get());
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '2s'"
            }
            Mode::Write => {
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '2s'"
            }
        };
        let name = match role {
            Role::Tenant(stream) => {
                let stream = u128::from_be_bytes(stream.bytes());
                format!("; SET LOCAL ROLE cardea_tenant; SET LOCAL cardea.stream = '{stream:032x}'")
            }
            Role::Node => "; SET LOCAL ROLE cardea_node".to_owned(),
            Role::Appender => "; SET LOCAL ROLE cardea_appender".to_owned(),
            Role::Owner => String::new(),
        };
        self.start = Some(format!("{start}{name}"));
    }

    /// Adds a statement without parameters to what starts the transaction.
    pub(super) fn and_first(&mut self, sql: &str) {
        if let Some(start) = &mut self.start {
            start.push_str("; ");
            start.push_str(sql);
        }
    }

    /// Tells the server of the transaction now, so that a broken connection shows before anything ran.
    pub(super) fn started(&mut self) -> Result<(), StoreError> {
        self.exchange(&[], None).map(|_| ())
    }

    /// From here on, writes that nobody asks about may wait for the end of the transaction.
    pub(super) fn hold_back(&mut self) {
        self.holds = true;
    }

    /// A command begins: `undo` returns to here.
    pub(super) fn mark(&mut self) {
        self.outbox.mark();
    }

    /// Takes back what the command held back. False when something of it is at the server already.
    pub(super) fn undo(&mut self) -> bool {
        self.outbox.undo()
    }

    /// Gives the transaction up.
    ///
    /// # Errors
    /// Then the connection must not be used again: the next transaction would run inside this one.
    pub(super) fn rollback(&mut self) -> Result<(), StoreError> {
        self.deadline = i64::MAX;
        self.outbox.clear();
        self.start = None;
        if !std::mem::take(&mut self.begun) {
            return Ok(());
        }
        self.batch("ROLLBACK")
    }

    /// Sends what was held back, the heads that moved and COMMIT, all at once.
    pub(super) fn commit(&mut self, heads: &Heads) -> Result<(), StoreError> {
        self.outbox.heads(heads);
        let ended = self.exchange(&[], Some(COMMIT));
        self.begun = ended.is_err();
        ended.map(|_| ())
    }

    /// Rows of several statements, asked for at once.
    pub(super) fn ask(
        &mut self,
        questions: &[(&str, &Arrays<'_>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut asked = Vec::with_capacity(questions.len());
        for (sql, params) in questions {
            let statement = self.prepared(sql)?;
            asked.push(Question {
                statement,
                params,
                rows: true,
            });
        }
        let answers = self.exchange(&asked, None)?;
        answers.into_iter().map(answers::rows).collect()
    }

    pub(super) fn query_arrays(
        &mut self,
        sql: &str,
        params: &Arrays<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.outbox.sees(sql);
        let rows = self.ask(&[(sql, params)])?.pop();
        Ok(rows.unwrap_or_default())
    }

    /// The statement, prepared once. Preparing reads no row, so it may come before the transaction.
    fn prepared(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if self.clock.boot().micros() > self.deadline {
            return Err(StoreError::TooLong);
        }
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let client = &self.client;
        let wait = async { tokio::time::timeout(PATIENCE, client.prepare(sql)).await };
        let prepared = match self.runtime.block_on(wait) {
            Ok(prepared) => prepared.map_err(meaning),
            Err(_) => Err(lost("the server did not answer in time")),
        };
        let statement = self.seen(prepared)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// One exchange: what starts the transaction, what was held back, these questions, this text. The first error
    /// in this order is the answer; whatever came after it failed with it.
    fn exchange(
        &mut self,
        asked: &[Question<'_>],
        text: Option<&str>,
    ) -> Result<Vec<Answer>, StoreError> {
        let held = self.outbox.take();
        let writes = held.writes();
        let mut prepared = Vec::with_capacity(writes.len());
        for write in &writes {
            prepared.push(self.prepared(write.sql())?);
        }
        let params: Vec<_> = writes.iter().map(Write::params).collect();
        let start = self.start.take();
        self.begun |= start.is_some();
        let mut pipeline = Pipeline::new(&self.client);
        start.iter().for_each(|start| pipeline.text(start));
        for (statement, params) in prepared.iter().zip(&params) {
            pipeline.count(statement, params);
        }
        for question in asked {
            pipeline.question(question);
        }
        text.into_iter().for_each(|text| pipeline.text(text));
        let wait = async { tokio::time::timeout(PATIENCE, pipeline.run()).await };
        let answered = match self.runtime.block_on(wait) {
            Ok(answered) => answered.map_err(meaning),
            Err(_) => Err(lost("the server did not answer in time")),
        };
        self.seen(answered).map(|mut all| {
            all.split_off(all.len().min(usize::from(start.is_some()) + writes.len()))
        })
    }

    /// A connection whose fate is not known, or that leads to a server which is no longer the primary, is not
    /// used again.
    fn seen<T>(&mut self, answered: Result<T, StoreError>) -> Result<T, StoreError> {
        self.broken |= matches!(answered, Err(StoreError::Lost(_) | StoreError::Standby));
        answered
    }
}

impl Conn for Pg {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.query_arrays(sql, &listed(params))
    }

    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        self.outbox.sees(sql);
        let statement = self.prepared(sql)?;
        let params = listed(params);
        let question = Question {
            statement,
            params: &params,
            rows: false,
        };
        let answers = self.exchange(&[question], None)?;
        Ok(answers.first().map_or(0, Answer::count))
    }

    fn outbox(&mut self) -> Option<&mut Outbox> {
        self.holds.then_some(&mut self.outbox)
    }
}

fn listed<'a>(params: &'a [Param<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}
