use crate::on_both;
use protium::store::{DbErrorKind, MasterKey, Store};
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

on_both! {
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
