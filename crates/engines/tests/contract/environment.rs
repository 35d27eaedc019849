//! Where the server's own credentials come from, whatever else its shell says. The environment of a
//! process can't be changed safely, so each case plays in a process of its own: this test program,
//! called again for that one case.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use protium_engines::aws::{Aws, CredentialsFailure, Settings};
use protium_engines::double::Double;

/// Set for the process that plays the case; says where the double is.
const DOUBLE: &str = "CONTRACT_DOUBLE";
/// Nothing listens there: what calls it does not work.
const CLIENTS_SETTING: &str = "http://127.0.0.1:9";

/// Plays `case` in a process with nothing but `variables`, and a home folder with `config` as the
/// AWS configuration file.
async fn in_a_process(case: &str, variables: &[(&str, &str)], config: &str, play: impl AsyncFn(&str)) {
    if let Ok(double) = std::env::var(DOUBLE) {
        return play(&double).await;
    }
    let double = Double::start().await.expect("a loopback port");
    let home = home(case, config);
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--exact", &format!("environment::{case}"), "--nocapture"]).env_clear();
    command.env(DOUBLE, double.url()).env("HOME", &home).envs(variables.iter().copied());
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_CLOUDFORMATION"] {
        command.env(name, CLIENTS_SETTING);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it started");
    std::fs::remove_dir_all(&home).expect("its folder is ours");
    assert_played(&output);
}

fn home(case: &str, config: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(case);
    std::fs::create_dir_all(home.join(".aws")).expect("a folder");
    std::fs::write(home.join(".aws/config"), config).expect("a file");
    std::fs::write(home.join("token"), "a-web-identity").expect("a file");
    home
}

fn assert_played(output: &Output) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn aws(double: &str, profile: Option<&str>) -> Aws {
    let profile = profile.map(str::to_owned);
    Aws::new(Settings { endpoint_url: Some(double.to_owned()), profile, credentials: None }).await
}

#[tokio::test]
async fn keys_of_the_environment_call_where_the_server_says() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "s")];
    in_a_process("keys_of_the_environment_call_where_the_server_says", &keys, "", async |double| {
        let identity = aws(double, None).await.outbound_identity("us-east-1").await.expect("an identity");
        assert_eq!(identity.access_key_id, "AKIDENVIRONMENT");
    })
    .await;
}

#[tokio::test]
async fn a_profile_is_chosen_by_name_and_its_endpoint_is_ignored() {
    let config = format!(
        "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s\n\
         [profile deploy]\naws_access_key_id = AKIDDEPLOY\naws_secret_access_key = s\nendpoint_url = {CLIENTS_SETTING}\n"
    );
    in_a_process("a_profile_is_chosen_by_name_and_its_endpoint_is_ignored", &[], &config, async |double| {
        let identity = aws(double, Some("deploy")).await.outbound_identity("us-east-1").await.expect("an identity");
        assert_eq!(identity.access_key_id, "AKIDDEPLOY");
    })
    .await;
}

#[tokio::test]
async fn a_web_identity_is_exchanged_where_the_server_says() {
    let case = "a_web_identity_is_exchanged_where_the_server_says";
    let token = Path::new(env!("CARGO_TARGET_TMPDIR")).join(case).join("token");
    let identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("a path")),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/server"),
    ];
    in_a_process(case, &identity, "", async |double| {
        let identity = aws(double, None).await.outbound_identity("us-east-1").await.expect("an identity");
        assert_eq!(identity.account, "123456789012");
    })
    .await;
}

#[tokio::test]
async fn a_profile_that_would_sign_for_another_endpoint_is_refused_with_the_remedy() {
    let config = "[default]\nrole_arn = arn:aws:iam::123456789012:role/server\nsource_profile = base\n\
                  [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n";
    let case = "a_profile_that_would_sign_for_another_endpoint_is_refused_with_the_remedy";
    in_a_process(case, &[], config, async |double| {
        let failure = aws(double, None).await.source_credentials().await.expect_err("it may not be sent");
        assert!(failure.to_string().contains("unset it for the server"), "{failure}");
    })
    .await;
}

#[tokio::test]
async fn a_server_without_credentials_is_told_how_to_get_some() {
    in_a_process("a_server_without_credentials_is_told_how_to_get_some", &[], "", async |double| {
        let failure = aws(double, None).await.source_credentials().await.expect_err("there are none");
        let CredentialsFailure::Refused(message) = failure else { panic!("{failure}") };
        assert!(message.contains("--aws-profile"), "{message}");
    })
    .await;
}
