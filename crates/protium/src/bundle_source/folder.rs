//! Bundles in a folder of the server: its subfolders are buckets, its files objects.

use super::{Unfetched, Wanted};
use std::io;
use std::path::{Component, Path};

/// Whether there is such a bucket.
pub(super) async fn exists(folder: &Path) -> bool {
    tokio::fs::metadata(folder).await.is_ok_and(|metadata| metadata.is_dir())
}

/// The object in the bucket that `folder` is; `None` if there is none. What a link leads to outside
/// of the folder is not in it.
pub(super) async fn read(folder: &Path, wanted: &Wanted<'_>) -> Result<Option<Vec<u8>>, Unfetched> {
    let key = Path::new(&wanted.source.key);
    if !key.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(None);
    }
    match open(folder, key).await {
        Ok(Some((size, file))) => wanted.read(Some(size), file).await.map(Some),
        Ok(None) => Ok(None),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            io::ErrorKind::PermissionDenied => Err(Unfetched::Refused(format!(
                "the server may not read {}; the operator should permit it, then create another version",
                folder.join(key).display()
            ))),
            _ => Err(Unfetched::transient(error)),
        },
    }
}

async fn open(folder: &Path, key: &Path) -> io::Result<Option<(u64, tokio::fs::File)>> {
    let folder = tokio::fs::canonicalize(folder).await?;
    let path = tokio::fs::canonicalize(folder.join(key)).await?;
    let metadata = tokio::fs::metadata(&path).await?;
    if !path.starts_with(&folder) || !metadata.is_file() {
        return Ok(None);
    }
    Ok(Some((metadata.len(), tokio::fs::File::open(&path).await?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protium_domain::arn::Scope;
    use protium_domain::template::BundleSource;

    async fn fetch(folder: &Path, key: &str) -> Result<Option<Vec<u8>>, String> {
        let scope = Scope::new("000000000001", "us-east-1");
        let source = BundleSource { bucket: "b".into(), key: key.into() };
        let wanted = Wanted { scope: &scope, source: &source, limit: 5 };
        read(&folder.join("b"), &wanted).await.map_err(|error| match error {
            Unfetched::Refused(why) => why,
            Unfetched::Transient(error) => format!("transient: {error}"),
        })
    }

    #[tokio::test]
    async fn files_below_the_bucket_are_its_objects_and_nothing_else_is() {
        let root = tempfile::tempdir().expect("a folder");
        let bucket = root.path().join("b/team");
        std::fs::create_dir_all(&bucket).expect("a bucket");
        std::fs::write(bucket.join("x.tar.gz"), "12345").expect("an object");
        std::fs::write(bucket.join("large"), "123456").expect("an object");
        std::fs::write(root.path().join("secret"), "s").expect("a file");
        std::os::unix::fs::symlink("../../secret", bucket.join("link")).expect("a link");
        assert_eq!(fetch(root.path(), "team/x.tar.gz").await, Ok(Some(b"12345".to_vec())));
        for key in
            ["team/y", "team", "x/y", "team/x.tar.gz/y", "../secret", "team/../../secret", "/etc/hosts", "team/link"]
        {
            assert_eq!(fetch(root.path(), key).await, Ok(None), "{key}");
        }
        let why = fetch(root.path(), "team/large").await.expect_err("it is too large");
        assert!(why.contains("larger than 5 bytes"), "{why}");
    }
}
