//! A row while the database holds it: nothing is copied that is not asked for.

use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;

use crate::store::db_error::{DbError, DbResult};
use crate::store::value::{Cell, Row};

/// A row of either database.
#[derive(Clone, Copy)]
pub(in crate::store) enum RowRef<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> RowRef<'a> {
    /// The BIGINT in `column`.
    pub(in crate::store) fn int(self, column: usize) -> DbResult<i64> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// The TEXT in `column`.
    pub(in crate::store) fn text(self, column: usize) -> DbResult<&'a str> {
        match self {
            Self::Sqlite(row) => {
                row.get_ref(column)?.as_str().map_err(|_| DbError::corrupt(format!("column {column} is not TEXT")))
            }
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// All of it, copied.
    pub(in crate::store) fn owned(self) -> DbResult<Row> {
        match self {
            Self::Sqlite(row) => sqlite(row),
            Self::Postgres(row) => postgres(row),
        }
    }
}

fn sqlite(row: &rusqlite::Row<'_>) -> DbResult<Row> {
    let width = row.as_ref().column_count();
    let mut cells = Vec::with_capacity(width);
    for column in 0..width {
        cells.push(match row.get_ref(column)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(int) => Cell::Int(int),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Cell::Text(text.to_owned()),
                Err(_) => return Err(DbError::corrupt(format!("column {column} is not UTF-8"))),
            },
            ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            ValueRef::Real(_) => return Err(DbError::other(format!("column {column} is a fraction"))),
        });
    }
    Ok(Row(cells))
}

fn postgres(row: &tokio_postgres::Row) -> DbResult<Row> {
    let mut cells = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let cell = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Cell::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(|int| Cell::Int(int.into())),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.map(|flag| Cell::Int(flag.into())),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.map(Cell::Bytes),
            _ => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
        };
        cells.push(cell.unwrap_or(Cell::Null));
    }
    Ok(Row(cells))
}
