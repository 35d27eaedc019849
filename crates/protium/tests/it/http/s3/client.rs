//! The AWS CLI and boto3, unmodified.

use crate::support::server::TestServer;

/// Whoever has a presigned link needs nothing of AWS.
const FETCH: &str = "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())";

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_makes_fills_lists_and_empties_a_bucket() {
    let server = TestServer::start().await;
    let at = |name: &str| server.folder.path().join(name);
    std::fs::create_dir_all(at("tree/sub")).unwrap();
    std::fs::write(at("tree/a.txt"), "a").unwrap();
    std::fs::write(at("tree/sub/b c.txt"), "b").unwrap();
    // Large enough for the CLI to upload it in parts.
    let large: Vec<u8> = (0..9 * 1024 * 1024_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(at("large.bin"), &large).unwrap();

    assert_eq!(server.aws(&["s3", "mb", "s3://bundles"]).await.trim(), "make_bucket: bundles");
    server.aws(&["s3", "cp", "--no-progress", "large.bin", "s3://bundles/dir/large.bin"]).await;
    let listed = server.aws(&["s3", "ls", "s3://bundles/"]).await;
    assert_eq!(listed.trim(), "PRE dir/");
    let listed = server.aws(&["s3", "ls", "s3://bundles/dir/"]).await;
    assert!(listed.contains("9437184 large.bin"), "{listed}");
    server.aws(&["s3", "cp", "--no-progress", "s3://bundles/dir/large.bin", "back.bin"]).await;
    assert!(std::fs::read(at("back.bin")).unwrap() == large);
    let head = server.aws(&["s3api", "head-object", "--bucket", "bundles", "--key", "dir/large.bin"]).await;
    let head: serde_json::Value = serde_json::from_str(&head).unwrap();
    assert_eq!(head["ContentLength"], 9_437_184);
    assert!(head["ETag"].as_str().unwrap().ends_with("-2\""), "{head}");

    let uploaded = server.aws(&["s3", "sync", "--no-progress", "tree", "s3://bundles/tree"]).await;
    assert_eq!(uploaded.lines().count(), 2, "{uploaded}");
    assert_eq!(server.aws(&["s3", "sync", "--no-progress", "tree", "s3://bundles/tree"]).await, "");
    server.aws(&["s3", "cp", "--no-progress", "s3://bundles/tree/a.txt", "s3://bundles/copy.txt"]).await;
    server.aws(&["s3", "mv", "--no-progress", "s3://bundles/copy.txt", "s3://bundles/moved.txt"]).await;
    server.aws(&["s3", "cp", "--no-progress", "s3://bundles/dir/large.bin", "s3://bundles/large-copy.bin"]).await;
    let page = server.aws(&["s3api", "list-objects-v2", "--bucket", "bundles", "--page-size", "2"]).await;
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    let keys: Vec<&str> = page["Contents"].as_array().unwrap().iter().map(|one| one["Key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["dir/large.bin", "large-copy.bin", "moved.txt", "tree/a.txt", "tree/sub/b c.txt"]);

    let put =
        ["s3api", "put-object", "--bucket", "bundles", "--key", "ü+&", "--body", "tree/a.txt", "--metadata", "k=v"];
    assert!(server.aws(&put).await.contains("0cc175b9c0f1b6a831c399e269772661"));
    let get = ["s3api", "get-object", "--bucket", "bundles", "--key", "ü+&", "out.txt"];
    let got: serde_json::Value = serde_json::from_str(&server.aws(&get).await).unwrap();
    assert_eq!(got["Metadata"]["k"], "v");
    assert_eq!(std::fs::read_to_string(at("out.txt")).unwrap(), "a");

    let link = server.aws(&["s3", "presign", "s3://bundles/tree/sub/b c.txt"]).await;
    let fetched = server.run("python3", &["-c", FETCH, link.trim()]).await;
    assert_eq!(String::from_utf8_lossy(&fetched.stdout), "b", "{fetched:?}");

    let refused = server.aws_error(&["s3", "rb", "s3://bundles"]).await;
    assert!(refused.contains("BucketNotEmpty"), "{refused}");
    let missing = server.aws_error(&["s3api", "head-object", "--bucket", "bundles", "--key", "no"]).await;
    assert!(missing.contains("(404)"), "{missing}");
    server.aws(&["s3", "rm", "--recursive", "s3://bundles"]).await;
    assert_eq!(server.aws(&["s3", "rb", "s3://bundles"]).await.trim(), "remove_bucket: bundles");
    assert_eq!(server.aws(&["s3", "ls"]).await, "");
}

/// Uploads in parts from several threads, with every checksum that boto3 can send without more libraries.
const BOTO3: &str = r#"
import boto3, io, os, sys
from boto3.s3.transfer import TransferConfig
s3 = boto3.client("s3")
s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
data = os.urandom(12 * 1024 * 1024 + 5)
config = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024, max_concurrency=4)
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    s3.upload_fileobj(io.BytesIO(data), "bundles", algorithm, Config=config, ExtraArgs={"ChecksumAlgorithm": algorithm})
    back = io.BytesIO()
    s3.download_fileobj("bundles", algorithm, back, Config=config)
    assert back.getvalue() == data, algorithm
    s3.put_object(Bucket="bundles", Key="small", Body=b"x", ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket="bundles", Key="small", ChecksumMode="ENABLED")["Body"].read() == b"x"
s3.put_object(Bucket="bundles", Key="stream", Body=b"unseekable", ContentType="text/plain")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bundles", PaginationConfig={"PageSize": 1})
assert [one["Key"] for page in pages for one in page["Contents"]] == ["CRC32", "SHA1", "SHA256", "small", "stream"]
assert s3.get_bucket_location(Bucket="bundles")["LocationConstraint"] == "eu-west-1"
s3.delete_objects(Bucket="bundles", Delete={"Objects": [{"Key": key} for key in ["CRC32", "SHA1", "SHA256", "small", "stream"]]})
s3.delete_bucket(Bucket="bundles")
try:
    s3.get_object(Bucket="bundles", Key="small")
except s3.exceptions.NoSuchBucket:
    print("done")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_uploads_in_parts_from_several_threads() {
    let server = TestServer::start().await;
    let output = server.run("python3", &["-c", BOTO3]).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("No module named"), "python3 with boto3 is needed for this test: {errors}");
    assert!(output.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "done");
}
