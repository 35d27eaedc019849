//! Nothing is lost and nothing overtakes: over crashes, over processes, over many writers.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::events::{
    LATER_MS, deliver, dispatcher, dispatchers, listed, remove, template, until, webhook, with,
};
use crate::support::receiver::{Receiver, Reply};
use protium::params;
use protium::store::{Call, DbError, DbErrorKind};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Longer than the lease of a destination.
const LEASE_MS: i64 = 15_001;

on_both! {
    what_was_sent_and_not_saved_is_sent_again_with_the_same_id, async |db| {
        let receiver = Receiver::start().await;
        let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
        let mut first = dispatcher(&app, "one").await;
        receiver.answer(|got| Reply::Status(if got.arn().ends_with("/bad") { 500 } else { 200 }));
        template(&app, "bad").await;
        template(&app, "env").await;
        let sent = Arc::new(AtomicBool::new(false));
        let dies = Arc::clone(&sent);
        app.store().db().set_probe(Some(Arc::new(move |call: Call<'_>| match call {
            Call::Statement(sql) if sql.starts_with("UPDATE event_destination SET position") => {
                dies.store(true, Ordering::SeqCst);
                Err(DbError::new(DbErrorKind::Unavailable, "the process is dead, for the test"))
            }
            _ => Ok(()),
        })));
        first.step().await.unwrap_err();
        app.store().db().set_probe(None);
        assert!(sent.load(Ordering::SeqCst));
        assert!(listed(&app, json!({})).await.is_empty(), "nothing of it is saved");
        drop(first);
        app.pass(LEASE_MS);
        let mut second = dispatcher(&app, "two").await;
        deliver(&app, &mut second).await;
        let ids: Vec<String> =
            receiver.got().into_iter().filter(|got| got.arn().ends_with("/env")).map(|got| got.id).collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
        receiver.answer(|_| Reply::Status(200));
        app.pass(LATER_MS);
        deliver(&app, &mut second).await;
        assert!(listed(&app, json!({})).await.is_empty());
    }

    a_step_that_dies_at_any_call_of_the_database_loses_nothing, async |db| {
        let receiver = Receiver::start().await;
        let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
        let mut refused = 0;
        receiver.answer(move |got| {
            // Each first attempt at a deletion fails: there are rows to save and to take away.
            refused += usize::from(got.status() == "DELETED");
            Reply::Status(if got.status() == "DELETED" && refused % 2 == 1 { 500 } else { 200 })
        });
        dispatcher(&app, "before").await;
        for number in 0..200 {
            let name = format!("t{number}");
            template(&app, &name).await;
            remove(&app, &name).await;
            let mut dying = dispatcher(&app, &format!("dying-{number}")).await;
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            app.store().db().set_probe(Some(Arc::new(move |_: Call<'_>| {
                if counted.fetch_add(1, Ordering::SeqCst) < number {
                    return Ok(());
                }
                Err(DbError::new(DbErrorKind::Unavailable, "the process is dead, for the test"))
            })));
            let _dead = dying.step().await;
            app.store().db().set_probe(None);
            drop(dying);
            app.pass(LEASE_MS);
            let mut living = dispatcher(&app, &format!("living-{number}")).await;
            deliver(&app, &mut living).await;
            app.pass(LATER_MS);
            deliver(&app, &mut living).await;
            assert!(listed(&app, json!({})).await.is_empty(), "call {number}");
            let mut told = receiver.told(&format!("/{name}"));
            told.dedup();
            // What was not saved is told again, from the last saved step on.
            assert!(told.starts_with(&["DRAFT".to_owned()]) && told.ends_with(&["DELETED".to_owned()]), "{number}: {told:?}");
            if calls.load(Ordering::SeqCst) <= number {
                assert!(number > 10, "a step has more calls than {number}");
                return;
            }
            app.pass(LEASE_MS);
        }
        panic!("a step has no end");
    }

    of_two_processes_one_delivers_and_the_other_takes_over, async |db| {
        let receiver = Receiver::start().await;
        let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
        let (mut one, mut two) = (dispatcher(&app, "one").await, dispatcher(&app, "two").await);
        template(&app, "a").await;
        deliver(&app, &mut one).await;
        template(&app, "b").await;
        assert!(!two.step().await.unwrap(), "it is not its turn");
        assert_eq!(receiver.got().len(), 1);
        deliver(&app, &mut one).await;
        assert_eq!(receiver.got().len(), 2);
        app.pass(LEASE_MS);
        template(&app, "c").await;
        deliver(&app, &mut two).await;
        assert_eq!(receiver.got().len(), 3);
        // The first one has not heard of it.
        template(&app, "d").await;
        assert!(!one.step().await.unwrap(), "its lease is over");
        deliver(&app, &mut two).await;
        let told: Vec<String> = receiver.got().iter().map(|got| got.event["detail"]["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, ["a", "b", "c", "d"]);
    }

    events_of_many_writers_arrive_once_and_in_order_for_each_resource, async |db| {
        const WRITERS: usize = 8;
        const ROUNDS: usize = 12;
        let receiver = Receiver::start().await;
        let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
        let mut dispatcher = dispatcher(&app, "one").await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let app = app.clone();
                tokio::spawn(async move {
                    // A name that comes again and again: another resource each time, with the same ARN.
                    for _ in 0..ROUNDS {
                        template(&app, &format!("t{writer}")).await;
                        remove(&app, &format!("t{writer}")).await;
                    }
                })
            })
            .collect();
        let all = WRITERS * ROUNDS * 2;
        until(&mut dispatcher, "all", async || receiver.got().len() == all).await;
        for writer in writers {
            writer.await.unwrap();
        }
        deliver(&app, &mut dispatcher).await;
        let mut told = BTreeMap::<String, Vec<String>>::new();
        for got in receiver.got() {
            told.entry(got.arn().to_owned()).or_default().push(got.status().to_owned());
        }
        assert_eq!(told.len(), WRITERS);
        let expected: Vec<&str> = ["DRAFT", "DELETED"].into_iter().cycle().take(2 * ROUNDS).collect();
        for (arn, statuses) in told {
            assert_eq!(statuses, expected, "{arn}");
        }
    }

    a_stuck_destination_holds_up_no_other, async |db| {
        let (stuck, well) = (Receiver::start().await, Receiver::start().await);
        stuck.answer(|_| Reply::Status(500));
        let hooks = vec![webhook(db, "stuck", &stuck), webhook(db, "well", &well)];
        let app = TestApp::with(db, with(hooks)).await;
        let mut both = dispatchers(&app, "one").await;
        for name in ["a", "b", "c"] {
            template(&app, name).await;
        }
        for dispatcher in &mut both {
            while dispatcher.step().await.unwrap() {}
        }
        assert_eq!(well.got().len(), 3);
        let waiting = listed(&app, json!({})).await;
        assert_eq!(waiting.iter().map(|one| one["destination"].as_str().unwrap()).collect::<Vec<_>>(), ["stuck"; 3]);
    }

    a_destination_gets_what_happens_after_it_and_goes_on_where_it_was, async |db| {
        let receiver = Receiver::start().await;
        let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
        template(&app, "before").await;
        let mut first = dispatcher(&app, "one").await;
        template(&app, "a").await;
        deliver(&app, &mut first).await;
        drop(first);
        // While nobody delivers.
        template(&app, "b").await;
        app.pass(LEASE_MS);
        let mut second = dispatcher(&app, "two").await;
        deliver(&app, &mut second).await;
        let told: Vec<String> = receiver.got().iter().map(|got| got.event["detail"]["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, ["a", "b"]);
    }

    without_a_destination_nothing_is_kept_but_the_log, async |db| {
        let app = TestApp::on(db).await;
        assert!(dispatchers(&app, "one").await.is_empty());
        template(&app, "env").await;
        let mut rd = app.store().reader().await.unwrap();
        for (table, rows) in [("event", 1), ("event_delivery", 0), ("event_destination", 0)] {
            let found = rd.query_one(&format!("SELECT COUNT(*) FROM {table}"), params![]).await.unwrap().int(0).unwrap();
            assert_eq!(found, rows, "{table}");
        }
    }
}
