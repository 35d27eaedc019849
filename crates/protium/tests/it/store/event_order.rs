//! The order in which events are brought to others: nothing comes up behind what was read.

use super::scope;
use crate::on_both;
use crate::support::database::TestDb;
use protium::store::{
    Change, DbError, DbErrorKind, DbOptions, Logged, Store, Tx, event_after, event_append, event_expire, newest_version,
};
use protium::{params, transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// More than the spans that the horizon waits for.
const MANY: i64 = 100;

async fn log(tx: &mut Tx, resource: &str, revision: i64) -> Result<(), DbError> {
    let change = Change { kind: "ENVIRONMENT_STATUS", detail: "{}", at: 1_000 + revision };
    event_append(tx, &scope(), resource, revision, &change).await
}

async fn log_one(store: &Store, resource: &str, revision: i64) {
    transaction!(store, async |tx| -> Result<(), DbError> { log(tx, resource, revision).await }).unwrap();
}

async fn after(store: &Store, position: i64, limit: i64) -> Vec<Logged> {
    event_after(&mut store.reader().await.unwrap(), position, limit).await.unwrap()
}

async fn number(store: &Store, sql: &str) -> i64 {
    store.reader().await.unwrap().query_one(sql, params![]).await.unwrap().int(0).unwrap()
}

fn positions(logged: &[Logged]) -> Vec<i64> {
    logged.iter().map(|logged| logged.position).collect()
}

async fn place(store: &Store) {
    store.event_place().await.unwrap();
}

on_both! {
    a_reader_sees_what_many_writers_commit_once_and_in_order, async |db| {
        const WRITERS: i64 = 6;
        const ROUNDS: i64 = 60;
        let store = db.store();
        let written = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let outcome = transaction!(store, async |tx| -> Result<(), DbError> {
                        // Some take several numbers, some leave theirs to nobody, some share a commit with others, some
                        // have read before.
                        if round % 5 < 2 {
                            tx.now_ms().await?;
                        }
                        for event in 0..=round % 3 {
                            log(tx, &format!("{writer}"), round * 3 + event).await?;
                            if round % 2 == 0 {
                                tx.now_ms().await?;
                            }
                        }
                        if round % 4 == 0 { Err(DbError::new(DbErrorKind::Other, "it changed its mind")) } else { Ok(()) }
                    });
                    assert_eq!(outcome.is_err(), round % 4 == 0, "{outcome:?}");
                }
            })
        }).collect();
        // Two that give places, one of which reads behind what it has read.
        let other = { let (store, written) = (store.clone(), Arc::clone(&written)); tokio::spawn(async move {
            while !written.load(Ordering::SeqCst) {
                place(&store).await;
                tokio::task::yield_now().await;
            }
        }) };
        let reader = { let (store, written) = (store.clone(), Arc::clone(&written)); tokio::spawn(async move {
            let mut read: Vec<Logged> = Vec::new();
            loop {
                let is_last = written.load(Ordering::SeqCst);
                place(&store).await;
                let found = after(&store, read.last().map_or(0, |last| last.position), 7).await;
                if is_last && found.is_empty() {
                    return read;
                }
                read.extend(found);
                tokio::task::yield_now().await;
            }
        }) };
        for writer in writers {
            writer.await.unwrap();
        }
        written.store(true, Ordering::SeqCst);
        other.await.unwrap();
        let read = reader.await.unwrap();
        assert_eq!(read, after(&store, 0, 10_000).await, "nothing came up behind it");
        assert_eq!(i64::try_from(read.len()).unwrap(), number(&store, "SELECT COUNT(*) FROM event").await);
        let mut of_each = BTreeMap::<&str, Vec<i64>>::new();
        for logged in &read {
            of_each.entry(&logged.change.resource_id).or_default().push(logged.change.revision);
        }
        let kept = (0..ROUNDS).filter(|round| round % 4 != 0);
        let expected: Vec<i64> = kept.flat_map(|round| (0..=round % 3).map(move |event| round * 3 + event)).collect();
        assert_eq!(of_each.len(), usize::try_from(WRITERS).unwrap());
        for (resource, revisions) in of_each {
            assert_eq!(revisions, expected, "{resource}");
        }
        assert!(read.windows(2).all(|two| two[0].position < two[1].position));
    }

    what_is_forgotten_takes_its_places_along_and_the_next_has_the_next, async |db| {
        let store = db.store();
        for revision in 0..10 {
            log_one(&store, "a", revision).await;
            place(&store).await;
        }
        let expire = async |limit| {
            let before = 1_000_000;
            transaction!(store, async |tx| -> Result<u64, DbError> { event_expire(tx, before, limit).await }).unwrap()
        };
        assert_eq!(expire(4).await, 4);
        let left = after(&store, 0, 100).await;
        assert_eq!(positions(&left), (5..=10).collect::<Vec<_>>());
        assert_eq!(expire(100).await, 5);
        assert!(number(&store, "SELECT COUNT(*) FROM event_span").await <= 1);
        log_one(&store, "a", 10).await;
        place(&store).await;
        assert_eq!(positions(&after(&store, 0, 100).await), [10, 11]);
        assert_eq!(positions(&after(&store, 10, 100).await), [11]);
    }

    positions_of_the_schema_before_are_kept, async |db| {
        let store = db.store();
        for revision in 0..8 {
            log_one(&store, "a", revision).await;
        }
        // As version 14 had it: seven places, not in the order of the numbers, and one event without.
        let places = if db.is_shared() { "WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 2 WHEN 4 THEN 6 WHEN 5 THEN 4 WHEN 6 THEN 5 \
                                          WHEN 7 THEN 3 ELSE NULL" } else { "WHEN 0 THEN 1 ELSE 0" };
        transaction!(store, async |tx| -> Result<(), DbError> {
            for sql in [
                "DROP TABLE event_span",
                "DROP TABLE event_horizon",
                "ALTER TABLE event ADD COLUMN position BIGINT",
                "CREATE INDEX event_unplaced ON event (seq) WHERE position IS NULL",
                "CREATE UNIQUE INDEX event_placed ON event (position) WHERE position > 0",
                &format!("UPDATE event SET position = CASE seq {places} END"),
                "DELETE FROM schema_version WHERE version = 15",
            ] {
                tx.execute(sql, params![]).await?;
            }
            Ok(())
        }).unwrap();
        drop(store);
        db.close();
        let options: &DbOptions = &db.options().db;
        assert_eq!(Store::migrate(options).await.unwrap(), newest_version() - 1);
        let store = db.restart().await;
        place(&store).await;
        let revisions: Vec<i64> = after(&store, 0, 100).await.iter().map(|logged| logged.change.revision).collect();
        if db.is_shared() {
            assert_eq!(revisions, [1, 2, 6, 4, 5, 3, 7], "the first one was logged before there were places");
        } else {
            assert_eq!(revisions, (0..8).collect::<Vec<_>>());
        }
        let third: Vec<i64> = after(&store, 2, 1).await.iter().map(|logged| logged.change.revision).collect();
        assert_eq!(third, [if db.is_shared() { 6 } else { 2 }]);
    }
}

