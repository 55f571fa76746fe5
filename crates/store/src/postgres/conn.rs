//! A connection to the server: whose name a transaction runs in, prepared statements, and what errors mean.
//! Never takes a role for longer than a transaction.

use crate::{
    Engine, StoreError,
    conn::{Conn, Role},
    value::{Param, Row, Value},
};
use kernel::{Clock, Micros};
use postgres::{
    Client, Config, NoTls, Statement,
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};
use std::{collections::HashMap, error::Error, fmt, sync::Arc, time::Duration};

/// The schema is named once, so that taking a role cannot lead to another one's tables; a server that is told to
/// answer before the disk has it is told otherwise.
const SETTINGS: &str = "
    SELECT set_config('search_path', quote_ident(current_schema()), false);
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET client_min_messages = warning;
    SET idle_in_transaction_session_timeout = '10s';
";
const READ: Micros = Micros::seconds(2);

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
    client: Client,
    statements: HashMap<String, Statement>,
    clock: Arc<dyn Clock>,
    /// When the present read must have ended, by the boot-time clock.
    deadline: i64,
}

/// Everything in a parameter list of a statement with arrays.
pub(super) type Arrays<'a> = [&'a (dyn ToSql + Sync)];

impl Pg {
    pub(super) fn connect(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let mut config = config.clone();
        config.connect_timeout(Duration::from_secs(5));
        if config.get_application_name().is_none() {
            config.application_name("cardea");
        }
        let mut client = config.connect(NoTls).map_err(unreachable)?;
        client.batch_execute(SETTINGS).map_err(meaning)?;
        Ok(Self {
            client,
            statements: HashMap::new(),
            clock,
            deadline: i64::MAX,
        })
    }

    pub(super) fn closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).map_err(meaning)
    }

    /// Starts a transaction in one exchange.
    pub(super) fn begin(&mut self, role: Role, mode: Mode) -> Result<(), StoreError> {
        self.deadline = i64::MAX;
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
        self.batch(&format!("{start}{name}"))
    }

    /// Gives the transaction up.
    ///
    /// # Errors
    /// Then the connection must not be used again: the next transaction would run inside this one.
    pub(super) fn rollback(&mut self) -> Result<(), StoreError> {
        self.deadline = i64::MAX;
        self.batch("ROLLBACK")
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if self.clock.boot().micros() > self.deadline {
            return Err(StoreError::TooLong);
        }
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql).map_err(meaning)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn query_arrays(
        &mut self,
        sql: &str,
        params: &Arrays<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql)?;
        let rows = self.client.query(&statement, params).map_err(meaning)?;
        rows.iter().map(cells).collect()
    }
}

fn cells(row: &postgres::Row) -> Result<Row, StoreError> {
    (0..row.len())
        .map(|at| row.try_get(at).map_err(meaning))
        .collect()
}

fn listed<'a>(params: &'a [Param<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}

impl Conn for Pg {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.query_arrays(sql, &listed(params))
    }

    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepared(sql)?;
        let done = self.client.execute(&statement, &listed(params));
        done.map_err(meaning)
    }
}

/// Says nothing of the value: it may be a secret.
impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameter")
    }
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Blob(value) => value.to_sql(ty, out),
            Self::Key(value) => value.as_slice().to_sql(ty, out),
        }
    }
    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(ty)
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::BYTEA => Self::Blob(raw.to_vec()),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }
    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }
    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(ty)
    }
}

/// A refused connection, whatever the reason, may be accepted later.
fn unreachable(error: postgres::Error) -> StoreError {
    StoreError::Lost(said(&error))
}

fn meaning(error: postgres::Error) -> StoreError {
    let Some(code) = error.code() else {
        let broken = error.is_closed() || error.source().is_some_and(|s| s.is::<std::io::Error>());
        return if broken {
            StoreError::Lost(said(&error))
        } else {
            StoreError::Database(said(&error))
        };
    };
    let again = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    if again.contains(code) {
        StoreError::Contended(said(&error))
    } else if *code == SqlState::QUERY_CANCELED {
        StoreError::TooLong
    } else if ["08", "53", "57", "58"]
        .iter()
        .any(|class| code.code().starts_with(class))
    {
        StoreError::Lost(said(&error))
    } else {
        StoreError::Database(said(&error))
    }
}

/// The server's words without its detail, which quotes values.
fn said(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(told) => format!("{} ({})", told.message(), told.code().code()),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
