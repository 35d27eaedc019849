use crate::on_both;
use protium::store::{
    BucketRow, DbError, ObjectRow, Objects, PartRow, Store, UploadRow, blob_is_used, bucket_delete, bucket_get,
    bucket_insert, bucket_list, object_delete, object_get, object_list, object_put, part_list, part_put, past_prefix,
    upload_delete, upload_get, upload_insert, upload_list,
};
use protium::transaction;
use std::ops::Bound;

const OF: Objects<'_> = Objects { account: "1", bucket: "b" };

fn bucket(name: &str) -> BucketRow {
    BucketRow { account: "1".into(), name: name.into(), region: "r".into(), created_at: 7 }
}

fn object(key: &str, blob: &str) -> ObjectRow {
    ObjectRow {
        account: "1".into(),
        bucket: "b".into(),
        key: key.into(),
        etag: "etag".into(),
        size: 3,
        content_type: None,
        modified_at: 9,
        blob: blob.into(),
        doc: "{}".into(),
    }
}

fn upload(id: &str, key: &str) -> UploadRow {
    UploadRow {
        id: id.into(),
        account: "1".into(),
        bucket: "b".into(),
        key: key.into(),
        created_at: 7,
        doc: "{}".into(),
    }
}

async fn keys(store: &Store, prefix: &str, from: Bound<&str>, limit: i64) -> Vec<String> {
    let mut reader = store.reader().await.unwrap();
    let objects = object_list(&mut reader, OF, prefix, from, limit).await.unwrap();
    objects.into_iter().map(|object| object.key).collect()
}

on_both! {
    a_bucket_is_made_once_and_deleted_only_when_empty, async |db| {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            assert!(bucket_insert(tx, &bucket("b")).await?);
            assert!(!bucket_insert(tx, &bucket("b")).await?);
            assert!(bucket_insert(tx, &bucket("a")).await?);
            object_put(tx, &object("k", "blob")).await?;
            upload_insert(tx, &upload("u", "k")).await?;
            assert!(!bucket_delete(tx, "1", "b").await?);
            object_delete(tx, "1", "b", "k").await?;
            assert!(!bucket_delete(tx, "1", "b").await?);
            upload_delete(tx, "u").await?;
            assert_eq!(bucket_list(tx, "1").await?, [bucket("a"), bucket("b")]);
            assert!(bucket_delete(tx, "1", "b").await?);
            assert!(!bucket_delete(tx, "1", "b").await?);
            assert_eq!(bucket_get(tx, "1", "b").await?, None);
            assert_eq!(bucket_get(tx, "1", "a").await?, Some(bucket("a")));
            assert_eq!(bucket_get(tx, "2", "a").await?, None);
            Ok(())
        }).unwrap();
    }

    an_object_replaces_its_predecessor_and_tells_which_blob_is_free, async |db| {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            assert_eq!(object_put(tx, &object("k", "one")).await?, None);
            assert_eq!(object_put(tx, &object("k", "two")).await?, Some("one".into()));
            assert_eq!(object_get(tx, "1", "b", "k").await?, Some(object("k", "two")));
            assert!(blob_is_used(tx, "two").await?);
            assert!(!blob_is_used(tx, "one").await?);
            assert_eq!(object_delete(tx, "1", "b", "k").await?, Some("two".into()));
            assert_eq!(object_delete(tx, "1", "b", "k").await?, None);
            Ok(())
        }).unwrap();
    }

    objects_are_listed_by_prefix_in_the_order_of_bytes, async |db| {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            for key in ["a", "a/1", "a/2", "a/é", "a0", "b/1", "Z", "a/\u{10FFFF}\u{10FFFF}", "\u{10FFFF}x"] {
                object_put(tx, &object(key, key)).await?;
            }
            Ok(())
        }).unwrap();
        let all = ["Z", "a", "a/1", "a/2", "a/é", "a/\u{10FFFF}\u{10FFFF}", "a0", "b/1", "\u{10FFFF}x"];
        assert_eq!(keys(&store, "", Bound::Unbounded, 100).await, all);
        assert_eq!(keys(&store, "a/", Bound::Unbounded, 100).await, all[2..6]);
        assert_eq!(keys(&store, "a/", Bound::Excluded("a/1"), 2).await, all[3..5]);
        assert_eq!(keys(&store, "a/", Bound::Excluded("Z"), 1).await, ["a/1"]);
        assert_eq!(keys(&store, "\u{10FFFF}", Bound::Unbounded, 9).await, ["\u{10FFFF}x"]);
        let past = past_prefix("a/").unwrap();
        assert_eq!(keys(&store, "", Bound::Included(&past), 100).await, all[6..]);
    }

    an_upload_keeps_its_parts_until_it_ends, async |db| {
        let store = db.store();
        let part = |number: i64, blob: &str| PartRow { number, etag: "e".into(), size: 5, blob: blob.into() };
        transaction!(store, async |tx| -> Result<(), DbError> {
            for (id, key) in [("u2", "k"), ("u1", "k"), ("u3", "a")] {
                upload_insert(tx, &upload(id, key)).await?;
            }
            assert_eq!(part_put(tx, "u1", &part(2, "p2")).await?, None);
            assert_eq!(part_put(tx, "u1", &part(1, "p1")).await?, None);
            assert_eq!(part_put(tx, "u1", &part(2, "p3")).await?, Some("p2".into()));
            assert_eq!(part_put(tx, "u2", &part(1, "kept")).await?, None);
            assert_eq!(part_list(tx, "u1", 0, 10).await?, [part(1, "p1"), part(2, "p3")]);
            assert_eq!(part_list(tx, "u1", 1, 10).await?, [part(2, "p3")]);
            assert_eq!(upload_get(tx, "1", "u1").await?, Some(upload("u1", "k")));
            assert_eq!(upload_get(tx, "2", "u1").await?, None);
            let ids = |uploads: Vec<UploadRow>| uploads.into_iter().map(|row| row.id).collect::<Vec<_>>();
            assert_eq!(ids(upload_list(tx, OF, ("", ""), 10).await?), ["u3", "u1", "u2"]);
            assert_eq!(ids(upload_list(tx, OF, ("k", "u1"), 10).await?), ["u2"]);
            let mut blobs = upload_delete(tx, "u1").await?;
            blobs.sort();
            assert_eq!(blobs, ["p1", "p3"]);
            assert_eq!(upload_get(tx, "1", "u1").await?, None);
            assert!(blob_is_used(tx, "kept").await?);
            Ok(())
        }).unwrap();
    }
}
