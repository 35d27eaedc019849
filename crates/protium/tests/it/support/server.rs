//! A whole server in a folder of its own, for clients that are programs.

use std::process::{Command, Output};

use protium::config::{Config, Role, ServeArgs};
use protium::server::Server;

use super::sign::Signer;

const ID: &str = "AKIATESTSTESTSTESTS1";
const SECRET: &str = "a-secret/of+forty-characters,-or-so";

/// A running server whose root user is in the account `123456789012`.
pub struct TestServer {
    pub server: Server,
    pub folder: tempfile::TempDir,
}

impl TestServer {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::new(ServeArgs {
            listen: Some(([127, 0, 0, 1], 0).into()),
            data_dir: Some(folder.path().join("data")),
            root_access_key_id: Some(ID.to_owned()),
            root_secret_access_key: Some(SECRET.to_owned()),
            account_id: Some("123456789012".to_owned()),
            role: Some(Role::Api),
            ..ServeArgs::default()
        });
        let server = Server::start(config.expect("settings")).await.expect("a server");
        Self { server, folder }
    }

    pub fn signer(&self, service: &str) -> Signer {
        Signer::new(ID, SECRET, service)
    }

    /// A program that knows the server and its key, and nothing else about AWS.
    pub fn command(&self, program: &str) -> Command {
        let settings = self.folder.path().join("aws-config");
        std::fs::write(&settings, "[default]\nregion = eu-west-1\ns3 =\n  signature_version = s3v4\n")
            .expect("written");
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("AWS_CONFIG_FILE", settings)
            .env("AWS_SHARED_CREDENTIALS_FILE", self.folder.path().join("none"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.server.url())
            .env("AWS_ACCESS_KEY_ID", ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        command
    }

    /// Runs a program to its end, while the server goes on.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(program);
        command.args(arguments);
        let program = program.to_owned();
        tokio::task::spawn_blocking(move || {
            command.output().unwrap_or_else(|why| panic!("{program} is needed on the PATH for this test: {why}"))
        })
        .await
        .expect("the program ended")
    }

    /// The standard output of `aws` with these arguments, which must succeed.
    pub async fn aws(&self, arguments: &[&str]) -> String {
        let output = self.run("aws", arguments).await;
        assert!(
            output.status.success(),
            "aws {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The standard error of `aws` with these arguments, which must fail.
    pub async fn aws_error(&self, arguments: &[&str]) -> String {
        let output = self.run("aws", arguments).await;
        assert!(!output.status.success(), "aws {arguments:?} did not fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}
