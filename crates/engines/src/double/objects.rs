//! The double's S3: buckets of stacks and of tests, and what is put there.

use super::wire::{Answer, escape};
use super::{Call, World, sts};

/// What a call does to an object, or asks of a bucket.
pub(super) fn s3(world: &mut World, call: &Call, body: &[u8]) -> Answer {
    if sts::is_ended(world, call.get("AWSAccessKeyId")) {
        return Answer::error(400, "ExpiredToken", "The provided token has expired.");
    }
    let path = call.get("path").to_owned();
    let bucket = path.split('/').next().unwrap_or_default().to_owned();
    if !world.buckets.contains(&bucket) {
        return Answer::error(404, "NoSuchBucket", "The specified bucket does not exist");
    }
    match call.action.as_str() {
        "PutObject" => {
            world.objects.insert(path, body.to_vec());
            Answer { status: 200, body: String::new(), effective: true, range: None }
        }
        "DeleteObject" => {
            let effective = world.objects.remove(&path).is_some();
            Answer { status: 204, body: String::new(), effective, range: None }
        }
        "GetObject" => match world.objects.get(&path) {
            Some(bytes) => Answer::part(bytes, call.get("range")),
            None => Answer::error(404, "NoSuchKey", "The specified key does not exist."),
        },
        _ => list(world, &bucket, call.get("prefix")),
    }
}

fn list(world: &World, bucket: &str, prefix: &str) -> Answer {
    let objects = world.objects.iter();
    let objects =
        objects.filter_map(|(path, bytes)| Some((path.strip_prefix(bucket)?.strip_prefix('/')?, bytes.len())));
    let contents: String = objects
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(key, size)| {
            format!(
                "<Contents><Key>{}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"double\"</ETag>\
                 <Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                escape(key)
            )
        })
        .collect();
    let body = format!(
        "<ListBucketResult xmlns=\"http://double/\"><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{contents}\
         </ListBucketResult>"
    );
    Answer { status: 200, body, effective: false, range: None }
}
