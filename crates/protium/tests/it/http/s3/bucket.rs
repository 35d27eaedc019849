//! Buckets, whose they are, and what is refused.

use crate::on_both;
use crate::support::bundle_store::BundleStore;
use crate::support::sign::Signer;

on_both! {
    a_bucket_is_made_found_listed_and_deleted, async |db| {
        let s3 = BundleStore::on(db).await;
        assert_eq!(s3.put("/bundles", b"").await.header("location"), "/bundles");
        s3.put("/another", b"").await;
        assert_eq!(s3.call("HEAD", "/bundles", &[], b"").await.ok().header("x-amz-bucket-region"), "eu-west-1");
        assert!(s3.get("/bundles?location").await.ok().text().contains("eu-west-1</LocationConstraint>"));
        let listed = s3.get("/").await.ok();
        assert_eq!(listed.tags("Name"), ["another", "bundles"]);
        let first = s3.get("/?max-buckets=1").await.ok();
        assert_eq!(first.tags("Name"), ["another"]);
        let rest = s3.get(&format!("/?continuation-token={}", first.tag("ContinuationToken").unwrap())).await.ok();
        assert_eq!((rest.tags("Name"), rest.tag("ContinuationToken")), (vec!["bundles".to_owned()], None));
        assert_eq!(s3.delete("/bundles").await.status, 204);
        assert_eq!(s3.call("HEAD", "/bundles", &[], b"").await.status, 404);
        assert_eq!(s3.delete("/bundles").await.error(), (404, "NoSuchBucket".into()));
        assert_eq!(s3.get("/").await.tags("Name"), ["another"]);
    }

    a_bucket_goes_where_its_location_constraint_says, async |db| {
        let s3 = BundleStore::on(db).await;
        let at = |region: &str| {
            format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            )
        };
        s3.put("/bundles", at("ap-south-1").as_bytes()).await;
        assert_eq!(s3.call("HEAD", "/bundles", &[], b"").await.header("x-amz-bucket-region"), "ap-south-1");
        let wrong = s3.call("PUT", "/other", &[], at("the moon").as_bytes()).await;
        assert_eq!(wrong.error(), (400, "InvalidLocationConstraint".into()));
        assert!(wrong.text().contains("the moon"));
        let broken = s3.call("PUT", "/other", &[], b"<CreateBucketConfiguration>").await;
        assert_eq!(broken.error(), (400, "MalformedXML".into()));
    }

    what_is_wrong_with_a_bucket_is_said, async |db| {
        let s3 = BundleStore::on(db).await;
        s3.put("/bundles", b"").await;
        assert_eq!(s3.call("PUT", "/bundles", &[], b"").await.error(), (409, "BucketAlreadyOwnedByYou".into()));
        s3.put("/bundles/key", b"x").await;
        assert_eq!(s3.delete("/bundles").await.error(), (409, "BucketNotEmpty".into()));
        for name in ["/UPPER", "/a", "/192.168.0.1", "/under_score", "/a..b"] {
            assert_eq!(s3.call("PUT", name, &[], b"").await.error(), (400, "InvalidBucketName".into()), "{name}");
        }
        for (method, target) in [
            ("GET", "/nothing"), ("GET", "/nothing?list-type=2"), ("GET", "/nothing?location"), ("GET", "/nothing?uploads"),
            ("GET", "/nothing/key"), ("PUT", "/nothing/key"), ("DELETE", "/nothing/key"), ("POST", "/nothing/key?uploads"),
        ] {
            let answer = s3.call(method, target, &[], b"").await;
            assert_eq!(answer.error(), (404, "NoSuchBucket".into()), "{method} {target}");
            assert!(answer.text().contains("nothing"), "{method} {target}");
        }
    }

    accounts_do_not_see_each_others_buckets, async |db| {
        let s3 = BundleStore::on(db).await;
        let other = s3.other_account();
        s3.put("/bundles", b"").await;
        s3.put("/bundles/key", b"mine").await;
        assert_eq!(s3.call_as(&other, "GET", "/bundles/key", &[], b"").await.error(), (404, "NoSuchBucket".into()));
        assert_eq!(s3.call_as(&other, "PUT", "/bundles/key", &[], b"x").await.error(), (404, "NoSuchBucket".into()));
        assert_eq!(s3.call_as(&other, "DELETE", "/bundles", &[], b"").await.error(), (404, "NoSuchBucket".into()));
        s3.call_as(&other, "PUT", "/bundles", &[], b"").await.ok();
        s3.call_as(&other, "PUT", "/bundles/key", &[], b"theirs").await.ok();
        assert_eq!(s3.get("/bundles/key").await.text(), "mine");
        assert_eq!(s3.call_as(&other, "GET", "/bundles/key", &[], b"").await.text(), "theirs");
        let owner = [("x-amz-expected-bucket-owner", "222222222222")];
        assert_eq!(s3.call("GET", "/bundles/key", &owner, b"").await.error(), (403, "AccessDenied".into()));
        assert_eq!(s3.call_as(&other, "GET", "/bundles/key", &owner, b"").await.text(), "theirs");
    }

    a_bucket_is_not_deleted_under_an_object_that_is_being_put, async |db| {
        let s3 = BundleStore::on(db).await;
        for round in 0..8 {
            let bucket = format!("/race-{round}");
            s3.put(&bucket, b"").await;
            let key = format!("{bucket}/key");
            let (put, deleted) = tokio::join!(s3.call("PUT", &key, &[], b"x"), s3.delete(&bucket));
            let outcome = (put.status.as_u16(), deleted.status.as_u16());
            match outcome {
                (200, 409) => assert_eq!(s3.get(&key).await.text(), "x"),
                (404, 204) => assert_eq!(s3.get(&key).await.error(), (404, "NoSuchBucket".into())),
                other => panic!("{other:?}: {} {}", put.text(), deleted.text()),
            }
        }
    }
}

