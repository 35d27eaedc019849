use crate::on_both;
use protium::store::{DbError, DbErrorKind, content_get, content_put};
use protium::{params, transaction};

on_both! {
    equal_contents_are_stored_once, async |db| {
        let store = db.store();
        let mut hashes = Vec::new();
        for body in [b"one".as_slice(), b"two", b"one", b""] {
            hashes.push(transaction!(store, async |tx| -> Result<String, DbError> {
                content_put(tx, body).await
            }).unwrap());
        }
        assert_eq!(hashes[0], hashes[2]);
        assert_eq!(hashes[0], "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
        let mut reader = store.reader().await.unwrap();
        let rows = reader.query_one("SELECT COUNT(*) FROM content", params![]).await.unwrap().int(0).unwrap();
        assert_eq!(rows, 3);
        assert_eq!(content_get(&mut reader, &hashes[1]).await.unwrap(), b"two");
        assert_eq!(content_get(&mut reader, &hashes[3]).await.unwrap(), b"");
    }

    a_content_that_is_referred_to_and_missing_is_corrupt, async |db| {
        let mut reader = db.store().reader().await.unwrap();
        let error = content_get(&mut reader, "00ff").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Corrupt);
    }
}
