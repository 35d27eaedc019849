use super::{count, store_one, stored};
use crate::on_both;
use crate::support::database::TestDb;
use protium::store::{DataLock, DatabaseUrl, Db, DbError, DbErrorKind, DbOptions, Store, newest_version};
use protium::{params, transaction};

on_both! {
    a_database_is_migrated_once, async |db| {
        let store = db.store();
        let mut reader = store.reader().await.unwrap();
        let sql = "SELECT COUNT(*), MAX(version) FROM schema_version";
        let mut row = reader.query_one(sql, params![]).await.unwrap();
        assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (newest_version(), newest_version()));
        drop((reader, store));
        db.close();
        assert_eq!(Store::migrate(&db.options().db).await.unwrap(), newest_version());
        assert_eq!(stored(&db.restart().await).await, 0);
    }

    a_newer_database_is_refused_and_left_alone, async |db| {
        let store = db.store();
        store_one(&store, "a").await.unwrap();
        let newer = newest_version() + 1;
        transaction!(store, async |tx| -> Result<(), DbError> {
            let sql = "INSERT INTO schema_version (version, applied_at) VALUES ($1, 0)";
            tx.execute(sql, params![newer]).await?;
            Ok(())
        }).unwrap();
        drop(store);
        db.close();
        let error = Store::open(db.options()).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Refused);
        let text = error.to_string();
        assert!(text.contains(&newer.to_string()) && text.contains("newer protium"), "{text}");
        let raw = Db::open(&db.options().db).await.unwrap();
        assert_eq!(count(&mut raw.reader().await.unwrap()).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_on_postgres_migrate_once() {
    let mut db = TestDb::postgres().await;
    let store = db.store();
    transaction!(store, async |tx| -> Result<(), DbError> {
        tx.execute("DROP SCHEMA public CASCADE", params![]).await?;
        tx.execute("CREATE SCHEMA public", params![]).await?;
        Ok(())
    })
    .unwrap();
    drop(store);
    db.close();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let options = db.options().clone();
            tokio::spawn(async move { Store::open(&options).await })
        })
        .collect();
    for start in starts {
        let store = start.await.unwrap().unwrap();
        assert_eq!(stored(&store).await, 0);
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out_of_a_data_folder_and_told_by_whom() {
    let db = TestDb::sqlite().await;
    let error = Store::open(db.options()).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains(&db.folder().display().to_string()), "{text}");
}

#[test]
fn a_data_folder_is_free_again_when_its_owner_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let owner = DataLock::take(folder.path()).unwrap();
    assert!(DataLock::take(folder.path()).is_err());
    drop(owner);
    DataLock::take(folder.path()).unwrap();
}

#[tokio::test]
async fn an_unreachable_database_is_given_up_after_the_time_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres:///x?host={}&user=nobody", folder.path().display());
    let mut options = DbOptions::new(DatabaseUrl::parse(&url).unwrap());
    options.retry_for = std::time::Duration::from_millis(300);
    let error = Db::open(&options).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_wrong_password_or_url_is_refused_at_once() {
    let options = DbOptions::new(DatabaseUrl::parse("postgres://user@host/x?port=seven").unwrap());
    let error = Db::open(&options).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("database-url"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("protium.db");
    std::fs::write(&path, "not a database, but long enough to look like one if nobody reads it. ".repeat(20)).unwrap();
    let error = Db::open(&DbOptions::new(DatabaseUrl::Sqlite(path))).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Corrupt, "{error}");
}
