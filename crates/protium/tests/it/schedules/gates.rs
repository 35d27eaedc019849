//! The gates themselves: they find what they are there for, and one seed is one order.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::database::TestDb;
use crate::support::schedule::{Actor, Order, run};
use protium::params;
use protium::store::DbError;
use protium::transaction;
use serde_json::Value;
use std::collections::BTreeSet;

/// Adds one to a number that is read before the transaction: what others did meanwhile is lost.
fn careless(app: &TestApp) -> Actor {
    let app = app.clone();
    Box::pin(async move {
        let before = number(&app).await;
        set(&app, before + 1).await;
        Ok(Value::Null)
    })
}

/// The same within the transaction.
fn careful(app: &TestApp) -> Actor {
    let app = app.clone();
    Box::pin(async move {
        transaction!(app.store(), async |tx| -> Result<(), DbError> {
            let before = tx.query_one("SELECT value FROM counter", params![]).await?.int(0)?;
            tx.execute("UPDATE counter SET value = $1", params![before + 1]).await.map(drop)
        })
        .unwrap();
        Ok(Value::Null)
    })
}

async fn number(app: &TestApp) -> i64 {
    let mut reader = app.store().reader().await.unwrap();
    reader.query_one("SELECT value FROM counter", params![]).await.unwrap().int(0).unwrap()
}

async fn set(app: &TestApp, value: i64) {
    transaction!(app.store(), async |tx| -> Result<(), DbError> {
        tx.execute("UPDATE counter SET value = $1", params![value]).await.map(drop)
    })
    .unwrap();
}

async fn counting(db: &TestDb) -> TestApp {
    let app = TestApp::on(db).await;
    transaction!(app.store(), async |tx| -> Result<(), DbError> {
        tx.execute("CREATE TABLE counter (value BIGINT NOT NULL)", params![]).await?;
        tx.execute("INSERT INTO counter (value) VALUES (0)", params![]).await.map(drop)
    })
    .unwrap();
    app
}

on_both! {
    a_lost_update_is_found, async |db| {
        let app = counting(db).await;
        let mut sums = BTreeSet::new();
        for seed in 0..20 {
            set(&app, 0).await;
            run(&app, vec![careless(&app), careless(&app)], Order::seeded("careless", seed)).await;
            sums.insert(number(&app).await);
        }
        assert_eq!(sums, BTreeSet::from([1, 2]));
    }

    transactions_that_meet_wait_for_each_other_or_run_again, async |db| {
        let app = counting(db).await;
        let mut traces = BTreeSet::new();
        for seed in 0..20 {
            set(&app, 0).await;
            let ran = run(&app, vec![careful(&app), careful(&app), careful(&app)], Order::seeded("careful", seed)).await;
            assert_eq!(number(&app).await, 3, "seed {seed}: {:?}", ran.trace);
            traces.insert(ran.trace);
        }
        assert!(traces.len() > 10, "{traces:?}");
    }

    one_seed_is_one_order, async |db| {
        let app = counting(db).await;
        for seed in 0..5 {
            let mut traces = BTreeSet::new();
            for _ in 0..3 {
                let order = Order::seeded("careless", seed);
                traces.insert(run(&app, vec![careless(&app), careless(&app)], order).await.trace);
            }
            assert_eq!(traces.len(), 1, "seed {seed}: {traces:?}");
        }
    }

    one_seed_is_another_order_for_others, async |db| {
        let app = counting(db).await;
        let mut traces = BTreeSet::new();
        for name in ["one", "two", "three", "four", "five", "six"] {
            traces.insert(run(&app, vec![careless(&app), careless(&app)], Order::seeded(name, 0)).await.trace);
        }
        assert!(traces.len() > 2, "{traces:?}");
    }

    one_after_the_other_is_an_order_too, async |db| {
        let app = counting(db).await;
        let ran = run(&app, vec![careless(&app), careless(&app)], Order::serial(1, 0)).await;
        let calls = ran.trace.len() / 2;
        assert_eq!(ran.trace, [vec![1; calls], vec![0; calls]].concat());
        assert_eq!(ran.changes(), 1);
        let ran = run(&app, vec![careless(&app), careless(&app)], Order::Within { first: 0, transactions: 0, second: 1 }).await;
        assert_eq!(ran.trace, [vec![1; calls], vec![0; calls]].concat());
    }
}
