//! What a run of commands may ask of the API: to notify its own deployment, while that is under way.
//!
//! Owns the token that stands for a deployment. It is the deployment's id, sealed under the master key: nothing is
//! stored of it, nobody else can make one, and it opens nothing once its deployment has ended. It is the same each time
//! that it is made, so that whoever copies the output of a run knows what to mask there.

use super::{Caller, Origin, audit};
use crate::app::App;
use crate::auth::Identity;
use crate::error::{Error, Result, internal, invalid};
use crate::store::deployment_by_id;
use protium_api::types::NotifyResourceDeploymentStatusChangeInput;
use protium_api::{ErrorCode, Operation, Response};
use protium_domain::deployment::Deployment;
use protium_domain::iam::{Attachment, IdentityPolicy, NamedPolicy, Policies, Principal, managed, summary};
use protium_domain::id::Id;
use std::sync::Arc;

/// What tokens are sealed for.
const PURPOSE: &str = "run";
/// The policy that says what a run may do.
const RIGHTS: &str = "ProtiumProvisioningAccess";
/// Where runs call, before the token.
pub(crate) const PATH: &str = "/run/";

/// The endpoint that the run of a deployment is given; none where runs can't reach this server.
pub(crate) fn url(app: &App, deployment: &Id) -> Result<Option<String>> {
    let reached = match app.config.runner.is_remote() {
        true => app.config.public_url.as_ref(),
        false => Some(&app.own_url),
    };
    let Some(reached) = reached else { return Ok(None) };
    let token = app.store.master_key().seal_alike(deployment.as_str().as_bytes(), PURPOSE)?;
    Ok(Some(format!("{reached}{PATH}{}", hex::encode(token))))
}

/// `NotifyResourceDeploymentStatusChange`, called by the run that was given `token`.
///
/// # Errors
///
/// `AccessDeniedException` if the token is none of ours, its deployment has ended, or another one is meant.
pub(crate) async fn notify(
    app: &Arc<App>,
    token: &str,
    mut input: NotifyResourceDeploymentStatusChangeInput,
    origin: Origin,
) -> Result<Response> {
    let ended = || denied("its deployment has ended");
    let record = deployment_by_id(&mut app.store.reader().await?, &opened(app, token)?).await?.ok_or_else(ended)?;
    let principal = Principal::user(record.scope.account.clone(), "run", record.id.as_str());
    let identity = Arc::new(Identity { principal, policies: rights()? });
    let caller = Caller { identity, access_key_id: None, scope: record.scope.clone(), origin };
    if let Err(error) = check(&record, &mut input) {
        audit::unread(app, &caller, Some(Operation::NotifyResourceDeploymentStatusChange), &error).await;
        return Err(error);
    }
    audit::answer(app, caller, input.into()).await
}

/// Of all operations the one; to which deployment it is held, [`check`] says.
fn rights() -> Result<Policies> {
    let notifies = managed::find(RIGHTS).ok_or_else(|| internal(anyhow::anyhow!("there is no policy {RIGHTS}")))?;
    let policy = IdentityPolicy::parse(notifies.document, Attachment::Managed)
        .map_err(|problems| internal(anyhow::anyhow!("{RIGHTS}: {}", summary(&problems))))?;
    let policy = Arc::new(NamedPolicy { name: RIGHTS.to_owned(), policy });
    Ok(Policies { identity: vec![policy], ..Policies::default() })
}

/// A run notifies its own deployment, while that is under way.
fn check(record: &Deployment, input: &mut NotifyResourceDeploymentStatusChangeInput) -> Result<()> {
    if !record.status.is_active() {
        return Err(denied("its deployment has ended"));
    }
    if input.resource_arn != record.target.arn {
        return Err(denied(&format!("it is for {} alone, not for {}", record.target.arn, input.resource_arn)));
    }
    if let Some(named) = input.deployment_id.as_deref().filter(|named| *named != record.id.as_str()) {
        return Err(invalid("deploymentId", format_args!("is '{named}'; this run is of '{}'", record.id)));
    }
    input.deployment_id = Some(record.id.to_string());
    Ok(())
}

/// The deployment that a token stands for.
fn opened(app: &App, token: &str) -> Result<Id> {
    let unknown = || denied("it is no token of this server");
    let sealed = hex::decode(token).map_err(|_| unknown())?;
    let id = app.store.master_key().open(&sealed, PURPOSE).map_err(|_| unknown())?;
    let id = std::str::from_utf8(&id).ok().and_then(Id::parse);
    id.ok_or_else(|| internal(anyhow::anyhow!("a token of a run names no deployment")))
}

fn denied(why: &str) -> Error {
    Error::new(ErrorCode::AccessDenied, format!("The token of the run is refused: {why}"))
}
