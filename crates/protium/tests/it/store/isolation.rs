//! Rules across rows hold while transactions race.

use super::{add, store_one, stored};
use crate::on_both;
use protium::store::{Call, DbError, DbErrorKind, Store};
use protium::{params, transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Stores the first id unless the second one is stored: two of these, crosswise, must not both succeed.
async fn add_unless(store: &Store, id: &str, other: &str, met: &tokio::sync::Barrier) -> Result<bool, DbError> {
    let mut first_run = true;
    transaction!(store, async |tx| {
        let sql = "SELECT COUNT(*) FROM account WHERE id = $1";
        let taken = tx.query_one(sql, params![other]).await?.int(0)? > 0;
        if std::mem::take(&mut first_run) && !store.db().is_embedded() {
            // On PostgreSQL both have read before either writes. SQLite lets only one of them begin.
            met.wait().await;
        }
        if !taken {
            add(tx, id).await?;
        }
        Ok(!taken)
    })
}

on_both! {
    of_two_transactions_that_each_check_for_the_other_one_gives_way, async |db| {
        let store = db.store();
        let met = Arc::new(tokio::sync::Barrier::new(2));
        let race = |id: &'static str, other: &'static str| {
            let (store, met) = (store.clone(), Arc::clone(&met));
            tokio::spawn(async move { add_unless(&store, id, other, &met).await })
        };
        let (left, right) = (race("left", "right"), race("right", "left"));
        let (left, right) = (left.await.unwrap().unwrap(), right.await.unwrap().unwrap());
        assert!(left ^ right, "left: {left}, right: {right}");
        assert_eq!(stored(&store).await, 1);
    }

    the_last_place_of_a_quota_is_given_once, async |db| {
        let store = db.store();
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let id = format!("account-{number}");
                    transaction!(store, async |tx| -> Result<bool, DbError> {
                        let used = tx.query_one("SELECT COUNT(*) FROM account", params![]).await?.int(0)?;
                        if used < 3 { add(tx, &id).await } else { Ok(false) }
                    })
                })
            })
            .collect();
        let mut given = 0;
        for task in tasks {
            given += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(given, 3);
        assert_eq!(stored(&store).await, 3);
    }

    a_transaction_that_gave_way_runs_again, async |db| {
        let store = db.store();
        let commits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&commits);
        store.db().set_probe(Some(Arc::new(move |call| match call {
            Call::Commit if counted.fetch_add(1, Ordering::SeqCst) < 2 => {
                Err(DbError::new(DbErrorKind::Serialization, "a race, for the test"))
            }
            _ => Ok(()),
        })));
        assert!(store_one(&store, "a").await.unwrap());
        assert_eq!(commits.load(Ordering::SeqCst), 3);
        assert_eq!(stored(&store).await, 1);
    }

    a_transaction_that_always_loses_is_told_that_the_database_is_too_busy, async |db| {
        let store = db.store();
        store.db().set_probe(Some(Arc::new(|call| match call {
            Call::Commit => Err(DbError::new(DbErrorKind::Serialization, "a race, for the test")),
            _ => Ok(()),
        })));
        let error = store_one(&store, "a").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::TooBusy);
        assert!(error.is_transient());
        store.db().set_probe(None);
        assert_eq!(stored(&store).await, 0);
    }

    increments_of_one_row_by_many_tasks_all_count, async |db| {
        let store = db.store();
        store_one(&store, "a").await.unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        transaction!(store, async |tx| -> Result<(), DbError> {
                            let sql = "SELECT created_at FROM account WHERE id = 'a'";
                            let number = tx.query_one(sql, params![]).await?.int(0)?;
                            tx.execute("UPDATE account SET created_at = $1", params![number + 1]).await?;
                            Ok(())
                        })
                        .unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut reader = store.reader().await.unwrap();
        let number = reader.query_one("SELECT created_at FROM account", params![]).await.unwrap().int(0).unwrap();
        assert_eq!(number, 7 + 40);
    }
}
