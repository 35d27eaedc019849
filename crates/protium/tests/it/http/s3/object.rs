//! Objects: what is put is got, under conditions, in ranges, through links and hosts, and never runs in a browser.

use std::time::Duration;

use crate::on_both;
use crate::support::bundle_store::{Answer, BundleStore};
use crate::support::database::TestDb;
use crate::support::sign::Signer;
use protium::http::s3::open_object;
use tokio::io::AsyncReadExt;

async fn with_bucket(db: &TestDb) -> BundleStore {
    let s3 = BundleStore::on(db).await;
    s3.put("/bundles", b"").await;
    s3
}

on_both! {
    an_object_answers_what_it_was_put_with, async |db| {
        let s3 = with_bucket(db).await;
        let headers = [
            ("content-type", "text/plain"), ("cache-control", "no-store"), ("content-language", "de"),
            ("content-encoding", "gzip"), ("expires", "Wed, 21 Oct 2065 07:28:00 GMT"),
            ("x-amz-meta-team", "platform"), ("x-amz-meta-ticket", "42"),
        ];
        let put = s3.call("PUT", "/bundles/a/b.txt", &headers, b"hello").await.ok();
        assert_eq!(put.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
        for method in ["GET", "HEAD"] {
            let answer = s3.call(method, "/bundles/a/b.txt", &[], b"").await.ok();
            for (name, value) in headers {
                assert_eq!(answer.header(name), value, "{method} {name}");
            }
            assert_eq!(answer.header("etag"), put.header("etag"));
            assert_eq!(answer.header("content-length"), "5");
            assert_eq!(answer.header("accept-ranges"), "bytes");
            assert!(answer.header("last-modified").ends_with("GMT"));
            assert_eq!(answer.text(), if method == "GET" { "hello" } else { "" });
        }
        let untyped = s3.put("/bundles/untyped", b"").await;
        assert_eq!(untyped.header("etag"), "\"d41d8cd98f00b204e9800998ecf8427e\"");
        assert_eq!(s3.get("/bundles/untyped").await.header("content-type"), "binary/octet-stream");
    }

    keys_are_any_text, async |db| {
        let s3 = with_bucket(db).await;
        let keys = ["a", "a/", "a//b", "../../etc/passwd", "a b+c&d=e?f#g%20h", "ü/日本", "a/./b", "<x>\"'", "\u{10FFFF}"];
        for key in keys {
            let path = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string();
            let target = format!("/bundles/{}", path.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%2F", "/"));
            s3.put(&target, key.as_bytes()).await;
            assert_eq!(s3.get(&target).await.text(), key);
        }
        let listed = s3.get("/bundles?encoding-type=url").await.ok().tags("Key");
        let mut decoded: Vec<String> =
            listed.iter().map(|key| percent_encoding::percent_decode_str(key).decode_utf8().unwrap().into_owned()).collect();
        let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        expected.sort();
        assert_eq!(decoded, expected, "in the order of their bytes");
        decoded.dedup();
        assert_eq!(decoded.len(), s3.files().len());
        let long = format!("/bundles/{}", "x".repeat(1025));
        assert_eq!(s3.call("PUT", &long, &[], b"").await.error(), (400, "KeyTooLongError".into()));
        assert_eq!(s3.call("PUT", "/bundles/%00", &[], b"").await.error(), (400, "InvalidArgument".into()));
        assert_eq!(s3.get("/bundles/%00").await.error(), (400, "InvalidArgument".into()));
    }

    a_range_is_a_part_of_the_object, async |db| {
        let s3 = with_bucket(db).await;
        s3.put("/bundles/k", b"0123456789").await;
        for (range, part, said) in [
            ("bytes=0-0", "0", "bytes 0-0/10"), ("bytes=2-4", "234", "bytes 2-4/10"), ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-2", "89", "bytes 8-9/10"), ("bytes=5-99", "56789", "bytes 5-9/10"), ("bytes=-99", "0123456789", "bytes 0-9/10"),
        ] {
            let answer = s3.call("GET", "/bundles/k", &[("range", range)], b"").await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str(), answer.header("content-range")), (206, part, said), "{range}");
        }
        for range in ["bytes=10-", "bytes=-0"] {
            let answer = s3.call("GET", "/bundles/k", &[("range", range)], b"").await;
            assert_eq!(answer.error(), (416, "InvalidRange".into()), "{range}");
            assert_eq!(answer.header("content-range"), "bytes */10");
        }
        s3.put("/bundles/empty", b"").await;
        assert_eq!(s3.call("GET", "/bundles/empty", &[("range", "bytes=-1")], b"").await.error(), (416, "InvalidRange".into()));
        assert_eq!(s3.get("/bundles/k?partNumber=1").await.text(), "0123456789");
        assert_eq!(s3.get("/bundles/k?partNumber=2").await.error(), (501, "NotImplemented".into()));
    }

    conditions_of_a_read_are_kept, async |db| {
        let s3 = with_bucket(db).await;
        let etag = s3.put("/bundles/k", b"x").await.header("etag").to_owned();
        let (past, future) = ("Thu, 01 Jan 2015 00:00:00 GMT", "Thu, 01 Jan 2065 00:00:00 GMT");
        for method in ["GET", "HEAD"] {
            for (headers, status) in [
                (vec![("if-match", etag.as_str())], 200), (vec![("if-match", "\"other\"")], 412), (vec![("if-match", "*")], 200),
                (vec![("if-none-match", etag.as_str())], 304), (vec![("if-none-match", "\"other\"")], 200),
                (vec![("if-modified-since", past)], 200), (vec![("if-modified-since", future)], 304),
                (vec![("if-unmodified-since", past)], 412), (vec![("if-unmodified-since", future)], 200),
                (vec![("if-match", etag.as_str()), ("if-unmodified-since", past)], 200),
                (vec![("if-none-match", "\"other\""), ("if-modified-since", future)], 200),
            ] {
                let answer = s3.call(method, "/bundles/k", &headers, b"").await;
                assert_eq!(answer.status, status, "{method} {headers:?}");
            }
        }
        let modified = s3.get("/bundles/k").await.header("last-modified").to_owned();
        assert_eq!(s3.call("GET", "/bundles/k", &[("if-modified-since", &modified)], b"").await.status, 304);
    }

    of_two_writers_that_expect_nothing_there_one_succeeds, async |db| {
        let s3 = with_bucket(db).await;
        for round in 0..8 {
            let key = format!("/bundles/{round}");
            let headers = [("if-none-match", "*")];
            let (one, two) = tokio::join!(s3.call("PUT", &key, &headers, b"one"), s3.call("PUT", &key, &headers, b"two"));
            let mut statuses = [one.status.as_u16(), two.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412], "{} {}", one.text(), two.text());
            let winner = if one.status == 200 { "one" } else { "two" };
            assert_eq!(s3.get(&key).await.text(), winner);
        }
        assert_eq!(s3.files().len(), 8, "what the losers sent is gone");
        assert_eq!(s3.call("PUT", "/bundles/new", &[("if-match", "\"x\"")], b"").await.error(), (404, "NoSuchKey".into()));
        assert_eq!(s3.call("PUT", "/bundles/0", &[("if-match", "\"x\"")], b"").await.error(), (412, "PreconditionFailed".into()));
        assert_eq!(s3.call("DELETE", "/bundles/0", &[("if-match", "\"x\"")], b"").await.error(), (412, "PreconditionFailed".into()));
        assert_eq!(s3.files().len(), 8);
    }

    replaced_and_deleted_objects_leave_no_file, async |db| {
        let s3 = with_bucket(db).await;
        s3.put("/bundles/k", b"first").await;
        s3.put("/bundles/k", b"second").await;
        assert_eq!(s3.files().len(), 1);
        assert_eq!(s3.get("/bundles/k").await.text(), "second");
        assert_eq!(s3.delete("/bundles/k").await.status, 204);
        assert_eq!(s3.delete("/bundles/k").await.status, 204, "deleting is idempotent");
        assert!(s3.files().is_empty());
        assert_eq!(s3.get("/bundles/k").await.error(), (404, "NoSuchKey".into()));
    }

    many_keys_are_deleted_at_once, async |db| {
        let s3 = with_bucket(db).await;
        for key in ["a", "b", "c"] {
            s3.put(&format!("/bundles/{key}"), b"x").await;
        }
        let list = |quiet: bool, keys: &[&str]| {
            let keys: String = keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
            format!("<Delete>{keys}<Quiet>{quiet}</Quiet></Delete>")
        };
        let answer = s3.call("POST", "/bundles?delete", &[], list(false, &["a", "nothing"]).as_bytes()).await.ok();
        assert_eq!(answer.tags("Key"), ["a", "nothing"]);
        let answer = s3.call("POST", "/bundles?delete", &[], list(true, &["b"]).as_bytes()).await.ok();
        assert!(answer.tags("Key").is_empty());
        assert_eq!(s3.get("/bundles").await.tags("Key"), ["c"]);
        let too_many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
        let too_many: Vec<&str> = too_many.iter().map(String::as_str).collect();
        assert_eq!(s3.call("POST", "/bundles?delete", &[], list(true, &too_many).as_bytes()).await.error().0, 400);
        assert_eq!(s3.call("POST", "/bundles?delete", &[], b"<Delete>").await.error(), (400, "MalformedXML".into()));
        assert_eq!(s3.call("POST", "/bundles?delete", &[], b"<Delete></Delete>").await.error().0, 400);
        let md5 = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
        assert_eq!(s3.call("POST", "/bundles?delete", &md5, list(true, &["c"]).as_bytes()).await.error(), (400, "BadDigest".into()));
        assert_eq!(s3.get("/bundles").await.tags("Key"), ["c"]);
    }

    an_object_is_copied_with_or_without_its_metadata, async |db| {
        let s3 = with_bucket(db).await;
        s3.put("/other", b"").await;
        let meta = [("x-amz-meta-a", "1"), ("content-type", "text/plain")];
        s3.call("PUT", "/bundles/from%20here", &meta, b"hello").await.ok();
        let source = ("x-amz-copy-source", "/bundles/from%20here");
        let copied = s3.call("PUT", "/other/to", &[source], b"").await.ok();
        assert_eq!(copied.tag("ETag").as_deref(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
        let got = s3.get("/other/to").await;
        assert_eq!((got.text().as_str(), got.header("x-amz-meta-a"), got.header("content-type")), ("hello", "1", "text/plain"));
        let replace = [source, ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-b", "2")];
        s3.call("PUT", "/other/to", &replace, b"").await.ok();
        let got = s3.get("/other/to").await;
        assert_eq!((got.text().as_str(), got.header("x-amz-meta-a"), got.header("x-amz-meta-b")), ("hello", "", "2"));
        assert_eq!(s3.call("PUT", "/bundles/from%20here", &[source], b"").await.error(), (400, "InvalidRequest".into()));
        let other_etag = [source, ("x-amz-copy-source-if-match", "\"x\"")];
        assert_eq!(s3.call("PUT", "/other/x", &other_etag, b"").await.error(), (412, "PreconditionFailed".into()));
        assert_eq!(s3.call("PUT", "/other/x", &[("x-amz-copy-source", "bundles/no")], b"").await.error(), (404, "NoSuchKey".into()));
        assert_eq!(s3.call_as(&s3.other_account(), "PUT", "/other/x", &[source], b"").await.error(), (404, "NoSuchBucket".into()));
        assert_eq!(s3.files().len(), 2);
    }

    the_application_opens_objects_without_the_wire, async |db| {
        let s3 = with_bucket(db).await;
        s3.put("/bundles/b.tar.gz", b"a bundle").await;
        let open = |account, key| open_object(&s3.store, &s3.blobs, account, "bundles", key);
        let (size, mut file) = open("111111111111", "b.tar.gz").await.unwrap().unwrap();
        s3.delete("/bundles/b.tar.gz").await;
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!((size, text.as_str()), (8, "a bundle"), "it stays readable");
        assert!(open("111111111111", "b.tar.gz").await.unwrap().is_none());
        assert!(open("222222222222", "b.tar.gz").await.unwrap().is_none());
    }
}

#[track_caller]
fn assert_sandboxed(answer: &Answer) {
    assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'", "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert!(answer.header("content-disposition").to_ascii_lowercase().starts_with("attachment"), "{answer:?}");
    for name in ["content-security-policy", "x-content-type-options", "content-disposition"] {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn no_answer_runs_in_a_browser() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let hostile = [("content-type", "text/html"), ("content-disposition", "inline; filename=attachment")];
    s3.call("PUT", "/bundles/x.html", &hostile, b"<script>alert(1)</script>").await.ok();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/bundles"),
        ("GET", "/bundles/x.html"),
        ("HEAD", "/bundles/x.html"),
        ("GET", "/bundles/nothing"),
        ("GET", "/bundles/x.html?response-content-type=text/html&response-content-disposition=inline"),
        ("GET", "/bundles?acl"),
        ("PUT", "/bundles/y"),
        ("DELETE", "/bundles/y"),
        ("POST", "/"),
        ("GET", "/UPPER"),
        ("PATCH", "/bundles"),
    ] {
        assert_sandboxed(&s3.call(method, target, &[], b"").await);
    }
    let not_modified =
        s3.call("GET", "/bundles/x.html", &[("if-modified-since", "Thu, 01 Jan 2065 00:00:00 GMT")], b"").await;
    assert_eq!(not_modified.status, 304);
    assert_sandboxed(&not_modified);
    assert_sandboxed(&s3.send(s3.request("GET", "/bundles/x.html").body(Vec::new()).unwrap()).await);
    let link = Signer { expires_in: Some(Duration::from_secs(60)), ..s3.signer() };
    let request = s3.request("GET", "/bundles/x.html?response-content-disposition=inline").body(Vec::new()).unwrap();
    assert_sandboxed(&s3.send(link.sign(request)).await);
    let named = s3.get("/bundles/x.html?response-content-disposition=attachment%3B%20filename%3Dx.html").await;
    assert_sandboxed(&named);
    assert_eq!(named.header("content-disposition"), "attachment; filename=x.html");
}

#[tokio::test]
async fn a_link_reads_and_writes_until_it_expires() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let link = Signer { expires_in: Some(Duration::from_secs(60)), ..s3.signer() };
    let put = link.sign(s3.request("PUT", "/bundles/k").body(b"by link".to_vec()).unwrap());
    s3.send(put).await.ok();
    let get = link.sign(s3.request("GET", "/bundles/k").body(Vec::new()).unwrap());
    assert_eq!(s3.send(get.clone()).await.ok().text(), "by link");
    let mut other = get.clone();
    *other.uri_mut() = get.uri().to_string().replace("/bundles/k", "/bundles/other").parse().unwrap();
    assert_eq!(s3.send(other).await.error(), (403, "SignatureDoesNotMatch".into()));
    let mut method = get.clone();
    *method.method_mut() = http::Method::DELETE;
    assert_eq!(s3.send(method).await.error(), (403, "SignatureDoesNotMatch".into()));
    s3.clock.advance(61_000);
    let late = s3.send(get).await;
    assert_eq!(late.error(), (403, "AccessDenied".into()));
    assert_eq!(late.tag("Message").as_deref(), Some("Request has expired"));
}

#[tokio::test]
async fn a_host_below_the_domain_names_the_bucket() {
    let db = TestDb::sqlite().await;
    let s3 = with_bucket(&db).await;
    let at = |method: &str, target: &str, body: &[u8]| {
        let mut request = s3.request(method, target).body(body.to_vec()).unwrap();
        request.headers_mut().insert("host", "bundles.s3.test:8420".parse().unwrap());
        s3.signer().sign(request)
    };
    s3.send(at("PUT", "/k", b"virtual")).await.ok();
    assert_eq!(s3.get("/bundles/k").await.text(), "virtual");
    assert_eq!(s3.send(at("GET", "/?list-type=2", b"")).await.ok().tags("Key"), ["k"]);
    assert_eq!(s3.send(at("GET", "/k", b"")).await.text(), "virtual");
}
