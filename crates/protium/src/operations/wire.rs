//! Domain to wire: what answers show of environments, services, instances, pipelines, components and deployments.
//!
//! Versions, spec and the time of success describe what is deployed, not what is attempted: they are
//! absent until something succeeded.

use crate::store::ServiceSummary;
use protium_api::types::{self as wire, Provisioning};
use protium_api::{Timestamp, types::DeploymentStatus as WireStatus};
use protium_domain::arn::{Scope, account_of};
use protium_domain::component::Component;
use protium_domain::deployment::{Deployment, TargetKind};
use protium_domain::environment::Environment;
use protium_domain::id::Id;
use protium_domain::repository::{Provider, RepositoryBranch};
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::track::Track;

pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(super) fn status(status: DeploymentStatus) -> WireStatus {
    match status {
        DeploymentStatus::InProgress => WireStatus::InProgress,
        DeploymentStatus::Failed => WireStatus::Failed,
        DeploymentStatus::Succeeded => WireStatus::Succeeded,
        DeploymentStatus::DeleteInProgress => WireStatus::DeleteInProgress,
        DeploymentStatus::DeleteFailed => WireStatus::DeleteFailed,
        DeploymentStatus::DeleteComplete => WireStatus::DeleteComplete,
        DeploymentStatus::Cancelling => WireStatus::Cancelling,
        DeploymentStatus::Cancelled => WireStatus::Cancelled,
    }
}

fn service_status(status: ServiceStatus) -> wire::ServiceStatus {
    use wire::ServiceStatus as W;
    match status {
        ServiceStatus::CreateInProgress => W::CreateInProgress,
        ServiceStatus::CreateFailedCleanupInProgress => W::CreateFailedCleanupInProgress,
        ServiceStatus::CreateFailedCleanupComplete => W::CreateFailedCleanupComplete,
        ServiceStatus::CreateFailedCleanupFailed => W::CreateFailedCleanupFailed,
        ServiceStatus::CreateFailed => W::CreateFailed,
        ServiceStatus::Active => W::Active,
        ServiceStatus::DeleteInProgress => W::DeleteInProgress,
        ServiceStatus::DeleteFailed => W::DeleteFailed,
        ServiceStatus::UpdateInProgress => W::UpdateInProgress,
        ServiceStatus::UpdateFailedCleanupInProgress => W::UpdateFailedCleanupInProgress,
        ServiceStatus::UpdateFailedCleanupComplete => W::UpdateFailedCleanupComplete,
        ServiceStatus::UpdateFailedCleanupFailed => W::UpdateFailedCleanupFailed,
        ServiceStatus::UpdateFailed => W::UpdateFailed,
        ServiceStatus::UpdateCompleteCleanupFailed => W::UpdateCompleteCleanupFailed,
    }
}

pub(super) fn target_kind(kind: TargetKind) -> wire::DeploymentTargetResourceType {
    use wire::DeploymentTargetResourceType as W;
    match kind {
        TargetKind::Environment => W::Environment,
        TargetKind::ServiceInstance => W::ServiceInstance,
        TargetKind::ServicePipeline => W::ServicePipeline,
        TargetKind::Component => W::Component,
    }
}

fn text(id: &Option<Id>) -> Option<String> {
    id.as_ref().map(Id::to_string)
}

fn major(track: &Track) -> Option<String> {
    track.deployed.as_ref().map(|aim| aim.version.major.to_string())
}

fn minor(track: &Track) -> Option<String> {
    track.deployed.as_ref().map(|aim| aim.version.minor.to_string())
}

pub(super) fn provider(provider: Provider) -> wire::RepositoryProvider {
    match provider {
        Provider::Github => wire::RepositoryProvider::Github,
        Provider::GithubEnterprise => wire::RepositoryProvider::GithubEnterprise,
        Provider::Bitbucket => wire::RepositoryProvider::Bitbucket,
    }
}

