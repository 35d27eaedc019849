//! What runs commands for this server, as its settings say.

use super::told::Told;
use crate::app::App;
use crate::config::{Config, Runner};
use crate::store::{DbError, job_hasten};
use crate::transaction;
use anyhow::Context as _;
use percent_encoding::percent_decode_str;
use protium_domain::bundle::terraform::{CONN_STR, ManagedState};
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_engines::Engine;
use protium_engines::aws::Aws;
use protium_engines::command::{
    CommandEngine, Connection, Local, LocalSettings, RemoteEngine, RemoteSettings, TerraformSettings, Watched,
};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver};

/// The pause between two looks at the processes that runs have left behind.
const ATTENDANCE: Duration = Duration::from_secs(5);
/// How much of what a watch tells is taken at once.
const NEWS: usize = 256;

/// What runs commands.
pub(super) struct Runs {
    /// The engine of templates of commands, if this server is to have one.
    pub engine: Option<Arc<dyn Engine>>,
    /// The same, if it leaves processes behind that must be looked after.
    pub attended: Option<Arc<CommandEngine>>,
    /// The same, if it runs them elsewhere.
    pub remote: Option<Arc<RemoteEngine>>,
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
    let remote = match config.runner {
        Runner::None => return Ok(Runs { engine: None, attended: None, remote: None }),
        Runner::Local => {
            let local = Arc::new(local(config, aws)?);
            let engine = Arc::clone(&local) as Arc<dyn Engine>;
            return Ok(Runs { engine: Some(engine), attended: Some(local), remote: None });
        }
        Runner::CodeBuild => RemoteEngine::on_codebuild(aws, config.codebuild.clone(), remote()?),
        Runner::Kubernetes => {
            let engine = RemoteEngine::on_kubernetes(aws, config.kubernetes.clone(), remote()?).await;
            engine.map_err(anyhow::Error::msg).context("runner: kubernetes")?
        }
    };
    let remote = Arc::new(remote);
    Ok(Runs { engine: Some(Arc::clone(&remote) as Arc<dyn Engine>), attended: None, remote: Some(remote) })
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

/// Has the jobs of runs elsewhere look as soon as something happens to them, where their runner can tell.
pub(super) async fn watch(app: Arc<App>, remote: Arc<RemoteEngine>) {
    let (told, news) = mpsc::channel(NEWS);
    let watching = async move { remote.watch(&told).await };
    tokio::join!(watching, hasten(&app, news));
}

/// What goes wrong is told once: jobs come in their turn all the same.
async fn hasten(app: &App, mut news: Receiver<Watched>) {
    let mut batch = Vec::new();
    let mut told = Told::default();
    while news.recv_many(&mut batch, NEWS).await > 0 {
        let mut changed = BTreeSet::new();
        let mut wrong = None;
        for one in batch.drain(..) {
            match one {
                // What is not called like a deployment is somebody else's.
                Watched::Changed(deployment) => changed.extend(Id::parse(&deployment)),
                Watched::Fails(message) => wrong = Some(message),
            }
        }
        if !changed.is_empty()
            && let Err(error) = look_at(app, changed).await
        {
            wrong = Some(error.to_string());
        }
        // That something is told again does not mean that all of it is.
        if wrong.is_some()
            && let Some(message) = told.news(wrong)
        {
            tracing::warn!("runner: what happens to runs is seen later than it could be, up to 5 s: {message}");
        }
    }
}

async fn look_at(app: &App, deployments: BTreeSet<Id>) -> Result<(), DbError> {
    let jobs: Vec<Job> = deployments.into_iter().map(|deployment| Job::Deploy { deployment }).collect();
    transaction!(app.store, async |tx| -> Result<(), DbError> {
        let now = tx.now_ms().await?;
        for job in &jobs {
            job_hasten(tx, job.kind(), job.subject(), now).await?;
        }
        Ok(())
    })
}
