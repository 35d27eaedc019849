use super::scope;
use crate::on_both;
use protium::store::{DbError, Store, TOKEN_LIFE_MS, TokenUse, token_drop, token_expire, token_find, token_remember};
use protium::transaction;
use protium_domain::arn::Scope;

fn used(request_hash: &str, resource_id: &str) -> TokenUse {
    TokenUse { request_hash: request_hash.into(), resource_id: resource_id.into() }
}

async fn remember(store: &Store, token: &str, used: &TokenUse, now: i64) {
    transaction!(store, async |tx| -> Result<(), DbError> {
        token_remember(tx, &scope(), "CreateService", token, used, now).await
    })
    .unwrap();
}

async fn find(store: &Store, operation: &str, token: &str, now: i64) -> Option<TokenUse> {
    token_find(&mut store.reader().await.unwrap(), &scope(), operation, token, now).await.unwrap()
}

on_both! {
    a_token_is_remembered_for_its_operation_and_scope_for_eight_hours, async |db| {
        let store = db.store();
        remember(&store, "t", &used("hash", "id"), 1_000).await;
        assert_eq!(find(&store, "CreateService", "t", 1_000).await, Some(used("hash", "id")));
        assert_eq!(find(&store, "CreateEnvironment", "t", 1_000).await, None);
        let elsewhere = Scope { region: "us-east-1".into(), ..scope() };
        let mut reader = store.reader().await.unwrap();
        assert_eq!(token_find(&mut reader, &elsewhere, "CreateService", "t", 1_000).await.unwrap(), None);
        let end = 1_000 + TOKEN_LIFE_MS;
        assert!(find(&store, "CreateService", "t", end - 1).await.is_some());
        assert_eq!(find(&store, "CreateService", "t", end).await, None);
    }

    an_expired_token_can_be_used_again, async |db| {
        let store = db.store();
        remember(&store, "t", &used("hash", "id"), 0).await;
        remember(&store, "t", &used("other", "id2"), TOKEN_LIFE_MS).await;
        assert_eq!(find(&store, "CreateService", "t", TOKEN_LIFE_MS).await, Some(used("other", "id2")));
    }

    the_tokens_of_a_deleted_resource_and_expired_ones_are_forgotten, async |db| {
        let store = db.store();
        for (token, id, now) in [("a", "1", 0), ("a2", "1", 1), ("b", "2", 5), ("c", "2", 6), ("d", "3", 7)] {
            remember(&store, token, &used("hash", id), now).await;
        }
        let expired = transaction!(store, async |tx| -> Result<u64, DbError> {
            token_drop(tx, "2").await?;
            let at_once = token_expire(tx, TOKEN_LIFE_MS + 1, 1).await?;
            assert_eq!(at_once, 1, "as many as are asked for");
            token_expire(tx, TOKEN_LIFE_MS + 1, 10).await
        });
        assert_eq!(expired.unwrap(), 1);
        let mut left = Vec::new();
        for token in ["a", "a2", "b", "c", "d"] {
            left.extend(find(&store, "CreateService", token, 7).await.map(|_| token));
        }
        assert_eq!(left, ["d"]);
    }
}