pub(super) fn repository_branch(scope: &Scope, branch: &RepositoryBranch) -> wire::RepositoryBranch {
    wire::RepositoryBranch {
        arn: scope.repository(branch.provider, &branch.name),
        branch: branch.branch.clone(),
        name: branch.name.clone(),
        provider: provider(branch.provider),
    }
}

/// The account of the environment's connection; without one, that of its role, where it is another than the
/// caller's.
fn other_account(scope: &Scope, environment: &Environment) -> Option<String> {
    if let Some(account) = &environment.access.environment_account {
        return Some(account.clone());
    }
    let role = environment.access.service_role.as_deref().or(environment.access.codebuild_role.as_deref())?;
    account_of(role).filter(|account| *account != scope.account).map(str::to_owned)
}

/// `spec` is shown by Get and Cancel, not by Create, Update and Delete.
pub(super) fn environment(scope: &Scope, from: &Environment, spec: Option<String>) -> wire::Environment {
    let (track, access) = (&from.track, &from.access);
    wire::Environment {
        arn: scope.environment(&from.name),
        codebuild_role_arn: access.codebuild_role.clone(),
        component_role_arn: access.component_role.clone(),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        description: from.description.clone(),
        environment_account_connection_id: access.connection.clone(),
        environment_account_id: other_account(scope, from),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_deployment_attempted_at: time(track.attempted_at),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        name: from.name.clone(),
        proton_service_role_arn: access.service_role.clone(),
        provisioning: from.customer_managed.then_some(Provisioning::CustomerManaged),
        provisioning_repository: access.repository.as_ref().map(|branch| repository_branch(scope, branch)),
        spec,
        template_major_version: major(track),
        template_minor_version: minor(track),
        template_name: from.template.clone(),
    }
}

pub(super) fn environment_summary(scope: &Scope, from: &Environment) -> wire::EnvironmentSummary {
    let (track, access) = (&from.track, &from.access);
    wire::EnvironmentSummary {
        arn: scope.environment(&from.name),
        component_role_arn: access.component_role.clone(),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        description: from.description.clone(),
        environment_account_connection_id: access.connection.clone(),
        environment_account_id: other_account(scope, from),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_deployment_attempted_at: time(track.attempted_at),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        name: from.name.clone(),
        proton_service_role_arn: access.service_role.clone(),
        provisioning: from.customer_managed.then_some(Provisioning::CustomerManaged),
        template_major_version: major(track),
        template_minor_version: minor(track),
        template_name: from.template.clone(),
    }
}

/// The service's own spec is always shown; that of the pipeline once one was deployed.
pub(super) fn service(
    scope: &Scope,
    from: &Service,
    spec: String,
    pipeline: Option<wire::ServicePipeline>,
) -> wire::Service {
    let repository = from.repository.as_ref();
    wire::Service {
        arn: scope.service(&from.name),
        branch_name: repository.map(|repository| repository.branch.clone()),
        created_at: time(from.created_at),
        description: from.description.clone(),
        last_modified_at: time(from.modified_at),
        name: from.name.clone(),
        pipeline,
        repository_connection_arn: repository.map(|repository| repository.connection_arn.clone()),
        repository_id: repository.map(|repository| repository.id.clone()),
        spec,
        status: service_status(from.status),
        status_message: from.status_message.clone(),
        template_name: from.template.clone(),
    }
}

pub(super) fn service_summary(scope: &Scope, from: ServiceSummary) -> wire::ServiceSummary {
    wire::ServiceSummary {
        arn: scope.service(&from.name),
        created_at: time(from.created_at),
        description: from.description,
        last_modified_at: time(from.modified_at),
        name: from.name,
        status: service_status(from.status),
        status_message: from.status_message,
        template_name: from.template,
    }
}

