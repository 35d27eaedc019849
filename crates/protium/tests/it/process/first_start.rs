//! What the first start makes and later ones keep.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use super::program::{Start, key_in};
use crate::support::database::TestDb;
use crate::support::sign::Signer;

const GIVEN: (&str, &str) = ("AKIAGIVENGIVENGIVEN1", "a secret that the operator gave");

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|why| panic!("{}: {why}", path.display())).permissions().mode() & 0o777
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("a file")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_makes_a_folder_with_a_key_that_works() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("deep/data");
    let program = Start::in_folder(&data).ready().await;
    println!("from the start to the ready line: {:?}", program.took);
    assert!(program.url.starts_with("http://127.0.0.1:"), "{}", program.url);
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("credentials")), 0o600);
    assert_eq!(mode(&data.join("master.key")), 0o600);
    let (id, secret) = &program.key;
    assert_eq!(
        read(&data, "credentials"),
        format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    );
    let master_key = read(&data, "master.key");
    assert!(master_key.trim().len() == 64 && master_key.trim().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(program.ok("ListServices", json!({})).await["services"], json!([]));
    let ended = program.stop("TERM").await;
    assert_eq!(ended.out.lines().count(), 1, "one ready line and nothing else: {}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_keeps_keys_and_contents() {
    let data = tempfile::tempdir().unwrap();
    let first = Start::in_folder(data.path()).ready().await;
    first.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    let kept = ["credentials", "master.key"].map(|name| read(data.path(), name));
    first.stop("TERM").await;
    let second = Start::in_folder(data.path()).ready().await;
    assert_eq!(["credentials", "master.key"].map(|name| read(data.path(), name)), kept);
    second.ok("GetEnvironmentTemplate", json!({ "name": "env" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_credentials_file_is_written_again() {
    let data = tempfile::tempdir().unwrap();
    let first = Start::in_folder(data.path()).ready().await.stop("TERM").await;
    assert!(first.status.success());
    let key = key_in(&data.path().join("credentials"));
    std::fs::remove_file(data.path().join("credentials")).unwrap();
    let second = Start::in_folder(data.path()).ready().await;
    assert_eq!(second.key, key);
    second.ok("ListServices", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_key_takes_the_place_of_the_old_one_for_good() {
    let data = tempfile::tempdir().unwrap();
    let first = Start::in_folder(data.path()).ready().await;
    let old = first.signer("proton");
    first.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    first.stop("TERM").await;
    let given = |start: Start| {
        start.variable("PROTIUM_ROOT_ACCESS_KEY_ID", GIVEN.0).variable("PROTIUM_ROOT_SECRET_ACCESS_KEY", GIVEN.1)
    };
    // With the variables, with the same ones again, and without.
    for start in
        [given(Start::in_folder(data.path())), given(Start::in_folder(data.path())), Start::in_folder(data.path())]
    {
        let program = start.ready().await;
        assert_eq!(program.key, (GIVEN.0.to_owned(), GIVEN.1.to_owned()));
        assert_eq!(mode(&data.path().join("credentials")), 0o600);
        program.ok("GetEnvironmentTemplate", json!({ "name": "env" })).await;
        let refused = program.call_as(&old, "ListServices", json!({})).await.expect_err("the old key");
        assert_eq!(refused.code, "UnrecognizedClientException");
        program.stop("TERM").await;
    }
    // Another secret for the same id counts too.
    let changed =
        given(Start::in_folder(data.path())).variable("PROTIUM_ROOT_SECRET_ACCESS_KEY", "another secret for it");
    let program = changed.ready().await;
    let outdated = Signer { region: "us-east-1".into(), ..Signer::new(GIVEN.0, GIVEN.1, "proton") };
    let refused = program.call_as(&outdated, "ListServices", json!({})).await.expect_err("the old secret");
    assert_eq!(refused.code, "InvalidSignatureException");
    program.ok("ListServices", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_its_own_root_user() {
    let data = tempfile::tempdir().unwrap();
    let first = Start::in_folder(data.path()).ready().await;
    let of_first = first.key.clone();
    first.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    first.stop("TERM").await;
    let second = Start::in_folder(data.path()).flag("--account-id", "123456789012").ready().await;
    assert_ne!(second.key, of_first);
    let refused = second.call("GetEnvironmentTemplate", json!({ "name": "env" })).await;
    assert_eq!(refused.expect_err("of another account").code, "ResourceNotFoundException");
    let made = second.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    let arn = made["environmentTemplate"]["arn"].as_str().unwrap();
    assert!(arn.contains(":123456789012:"), "{arn}");
    second.stop("TERM").await;
    assert_eq!(Start::in_folder(data.path()).ready().await.key, of_first);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_for_the_first_time_together_agree_on_one_key() {
    let db = TestDb::postgres().await;
    let start = || Start::on(&db).ready();
    let (one, two, three) = tokio::join!(start(), start(), start());
    let key = key_in(&db.folder().join("credentials"));
    for program in [one, two, three] {
        assert_eq!(program.key, key);
        program.ok("ListServices", json!({})).await;
    }
    let left: Vec<_> = std::fs::read_dir(db.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("credentials") || name.starts_with("master.key"))
        .collect();
    assert_eq!(left.len(), 2, "drafts are left: {left:?}");
}
