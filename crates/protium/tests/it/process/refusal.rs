//! What a start is refused for, though the settings by themselves are right.

use std::net::TcpListener;

use protium::transaction;
use serde_json::json;

use super::program::{OUTBOUND, Start};
use crate::on_both;

/// A port that nobody else listens on, as long as the listener lives.
fn taken_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn serve<'a>(address: &'a str, data: &'a str) -> [&'a str; 5] {
    ["serve", "--listen", address, "--data-dir", data]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_another_process_uses_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Start::in_folder(folder.path()).ready().await;
    let second = Start::in_folder(folder.path()).ended().await;
    second.refused(1, &["in use", &first.id().to_string(), "--data-dir"]);
    first.ok("ListServices", json!({})).await;
    first.kill().await;
    Start::in_folder(folder.path()).ready().await;
}

on_both! {
    a_newer_database_is_refused, async |db| {
        transaction!(db.store(), async |tx| -> Result<(), protium::store::DbError> {
            tx.execute("INSERT INTO schema_version (version, applied_at) VALUES (999, 0)", &[]).await.map(drop)
        })
        .unwrap();
        db.close();
        Start::on(db).ended().await.refused(1, &["schema version 999", "newer protium"]);
    }

    another_master_key_is_refused, async |db| {
        db.close();
        let file = db.folder().join("master.key");
        let right = std::fs::read(&file).unwrap();
        for (wrong, said) in [(Some("ab".repeat(32)), "not the key"), (Some("text".into()), "64 hexadecimal"), (None, "no such file")] {
            match wrong {
                Some(text) => std::fs::write(&file, text).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            let ended = Start::on(db).ended().await;
            ended.refused(1, &["master.key", said]);
            assert!(!ended.err.contains(&"ab".repeat(32)), "{}", ended.err);
        }
        let elsewhere = db.folder().join("elsewhere.key");
        std::fs::write(&elsewhere, right).unwrap();
        Start::on(db).flag("--master-key-file", elsewhere.to_str().unwrap()).ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_listener, port) = taken_port();
    let address = format!("127.0.0.1:{port}");
    let words = serve(&address, folder.path().to_str().unwrap());
    Start::typed(folder.path(), &words).ended().await.refused(1, &["listen", &address, "--listen"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_address_is_refused_for_outbound_calls() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for (host, named) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("0.0.0.0", "127.0.0.1")] {
        let (listener, port) = taken_port();
        drop(listener);
        let (address, url) = (format!("{host}:{port}"), format!("http://{named}:{port}"));
        let start = Start::typed(folder.path(), &serve(&address, data)).word("--insecure-http");
        start.flag("--aws-endpoint-url", &url).ended().await.refused(1, &["aws-endpoint-url", &url, "own address"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_key_is_refused_for_outbound_calls() {
    let folder = tempfile::tempdir().unwrap();
    let key = Start::in_folder(folder.path()).ready().await.key.clone();
    let by_variables =
        Start::in_folder(folder.path()).variable("AWS_ACCESS_KEY_ID", &key.0).variable("AWS_SECRET_ACCESS_KEY", &key.1);
    let by_profile = Start::in_folder(folder.path())
        .without_variable("AWS_ACCESS_KEY_ID")
        .without_variable("AWS_SECRET_ACCESS_KEY")
        .variable("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials").to_str().unwrap());
    for start in [by_variables, by_profile] {
        let ended = start.ended().await;
        ended.refused(1, &[&key.0, "a key of this server", "--aws-profile"]);
        assert!(!ended.err.contains(&key.1), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_the_clients_is_ignored_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let start = Start::in_folder(folder.path())
        .variable("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .variable("AWS_ENDPOINT_URL_PROTON", "http://127.0.0.1:9");
    let log = start.ready().await.stop("TERM").await.err;
    for name in ["AWS_ENDPOINT_URL is set and ignored", "AWS_ENDPOINT_URL_PROTON is set and ignored"] {
        assert_eq!(log.lines().filter(|line| line.contains(name) && line.contains("WARN")).count(), 1, "{log}");
    }
    assert!(!OUTBOUND.1.is_empty() && !log.contains(OUTBOUND.1), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_can_not_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    Start::in_folder(&file.join("data")).ended().await.refused(1, &["data-dir", "file/data"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_is_waited_for_with_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = "postgres://protium:hush@127.0.0.1:1/protium";
    let mut waiting = Start::in_folder(folder.path()).flag("--database-url", nobody).running();
    let line = waiting.logged("waiting for the database").await;
    assert!(!line.contains("hush"), "{line}");
    let ended = waiting.stop("TERM").await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    assert_eq!(ended.out, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_may_look_into_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let log = Start::in_folder(folder.path()).ready().await.stop("TERM").await.err;
    assert!(log.contains("mode 755") && log.contains("chmod 700"), "{log}");
}
