//! What runs commands for this server, as its settings say.

use crate::config::{Config, Runner};
use anyhow::Context as _;
use percent_encoding::percent_decode_str;
use protium_domain::bundle::terraform::{CONN_STR, ManagedState};
use protium_engines::Engine;
use protium_engines::aws::Aws;
use protium_engines::command::{
    CommandEngine, Connection, Local, LocalSettings, RemoteEngine, RemoteSettings, TerraformSettings,
};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The pause between two looks at the processes that runs have left behind.
const ATTENDANCE: Duration = Duration::from_secs(5);

/// What runs commands.
pub(super) struct Runs {
    /// The engine of templates of commands, if this server is to have one.
    pub engine: Option<Arc<dyn Engine>>,
    /// The same, if it leaves processes behind that must be looked after.
    pub attended: Option<Arc<CommandEngine>>,
}

/// What the settings ask for. Tells at once what it can't do.
pub(super) async fn start(config: &Config, aws: &Aws) -> anyhow::Result<Runs> {
    let aws = aws.clone();
    let remote = || -> anyhow::Result<RemoteSettings> {
        if config.public_url.is_none() {
            tracing::warn!(
                "runner: runs elsewhere can't notify their deployments; give --public-url, where they reach this server"
            );
        }
        let folder = std::path::absolute(config.runs_folder())?;
        let terraform =
            TerraformSettings { image: config.terraform_image.clone(), install: config.terraform_install.clone() };
        let variables = config.run_variables.clone().into_iter().collect();
        let connection = config.terraform_state.as_ref().and_then(connection);
        Ok(RemoteSettings { folder, variables, terraform, connection })
    };
    let engine: Arc<dyn Engine> = match config.runner {
        Runner::None => return Ok(Runs { engine: None, attended: None }),
        Runner::Local => {
            let local = Arc::new(local(config, aws)?);
            return Ok(Runs { engine: Some(Arc::clone(&local) as Arc<dyn Engine>), attended: Some(local) });
        }
        Runner::CodeBuild => Arc::new(RemoteEngine::on_codebuild(aws, config.codebuild.clone(), remote()?)),
        Runner::Kubernetes => {
            let engine = RemoteEngine::on_kubernetes(aws, config.kubernetes.clone(), remote()?).await;
            Arc::new(engine.map_err(anyhow::Error::msg).context("runner: kubernetes")?)
        }
    };
    Ok(Runs { engine: Some(engine), attended: None })
}

fn local(config: &Config, aws: Aws) -> anyhow::Result<CommandEngine> {
    let settings = LocalSettings {
        folder: std::path::absolute(config.runs_folder())?,
        program: std::env::current_exe().context("the path of this program is not known")?,
        tools: config.run_tools.clone(),
        variables: config.run_variables.clone().into_iter().collect(),
        allow_unsandboxed: config.allow_unsandboxed_runs,
        deny_network: config.deny_run_network,
    };
    let local = Local::new(settings).context("runner: local")?;
    for warning in local.warnings() {
        tracing::warn!("runner: local: {warning}");
    }
    let connection = config.terraform_state.as_ref().and_then(connection);
    Ok(CommandEngine::new(aws, local).with_connection(connection))
}

/// What Terraform needs to reach its state, if that is in a database.
fn connection(state: &ManagedState) -> Option<Connection> {
    let url = state.connection()?.to_owned();
    let mut secrets = vec![url.clone()];
    for password in state.passwords() {
        // Terraform may say it as it stands there, and as it is.
        secrets.push(password.to_owned());
        secrets.extend(percent_decode_str(password).decode_utf8().ok().map(Cow::into_owned));
    }
    Some(Connection { name: state.name().to_owned(), variables: vec![(CONN_STR.to_owned(), url)], secrets })
}

/// Looks from time to time whether all processes are up that runs have left behind. What goes wrong is told once.
pub(super) async fn attend(commands: Arc<CommandEngine>) {
    let mut told = Vec::new();
    loop {
        let wrong = commands.attend().await;
        for message in wrong.iter().filter(|message| !told.contains(*message)) {
            tracing::warn!("runner: local: {message}");
        }
        told = wrong;
        tokio::time::sleep(ATTENDANCE).await;
    }
}
