//! The root user's access key: given by the operator, or made at the first start and written to the
//! credentials file.

use crate::auth::{new_access_key_id, new_secret};
use crate::config::Config;
use crate::store::{AccessKey, ROOT_USER, Store};
use crate::transaction;
use anyhow::Context as _;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Sees to it that the store has the root user's key: what the operator gave, else what it has, else a new one.
/// The credentials file always has the one that works.
pub(crate) async fn ensure(store: &Store, config: &Config, now: i64) -> anyhow::Result<()> {
    let (id, secret) = match &config.root_key {
        Some(given) => given.clone(),
        None => (new_access_key_id(), new_secret()?),
    };
    let fresh = AccessKey {
        id,
        account: config.account_id.clone(),
        user_name: ROOT_USER.into(),
        secret,
        active: true,
        created_at: now,
    };
    // One transaction: of two processes that start for the first time, the second takes the key of the first.
    let key = transaction!(store, async |tx| -> Result<AccessKey, crate::store::DbError> {
        let mut known = store.access_key_list(tx, &fresh.account, ROOT_USER).await?;
        known.retain(|key| key.active);
        match known.into_iter().find(|known| config.root_key.is_none() || is_same(known, &fresh)) {
            Some(known) => Ok(known),
            None => {
                store.access_key_replace(tx, &fresh).await?;
                Ok(fresh.clone())
            }
        }
    })?;
    write_file(&config.data_dir.join("credentials"), &key)
}

fn is_same(one: &AccessKey, other: &AccessKey) -> bool {
    one.id == other.id && one.secret == other.secret
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
    fn a_credentials_file_that_others_may_read_is_written_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("credentials");
        let key = AccessKey {
            id: "AKIA".into(),
            account: "000000000000".into(),
            user_name: ROOT_USER.into(),
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
