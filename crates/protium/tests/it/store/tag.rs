use super::scope;
use crate::on_both;
use protium::store::{DbError, tag_drop, tag_list, tag_set, tag_unset};
use protium::transaction;

on_both! {
    tags_are_set_replaced_listed_by_key_and_removed, async |db| {
        let store = db.store();
        let scope = scope();
        transaction!(store, async |tx| -> Result<(), DbError> {
            for (key, value) in [("b", "1"), ("a", "2"), ("Z", "3"), ("a", "4"), ("c", "5")] {
                tag_set(tx, &scope, "id", "arn:aws:proton:x", key, value).await?;
            }
            tag_set(tx, &scope, "other", "arn:aws:proton:y", "a", "kept").await?;
            assert!(tag_unset(tx, &scope, "id", "b").await?);
            assert!(!tag_unset(tx, &scope, "id", "b").await?);
            Ok(())
        }).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut reader = store.reader().await.unwrap();
        let all = tag_list(&mut reader, &scope, "id", "", 50).await.unwrap();
        assert_eq!(all, [pair("Z", "3"), pair("a", "4"), pair("c", "5")]);
        assert_eq!(tag_list(&mut reader, &scope, "id", "Z", 1).await.unwrap(), [pair("a", "4")]);
        transaction!(store, async |tx| { tag_drop(tx, &scope, "id").await }).unwrap();
        assert_eq!(tag_list(&mut reader, &scope, "id", "", 50).await.unwrap(), []);
        assert_eq!(tag_list(&mut reader, &scope, "other", "", 50).await.unwrap(), [pair("a", "kept")]);
    }
}