#[tokio::test]
async fn what_is_committed_late_is_placed_late_however_much_is_placed_before() {
    let db = TestDb::postgres().await;
    let store = db.store();
    log_one(&store, "early", 0).await;
    let mut late = store.attempts();
    let mut tx = late.begin().await.unwrap();
    log(&mut tx, "late", 0).await.unwrap();
    // What is deferred goes with the next statement: it has its number now.
    tx.now_ms().await.unwrap();
    for revision in 1..=MANY {
        log_one(&store, "early", revision).await;
        place(&store).await;
    }
    let low = async || number(&store, "SELECT low FROM event_horizon").await;
    assert_eq!(low().await, 0, "one that may log an event is under way");
    let before = after(&store, 0, 1_000).await;
    assert_eq!(positions(&before), (1..=MANY + 1).collect::<Vec<_>>());
    assert!(before.iter().all(|logged| logged.change.resource_id == "early"));
    assert!(late.settle(tx, Ok::<_, DbError>(())).await.unwrap().is_ok());
    for _ in 0..3 {
        place(&store).await;
    }
    let told = after(&store, MANY + 1, 1_000).await;
    assert_eq!(told.iter().map(|logged| logged.change.resource_id.as_str()).collect::<Vec<_>>(), ["late"]);
    assert_eq!(positions(&told), [MANY + 2]);
    assert!(told[0].seq < before[2].seq, "it had its number before the others");
    assert!(low().await > told[0].seq, "nobody looks there any more");
    // Behind the horizon it goes on.
    log_one(&store, "early", MANY + 1).await;
    place(&store).await;
    assert_eq!(positions(&after(&store, MANY + 2, 10).await), [MANY + 3]);
}

#[tokio::test]
async fn numbers_that_were_rolled_back_hold_up_nothing() {
    let db = TestDb::postgres().await;
    let store = db.store();
    for revision in 0..MANY {
        let outcome = transaction!(store, async |tx| -> Result<(), DbError> {
            log(tx, "never", revision).await?;
            tx.now_ms().await?;
            Err(DbError::new(DbErrorKind::Other, "it changed its mind"))
        });
        assert!(outcome.is_err());
        log_one(&store, "a", revision).await;
        place(&store).await;
    }
    // With the last one marked, it takes two looks.
    for _ in 0..2 {
        place(&store).await;
    }
    assert_eq!(positions(&after(&store, 0, 1_000).await), (1..=MANY).collect::<Vec<_>>());
    let low = number(&store, "SELECT low FROM event_horizon").await;
    assert!(low > MANY, "{low}: it moves on over the gaps");
}
