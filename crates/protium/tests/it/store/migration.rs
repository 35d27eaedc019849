use super::{add, count, store_one, stored};
use crate::on_both;
use crate::support::app::TestApp;
use crate::support::database::TestDb;
use protium::store::{DataLock, DatabaseUrl, Db, DbError, DbErrorKind, DbOptions, Store, newest_version};
use protium::{params, transaction};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The first schema, as the first program made it.
const FIRST: &str = include_str!("../../../migrations/0001_first.sql");
/// An environment as the first program stored it.
const ENVIRONMENT: &str = r#"{
    "id": "0a1b2c3d-0000-4111-8222-0123456789ab", "name": "prod", "template": "env", "customer_managed": false,
    "service_role": "arn:aws:iam::000000000000:role/deploy", "created_at": 1000,
    "track": {
        "status": "SUCCEEDED",
        "attempted": {"version": {"major": 1, "minor": 0}, "spec": "SPEC"},
        "deployed": {"version": {"major": 1, "minor": 0}, "spec": "SPEC"},
        "attempted_at": 1000, "succeeded_at": 1000, "engine": "cloudformation",
        "physical": {"name": "AWSProton-prod-cloudformation--ABC", "id": "arn:stack"}
    },
    "origin": {"request": "0"}
}"#;

/// Puts the first schema in the place of the newest one, with an account and an environment.
async fn make_first(db: &mut TestDb) {
    if db.is_shared() {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            tx.execute("DROP SCHEMA public CASCADE", params![]).await?;
            tx.execute("CREATE SCHEMA public", params![]).await.map(drop)
        })
        .unwrap();
    }
    db.close();
    if !db.is_shared() {
        for file in ["protium.db", "protium.db-wal", "protium.db-shm"] {
            // The last two are gone already if it was closed well.
            let _ = std::fs::remove_file(db.folder().join(file));
        }
    }
    let spec = "proton: EnvironmentSpec\nspec: {}\n";
    let hash = hex::encode(Sha256::digest(spec));
    let doc = ENVIRONMENT.replace("SPEC", &hash);
    let statements = FIRST.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let raw = Db::open(&db.options().db).await.unwrap();
    transaction!(raw, async |tx| -> Result<(), DbError> {
        let versions = "CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";
        tx.execute(versions, params![]).await?;
        for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
            tx.execute(statement, params![]).await?;
        }
        tx.execute("INSERT INTO schema_version (version, applied_at) VALUES (1, 7)", params![]).await?;
        add(tx, "000000000000").await?;
        tx.execute("INSERT INTO content (sha256, body) VALUES ($1, $2)", params![&hash, spec.as_bytes()]).await?;
        let row = "INSERT INTO environment
                       (account, region, name, id, template, major, minor, attempted_major, attempted_minor, status,
                        revision, created_at, attempted_at, doc)
                   VALUES ('000000000000', 'us-east-1', 'prod', '0a1b2c3d-0000-4111-8222-0123456789ab', 'env', 1, 0, 1, 0,
                           'SUCCEEDED', 4, 1000, 1000, $1)";
        tx.execute(row, params![&doc]).await.map(drop)
    })
    .unwrap();
}

on_both! {
    a_database_of_the_first_schema_is_migrated_at_start_and_keeps_its_rows, async |db| {
        make_first(db).await;
        let store = db.restart().await;
        assert_eq!(stored(&store).await, 1);
        let mut reader = store.reader().await.unwrap();
        let sql = "SELECT COUNT(*), MAX(version), MIN(applied_at) FROM schema_version";
        let mut row = reader.query_one(sql, params![]).await.unwrap();
        let versions = (row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap());
        assert_eq!(versions, (newest_version(), newest_version(), 7), "what was applied is not applied again");
        drop((reader, store));
        // And is used as if this program had written it.
        let app = TestApp::on(db).await;
        let found = app.ok("GetEnvironment", json!({ "name": "prod" })).await["environment"].clone();
        assert_eq!((&found["deploymentStatus"], &found["templateMajorVersion"]), (&json!("SUCCEEDED"), &json!("1")));
        assert_eq!(found["spec"], "proton: EnvironmentSpec\nspec: {}\n");
        let update = json!({ "name": "prod", "deploymentType": "NONE", "description": "still here" });
        app.ok("UpdateEnvironment", update).await;
        assert_eq!(app.ok("ListEnvironments", json!({})).await["environments"].as_array().unwrap().len(), 1);
    }

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
