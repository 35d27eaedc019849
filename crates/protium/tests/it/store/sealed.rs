use crate::on_both;
use protium::store::{AccessKey, DbError, DbErrorKind, MasterKey, Store};
use protium::{params, transaction};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_secret_opens_with_its_key_and_its_row_only() {
    let key = MasterKey::from_bytes(&[7; 32]);
    let sealed = key.seal(b"secret", "access_key/a").unwrap();
    assert_eq!(key.open(&sealed, "access_key/a").unwrap(), b"secret");
    assert_ne!(sealed, key.seal(b"secret", "access_key/a").unwrap(), "each sealing has a nonce of its own");
    assert!(!sealed.windows(6).any(|window| window == b"secret"));

    let other = MasterKey::from_bytes(&[8; 32]);
    let mut altered = sealed.clone();
    *altered.last_mut().unwrap() ^= 1;
    for error in [
        other.open(&sealed, "access_key/a").unwrap_err(),
        key.open(&sealed, "access_key/b").unwrap_err(),
        key.open(&altered, "access_key/a").unwrap_err(),
        key.open(b"short", "access_key/a").unwrap_err(),
    ] {
        assert_eq!(error.kind(), DbErrorKind::Corrupt);
    }
    assert_ne!(key.id(), other.id());
}

#[test]
fn what_is_sealed_alike_is_the_same_each_time_and_nobody_elses() {
    let key = MasterKey::from_bytes(&[7; 32]);
    let sealed = key.seal_alike(b"deployment", "run").unwrap();
    assert_eq!(sealed, MasterKey::from_bytes(&[7; 32]).seal_alike(b"deployment", "run").unwrap());
    assert_eq!(key.open(&sealed, "run").unwrap(), b"deployment");
    let other = MasterKey::from_bytes(&[8; 32]);
    for another in [key.seal_alike(b"another", "run").unwrap(), key.seal_alike(b"deployment", "row").unwrap()] {
        assert_ne!(sealed[..24], another[..24], "each text has a nonce of its own");
    }
    assert_eq!(other.open(&sealed, "run").unwrap_err().kind(), DbErrorKind::Corrupt);
}

fn key(id: &str) -> AccessKey {
    AccessKey {
        id: id.to_owned(),
        account: "123456789012".to_owned(),
        user_name: "ada".to_owned(),
        secret: format!("the secret of {id}"),
        active: true,
        created_at: 7,
    }
}

async fn put(store: &Store, ids: &[&str]) {
    transaction!(store, async |tx| -> Result<(), DbError> {
        for id in ids {
            store.access_key_put(tx, &key(id)).await?;
        }
        Ok(())
    })
    .unwrap();
}

async fn has(store: &Store, id: &str) {
    let found = store.access_key_get(&mut store.reader().await.unwrap(), id).await.unwrap();
    assert_eq!(found, Some(key(id)));
}

on_both! {
    what_the_former_master_key_opened_the_new_one_does_alone, async |db| {
        put(&db.store(), &["AKIDA", "AKIDB"]).await;
        let options = db.options().clone();
        let file = &options.master_key_file;
        let former = MasterKey::load(file).unwrap().unwrap();
        db.close();
        let rotated = Store::rotate(&options.db, file).await.unwrap();
        assert_eq!(rotated.secrets, 2);
        assert_eq!(MasterKey::load(&rotated.former).unwrap().unwrap().id(), former.id());
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        {
            let store = db.restart().await;
            assert_ne!(store.master_key().id(), former.id());
            for id in ["AKIDA", "AKIDB"] {
                has(&store, id).await;
            }
            let mut reader = store.reader().await.unwrap();
            let rows = reader.query("SELECT id, secret_sealed FROM access_key", params![]).await.unwrap();
            for mut row in rows {
                let identity = format!("access_key/{}", row.text(0).unwrap());
                let refused = former.open(&row.bytes(1).unwrap(), &identity).unwrap_err();
                assert_eq!(refused.kind(), DbErrorKind::Corrupt);
            }
        }
        db.close();
        let fresh = std::fs::read(file).unwrap();
        std::fs::copy(&rotated.former, file).unwrap();
        assert_eq!(Store::open(&options).await.unwrap_err().kind(), DbErrorKind::Refused);
        std::fs::write(file, fresh).unwrap();
        has(&db.restart().await, "AKIDA").await;
    }

    an_interrupted_rotation_goes_on_where_it_was, async |db| {
        put(&db.store(), &["AKIDA"]).await;
        let options = db.options().clone();
        let file = &options.master_key_file;
        let next = file.with_extension("key.next");
        db.close();
        // Stopped before any row was changed.
        let prepared = MasterKey::create(&next).unwrap();
        has(&db.restart().await, "AKIDA").await;
        db.close();
        let rotated = Store::rotate(&options.db, file).await.unwrap();
        assert_eq!(MasterKey::load(file).unwrap().unwrap().id(), prepared.id());
        // Stopped when all rows were changed and the files were not.
        std::fs::rename(file, &next).unwrap();
        std::fs::copy(&rotated.former, file).unwrap();
        assert_eq!(Store::open(&options).await.unwrap_err().kind(), DbErrorKind::Refused);
        let again = Store::rotate(&options.db, file).await.unwrap();
        assert_eq!((again.secrets, &again.former), (0, &rotated.former));
        assert!(!next.exists());
        has(&db.restart().await, "AKIDA").await;
    }

    a_foreign_master_key_is_not_rotated, async |db| {
        let options = db.options().clone();
        let file = &options.master_key_file;
        db.close();
        let right = std::fs::read(file).unwrap();
        std::fs::write(file, "00".repeat(32)).unwrap();
        let refused = Store::rotate(&options.db, file).await.unwrap_err();
        assert_eq!(refused.kind(), DbErrorKind::Refused);
        assert!(refused.to_string().contains("not the key that this database was made with"), "{refused}");
        std::fs::write(file, right).unwrap();
        db.restart().await;
    }

    the_first_start_makes_a_key_file_for_its_owner_only, async |db| {
        let path = &db.options().master_key_file;
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(path).unwrap().trim().len(), 64);
        let made = MasterKey::load(path).unwrap().unwrap();
        assert_eq!(db.restart().await.master_key().id(), made.id());
        // Nothing but the key is left beside the database: no draft of it.
        let names = std::fs::read_dir(db.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("master.key")).count(), 1);
    }

    a_wrong_master_key_refuses_to_start, async |db| {
        db.close();
        let path = db.options().master_key_file.clone();
        let right = std::fs::read(&path).unwrap();
        std::fs::write(&path, "00".repeat(32)).unwrap();
        let error = Store::open(db.options()).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Refused);
        assert!(error.to_string().contains("--master-key-file"), "{error}");

        std::fs::write(&path, "no key").unwrap();
        let error = Store::open(db.options()).await.unwrap_err();
        assert!(error.to_string().contains("64 hexadecimal digits"), "{error}");

        std::fs::write(&path, right).unwrap();
        db.restart().await;
    }

    a_lost_master_key_is_not_replaced_by_a_new_one, async |db| {
        db.close();
        let path = db.options().master_key_file.clone();
        std::fs::remove_file(&path).unwrap();
        let error = Store::open(db.options()).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Refused);
        assert!(!path.exists());
    }
}