#[tokio::test]
async fn requests_without_a_valid_signature_get_s3s_errors() {
    let db = crate::support::database::TestDb::sqlite().await;
    let s3 = BundleStore::on(&db).await;
    let unsigned = s3.send(s3.request("GET", "/bundles/key").body(Vec::new()).unwrap()).await;
    assert_eq!(unsigned.error(), (403, "AccessDenied".into()));
    let unknown = Signer { access_key_id: "AKIDNOBODY".into(), ..s3.signer() };
    assert_eq!(s3.call_as(&unknown, "GET", "/", &[], b"").await.error(), (403, "InvalidAccessKeyId".into()));
    let guess = Signer { secret: "guess".into(), ..s3.signer() };
    assert_eq!(s3.call_as(&guess, "GET", "/", &[], b"").await.error(), (403, "SignatureDoesNotMatch".into()));
    let proton = Signer { service: "proton".into(), declared: Some("UNSIGNED-PAYLOAD".into()), ..s3.signer() };
    assert_eq!(s3.call_as(&proton, "GET", "/", &[], b"").await.error(), (400, "AuthorizationHeaderMalformed".into()));
    s3.clock.advance(16 * 60 * 1000);
    assert_eq!(s3.get("/").await.error(), (403, "RequestTimeTooSkewed".into()));
}

#[tokio::test]
async fn what_is_not_built_is_refused_and_not_ignored() {
    let db = crate::support::database::TestDb::sqlite().await;
    let s3 = BundleStore::on(&db).await;
    s3.put("/bundles", b"").await;
    for (method, target) in [
        ("GET", "/bundles?acl"),
        ("GET", "/bundles?versions"),
        ("GET", "/bundles?policy"),
        ("PUT", "/bundles?versioning"),
        ("PUT", "/bundles?policy"),
        ("GET", "/bundles/key?tagging"),
        ("PUT", "/bundles/key?acl"),
        ("PUT", "/bundles/key?tagging"),
        ("POST", "/bundles/key?restore"),
        ("GET", "/bundles/key?torrent"),
    ] {
        let answer = s3.call(method, target, &[], b"").await;
        assert!(matches!(answer.status.as_u16(), 400 | 501), "{method} {target}: {}", answer.text());
        assert!(
            ["NotImplemented", "MissingRequestBodyError"].contains(&answer.error().1.as_str()),
            "{}",
            answer.text()
        );
    }
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-website-redirect-location", "/x"),
        ("x-amz-grant-read", "id=x"),
    ] {
        let answer = s3.call("PUT", "/bundles/key", &[(name, value)], b"x").await;
        assert_eq!(answer.error(), (501, "NotImplemented".into()), "{name}");
        assert!(answer.text().contains(name), "{}", answer.text());
    }
    let class = [("x-amz-storage-class", "GLACIER")];
    assert_eq!(s3.call("PUT", "/bundles/key", &class, b"x").await.error(), (400, "InvalidStorageClass".into()));
    assert_eq!(s3.get("/bundles/key?versionId=abc").await.error(), (404, "NoSuchVersion".into()));
    let form = [("content-type", "multipart/form-data; boundary=x")];
    assert_eq!(s3.call("POST", "/bundles", &form, b"--x--").await.error(), (501, "NotImplemented".into()));
    assert!(s3.files().is_empty());
}
