//! Whatever a caller sends, it is the caller's fault and not ours.

use crate::support::bundle_store::BundleStore;
use crate::support::database::TestDb;

const PATHS: [&str; 7] = ["/", "/bundles", "/bundles/", "/bundles/k", "/bundles/%FF", "/bundles/%00", "/none/k"];

const QUERIES: [&str; 24] = [
    "",
    "?acl",
    "?uploads",
    "?uploadId=x",
    "?uploadId=",
    "?partNumber=x&uploadId=y",
    "?partNumber=99999999999",
    "?delete",
    "?list-type=2&max-keys=99999999999999",
    "?list-type=2&prefix=%FF",
    "?list-type=2&delimiter=%F0%9F%99%82&start-after=%00",
    "?marker=%F4%8F%BF%BF",
    "?versionId=",
    "?versions",
    "?tagging",
    "?select&select-type=2",
    "?restore",
    "?attributes",
    "?events",
    "?max-buckets=-1",
    "?part-number-marker=-1&uploadId=x",
    "?response-expires=x",
    "?encoding-type=x",
    "?x-id=x",
];

const HEADERS: [(&str, &str); 12] = [
    ("accept", "*/*"),
    ("range", "bytes=99999999999999999999-"),
    ("if-match", "bad\"etag"),
    ("if-modified-since", "yesterday"),
    ("x-amz-copy-source", "/%FF"),
    ("x-amz-copy-source", "arn:aws:s3:::x"),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
    ("x-amz-decoded-content-length", "-1"),
    ("content-type", "multipart/form-data; boundary=x"),
    ("expires", "never"),
    ("x-amz-meta-a", "=?UTF-8?B?!!?="),
    ("x-amz-mp-object-size", "x"),
];

const BODIES: [&[u8]; 4] = [
    b"",
    b"\xff\xfe",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><Delete><Object><Key>&b;</Key></Object></Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber></Part></CompleteMultipartUpload>",
];

#[tokio::test]
async fn no_request_is_an_internal_error() {
    let db = TestDb::sqlite().await;
    let s3 = BundleStore::on(&db).await;
    s3.put("/bundles", b"").await;
    s3.put("/bundles/k", b"0123456789").await;
    let mut turn = 0;
    for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"] {
        for path in PATHS {
            for query in QUERIES {
                // Each combination of path and query meets another header and body in turn.
                turn += 1;
                let header = HEADERS[turn % HEADERS.len()];
                let body = if matches!(method, "PUT" | "POST") { BODIES[turn % BODIES.len()] } else { b"" };
                let answer = s3.call(method, &format!("{path}{query}"), &[header], body).await;
                let status = answer.status.as_u16();
                let request = format!("{method} {path}{query} {header:?}");
                assert!(status < 500 || status == 501, "{request}: {status} {}", answer.text());
                assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'", "{request}");
            }
        }
    }
}
