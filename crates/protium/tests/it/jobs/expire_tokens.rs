//! Idempotency tokens are forgotten by a job that never ends: it stops anywhere, runs twice, and comes again.

use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp};
use crate::support::double::cut_off_at;
use protium::params;
use protium::store::{DbError, TOKEN_LIFE_MS, TokenUse, token_find, token_remember};
use protium::transaction;
use protium_domain::job::Job;
use std::sync::atomic::Ordering;

/// So long must pass before it is due again, in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Remembers the token `old`, which has just expired, and `young`, which is about to in two hours.
async fn remember(app: &TestApp) {
    let (scope, now) = (app.scope(), app.app.clock.now_ms());
    let used = TokenUse { request_hash: "h".into(), resource_id: "r".into() };
    transaction!(app.store(), async |tx| -> Result<(), DbError> {
        for (token, age) in [("old", TOKEN_LIFE_MS), ("young", TOKEN_LIFE_MS - 2 * HOUR_MS)] {
            token_remember(tx, &scope, "CreateService", token, &used, now - age).await?;
        }
        Ok(())
    })
    .unwrap();
}

/// The tokens of which there is a row.
async fn rows(app: &TestApp) -> Vec<String> {
    let mut reader = app.store().reader().await.unwrap();
    let sql = "SELECT token FROM idempotency_token WHERE account = $1 ORDER BY token";
    let rows = reader.query(sql, params![ACCOUNT]).await.unwrap();
    rows.into_iter().map(|mut row| row.text(0).unwrap()).collect()
}

on_both! {
    expired_tokens_are_forgotten_each_hour, async |db| {
        let app = TestApp::on(db).await;
        app.enqueue(&Job::ExpireTokens).await;
        remember(&app).await;
        app.work().await;
        assert_eq!(rows(&app).await, ["young"]);
        let now = app.app.clock.now_ms();
        let mut reader = app.store().reader().await.unwrap();
        assert!(token_find(&mut reader, &app.scope(), "CreateService", "young", now).await.unwrap().is_some());
        drop(reader);
        assert!(app.claim().await.is_none(), "it waits");
        app.pass(HOUR_MS);
        app.work().await;
        assert_eq!(rows(&app).await, ["young"]);
        app.pass(HOUR_MS);
        app.work().await;
        assert!(rows(&app).await.is_empty());
    }

    forgetting_tokens_twice_is_like_once, async |db| {
        let app = TestApp::on(db).await;
        for _ in 0..2 {
            app.enqueue(&Job::ExpireTokens).await;
            remember(&app).await;
            app.enqueue(&Job::ExpireTokens).await;
            app.work().await;
            assert_eq!(rows(&app).await, ["young"]);
            app.pass(HOUR_MS);
            assert!(app.claim().await.is_some(), "it comes again");
            assert!(app.claim().await.is_none(), "and once");
            app.pass(HOUR_MS);
        }
    }

    forgetting_tokens_stops_anywhere_and_completes_later, async |db| {
        let app = TestApp::on(db).await;
        for step in 1.. {
            app.enqueue(&Job::ExpireTokens).await;
            remember(&app).await;
            let calls = cut_off_at(&app, step);
            // A worker that can't even claim tells; the job is there for the next.
            let _told = protium::worker::run_one(&app.app, "test").await;
            app.store().db().set_probe(None);
            app.work_later().await;
            assert_eq!(rows(&app).await, ["young"], "step {step}");
            app.pass(HOUR_MS);
            if calls.load(Ordering::SeqCst) < step {
                assert!(step > 3, "claiming, forgetting, queueing: {step}");
                return;
            }
        }
    }
}
