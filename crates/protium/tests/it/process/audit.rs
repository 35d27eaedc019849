//! The audit log as operators read it: with the program's own commands, and in a file.

use serde_json::{Value, json};

use super::admin::{admin, root, typed};
use super::program::{Start, until};
use super::site::free;
use crate::on_both;

/// What is in each line.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}

on_both! {
    the_same_records_are_listed_exported_and_in_the_file, async |db| {
        free(db);
        let file = db.folder().join("audit.jsonl");
        let program = Start::on(db).flag("--audit-log", file.to_str().unwrap()).ready().await;
        for name in ["a", "b", "c"] {
            program.ok("CreateEnvironmentTemplate", json!({ "name": name, "description": "hush-hush" })).await;
        }
        program.call("CreateServiceTemplateVersion", json!({ "templateName": "none", "source": {} })).await.unwrap_err();
        let exported = typed(&["audit", "export"], &root(&program)).await;
        let mut exported = lines(&exported.out);
        assert_eq!(exported.len(), 4, "{exported:?}");
        let written = async || Some(std::fs::read_to_string(&file).unwrap()).filter(|text| text.lines().count() == 4);
        let written = until("four lines", written).await;
        assert!(!written.contains("hush"), "{written}");
        // Requests of one millisecond have no order.
        let (by_id, mut in_file) = (|line: &Value| line["requestId"].to_string(), lines(&written));
        exported.sort_by_key(by_id);
        in_file.sort_by_key(by_id);
        assert_eq!(exported, in_file);
        let first = in_file.iter().find(|line| line["requestParameters"]["name"] == "a").unwrap();
        assert!(first["eventTime"].as_str().unwrap().ends_with('Z'), "{first}");
        assert_eq!(first["requestParameters"], json!({ "name": "a", "description": "[redacted]" }));
        assert_eq!([&first["sourceIpAddress"], &first["accessKeyId"]], [&json!("127.0.0.1"), &json!(program.key.0)]);
        let one = first["requestId"].as_str().unwrap();
        let found = admin(&program, &["audit", "list", "--request-id", one]).await;
        assert_eq!(found["auditRecords"], json!([first]));
        let words = ["audit", "list", "--outcome", "failed", "--since", "2020-01-01T00:00:00Z", "--limit", "1"];
        let found = admin(&program, &words).await;
        assert_eq!(found["auditRecords"][0]["operation"], "CreateServiceTemplateVersion");
        let none = admin(&program, &["audit", "list", "--until", "2020-01-01T00:00:00Z"]).await;
        assert_eq!(none, json!({ "auditRecords": [] }));
        program.stop("TERM").await;
    }
}

/// What is exported goes on with what comes.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_hears_of_each_record_once() {
    let data = tempfile::tempdir().unwrap();
    let program = Start::in_folder(data.path()).ready().await;
    program.ok("CreateEnvironmentTemplate", json!({ "name": "before" })).await;
    let folder = tempfile::tempdir().unwrap();
    let words = ["admin", "audit", "export", "--follow", "--operation", "CreateEnvironmentTemplate"];
    let start = Start::typed(folder.path(), &words);
    let start = root(&program).iter().fold(start, |start, (name, value)| start.variable(name, value));
    let mut following = start.running();
    following.printed("\"before\"").await;
    for name in ["one", "two", "three"] {
        program.ok("CreateEnvironmentTemplate", json!({ "name": name })).await;
        following.printed(&format!("\"{name}\"")).await;
    }
    let ended = following.stop("TERM").await;
    let names: Vec<Value> = lines(&ended.out).iter().map(|line| line["requestParameters"]["name"].clone()).collect();
    assert_eq!(names, ["before", "one", "two", "three"]);
}
