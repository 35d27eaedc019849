//! Flags, variables and the file, as the program takes them.

use serde_json::json;

use super::program::{Ended, Start};

async fn typed(words: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    Start::typed(folder.path(), words).ended().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("protium.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\ncolour = \"red\"\n").unwrap();
    let file = file.to_str().unwrap();
    for (words, said) in [
        (&["serve", "--frobnicate"][..], "--frobnicate"),
        (&["serve", "more"], "more"),
        (&["frobnicate"], "frobnicate"),
        (&[], "Usage"),
        (&["serve", "--listen", "localhost:8420"], "127.0.0.1:8420"),
        (&["serve", "--listen", "0.0.0.0:0"], "--insecure-http"),
        (&["serve", "--listen", "[::]:0"], "--insecure-http"),
        (&["serve", "--role", "both"], "worker"),
        (&["serve", "--account-id", "12"], "twelve digits"),
        (&["serve", "--database-pool-size", "0"], "database-pool-size"),
        (&["serve", "--database-url", "mysql://u:hush@h/d"], "postgres://"),
        (&["serve", "--aws-endpoint-url", "localhost:5000"], "aws-endpoint-url"),
        (&["serve", "--tls-cert", "cert.pem"], "--tls-key"),
        (&["serve", "--audit-retention", "36501"], "audit-retention: 36501"),
        (&["serve", "--reads-per-second", "1000001"], "reads-per-second: 1000001"),
        (&["serve", "--requests-at-once", "many"], "--requests-at-once"),
        (&["serve", "--config", "none.toml"], "none.toml"),
        (&["serve", "--config", file], "colour"),
    ] {
        let ended = typed(words).await;
        ended.refused(2, &[said]);
        assert!(!ended.err.contains("hush"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_variables_end_with_2_and_name_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (name, value, said) in [
        ("PROTIUM_ROOT_ACCESS_KEY_ID", "AKIAGIVENGIVENGIVEN1", "PROTIUM_ROOT_SECRET_ACCESS_KEY: missing"),
        ("PROTIUM_ROOT_SECRET_ACCESS_KEY", "hush-hush-hush-hush", "PROTIUM_ROOT_ACCESS_KEY_ID: missing"),
        ("PROTIUM_LOG", "protium=loud", "PROTIUM_LOG"),
        ("PROTIUM_ACCOUNT_ID", "abc", "'abc'"),
        ("PROTIUM_ROLE", "both", "both"),
        ("PROTIUM_DATABASE_URL", "postgres:/u:hush@h/d", "database-url"),
    ] {
        let ended = Start::in_folder(&data).variable(name, value).ended().await;
        ended.refused(2, &[said]);
        assert!(!ended.err.contains("hush"), "{}", ended.err);
    }
    assert!(!data.exists(), "nothing is made before the settings are right");
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_the_file_set_what_flags_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("protium.toml");
    std::fs::write(&file, "account-id = \"111111111111\"\n[quotas]\ntemplates = 1\n").unwrap();
    let start = Start::in_folder(&folder.path().join("data")).variable("PROTIUM_CONFIG", file.to_str().unwrap());
    let program = start.variable("PROTIUM_ACCOUNT_ID", "222222222222").ready().await;
    let made = program.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    let arn = made["environmentTemplate"]["arn"].as_str().unwrap();
    assert!(arn.contains(":222222222222:"), "a variable wins over the file: {arn}");
    let refused = program.call("CreateEnvironmentTemplate", json!({ "name": "more" })).await;
    assert_eq!(refused.expect_err("over the quota").code, "ServiceQuotaExceededException");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_addresses_than_loopback_are_served_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let everywhere = Start::in_folder(folder.path()).word("--insecure-http").variable("PROTIUM_LISTEN", "0.0.0.0:1");
    // The flag that every start of these tests has wins over the variable; a file would lose too.
    let program = everywhere.ready().await;
    assert!(program.url.starts_with("http://127.0.0.1:"), "{}", program.url);
    program.stop("TERM").await;
    let words = ["serve", "--listen", "0.0.0.0:0", "--insecure-http", "--data-dir", folder.path().to_str().unwrap()];
    let program = Start::typed(folder.path(), &words).ready().await;
    assert!(program.url.starts_with("http://0.0.0.0:"), "{}", program.url);
    let reached = format!("http://127.0.0.1:{}", program.port());
    program.at(&reached).ok("ListServices", json!({})).await;
}

/// The words of the first column of a table row of the documentation that start with `--`.
fn documented_flags() -> Vec<(String, String)> {
    let text = include_str!("../../../../../docs/configuration.md").replace("\\|", " ");
    let rows = text.lines().filter(|line| line.starts_with("| `--"));
    let words = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(|word| word.split(' ').next().unwrap().to_owned()).collect()
    };
    rows.flat_map(|row| {
        let mut cells = row.split('|').skip(1);
        let (flags, variables) = (words(cells.next().unwrap()), words(cells.next().unwrap()));
        assert_eq!(flags.len(), variables.len(), "{row}");
        flags.into_iter().zip(variables).collect::<Vec<_>>()
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn help_lists_the_flags_and_variables_of_the_documentation_and_no_others() {
    let help = typed(&["serve", "--help"]).await;
    assert_eq!(help.status.code(), Some(0), "{}", help.err);
    let documented = documented_flags();
    assert!(documented.len() > 10, "{documented:?}");
    for (flag, variable) in &documented {
        assert!(help.out.contains(&format!("{flag} ")) || help.out.contains(&format!("{flag}\n")), "{flag}");
        assert!(help.out.contains(&format!("[env: {variable}")), "{variable}");
        assert_eq!(*variable, format!("PROTIUM_{}", flag.trim_start_matches('-').to_uppercase().replace('-', "_")));
    }
    let listed = help.out.split_whitespace().filter(|word| word.starts_with("--") && *word != "--help");
    for flag in listed {
        assert!(documented.iter().any(|(known, _)| known == flag), "{flag} is not in docs/configuration.md");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_version_are_success() {
    for words in [&["--help"][..], &["--version"], &["help", "serve"]] {
        let ended = typed(words).await;
        assert_eq!(ended.status.code(), Some(0), "{words:?}: {}", ended.err);
        assert!(ended.out.contains("rotium"), "{words:?}: {}", ended.out);
    }
}
