//! Values in the server's form, rows out of it, and what its errors mean here. No text of an error quotes a value.

use super::pipeline::Answer;
use crate::{
    StoreError,
    value::{Param, Row, Value},
};
use std::{error::Error, fmt};
use tokio_postgres::{
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

/// The cells of the rows of an answer.
pub(super) fn rows(answer: Answer) -> Result<Vec<Row>, StoreError> {
    match answer {
        Answer::Rows(rows) => rows.iter().map(cells).collect(),
        Answer::Count(_) => Ok(Vec::new()),
    }
}

fn cells(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    (0..row.len())
        .map(|at| row.try_get(at).map_err(meaning))
        .collect()
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

pub(super) fn lost(why: &str) -> StoreError {
    StoreError::Lost(why.to_owned())
}

pub(super) fn meaning(error: tokio_postgres::Error) -> StoreError {
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
    if *code == SqlState::DISK_FULL {
        StoreError::Full(said(&error))
    } else if again.contains(code) {
        StoreError::Contended(said(&error))
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        StoreError::Standby
    } else if *code == SqlState::QUERY_CANCELED {
        StoreError::TooLong
    } else if gone(code) {
        StoreError::Lost(said(&error))
    } else {
        StoreError::Database(said(&error))
    }
}

/// The connection broke, or the server has no means or is going.
fn gone(code: &SqlState) -> bool {
    let classes = ["08", "53", "57", "58"];
    classes.iter().any(|class| code.code().starts_with(class))
}

/// The server's words without its detail, which quotes values.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(told) => format!("{} ({})", told.message(), told.code().code()),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
