//! What arrives is what was sent, or nothing is stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Digest;

use crate::support::bundle_store::{Answer, BundleStore};
use crate::support::database::TestDb;
use crate::support::sign::Signer;

async fn with_bucket(db: &TestDb) -> BundleStore {
    let s3 = BundleStore::on(db).await;
    s3.put("/bundles", b"").await;
    s3
}

/// Puts with a chunked body and trailing headers, as SDKs do over HTTPS.
async fn put_with_trailer(s3: &BundleStore, announced: &str, body: &str, length: usize) -> Answer {
    let declared = Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned());
    let request = s3
        .request("PUT", "/bundles/k")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", length.to_string())
        .header("x-amz-trailer", announced)
        .body(body.as_bytes().to_vec())
        .unwrap();
    s3.send(Signer { declared, ..s3.signer() }.sign(request)).await
}

#[tokio::test]
async fn trailing_checksums_are_compared() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    for (name, right) in [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ] {
        let body = |text: &str| format!("4\r\n1234\r\n5\r\n{text}\r\n0\r\n{name}:{right}\r\n\r\n");
        let wrong = put_with_trailer(&s3, name, &body("56780"), 9).await;
        assert_eq!(wrong.error(), (400, "BadDigest".into()), "{name}");
        assert!(s3.files().is_empty(), "{name}");
        let put = put_with_trailer(&s3, name, &body("56789"), 9).await.ok();
        assert_eq!(put.header(name), right);
        let got = s3.call("GET", "/bundles/k", &[("x-amz-checksum-mode", "ENABLED")], b"").await;
        assert_eq!((got.text().as_str(), got.header(name)), ("123456789", right));
        assert_eq!(got.header("content-encoding"), "", "the upload's encoding is not the object's");
        assert_eq!(s3.get("/bundles/k").await.header(name), "", "only who asks gets it");
        s3.delete("/bundles/k").await;
    }
    let silent = put_with_trailer(&s3, "x-amz-checksum-crc32", "1\r\nx\r\n0\r\n\r\n", 1).await;
    assert_eq!(silent.error(), (400, "MalformedTrailerError".into()));
    let cut = put_with_trailer(&s3, "x-amz-checksum-crc32", "5\r\n123", 5).await;
    assert_eq!(cut.error(), (400, "IncompleteBody".into()));
    let nonsense = put_with_trailer(&s3, "x-amz-checksum-crc32", "no chunks here", 5).await;
    assert_eq!(nonsense.error(), (400, "IncompleteBody".into()));
    assert!(s3.files().is_empty());
}

#[tokio::test]
async fn checksums_in_headers_are_compared() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let md5 = STANDARD.encode(md5::Md5::digest(b"hello"));
    for (name, right) in [("content-md5", md5.as_str()), ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=")] {
        s3.call("PUT", "/bundles/k", &[(name, right)], b"hello").await.ok();
        assert_eq!(
            s3.call("PUT", "/bundles/k", &[(name, right)], b"help!").await.error(),
            (400, "BadDigest".into()),
            "{name}"
        );
    }
    assert_eq!(
        s3.call("PUT", "/bundles/k", &[("content-md5", "x")], b"hello").await.error(),
        (400, "InvalidDigest".into())
    );
    assert_eq!(s3.get("/bundles/k").await.text(), "hello");
    assert_eq!(s3.files().len(), 1);
}

#[tokio::test]
async fn an_altered_body_is_not_stored() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let mut request = s3.signer().sign(s3.request("PUT", "/bundles/k").body(b"hello".to_vec()).unwrap());
    *request.body_mut() = b"help!".to_vec();
    assert_eq!(s3.send(request).await.error(), (400, "XAmzContentSHA256Mismatch".into()));
    let list = b"<Delete><Object><Key>a</Key></Object></Delete>".to_vec();
    let mut request = s3.signer().sign(s3.request("POST", "/bundles?delete").body(list.clone()).unwrap());
    *request.body_mut() = String::from_utf8(list).unwrap().replace("a<", "b<").into_bytes();
    assert_eq!(s3.send(request).await.error(), (400, "XAmzContentSHA256Mismatch".into()));
    assert!(s3.files().is_empty());
}

#[tokio::test]
async fn every_chunk_of_a_signed_upload_is_checked() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let upload = || {
        let request = s3
            .request("PUT", "/bundles/k")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", "16384")
            .body(())
            .unwrap();
        s3.signer().sign_chunks(request, &[&[b'a'; 8192], &[b'b'; 8192]])
    };
    s3.send(upload()).await.ok();
    let stored = s3.get("/bundles/k").await.body;
    assert!(stored.len() == 16384 && stored.ends_with(b"bbb") && stored.starts_with(b"aaa"));
    s3.delete("/bundles/k").await;

    let mut altered = upload();
    let at = altered.body().iter().rposition(|byte| *byte == b'b').unwrap();
    // The last b may belong to a signature's digits; the chunk's own are long runs of it.
    let at = altered.body()[..at].windows(3).rposition(|three| three == b"bbb").unwrap();
    altered.body_mut()[at] = b'c';
    assert_eq!(s3.send(altered).await.error(), (403, "SignatureDoesNotMatch".into()));
    assert!(s3.files().is_empty());
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_not_stored() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let crc = "x-amz-checksum-crc32:y/Q5Jg==";
    for length in [8, 10] {
        let answer =
            put_with_trailer(&s3, "x-amz-checksum-crc32", &format!("9\r\n123456789\r\n0\r\n{crc}\r\n\r\n"), length)
                .await;
        assert_eq!(answer.status, 400, "{length}: {}", answer.text());
    }
    let announced = (5_u64 * 1024 * 1024 * 1024 + 1).to_string();
    let request = s3
        .request("PUT", "/bundles/k")
        .header("x-amz-decoded-content-length", &announced)
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .body(b"0\r\n\r\n".to_vec())
        .unwrap();
    let declared = Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned());
    let answer = s3.send(Signer { declared, ..s3.signer() }.sign(request)).await;
    assert_eq!(answer.error(), (400, "EntityTooLarge".into()));
    assert!(s3.files().is_empty());
}

#[tokio::test]
async fn commands_have_a_limit_and_come_in_one_piece() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    assert_eq!(s3.call("POST", "/bundles?delete", &[], &large).await.error(), (400, "MaxMessageLengthExceeded".into()));
    let declared = Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned());
    let request = s3.request("POST", "/bundles?delete").body(b"0\r\n\r\n".to_vec()).unwrap();
    let answer = s3.send(Signer { declared, ..s3.signer() }.sign(request)).await;
    assert_eq!(answer.error(), (501, "NotImplemented".into()));
}

#[tokio::test]
async fn metadata_that_no_answer_could_hold_is_refused() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let value = "x".repeat(2048);
    let answer = s3.call("PUT", "/bundles/k", &[("x-amz-meta-a", &value)], b"").await;
    assert_eq!(answer.error(), (400, "MetadataTooLarge".into()));
}
