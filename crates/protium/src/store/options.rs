//! Where the database is and how to reach it.
//!
//! Owns: the meaning of `--database-url`. Does not own: reading flags (`config`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The address of a database: `sqlite://PATH` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file. Its folder is locked while the database is open.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, with its password.
    Postgres(String),
}

impl DatabaseUrl {
    /// The default: `protium.db` in the data folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self::Sqlite(folder.join("protium.db"))
    }

    /// Reads `--database-url`. The error says what would be right; it doesn't repeat the value, which may hold
    /// a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("sqlite", "")) => {
                Err("database-url: sqlite:// needs a path, as in sqlite:///var/lib/protium/protium.db".into())
            }
            Some(("sqlite", path)) => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            Some((scheme, _)) => Err(format!(
                "database-url: the scheme {scheme:?} is unknown; use sqlite://PATH or postgres://USER@HOST/NAME"
            )),
            None => Err("database-url: no scheme; use sqlite://PATH or postgres://USER@HOST/NAME".into()),
        }
    }
}

/// Without the password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => match url.rsplit_once('@') {
                // Parameters may hold a password too.
                Some((_, place)) => write!(f, "postgres://[redacted]@{}", place.split('?').next().unwrap_or_default()),
                None => f.write_str("postgres://[redacted]"),
            },
        }
    }
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Connections to PostgreSQL at most; SQLite has one writer and as many readers as are at work.
    pub pool_size: usize,
    /// How long an unavailable database is retried at start.
    pub retry_for: Duration,
}

impl DbOptions {
    /// The defaults of `protium serve`: 16 connections, 30 seconds of patience.
    pub fn new(url: DatabaseUrl) -> Self {
        Self { url, pool_size: 16, retry_for: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_database_by_the_scheme() {
        assert_eq!(DatabaseUrl::parse("sqlite:///data/protium.db"), Ok(DatabaseUrl::Sqlite("/data/protium.db".into())));
        assert_eq!(DatabaseUrl::parse("sqlite://protium.db"), Ok(DatabaseUrl::Sqlite("protium.db".into())));
        assert!(matches!(DatabaseUrl::parse("postgresql://a@b/c"), Ok(DatabaseUrl::Postgres(_))));
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_its_password() {
        for wrong in ["mysql://root:secret@host/x", "secret", "sqlite://"] {
            let why = DatabaseUrl::parse(wrong).unwrap_err();
            assert!(why.contains("sqlite://"), "{why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn debug_output_hides_the_password() {
        let url = DatabaseUrl::parse("postgres://me:sec@ret@host/x").unwrap();
        assert_eq!(format!("{url:?}"), "postgres://[redacted]@host/x");
        let url = DatabaseUrl::parse("postgres://me@host/x?password=secret").unwrap();
        assert_eq!(format!("{url:?}"), "postgres://[redacted]@host/x");
    }
}
