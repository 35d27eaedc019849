//! Uploads in parts.

use md5::{Digest, Md5};

use crate::on_both;
use crate::support::bundle_store::{Answer, BundleStore};
use crate::support::database::TestDb;

const PART: usize = 5 * 1024 * 1024;

async fn begun(db: &TestDb) -> (BundleStore, String) {
    let s3 = BundleStore::on(db).await;
    s3.put("/bundles", b"").await;
    let headers = [("content-type", "application/gzip"), ("x-amz-meta-a", "1")];
    let id = s3.call("POST", "/bundles/k?uploads", &headers, b"").await.ok().tag("UploadId").unwrap();
    (s3, id)
}

async fn part(s3: &BundleStore, id: &str, number: usize, body: &[u8]) -> String {
    let target = format!("/bundles/k?partNumber={number}&uploadId={id}");
    s3.call("PUT", &target, &[], body).await.ok().header("etag").trim_matches('"').to_owned()
}

async fn complete(s3: &BundleStore, id: &str, headers: &[(&str, &str)], parts: &[(usize, &str)]) -> Answer {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    s3.call("POST", &format!("/bundles/k?uploadId={id}"), headers, body.as_bytes()).await
}

on_both! {
    parts_become_an_object, async |db| {
        let (s3, id) = begun(db).await;
        let (first, last) = (vec![b'a'; PART], b"the end".to_vec());
        // The order of arrival does not matter, and a part may come again.
        let three = part(&s3, &id, 3, &last).await;
        part(&s3, &id, 1, b"a first try").await;
        let one = part(&s3, &id, 1, &first).await;
        assert_eq!(s3.files().len(), 2);
        let listed = s3.get(&format!("/bundles/k?uploadId={id}")).await.ok();
        assert_eq!(listed.tags("PartNumber"), ["1", "3"]);
        assert_eq!(listed.tags("Size"), [PART.to_string(), "7".to_owned()]);
        assert_eq!(s3.get("/bundles/k").await.error(), (404, "NoSuchKey".into()));

        let completed = complete(&s3, &id, &[], &[(1, &one), (3, &three)]).await.ok();
        let sums = [Md5::digest(&first), Md5::digest(&last)].concat();
        let etag = format!("{}-2", hex::encode(Md5::digest(sums)));
        assert_eq!(completed.tag("ETag").unwrap(), format!("\"{etag}\""));
        let got = s3.get("/bundles/k").await;
        assert_eq!(got.header("etag"), format!("\"{etag}\""));
        assert_eq!((got.header("content-type"), got.header("x-amz-meta-a")), ("application/gzip", "1"));
        assert!(got.body == [first, last].concat());
        assert_eq!(s3.files().len(), 1, "the parts are gone");
        assert_eq!(complete(&s3, &id, &[], &[(1, &one)]).await.error(), (404, "NoSuchUpload".into()));
    }

    a_list_of_parts_that_is_wrong_completes_nothing, async |db| {
        let (s3, id) = begun(db).await;
        let one = part(&s3, &id, 1, b"small").await;
        let two = part(&s3, &id, 2, b"too").await;
        let crc = [("x-amz-checksum-crc32", "AAAAAA==")];
        let size = [("x-amz-mp-object-size", "6")];
        for (headers, parts, error) in [
            (&[][..], vec![(2, two.as_str()), (1, one.as_str())], "InvalidPartOrder"),
            (&[], vec![(1, one.as_str()), (1, one.as_str())], "InvalidPartOrder"),
            (&[], vec![(1, two.as_str())], "InvalidPart"),
            (&[], vec![(3, one.as_str())], "InvalidPart"),
            (&[], vec![(1, one.as_str()), (2, two.as_str())], "EntityTooSmall"),
            (&[], vec![], "MalformedXML"),
            (&crc, vec![(1, one.as_str())], "BadDigest"),
            (&size, vec![(1, one.as_str())], "InvalidRequest"),
        ] {
            let answer = complete(&s3, &id, headers, &parts).await;
            assert_eq!(answer.error(), (400, error.to_owned()), "{parts:?}: {}", answer.text());
        }
        assert_eq!(s3.files().len(), 2);
        complete(&s3, &id, &[("x-amz-checksum-crc32", "7EqIng==")], &[(1, &one)]).await;
        assert_eq!(s3.get("/bundles/k").await.status, 404, "another checksum than that of 'small'");
        complete(&s3, &id, &[], &[(2, &two)]).await.ok();
        assert_eq!(s3.get("/bundles/k").await.text(), "too");
    }

    an_upload_is_listed_until_it_is_aborted, async |db| {
        let (s3, id) = begun(db).await;
        part(&s3, &id, 1, b"x").await;
        let other = s3.call("POST", "/bundles/dir/k?uploads", &[], b"").await.ok().tag("UploadId").unwrap();
        let listed = s3.get("/bundles?uploads").await.ok();
        assert_eq!(listed.tags("Key"), ["dir/k", "k"]);
        assert_eq!(listed.tags("UploadId"), [other.clone(), id.clone()]);
        let first = s3.get("/bundles?uploads&max-uploads=1").await.ok();
        assert_eq!((first.tags("Key"), first.tag("IsTruncated").unwrap()), (vec!["dir/k".to_owned()], "true".to_owned()));
        let marker = format!(
            "/bundles?uploads&key-marker={}&upload-id-marker={}",
            first.tag("NextKeyMarker").unwrap(),
            first.tag("NextUploadIdMarker").unwrap()
        );
        assert_eq!(s3.get(&marker).await.ok().tags("Key"), ["k"]);
        assert_eq!(s3.get("/bundles?uploads&delimiter=/").await.ok().tags("Key"), ["k"]);
        assert_eq!(s3.get("/bundles?uploads&prefix=dir/").await.ok().tags("Key"), ["dir/k"]);

        let target = format!("/bundles/k?uploadId={id}");
        let stranger = s3.call_as(&s3.other_account(), "DELETE", &target, &[], b"").await;
        assert_eq!(stranger.error(), (404, "NoSuchBucket".into()));
        assert_eq!(s3.delete(&format!("/bundles/wrong?uploadId={id}")).await.error(), (404, "NoSuchUpload".into()));
        assert_eq!(s3.delete(&target).await.status, 204);
        assert!(s3.files().is_empty());
        assert_eq!(s3.delete(&target).await.error(), (404, "NoSuchUpload".into()));
        let late = s3.call("PUT", &format!("/bundles/k?partNumber=1&uploadId={id}"), &[], b"x").await;
        assert_eq!(late.error(), (404, "NoSuchUpload".into()));
        assert!(s3.files().is_empty());
    }

    a_deleted_bucket_takes_its_uploads_with_it, async |db| {
        let (s3, id) = begun(db).await;
        part(&s3, &id, 1, b"x").await;
        assert_eq!(s3.delete("/bundles").await.status, 204);
        assert!(s3.files().is_empty());
        s3.put("/bundles", b"").await;
        assert!(s3.get("/bundles?uploads").await.ok().tags("Key").is_empty());
        assert_eq!(complete(&s3, &id, &[], &[(1, "x")]).await.error(), (404, "NoSuchUpload".into()));
    }

    a_part_may_be_a_copy, async |db| {
        let (s3, id) = begun(db).await;
        s3.put("/bundles/source", b"0123456789").await;
        let target = format!("/bundles/k?partNumber=1&uploadId={id}");
        let source = ("x-amz-copy-source", "bundles/source");
        let copied = s3.call("PUT", &target, &[source, ("x-amz-copy-source-range", "bytes=2-4")], b"").await.ok();
        let etag = hex::encode(Md5::digest(b"234"));
        assert_eq!(copied.tag("ETag").unwrap(), format!("\"{etag}\""));
        for range in ["bytes=5-10", "bytes=2-", "2-4"] {
            let answer = s3.call("PUT", &target, &[source, ("x-amz-copy-source-range", range)], b"").await;
            assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{range}");
        }
        complete(&s3, &id, &[], &[(1, &etag)]).await.ok();
        assert_eq!(s3.get("/bundles/k").await.text(), "234");
    }
}

#[tokio::test]
async fn part_numbers_have_bounds() {
    let db = TestDb::sqlite().await;
    let (s3, id) = begun(&db).await;
    for number in ["0", "10001", "-1"] {
        let answer = s3.call("PUT", &format!("/bundles/k?partNumber={number}&uploadId={id}"), &[], b"x").await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{number}");
    }
    assert!(s3.files().is_empty());
}
