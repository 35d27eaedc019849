//! A transaction that fails at any of its steps leaves nothing behind.

use super::{add, store_one, stored};
use crate::on_both;
use protium::store::{Call, DbError, DbErrorKind, Store};
use protium::transaction;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

async fn add_three(store: &Store) -> Result<(), DbError> {
    transaction!(store, async |tx| {
        for id in ["a", "b", "c"] {
            add(tx, id).await?;
        }
        Ok(())
    })
}

/// Lets the call of that number, counted from 0, fail. Returns how many calls there were.
fn fail_at(store: &Store, number: usize) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    store.db().set_probe(Some(Arc::new(move |_| {
        if counted.fetch_add(1, Ordering::SeqCst) == number {
            return Err(DbError::new(DbErrorKind::Unavailable, "cut off, for the test"));
        }
        Ok(())
    })));
    calls
}

on_both! {
    a_transaction_that_fails_at_any_call_stores_nothing, async |db| {
        let store = db.store();
        // Begin, three statements, commit: the answer after the commit is the sixth.
        for number in 0..5 {
            let _calls = fail_at(&store, number);
            let error = add_three(&store).await.unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::Unavailable);
            store.db().set_probe(None);
            assert_eq!(stored(&store).await, 0, "call {number}");
        }
        let calls = fail_at(&store, usize::MAX);
        add_three(&store).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 6);
    }

    a_lost_answer_to_a_commit_is_an_error_although_it_is_stored, async |db| {
        let store = db.store();
        let _calls = fail_at(&store, 5);
        add_three(&store).await.unwrap_err();
        store.db().set_probe(None);
        assert_eq!(stored(&store).await, 3);
    }

    a_probe_sees_each_statement, async |db| {
        let store = db.store();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&seen);
        store.db().set_probe(Some(Arc::new(move |call| {
            heard.lock().unwrap().push(match call {
                Call::Begin => "begin".to_owned(),
                Call::Queued => "queued".to_owned(),
                Call::Statement(sql) => sql.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
                Call::Commit => "commit".to_owned(),
                Call::Committed => "committed".to_owned(),
            });
            Ok(())
        })));
        store_one(&store, "a").await.unwrap();
        let insert = "INSERT INTO account";
        assert_eq!(*seen.lock().unwrap(), ["begin", insert, "commit", "committed"]);
    }
}
