//! Values on their way into and out of the database: [`Param`] and [`Row`].
//!
//! Owns: the four types that the store's SQL knows (NULL, BIGINT, TEXT, BYTEA). Does not own: how a
//! driver represents them (`db`).

use super::db_error::{DbError, DbResult};

/// A statement's parameter, borrowed from the caller. `params![..]` makes a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param<'a> {
    /// SQL's NULL, of whatever type the statement expects.
    Null,
    /// A BIGINT.
    Int(i64),
    /// A TEXT.
    Text(&'a str),
    /// A BYTEA.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Truth is stored as 1 and 0.
impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Param<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

/// The parameters of a statement, in the order of their numbers: `params![account, name]` are `$1` and `$2`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::Param::from($value)),*]
    };
}

/// One value of a [`Row`], owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<&Param<'_>> for Cell {
    fn from(param: &Param<'_>) -> Self {
        match *param {
            Param::Null => Self::Null,
            Param::Int(int) => Self::Int(int),
            Param::Text(text) => Self::Text(text.to_owned()),
            Param::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
        }
    }
}

impl<'a> From<&'a Cell> for Param<'a> {
    fn from(cell: &'a Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(int) => Self::Int(*int),
            Cell::Text(text) => Self::Text(text),
            Cell::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// One row of a result. Reading a column moves its value out, so that nothing is copied twice:
/// each column can be read once.
#[derive(Debug, Clone)]
pub struct Row(pub(super) Vec<Cell>);

impl Row {
    /// The TEXT in `column` (counted from 0). Corrupt if it is NULL or of another type.
    pub fn text(&mut self, column: usize) -> DbResult<String> {
        self.opt_text(column)?.ok_or_else(|| null(column))
    }

    /// The TEXT in `column`, or `None` for NULL.
    pub fn opt_text(&mut self, column: usize) -> DbResult<Option<String>> {
        match self.take(column)? {
            Cell::Text(text) => Ok(Some(text)),
            Cell::Null => Ok(None),
            Cell::Int(_) | Cell::Bytes(_) => Err(mismatch(column, "TEXT")),
        }
    }

    /// The BIGINT in `column`. Corrupt if it is NULL or of another type.
    pub fn int(&mut self, column: usize) -> DbResult<i64> {
        self.opt_int(column)?.ok_or_else(|| null(column))
    }

    /// The BIGINT in `column`, or `None` for NULL.
    pub fn opt_int(&mut self, column: usize) -> DbResult<Option<i64>> {
        match self.take(column)? {
            Cell::Int(int) => Ok(Some(int)),
            Cell::Null => Ok(None),
            Cell::Text(_) | Cell::Bytes(_) => Err(mismatch(column, "BIGINT")),
        }
    }

    /// Whether the BIGINT in `column` is anything but 0.
    pub fn flag(&mut self, column: usize) -> DbResult<bool> {
        Ok(self.int(column)? != 0)
    }

    /// The BYTEA in `column`. Corrupt if it is NULL or of another type.
    pub fn bytes(&mut self, column: usize) -> DbResult<Vec<u8>> {
        match self.take(column)? {
            Cell::Bytes(bytes) => Ok(bytes),
            Cell::Null => Err(null(column)),
            Cell::Int(_) | Cell::Text(_) => Err(mismatch(column, "BYTEA")),
        }
    }

    /// The JSON document in `column`. Corrupt if it can't be read as a `T`; the message tells where, not what.
    pub fn doc<T: serde::de::DeserializeOwned>(&mut self, column: usize) -> DbResult<T> {
        read_doc(&self.text(column)?, column)
    }

    fn take(&mut self, column: usize) -> DbResult<Cell> {
        let width = self.0.len();
        let cell = self
            .0
            .get_mut(column)
            .ok_or_else(|| DbError::other(format!("column {column} of a row that has {width}")))?;
        Ok(std::mem::replace(cell, Cell::Null))
    }
}

/// A document from the text that is stored. The error tells where, not what.
pub(super) fn read_doc<'a, T: serde::Deserialize<'a>>(text: &'a str, column: usize) -> DbResult<T> {
    serde_json::from_str(text).map_err(|error| {
        let (kind, line, at) = (error.classify(), error.line(), error.column());
        DbError::corrupt(format!(
            "the document in column {column} can't be read: {kind:?} error at line {line}, column {at}"
        ))
    })
}

/// A document as the text that is stored. Fails only for types that JSON can't express.
pub fn doc_text<T: serde::Serialize>(doc: &T) -> DbResult<String> {
    serde_json::to_string(doc).map_err(|error| DbError::other(format!("the document can't be written: {error}")))
}

fn null(column: usize) -> DbError {
    DbError::corrupt(format!("column {column} is NULL"))
}

fn mismatch(column: usize, wanted: &str) -> DbError {
    DbError::corrupt(format!("column {column} is not {wanted}"))
}