/// `spec` is shown by Get and Cancel, not by Update.
pub(super) fn service_instance(scope: &Scope, from: &ServiceInstance, spec: Option<String>) -> wire::ServiceInstance {
    let track = &from.track;
    wire::ServiceInstance {
        arn: scope.service_instance(&from.service, &from.name),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        environment_name: from.environment.clone(),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_client_request_token: from.last_token.clone(),
        last_deployment_attempted_at: time(track.attempted_at),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        name: from.name.clone(),
        service_name: from.service.clone(),
        spec,
        template_major_version: major(track),
        template_minor_version: minor(track),
        template_name: from.template.clone(),
    }
}

pub(super) fn service_instance_summary(scope: &Scope, from: &ServiceInstance) -> wire::ServiceInstanceSummary {
    let track = &from.track;
    wire::ServiceInstanceSummary {
        arn: scope.service_instance(&from.service, &from.name),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        environment_name: from.environment.clone(),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_deployment_attempted_at: time(track.attempted_at),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        name: from.name.clone(),
        service_name: from.service.clone(),
        template_major_version: major(track),
        template_minor_version: minor(track),
        template_name: from.template.clone(),
    }
}

pub(super) fn service_pipeline(scope: &Scope, from: &ServicePipeline, spec: Option<String>) -> wire::ServicePipeline {
    let track = &from.track;
    wire::ServicePipeline {
        arn: scope.service_pipeline(&from.service),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_deployment_attempted_at: time(track.attempted_at),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        spec,
        template_major_version: major(track),
        template_minor_version: minor(track),
        template_name: from.template.clone(),
    }
}

/// `service_spec` is shown by Get and Cancel, not by Create, Update and Delete.
pub(super) fn component(scope: &Scope, from: &Component, service_spec: Option<String>) -> wire::Component {
    let (track, attached) = (&from.track, from.attached.as_ref());
    wire::Component {
        arn: scope.component(&from.name),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        description: from.description.clone(),
        environment_name: from.environment.clone(),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_client_request_token: from.last_token.clone(),
        last_deployment_attempted_at: Some(time(track.attempted_at)),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_modified_at: time(from.modified_at),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        name: from.name.clone(),
        service_instance_name: attached.map(|one| one.instance.clone()),
        service_name: attached.map(|one| one.service.clone()),
        service_spec,
    }
}

pub(super) fn component_summary(scope: &Scope, from: &Component) -> wire::ComponentSummary {
    let (track, attached) = (&from.track, from.attached.as_ref());
    wire::ComponentSummary {
        arn: scope.component(&from.name),
        created_at: time(from.created_at),
        deployment_status: status(track.status),
        deployment_status_message: track.message.clone(),
        environment_name: from.environment.clone(),
        last_attempted_deployment_id: text(&track.attempted_deployment),
        last_deployment_attempted_at: Some(time(track.attempted_at)),
        last_deployment_succeeded_at: track.succeeded_at.map(time),
        last_modified_at: time(from.modified_at),
        last_succeeded_deployment_id: text(&track.succeeded_deployment),
        name: from.name.clone(),
        service_instance_name: attached.map(|one| one.instance.clone()),
        service_name: attached.map(|one| one.service.clone()),
    }
}

pub(super) fn deployment_summary(scope: &Scope, from: &Deployment) -> wire::DeploymentSummary {
    let target = &from.target;
    wire::DeploymentSummary {
        arn: scope.deployment(from.id.as_str()),
        completed_at: from.completed_at.map(time),
        component_name: target.component.clone(),
        created_at: time(from.created_at),
        deployment_status: status(from.status),
        environment_name: target.environment.clone(),
        id: from.id.to_string(),
        last_attempted_deployment_id: text(&from.last_attempted),
        last_modified_at: time(from.modified_at),
        last_succeeded_deployment_id: text(&from.last_succeeded),
        service_instance_name: target.instance.clone(),
        service_name: target.service.clone(),
        target_arn: target.arn.clone(),
        target_resource_created_at: time(target.created_at),
        target_resource_type: target_kind(target.kind),
    }
}
