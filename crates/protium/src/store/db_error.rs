//! What can go wrong between the store and its database, in words that name no driver.
//!
//! Owns: the kinds that callers decide on. Does not own: what a caller of the API is told about it.

use std::fmt;

/// The result of everything that talks to the database.
pub type DbResult<T> = Result<T, DbError>;

/// A failed statement, transaction or connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct DbError {
    kind: DbErrorKind,
    message: String,
}

/// What a caller can do about a [`DbError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DbErrorKind {
    /// A row with the same unique key exists.
    Unique,
    /// The transaction raced with another one and ran into it; running it again may succeed.
    Serialization,
    /// The transaction lost too many races in a row. The caller should be told to try again.
    TooBusy,
    /// The database can't be reached, is shutting down, or has no room left.
    Unavailable,
    /// What is stored can't be read as what was expected there.
    Corrupt,
    /// The database was written by a newer program, or with another master key.
    Refused,
    /// The worker's lease on its job went to another worker, which now has the say.
    LeaseLost,
    /// Anything else: a mistake of ours.
    Other,
}

impl DbError {
    /// An error of `kind`; `message` says what was attempted and what went wrong, without stored values.
    pub fn new(kind: DbErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Stored data that doesn't have the expected form.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(DbErrorKind::Corrupt, message)
    }

    /// A mistake of ours, such as a statement that doesn't fit its parameters.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(DbErrorKind::Other, message)
    }

    /// The kind, for deciding what to do.
    pub fn kind(&self) -> DbErrorKind {
        self.kind
    }

    /// Whether a row with the same unique key exists already.
    pub fn is_unique_violation(&self) -> bool {
        self.kind == DbErrorKind::Unique
    }

    /// Whether the same call may succeed a little later, without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            DbErrorKind::Serialization | DbErrorKind::TooBusy | DbErrorKind::Unavailable => true,
            DbErrorKind::Unique
            | DbErrorKind::Corrupt
            | DbErrorKind::Refused
            | DbErrorKind::LeaseLost
            | DbErrorKind::Other => false,
        }
    }
}

impl fmt::Display for DbErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unique => "a row with this key exists",
            Self::Serialization => "the transaction ran into another one",
            Self::TooBusy => "the database is too busy, try again",
            Self::Unavailable => "the database is unavailable",
            Self::Corrupt => "the stored data is damaged",
            Self::Refused => "the database was refused",
            Self::LeaseLost => "the lease was lost",
            Self::Other => "the database failed",
        })
    }
}
