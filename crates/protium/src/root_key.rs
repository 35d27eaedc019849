//! The root user's access key: given by the operator, or made at the first start and written to the
//! credentials file.

use crate::config::Config;
use crate::store::{AccessKey, Store};
use crate::transaction;
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The name of the root user in the store.
const ROOT: &str = "root";

/// The root user's key: what the operator gave, else what the store has, else a new one. The
/// credentials file always has the one that works.
pub(crate) async fn ensure(store: &Store, config: &Config, now: i64) -> anyhow::Result<AccessKey> {
    let (id, secret) = match &config.root_key {
        Some(given) => given.clone(),
        None => (new_id(), new_secret()?),
    };
    let fresh = AccessKey {
        id,
        account: config.account_id.clone(),
        user_name: ROOT.into(),
        secret,
        active: true,
        created_at: now,
    };
    // One transaction: of two processes that start for the first time, the second takes the key of the first.
    let key = transaction!(store, async |tx| -> Result<AccessKey, crate::store::DbError> {
        let known = store.access_key_list(tx, &fresh.account, ROOT).await?.into_iter().find(|key| key.active);
        match known {
            Some(known) if config.root_key.is_none() || is_same(&known, &fresh) => Ok(known),
            Some(_) | None => {
                store.access_key_replace(tx, &fresh).await?;
                Ok(fresh.clone())
            }
        }
    })?;
    write_file(&config.data_dir.join("credentials"), &key)?;
    Ok(key)
}

fn is_same(one: &AccessKey, other: &AccessKey) -> bool {
    one.id == other.id && one.secret == other.secret
}

/// `AKIA` and 16 capital letters and digits, as AWS makes them.
fn new_id() -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = uuid::Uuid::new_v4().into_bytes();
    let tail: String = random.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect();
    format!("AKIA{tail}")
}

/// Forty characters with 240 random bits.
fn new_secret() -> anyhow::Result<String> {
    let mut random = [0; 30];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("the system has no random bytes: {error}"))?;
    Ok(STANDARD.encode(random))
}

/// Writes the file as an AWS profile file, readable by its owner only, all or nothing.
fn write_file(path: &Path, key: &AccessKey) -> anyhow::Result<()> {
    let text = format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
    let private = std::fs::metadata(path).is_ok_and(|known| known.permissions().mode() & 0o077 == 0);
    if private && std::fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    // A name of its own: another process may be writing the same file.
    let draft = path.with_extension(uuid::Uuid::new_v4().simple().to_string());
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("the credentials file {} can't be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_look_like_aws_keys_and_differ() {
        let (id, secret) = (new_id(), new_secret().expect("random bytes"));
        assert_eq!((id.len(), secret.len()), (20, 40));
        assert!(id.starts_with("AKIA") && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        assert_ne!(id, new_id());
        assert_ne!(secret, new_secret().expect("random bytes"));
    }

    #[test]
    fn a_credentials_file_that_others_may_read_is_written_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("credentials");
        let key = AccessKey {
            id: "AKIA".into(),
            account: "000000000000".into(),
            user_name: ROOT.into(),
            secret: "s".into(),
            active: true,
            created_at: 0,
        };
        write_file(&path, &key).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("opened up");
        write_file(&path, &key).expect("written");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left");
    }
}
