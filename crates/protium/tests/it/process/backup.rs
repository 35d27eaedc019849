//! `protium backup`, `protium restore`, `protium migrate` and `protium rotate-master-key`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::program::{Ended, Program, Start, until};
use super::site::{called, double};
use crate::support::database::TestDb;
use crate::support::double::create;
use crate::support::sign::Signer;
use protium::store::DatabaseUrl;
use protium_engines::double::{Behaviour, Takes};

async fn typed(words: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    Start::typed(folder.path(), words).ended().await
}

/// Words that succeed; what they said.
async fn done(words: &[&str]) -> String {
    let ended = typed(words).await;
    assert_eq!(ended.status.code(), Some(0), "{words:?}: {}", ended.err);
    ended.out
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Folders beside each other that do not exist yet.
struct Folders {
    _home: tempfile::TempDir,
    data: PathBuf,
    backup: PathBuf,
    restored: PathBuf,
}

fn folders() -> Folders {
    let home = tempfile::tempdir().unwrap();
    let [data, backup, restored] = ["data", "backup", "restored"].map(|name| home.path().join(name));
    Folders { data, backup, restored, _home: home }
}

async fn object(program: &Program, key: &str) -> Option<Vec<u8>> {
    let host = program.url.split_once("://").unwrap().1;
    let request = http::Request::get(format!("{}/bundles/{key}", program.url)).header("host", host).body(Vec::new());
    let (status, body) = program.send(program.signer("s3").sign(request.unwrap())).await;
    status.is_success().then_some(body)
}

async fn delete_object(program: &Program, key: &str) {
    let host = program.url.split_once("://").unwrap().1;
    let request = http::Request::delete(format!("{}/bundles/{key}", program.url)).header("host", host);
    let (status, body) = program.send(program.signer("s3").sign(request.body(Vec::new()).unwrap())).await;
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
}

async fn has_template(program: &Program, number: usize) -> bool {
    program.call("GetEnvironmentTemplate", json!({ "name": format!("env-{number}") })).await.is_ok()
}

/// One writer after the other: a template, an object of the same number, and the same object over and over.
async fn write(program: Arc<Program>, acknowledged: Arc<AtomicUsize>) {
    for number in 0.. {
        program.ok("CreateEnvironmentTemplate", json!({ "name": format!("env-{number}") })).await;
        program.upload("bundles", &format!("object-{number}"), format!("body {number}").into_bytes()).await;
        program.upload("bundles", "changing", format!("version {number}").into_bytes()).await;
        acknowledged.store(number + 1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_made_during_writes_has_all_that_was_acknowledged_before_and_no_gaps() {
    let Folders { data, backup, restored, _home } = folders();
    let program = Arc::new(Start::in_folder(&data).ready().await);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writer = tokio::spawn(write(Arc::clone(&program), Arc::clone(&acknowledged)));
    let at_least =
        async |count| until("writes", async || (acknowledged.load(Ordering::SeqCst) >= count).then_some(())).await;
    at_least(10).await;
    let before = acknowledged.load(Ordering::SeqCst);
    let said = done(&["backup", text(&backup), "--data-dir", text(&data)]).await;
    let after = acknowledged.load(Ordering::SeqCst);
    assert!(said.contains("and the master key"), "{said}");
    at_least(after + 5).await;
    writer.abort();
    let key = program.key.clone();

    done(&["restore", text(&backup), "--data-dir", text(&restored)]).await;
    let copy = Start::in_folder(&restored).ready().await;
    assert_eq!(copy.key, key, "the same users");
    let mut count = 0;
    while has_template(&copy, count).await {
        count += 1;
    }
    println!("{before} acknowledged before the backup, {after} after it, {count} in it");
    assert!((before..=after + 1).contains(&count), "{before} {count} {after}");
    assert!(!has_template(&copy, count + 1).await, "there are no gaps");
    // An object was written after the template of its number.
    for number in 0..count - 1 {
        let body = object(&copy, &format!("object-{number}")).await.expect("an object");
        assert_eq!(body, format!("body {number}").into_bytes());
    }
    let changing = String::from_utf8(object(&copy, "changing").await.expect("an object")).unwrap();
    let version: usize = changing.strip_prefix("version ").unwrap().parse().unwrap();
    assert!(version + 2 >= count && version <= count, "{version} of {count}");
    // The one that was copied goes on as if nothing had been.
    program.ok("CreateEnvironmentTemplate", json!({ "name": "more" })).await;
    copy.ok("CreateEnvironmentTemplate", json!({ "name": "more" })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_was_under_way_at_the_backup_comes_to_its_end_once_and_what_was_deleted_before_stays_so() {
    const OBJECTS: usize = 150;
    const A_LONG_TIME: Duration = Duration::from_secs(60 * 60);
    let Folders { data, backup, restored, _home } = folders();
    let double = double().await;
    double.behave(|_| Behaviour::done().taking(Takes::Time(A_LONG_TIME)));
    let program = Start::in_folder(&data).flag("--aws-endpoint-url", &double.url()).ready().await;
    program.publish_env().await;
    for number in 0..OBJECTS {
        program.upload("bundles", &format!("object-{number}"), format!("body {number}").into_bytes()).await;
    }
    program.ok("CreateEnvironment", create("prod")).await;
    called(&double, "CreateStack", 1).await;
    let looks = double.count("DescribeStacks");
    called(&double, "DescribeStacks", looks + 1).await;
    // Objects are deleted one after the other, before the backup and during it.
    let program = Arc::new(program);
    let deleted = Arc::new(AtomicUsize::new(0));
    let (deleting, count) = (Arc::clone(&program), Arc::clone(&deleted));
    let deleter = tokio::spawn(async move {
        for number in 0..OBJECTS {
            delete_object(&deleting, &format!("object-{number}")).await;
            count.store(number + 1, Ordering::SeqCst);
        }
    });
    until("deletes", async || (deleted.load(Ordering::SeqCst) >= 5).then_some(())).await;
    let before = deleted.load(Ordering::SeqCst);
    done(&["backup", text(&backup), "--data-dir", text(&data)]).await;
    deleter.await.unwrap();
    // Of two servers that share what they deploy, one has to go.
    Arc::into_inner(program).expect("nobody deletes any more").kill().await;

    done(&["restore", text(&backup), "--data-dir", text(&restored)]).await;
    let copy = Start::in_folder(&restored).flag("--aws-endpoint-url", &double.url()).ready().await;
    let mut kept = Vec::new();
    for number in 0..OBJECTS {
        if let Some(body) = object(&copy, &format!("object-{number}")).await {
            assert_eq!(body, format!("body {number}").into_bytes());
            kept.push(number);
        }
    }
    println!("{before} deleted before the backup, {} kept in it", kept.len());
    assert!(kept.first().is_none_or(|first| *first >= before), "{before} {kept:?}");
    assert_eq!(kept, (OBJECTS - kept.len()..OBJECTS).collect::<Vec<_>>(), "there are no gaps");

    let found = copy.ok("GetEnvironment", json!({ "name": "prod" })).await;
    assert_eq!(found["environment"]["deploymentStatus"], "IN_PROGRESS");
    double.advance(A_LONG_TIME);
    copy.environment("prod", "SUCCEEDED").await;
    assert_eq!((double.effects("CreateStack"), double.stack_count()), (1, 1), "it is the same stack");
    let outputs = copy.ok("ListEnvironmentOutputs", json!({ "environmentName": "prod" })).await;
    assert_eq!(outputs["outputs"].as_array().unwrap().len(), 2, "{outputs}");
    let records = copy.ok("ListDeployments", json!({ "environmentName": "prod" })).await;
    assert_eq!(records["deployments"].as_array().unwrap().len(), 1, "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_server_that_is_down_is_readable_by_its_owner_only() {
    let Folders { data, backup, restored, _home } = folders();
    let program = Start::in_folder(&data).ready().await;
    program.upload("bundles", "one", b"one".to_vec()).await;
    program.stop("TERM").await;
    done(&["backup", text(&backup), "--data-dir", text(&data)]).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&backup), mode(&backup.join("master.key"))), (0o700, 0o600));
    // A backup is not changed by being restored, and may lie where nothing can be written.
    std::fs::set_permissions(&backup, std::fs::Permissions::from_mode(0o500)).unwrap();
    done(&["restore", text(&backup), "--data-dir", text(&restored)]).await;
    assert_eq!((mode(&restored), mode(&restored.join("protium.db"))), (0o700, 0o600));
    let copy = Start::in_folder(&restored).ready().await;
    assert_eq!(object(&copy, "one").await.as_deref(), Some(&b"one"[..]));
    assert_eq!(copy.stop("TERM").await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_that_is_kept_elsewhere_stays_there() {
    let Folders { data, backup, restored, _home } = folders();
    let key = data.with_file_name("elsewhere.key");
    let words = ["--master-key-file", text(&key)];
    let program = Start::in_folder(&data).flag(words[0], words[1]).ready().await;
    program.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    program.stop("TERM").await;
    let said = done(&["backup", text(&backup), "--data-dir", text(&data), words[0], words[1]]).await;
    assert!(said.contains("no master key") && !backup.join("master.key").exists(), "{said}");
    // Another key is none.
    let other = data.with_file_name("other.key");
    std::fs::write(&other, "00".repeat(32)).unwrap();
    let restore = ["restore", text(&backup), "--data-dir", text(&restored), "--master-key-file"];
    let refused = typed(&[&restore[..], &[text(&other)]].concat()).await;
    refused.refused(1, &["other.key", "is not the master key"]);
    assert!(!restored.exists());
    done(&[&restore[..], &[text(&key)]].concat()).await;
    let copy = Start::in_folder(&restored).flag(words[0], words[1]).ready().await;
    copy.ok("GetEnvironmentTemplate", json!({ "name": "env" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_left_out_when_told_to() {
    let Folders { data, backup, restored, _home } = folders();
    Start::in_folder(&data).ready().await.stop("TERM").await;
    done(&["backup", text(&backup), "--data-dir", text(&data), "--without-master-key"]).await;
    let ended = typed(&["restore", text(&backup), "--data-dir", text(&restored)]).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    assert!(ended.err.contains("no master key") && ended.err.contains("restored/master.key"), "{}", ended.err);
    Start::in_folder(&restored).ended().await.refused(1, &["master key"]);
    std::fs::copy(data.join("master.key"), restored.join("master.key")).unwrap();
    Start::in_folder(&restored).ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_backed_up_or_restored_is_named_and_left_alone() {
    let Folders { data, backup, restored, _home } = folders();
    let backing_up = ["backup", text(&backup), "--data-dir", text(&data)];
    typed(&backing_up).await.refused(1, &["there is no database", "data/protium.db"]);
    assert!(!backup.exists(), "nothing is made");
    Start::in_folder(&data).ready().await.stop("TERM").await;
    std::fs::create_dir(&backup).unwrap();
    std::fs::write(backup.join("mine"), "").unwrap();
    typed(&backing_up).await.refused(1, &["backup", "is not empty"]);
    std::fs::remove_file(backup.join("mine")).unwrap();
    done(&backing_up).await;
    typed(&backing_up).await.refused(1, &["is not empty"]);

    let restoring = ["restore", text(&backup), "--data-dir", text(&restored)];
    // Not over another one.
    std::fs::create_dir(&restored).unwrap();
    std::fs::write(restored.join("mine"), "").unwrap();
    typed(&restoring).await.refused(1, &["restored", "is not empty"]);
    assert_eq!(std::fs::read_dir(&restored).unwrap().count(), 1);
    std::fs::remove_file(restored.join("mine")).unwrap();
    typed(&["restore", text(&backup), "--data-dir", text(&data)]).await.refused(1, &["already"]);
    // Not what is no backup, or only a part of one.
    let manifest = std::fs::read(backup.join("backup.json")).unwrap();
    std::fs::remove_file(backup.join("backup.json")).unwrap();
    typed(&restoring).await.refused(1, &["is no whole backup"]);
    std::fs::write(backup.join("backup.json"), &manifest).unwrap();
    let database = std::fs::read(backup.join("protium.db")).unwrap();
    std::fs::write(backup.join("protium.db"), &database[..database.len() / 2]).unwrap();
    typed(&restoring).await.refused(1, &["protium.db"]);
    std::fs::write(backup.join("protium.db"), &database).unwrap();
    assert_eq!(std::fs::read_dir(&restored).unwrap().count(), 0, "what is refused leaves nothing behind");
    done(&restoring).await;
    // Nor is a server started on half of one.
    std::fs::write(restored.join("restore-unfinished"), "").unwrap();
    Start::in_folder(&restored).ended().await.refused(1, &["restore", "did not come to its end"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_the_backup_has_lost_is_named() {
    let Folders { data, backup, restored, _home } = folders();
    let program = Start::in_folder(&data).ready().await;
    program.upload("bundles", "one", b"one".to_vec()).await;
    program.stop("TERM").await;
    done(&["backup", text(&backup), "--data-dir", text(&data)]).await;
    std::fs::remove_dir_all(backup.join("objects")).unwrap();
    typed(&["restore", text(&backup), "--data-dir", text(&restored)]).await.refused(1, &["is not whole", "object"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_both_name_its_own_tools() {
    let db = TestDb::postgres().await;
    let DatabaseUrl::Postgres(url) = &db.options().db.url else { panic!("it is PostgreSQL") };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("backup");
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let ended = typed(&[command, text(&place), "--database-url", url, "--data-dir", text(db.folder())]).await;
        ended.refused(1, &["PostgreSQL", tool, "master.key"]);
    }
    let secret = "postgres://me:hush@127.0.0.1:1/x";
    let ended = typed(&["backup", text(&place), "--database-url", secret]).await;
    assert!(!ended.err.contains("hush"), "{}", ended.err);
    let said = done(&["migrate", "--database-url", url]).await;
    assert!(said.contains("already"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_makes_and_keeps_a_database_that_no_server_uses() {
    let Folders { data, _home, .. } = folders();
    let said = done(&["migrate", "--data-dir", text(&data)]).await;
    assert!(said.contains("an empty database"), "{said}");
    let said = done(&["migrate", "--data-dir", text(&data)]).await;
    assert!(said.contains("already"), "{said}");
    let program = Start::in_folder(&data).ready().await;
    typed(&["migrate", "--data-dir", text(&data)]).await.refused(1, &["is in use by the process"]);
    program.stop("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2() {
    for (words, said) in [
        (&["backup"][..], "FOLDER"),
        (&["restore"], "FOLDER"),
        (&["backup", "a", "b"], "b"),
        (&["migrate", "more"], "more"),
        (&["backup", "a", "--database-url", "mysql://u:hush@h/d"], "postgres://"),
        (&["restore", "a", "--config", "none.toml"], "none.toml"),
    ] {
        let ended = typed(words).await;
        ended.refused(2, &[said]);
        assert!(!ended.err.contains("hush"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_user_works_after_a_restore_and_under_a_new_master_key() {
    let Folders { data, backup, restored, _home } = folders();
    let program = Start::in_folder(&data).ready().await;
    program.ok("CreateUser", json!({ "userName": "ada" })).await;
    program.ok("AttachPolicy", json!({ "userName": "ada", "policy": "ProtiumReadOnlyAccess" })).await;
    let made = program.ok("CreateAccessKey", json!({ "userName": "ada" })).await["accessKey"].clone();
    let [id, secret] = ["accessKeyId", "secretAccessKey"].map(|name| made[name].as_str().unwrap());
    let signer = Signer::new(id, secret, "proton");
    program.call_as(&signer, "ListServices", json!({})).await.unwrap();
    let busy = typed(&["rotate-master-key", "--data-dir", text(&data)]).await;
    busy.refused(1, &[text(&data)]);
    program.stop("TERM").await;
    done(&["backup", text(&backup), "--data-dir", text(&data)]).await;
    done(&["restore", text(&backup), "--data-dir", text(&restored)]).await;
    let said = done(&["rotate-master-key", "--data-dir", text(&restored)]).await;
    assert!(said.contains("2 secrets") && said.contains("master.key."), "{said}");
    let program = Start::in_folder(&restored).ready().await;
    program.call_as(&signer, "ListServices", json!({})).await.unwrap();
    let keys = program.ok("ListAccessKeys", json!({ "userName": "ada" })).await;
    assert_eq!(keys["accessKeys"][0]["lastUsed"]["service"], "proton");
}
