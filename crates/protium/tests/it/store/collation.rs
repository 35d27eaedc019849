use super::add;
use crate::on_both;
use protium::params;
use protium::store::{DbError, account_list};
use protium::transaction;

/// In the order of their bytes. In English, `a` comes before `Z` and `_` before both.
const NAMES: [&str; 8] = ["-", "0", "Z", "Zebra", "_", "a", "b", "é"];

on_both! {
    names_are_listed_in_the_order_of_their_bytes, async |db| {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            for name in NAMES.iter().rev() {
                add(tx, name).await?;
            }
            Ok(())
        }).unwrap();
        let mut reader = store.reader().await.unwrap();
        let mut names = async |after, limit| {
            let found = account_list(&mut reader, after, limit).await.unwrap();
            found.into_iter().map(|account| account.id).collect::<Vec<_>>()
        };
        assert_eq!(names("", 100).await, NAMES);
        assert_eq!(names("Z", 3).await, ["Zebra", "_", "a"]);
    }

    the_database_itself_would_sort_otherwise_on_postgres, async |db| {
        let mut reader = db.store().reader().await.unwrap();
        let sql = "SELECT CASE WHEN CAST($1 AS TEXT) < CAST($2 AS TEXT) THEN 1 ELSE 0 END";
        let english = reader.query_one(sql, params!["a", "Z"]).await.unwrap().int(0).unwrap();
        assert_eq!(english == 1, db.is_shared(), "the suite needs a PostgreSQL cluster with an English locale");
    }
}
