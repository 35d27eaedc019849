use crate::on_both;
use protium::store::{
    AccessKey, AccountRow, DbError, DbErrorKind, Store, access_key_delete, account_ensure, account_list,
};
use protium::{params, transaction};

fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        id: id.into(),
        account: "123456789012".into(),
        user_name: "root".into(),
        secret: secret.into(),
        active: true,
        created_at: 7,
    }
}

async fn get(store: &Store, id: &str) -> Result<Option<AccessKey>, DbError> {
    store.access_key_get(&mut store.reader().await?, id).await
}

on_both! {
    an_account_is_made_once, async |db| {
        let store = db.store();
        for now in [1, 2] {
            transaction!(store, async |tx| { account_ensure(tx, "123456789012", now).await }).unwrap();
        }
        let mut reader = store.reader().await.unwrap();
        let made = AccountRow { id: "123456789012".into(), created_at: 1 };
        assert_eq!(account_list(&mut reader, "", 10).await.unwrap(), [made]);
    }

    a_replaced_root_key_no_longer_works, async |db| {
        let store = db.store();
        let (old, new) = (key("AKIDOLD", "old secret"), key("AKIDNEW", "new secret"));
        for key in [&old, &new, &new] {
            transaction!(store, async |tx| { store.access_key_replace(tx, key).await }).unwrap();
        }
        assert_eq!(get(&store, "AKIDOLD").await.unwrap(), None);
        assert_eq!(get(&store, "AKIDNEW").await.unwrap(), Some(new.clone()));
        let mut reader = store.reader().await.unwrap();
        assert_eq!(store.access_key_list(&mut reader, &new.account, "root").await.unwrap(), [new]);
        let deleted = transaction!(store, async |tx| { access_key_delete(tx, "AKIDNEW").await });
        assert!(deleted.unwrap());
    }

    a_secret_is_not_in_the_database_in_clear, async |db| {
        let store = db.store();
        transaction!(store, async |tx| { store.access_key_put(tx, &key("AKID", "a very secret text")).await }).unwrap();
        let mut reader = store.reader().await.unwrap();
        let mut row = reader.query_one("SELECT secret_sealed FROM access_key", params![]).await.unwrap();
        let sealed = row.bytes(0).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("secret"));
        assert!(!format!("{:?}", key("AKID", "a very secret text")).contains("very"));
    }

    a_secret_that_was_moved_to_another_row_does_not_open, async |db| {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            store.access_key_put(tx, &key("AKID", "secret")).await?;
            tx.execute("UPDATE access_key SET id = 'STOLEN'", params![]).await?;
            Ok(())
        }).unwrap();
        assert_eq!(get(&store, "STOLEN").await.unwrap_err().kind(), DbErrorKind::Corrupt);
    }
}
