//! Secrets at rest: sealed under the master key, which is in a file beside the database and never in it.
//!
//! Owns: the key file, sealing, opening, and refusing to start with a wrong key. A sealed secret is bound to the
//! row that it belongs to: moved to another row, it doesn't open.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::db::Db;
use super::db_error::{DbError, DbErrorKind, DbResult};
use crate::sha256::{sha256, sha256_hex};
use crate::{params, transaction};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The row of `meta` that tells whether a key is the one that the database was made with.
pub(super) const CANARY: &str = "master-key-canary";

/// What the canary says.
pub(super) const TELLTALE: &[u8] = b"protium";

/// The key that seals every secret in the store (XChaCha20-Poly1305).
pub struct MasterKey {
    cipher: XChaCha20Poly1305,
    id: String,
}

impl MasterKey {
    /// Reads the key file: 64 hexadecimal digits. `None` if there is no such file.
    pub fn load(path: &Path) -> DbResult<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, &error.to_string())),
        };
        let bytes = hex::decode(text.trim())
            .ok()
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok())
            .ok_or_else(|| unusable(path, "it must hold 64 hexadecimal digits"))?;
        Ok(Some(Self::from_bytes(&bytes)))
    }

    /// Makes a key file with a fresh key, readable by its owner only. If there is one meanwhile, that one is read.
    pub fn create(path: &Path) -> DbResult<Self> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| unusable(path, &error.to_string()))?;
        match write_new(path, &format!("{}\n", hex::encode(bytes))) {
            Ok(()) => Ok(Self::from_bytes(&bytes)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or_else(|| unusable(path, "it was removed"))
            }
            Err(error) => Err(unusable(path, &error.to_string())),
        }
    }

    /// Takes the key itself.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut id = sha256_hex(&[b"protium master key id\0".as_slice(), bytes].concat());
        id.truncate(16);
        Self { cipher: XChaCha20Poly1305::new(&(*bytes).into()), id }
    }

    /// The key's name, kept beside each secret. It doesn't tell the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is the key of the database with that canary.
    pub fn fits(&self, canary: &[u8]) -> bool {
        self.open(canary, CANARY).is_ok()
    }

    /// Seals `secret` for the row that `identity` names.
    pub fn seal(&self, secret: &[u8], identity: &str) -> DbResult<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| DbError::other(format!("no random numbers: {error}")))?;
        self.seal_with(nonce, secret, identity)
    }

    /// Seals what need not be hidden and what nobody else shall be able to make. The same is sealed in the same way each
    /// time, by every process that has the key.
    pub fn seal_alike(&self, text: &[u8], identity: &str) -> DbResult<Vec<u8>> {
        let parts = [b"protium sealed alike\0".as_slice(), identity.as_bytes(), b"\0", text];
        let mut nonce = [0; NONCE_BYTES];
        // No two texts have the same.
        nonce.copy_from_slice(&sha256(&parts.concat())[..NONCE_BYTES]);
        self.seal_with(nonce, text, identity)
    }

    fn seal_with(&self, nonce: [u8; NONCE_BYTES], secret: &[u8], identity: &str) -> DbResult<Vec<u8>> {
        let payload = Payload { msg: secret, aad: identity.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| DbError::other("a secret is too long to be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the row that `identity` names. Corrupt if it was sealed with another key, for
    /// another row, or altered.
    pub fn open(&self, sealed: &[u8], identity: &str) -> DbResult<Vec<u8>> {
        let refused = || DbError::corrupt(format!("the secret of {identity} doesn't open with this master key"));
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
        let payload = Payload { msg: rest, aad: identity.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| refused())
    }
}

/// Without the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The master key in `path` if it is the one of this database. An empty database gets a new key if there is no
/// such file.
///
/// Errors: [`DbErrorKind::Refused`] if the file is missing, unreadable, or has another key than the database.
pub(super) async fn unlock(db: &Db, path: &Path) -> DbResult<MasterKey> {
    let canary = read_canary(db).await?;
    let key = match MasterKey::load(path)? {
        Some(key) => key,
        None if canary.is_none() => MasterKey::create(path)?,
        None => {
            let why = "there is no such file, but the database has secrets that were sealed with it; \
                       restore the file or name it with --master-key-file";
            return Err(unusable(path, why));
        }
    };
    let canary = match canary {
        Some(canary) => canary,
        None => write_canary(db, &key).await?,
    };
    if key.fits(&canary) {
        return Ok(key);
    }
    let why = "it is not the key that this database was made with; name the right one with --master-key-file";
    Err(unusable(path, why))
}

/// What only the database's own key opens, if it has any secrets.
pub(super) async fn read_canary(db: &Db) -> DbResult<Option<Vec<u8>>> {
    let sql = "SELECT value FROM meta WHERE name = $1";
    let row = db.reader().await?.query_opt(sql, params![CANARY]).await?;
    row.map(|mut row| row.bytes(0)).transpose()
}

/// Stores a canary unless another process was faster. Returns the one that is stored.
async fn write_canary(db: &Db, key: &MasterKey) -> DbResult<Vec<u8>> {
    let sealed = key.seal(TELLTALE, CANARY)?;
    transaction!(db, async |tx| -> DbResult<()> {
        let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        tx.execute(sql, params![CANARY, &sealed]).await?;
        Ok(())
    })?;
    read_canary(db).await?.ok_or_else(|| DbError::corrupt("the canary of the master key vanished"))
}

/// Writes a file that appears whole or not at all, and never over another one.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    written?;
    fs::File::open(folder)?.sync_all()
}

fn unusable(path: &Path, why: &str) -> DbError {
    let message = format!("the master key file {} can't be used: {why}", path.display());
    DbError::new(DbErrorKind::Refused, message)
}
