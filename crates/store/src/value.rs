//! Values on their way into a statement and out of a row. A row is untrusted: reading a cell that is not what
//! it should be is an error that names table, column and row, never a default.

use crate::StoreError;
use domain::Stream;
use kernel::Timestamp;

/// A parameter of a statement, borrowed from whoever runs it.
#[derive(Clone, Copy)]
pub(crate) enum Param<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    /// An identifier or a stream.
    Key([u8; 16]),
}

impl From<Stream> for Param<'_> {
    fn from(value: Stream) -> Self {
        Self::Key(value.bytes())
    }
}
impl From<[u8; 16]> for Param<'_> {
    fn from(value: [u8; 16]) -> Self {
        Self::Key(value)
    }
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u64> for Param<'_> {
    fn from(value: u64) -> Self {
        // Counters start at zero and go up by one: they do not reach 2^63.
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<Timestamp> for Param<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.micros())
    }
}
impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}
impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Blob(value)
    }
}
impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A cell of a row.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// The cells of a row in the order of the statement.
pub(crate) type Row = Vec<Value>;

/// A cell that still lies where the database keeps it. Text is bytes until somebody looks.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(value) => Self::Int(*value),
            Value::Text(value) => Self::Text(value.as_bytes()),
            Value::Blob(value) => Self::Blob(value),
        }
    }
}

/// A number with a fraction or a text that is not UTF-8 is none of ours: it reads as bytes, which no text or
/// number column accepts.
impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(value) => Self::Int(value),
            Cell::Real(value) => Self::Blob(value.to_be_bytes().to_vec()),
            Cell::Blob(value) => Self::Blob(value.to_vec()),
            Cell::Text(value) => String::from_utf8(value.to_vec())
                .map_or_else(|error| Self::Blob(error.into_bytes()), Self::Text),
        }
    }
}

/// Takes a row's cells one after the other.
pub(crate) struct Cells {
    table: &'static str,
    row: Row,
    next: usize,
}

impl Cells {
    pub(crate) fn new(table: &'static str, row: Row) -> Self {
        Self {
            table,
            row,
            next: 0,
        }
    }

    /// The error for a cell of this row. Rows begin with their key, so that the first two cells name them.
    pub(crate) fn corrupt(&self, column: &'static str, detail: impl ToString) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: self
                .row
                .iter()
                .take(2)
                .map(shown)
                .collect::<Vec<_>>()
                .join(", "),
            detail: detail.to_string(),
        }
    }

    fn take(&mut self, column: &'static str) -> Result<&Value, StoreError> {
        let at = self.next;
        self.next += 1;
        if at >= self.row.len() {
            return Err(self.corrupt(column, "the column is missing"));
        }
        Ok(self.row.get(at).unwrap_or(&Value::Null))
    }

    pub(crate) fn optional_int(&mut self, column: &'static str) -> Result<Option<i64>, StoreError> {
        match self.take(column)? {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(*value)),
            _ => Err(self.corrupt(column, "expected a number")),
        }
    }

    pub(crate) fn int(&mut self, column: &'static str) -> Result<i64, StoreError> {
        self.optional_int(column)?
            .ok_or_else(|| self.corrupt(column, "it is null"))
    }

    /// A number that is never negative.
    pub(crate) fn count(&mut self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn optional_count(
        &mut self,
        column: &'static str,
    ) -> Result<Option<u64>, StoreError> {
        self.optional_int(column)?
            .map(|value| u64::try_from(value).map_err(|error| self.corrupt(column, error)))
            .transpose()
    }

    pub(crate) fn time(&mut self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub(crate) fn optional_text(
        &mut self,
        column: &'static str,
    ) -> Result<Option<String>, StoreError> {
        match self.take(column)? {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.clone())),
            _ => Err(self.corrupt(column, "expected text")),
        }
    }

    pub(crate) fn text(&mut self, column: &'static str) -> Result<String, StoreError> {
        self.optional_text(column)?
            .ok_or_else(|| self.corrupt(column, "it is null"))
    }

    pub(crate) fn optional_bytes(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.take(column)? {
            Value::Null => Ok(None),
            Value::Blob(value) => Ok(Some(value.clone())),
            _ => Err(self.corrupt(column, "expected bytes")),
        }
    }

    pub(crate) fn bytes(&mut self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.optional_bytes(column)?
            .ok_or_else(|| self.corrupt(column, "it is null"))
    }

    pub(crate) fn optional_array<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<[u8; N]>, StoreError> {
        let Some(bytes) = self.optional_bytes(column)? else {
            return Ok(None);
        };
        let wrong = |_| self.corrupt(column, format!("expected {N} bytes, found {}", bytes.len()));
        <[u8; N]>::try_from(bytes.as_slice())
            .map(Some)
            .map_err(wrong)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Result<[u8; N], StoreError> {
        self.optional_array(column)?
            .ok_or_else(|| self.corrupt(column, "it is null"))
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => format!("{value:?}"),
        Value::Blob(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_cell_names_table_column_and_row() {
        let row = vec![Value::Blob(vec![1, 0xab]), Value::Int(7), Value::Null];
        let mut cells = Cells::new("agent", row);
        assert!(cells.array::<2>("stream").is_ok() && cells.int("seq").is_ok());
        let error = cells.text("body").unwrap_err().to_string();
        assert_eq!(
            error,
            "row (01ab, 7) of table `agent` holds an unreadable `body`: it is null"
        );
        assert!(cells.text("more").is_err(), "a missing column is an error");
    }
}
