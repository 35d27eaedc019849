//! Lists: order, prefixes, delimiters, pages.

use std::collections::BTreeSet;

use crate::on_both;
use crate::support::bundle_store::BundleStore;

/// What S3 would show, computed the simple way.
fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> (Vec<String>, Vec<String>) {
    let (mut shown, mut prefixes) = (Vec::new(), Vec::new());
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => {
                let beginning = key[..prefix.len() + at + delimiter.len()].to_owned();
                if prefixes.last() != Some(&beginning) {
                    prefixes.push(beginning);
                }
            }
            None => shown.push(key.clone()),
        }
    }
    (shown, prefixes)
}

/// All pages of a list: keys and prefixes.
async fn pages(
    s3: &BundleStore,
    version: u8,
    prefix: &str,
    delimiter: &str,
    size: usize,
) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
    let kind = if version == 2 { "&list-type=2" } else { "" };
    let base = format!("/bundles?prefix={prefix}&delimiter={delimiter}&max-keys={size}{kind}");
    let mut next = String::new();
    loop {
        let page = s3.get(&format!("{base}{next}")).await.ok();
        let shown = page.tags("Key");
        let rolled: Vec<String> = page
            .tags("CommonPrefixes")
            .iter()
            .filter_map(|one| Some(one.strip_prefix("<Prefix>")?.strip_suffix("</Prefix>")?.to_owned()))
            .collect();
        assert!(shown.len() + rolled.len() <= size);
        let is_truncated = page.tag("IsTruncated").as_deref() == Some("true");
        assert!(!is_truncated || shown.len() + rolled.len() == size, "a page that is not the last is full");
        if version == 2 {
            assert_eq!(page.tag("KeyCount").unwrap(), (shown.len() + rolled.len()).to_string());
        }
        keys.extend(shown);
        prefixes.extend(rolled);
        if !is_truncated {
            return (keys, prefixes);
        }
        next = match version {
            2 => format!("&continuation-token={}", page.tag("NextContinuationToken").unwrap()),
            _ => format!("&marker={}", page.tag("NextMarker").unwrap()),
        };
    }
}

on_both! {
    every_page_size_shows_the_same_in_both_versions, async |db| {
        let s3 = BundleStore::on(db).await;
        s3.put("/bundles", b"").await;
        let keys: BTreeSet<String> = [
            "a", "a-b", "a.b", "a/", "a/1", "a/2", "a/b/1", "a/b/2", "a0", "b", "b/1", "B/1", "c--d--e", "c--f", "z/z/z",
        ].map(str::to_owned).into();
        for key in &keys {
            s3.put(&format!("/bundles/{key}"), b"x").await;
        }
        for (prefix, delimiter) in [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("a/b/", "/"), ("", "--"), ("nothing", "/"), ("", "1")] {
            let expected = expected(&keys, prefix, delimiter);
            for size in [1, 2, 3, 100] {
                for version in [1, 2] {
                    let shown = pages(&s3, version, prefix, delimiter, size).await;
                    assert_eq!(shown, expected, "version {version}, prefix {prefix}, delimiter {delimiter}, pages of {size}");
                }
            }
        }
        let after = s3.get("/bundles?list-type=2&start-after=b").await.ok();
        assert_eq!(after.tags("Key"), ["b/1", "c--d--e", "c--f", "z/z/z"]);
        let within = s3.get("/bundles?list-type=2&start-after=a/1&delimiter=/").await.ok();
        assert_eq!(within.tags("Key"), ["a0", "b", "c--d--e", "c--f"], "what is rolled up before the marker stays hidden");
        let none = s3.get("/bundles?list-type=2&max-keys=0").await.ok();
        assert_eq!((none.tags("Key").len(), none.tag("IsTruncated").as_deref()), (0, Some("false")));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_said() {
    let db = crate::support::database::TestDb::sqlite().await;
    let s3 = BundleStore::on(&db).await;
    s3.put("/bundles", b"").await;
    for (parameters, part) in [
        ("max-keys=-1", "max-keys"),
        ("encoding-type=base64", "base64"),
        ("list-type=2&continuation-token=%21%21", "continuation token"),
        ("list-type=2&prefix=%00", "NUL"),
        ("marker=%00", "NUL"),
    ] {
        let answer = s3.get(&format!("/bundles?{parameters}")).await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{parameters}: {}", answer.text());
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    assert_eq!(s3.get("/bundles?max-keys=many").await.status, 400);
}
