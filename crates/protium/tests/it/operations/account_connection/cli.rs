//! The commands of `docs/accounts.md`, as the AWS CLI sends them.

use super::text;
use crate::support::server::TestServer;
use serde_json::Value;

const ACCOUNT: &str = "123456789012";

async fn aws(server: &TestServer, words: &str) -> Value {
    let mut arguments = vec!["--output", "json", "proton"];
    arguments.extend(words.split_whitespace());
    serde_json::from_str(&server.aws(&arguments).await).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_docs_work() {
    let server = TestServer::start().await;
    // The server has one account here, which lends its roles to itself.
    let request = format!(
        "create-environment-account-connection --management-account-id {ACCOUNT} --environment-name shop-prod \
         --role-arn arn:aws:iam::222222222222:role/ProtonServiceRole"
    );
    let mut made = Vec::new();
    for _ in 0..2 {
        let answer = aws(&server, &request).await["environmentAccountConnection"].clone();
        assert_eq!((&answer["status"], &answer["environmentAccountId"]), (&"PENDING".into(), &ACCOUNT.into()));
        made.push(text(&answer["id"]).to_owned());
    }
    assert_ne!(made[0], made[1], "the CLI draws a token for each request");
    let list =
        "list-environment-account-connections --requested-by MANAGEMENT_ACCOUNT --statuses PENDING --page-size 1";
    assert_eq!(aws(&server, list).await["environmentAccountConnections"].as_array().unwrap().len(), 2);
    for (verb, id, status) in [
        ("accept", &made[0], "CONNECTED"),
        ("reject", &made[1], "REJECTED"),
        ("get", &made[0], "CONNECTED"),
        ("delete", &made[0], "CONNECTED"),
    ] {
        let answer = aws(&server, &format!("{verb}-environment-account-connection --id {id}")).await;
        assert_eq!(answer["environmentAccountConnection"]["status"], status, "{verb}");
    }
    let update = format!(
        "update-environment-account-connection --id {} --role-arn arn:aws:iam::222222222222:role/Other",
        made[1]
    );
    let mut arguments = vec!["proton"];
    arguments.extend(update.split_whitespace());
    assert!(server.aws_error(&arguments).await.contains("(ConflictException)"));
    assert!(aws(&server, list).await["environmentAccountConnections"].as_array().unwrap().is_empty());
}
