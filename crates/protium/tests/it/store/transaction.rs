use super::{add, count, store_one, stored};
use crate::on_both;
use protium::store::{AuditRecord, DbError, DbErrorKind, Entry, Outcome, Store};
use protium::{params, transaction};
use std::sync::Arc;

#[derive(Debug)]
enum Refused {
    Duplicate,
    Db(DbError),
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// What an operation does: borrows its surroundings, decides, has an error type of its own.
async fn add_both(store: &Store, first: &str, second: &str) -> Result<i64, Refused> {
    transaction!(store, async |tx| {
        for id in [first, second] {
            if !add(tx, id).await? {
                return Err(Refused::Duplicate);
            }
        }
        Ok(count(tx).await?)
    })
}

fn record() -> AuditRecord {
    AuditRecord {
        request_id: "01a1b2c3-d4e5-7000-8000-000000000000".to_owned(),
        at: 0,
        account: "000000000000".to_owned(),
        region: None,
        principal: "arn:aws:iam::000000000000:root".to_owned(),
        principal_id: None,
        access_key_id: None,
        session_issuer: None,
        source_ip: None,
        user_agent: None,
        event_source: "proton".to_owned(),
        operation: "CreateService".to_owned(),
        resource: None,
        parameters: None,
        outcome: Outcome::Succeeded,
        error_code: None,
        error_message: None,
        unrecorded: None,
    }
}

on_both! {
    what_a_transaction_returned_ok_for_is_stored, async |db| {
        let store = db.store();
        assert_eq!(add_both(&store, "a", "b").await.unwrap(), 2);
        assert_eq!(stored(&store).await, 2);
    }

    nothing_is_written_after_an_err, async |db| {
        let store = db.store();
        add_both(&store, "a", "b").await.unwrap();
        match add_both(&store, "c", "a").await {
            Err(Refused::Duplicate) => {}
            Err(Refused::Db(error)) => panic!("{error}"),
            Ok(stored) => panic!("{stored} are stored"),
        }
        assert_eq!(stored(&store).await, 2);
    }

    a_transaction_runs_in_a_spawned_task_with_borrows, async |db| {
        let store = db.store();
        let task = tokio::spawn(async move {
            let second = "b".to_owned();
            add_both(&store, "a", &second).await
        });
        assert_eq!(task.await.unwrap().unwrap(), 2);
    }

    a_dropped_transaction_leaves_nothing_and_blocks_nobody, async |db| {
        let store = db.store();
        let (written, mut is_written) = tokio::sync::oneshot::channel();
        let mut written = Some(written);
        let abandoned = async {
            transaction!(store, async |tx| -> Result<(), DbError> {
                add(tx, "abandoned").await?;
                if let Some(written) = written.take() {
                    written.send(()).unwrap();
                }
                std::future::pending().await
            })
        };
        let mut abandoned = Box::pin(abandoned);
        tokio::select! {
            _ = &mut abandoned => unreachable!("it never ends"),
            outcome = &mut is_written => outcome.unwrap(),
        }
        drop(abandoned);
        assert!(store_one(&store, "abandoned").await.unwrap());
        assert_eq!(stored(&store).await, 1);
    }

    a_duplicate_is_a_unique_violation_and_dooms_its_transaction, async |db| {
        let store = db.store();
        store_one(&store, "a").await.unwrap();
        let mut seen = None;
        let outcome = transaction!(store, async |tx| -> Result<(), DbError> {
            add(tx, "b").await?;
            let duplicate = "INSERT INTO account (id, created_at) VALUES ($1, 0)";
            seen = tx.execute(duplicate, params!["a"]).await.err();
            // A body that goes on as if nothing had happened.
            let after = add(tx, "c").await;
            assert_eq!(after, Err(seen.clone().unwrap()));
            Ok(())
        });
        assert!(seen.unwrap().is_unique_violation());
        assert!(outcome.unwrap_err().is_unique_violation());
        assert_eq!(stored(&store).await, 1);
    }

    a_change_whose_record_can_not_be_written_is_not_stored_whatever_it_is_committed_with, async |db| {
        let store = db.store();
        let recording = || store.recording(&Arc::new(Entry::new(record())));
        assert!(store_one(&recording(), "first").await.unwrap());
        let (first, others) = (recording(), (0..32).map(|number| format!("other-{number}")));
        // There is a record of that request.
        let doomed = store_one(&first, "doomed");
        let mut tasks: Vec<_> = vec![];
        for id in others {
            let store = store.clone();
            tasks.push(tokio::spawn(async move { store_one(&store, &id).await.is_ok() }));
        }
        assert!(doomed.await.is_err());
        let mut kept = 1;
        for task in tasks {
            kept += i64::from(task.await.unwrap());
        }
        assert_eq!(stored(&store).await, kept);
        assert!(store_one(&store, "doomed").await.unwrap(), "it was not there");
    }

    a_snapshot_sees_one_state_and_a_reader_the_newest, async |db| {
        let store = db.store();
        let mut snapshot = store.snapshot().await.unwrap();
        let mut reader = store.reader().await.unwrap();
        assert_eq!(count(&mut snapshot).await.unwrap(), 0);
        store_one(&store, "a").await.unwrap();
        assert_eq!(count(&mut snapshot).await.unwrap(), 0);
        assert_eq!(count(&mut reader).await.unwrap(), 1);
        drop(snapshot);
        assert_eq!(count(&mut store.snapshot().await.unwrap()).await.unwrap(), 1);
    }

    what_is_committed_outlives_the_process, async |db| {
        store_one(&db.store(), "a").await.unwrap();
        let store = db.restart().await;
        assert_eq!(stored(&store).await, 1);
    }

    parameters_go_by_their_numbers_and_keep_their_types, async |db| {
        let store = db.store();
        let body: Vec<u8> = (0..=255).collect();
        transaction!(store, async |tx| -> Result<(), DbError> {
            // In another order than that of their numbers, and one of them twice.
            let sql = "INSERT INTO object (size, key, account, bucket, etag, modified_at, content_type, blob, doc)
                       VALUES ($4, $3, $1, $2, $3, $4, $5, $3, '{}')";
            tx.execute(sql, params!["account", "bucket", "käse", i64::MAX, None::<&str>]).await?;
            tx.execute("INSERT INTO meta (name, value) VALUES ($1, $2)", params!["bytes", &body]).await?;
            Ok(())
        }).unwrap();
        let mut reader = store.reader().await.unwrap();
        let sql = "SELECT account, bucket, key, size, content_type FROM object WHERE key = $2 AND account = $1";
        let mut row = reader.query_one(sql, params!["account", "käse"]).await.unwrap();
        assert_eq!(row.text(0).unwrap(), "account");
        assert_eq!(row.text(1).unwrap(), "bucket");
        assert_eq!(row.text(2).unwrap(), "käse");
        assert_eq!(row.int(3).unwrap(), i64::MAX);
        assert_eq!(row.opt_text(4).unwrap(), None);
        let sql = "SELECT value FROM meta WHERE name = $1";
        assert_eq!(reader.query_one(sql, params!["bytes"]).await.unwrap().bytes(0).unwrap(), body);
    }

    a_statement_without_all_its_parameters_is_an_error, async |db| {
        let mut reader = db.store().reader().await.unwrap();
        let sql = "SELECT id FROM account WHERE id = $1 AND created_at = $2";
        let error = reader.query(sql, params!["a"]).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Other, "{error}");
        // The reader is still good.
        assert_eq!(count(&mut reader).await.unwrap(), 0);
    }

    a_column_that_is_not_what_was_asked_for_is_corrupt, async |db| {
        store_one(&db.store(), "a").await.unwrap();
        let mut reader = db.store().reader().await.unwrap();
        let mut row = reader.query_one("SELECT id, NULL FROM account", params![]).await.unwrap();
        assert_eq!(row.int(0).unwrap_err().kind(), DbErrorKind::Corrupt);
        assert_eq!(row.text(1).unwrap_err().kind(), DbErrorKind::Corrupt);
        assert_eq!(row.text(2).unwrap_err().kind(), DbErrorKind::Other);
    }
}
