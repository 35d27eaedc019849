//! What a crash leaves behind is removed at the next start, and nothing else.

use protium::http::s3::sweep;

use crate::support::bundle_store::BundleStore;
use crate::support::database::TestDb;

async fn leave_behind(s3: &BundleStore, db: &TestDb) -> Vec<String> {
    s3.put("/bundles", b"").await;
    s3.put("/bundles/k", b"an object").await;
    let id = s3.call("POST", "/bundles/upload?uploads", &[], b"").await.ok().tag("UploadId").unwrap();
    s3.call("PUT", &format!("/bundles/upload?partNumber=1&uploadId={id}"), &[], b"a part").await.ok();
    let live = s3.files();
    assert_eq!(live.len(), 2);
    // A crash between the file and the row, and one in the middle of the file.
    let objects = db.folder().join("objects");
    let orphan = "0".repeat(32);
    std::fs::write(objects.join("00").join(&orphan), b"an orphan").unwrap();
    std::fs::write(objects.join("drafts").join("1".repeat(32)), b"a dra").unwrap();
    assert_eq!(s3.files().len(), 4);
    live
}

#[tokio::test]
async fn a_start_removes_orphans_and_keeps_objects_and_parts() {
    let db = TestDb::sqlite().await;
    let s3 = BundleStore::on(&db).await;
    let live = leave_behind(&s3, &db).await;
    let removed = sweep(&s3.store, &s3.blobs).await.unwrap().await.unwrap();
    assert_eq!((removed, s3.files()), (2, live));
    assert_eq!(s3.get("/bundles/k").await.text(), "an object");
}

#[tokio::test]
async fn what_another_process_may_be_uploading_is_left_alone() {
    let db = TestDb::postgres().await;
    let s3 = BundleStore::on(&db).await;
    leave_behind(&s3, &db).await;
    assert_eq!(sweep(&s3.store, &s3.blobs).await.unwrap().await.unwrap(), 0);
    let day = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 60 * 60);
    let orphan = db.folder().join("objects/00").join("0".repeat(32));
    std::fs::File::options().write(true).open(orphan).unwrap().set_modified(day).unwrap();
    assert_eq!(sweep(&s3.store, &s3.blobs).await.unwrap().await.unwrap(), 1);
    assert_eq!(s3.files().len(), 3);
}
