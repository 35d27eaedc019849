//! `Redeploy`: deploys an environment, an instance or a pipeline anew, at any version of its template.
//!
//! From every state of its own; only what a change of its service is about to remove, or has not come to, waits for that.
//! What the three deploying updates can't: go to a lower major version, bring back what could not be deleted, take
//! the place of a deployment that does not end.

use super::by_arn::{addressed, unfit};
use super::deploy::Start;
use super::deploy::force;
use super::input::version_part;
use super::{Context, environment, service, service_instance, service_pipeline, sync_blocker, usable_version};
use crate::error::{Result, conflict, invalid};
use crate::store::{Reader, Target, Tx};
use crate::transaction;
use protium_api::types::{RedeployInput, RedeployOutput};
use protium_domain::arn::Resource;
use protium_domain::deployment::State;
use protium_domain::service::Service;
use protium_domain::service::change::{Kind, Stage};
use protium_domain::status::DeploymentStatus;
use protium_domain::sync_blocker::ByHand;
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::track::{Aim, Track};

const WANTED: &str = "an environment, a service instance or a service pipeline, which can be deployed anew (of a \
                      service, redeploy each instance and the pipeline; a component has no template version, update it)";

pub(super) async fn redeploy(cx: &Context, input: RedeployInput) -> Result<RedeployOutput> {
    let asked = Asked::new(&input)?;
    let resource = addressed(cx, &input.resource_arn, WANTED)?;
    transaction!(cx.store(), async |tx| -> Result<RedeployOutput> {
        let (mut target, aim) = match &resource {
            Resource::Environment(name) => asked.environment(tx, cx, name).await?,
            Resource::ServiceInstance { service, name } => asked.instance(tx, cx, service, name).await?,
            Resource::ServicePipeline(service) => asked.pipeline(tx, cx, service).await?,
            _ => return Err(unfit(&input.resource_arn, WANTED)),
        };
        let goal = State::new(target.template(), &aim);
        let start = Start { scope: cx.scope(), now: cx.now, goal, waiting: false };
        let deployment = force::restart(tx, &mut target, start).await?;
        if let Target::ServiceInstance(instance) = &target {
            let service = service::find(tx, cx, &instance.service).await?;
            sync_blocker::by_hand(tx, cx, &service, ByHand::Updated(instance)).await?;
        }
        Ok(RedeployOutput {
            deployment_id: deployment.to_string(),
            resource_arn: target.reference(cx.scope()).arn,
            template_major_version: aim.version.major.to_string(),
            template_minor_version: aim.version.minor.to_string(),
            template_name: target.template().to_owned(),
        })
    })
}

/// The version and the spec that a request asks for.
struct Asked<'a> {
    major: Option<i64>,
    minor: Option<i64>,
    spec: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn new(input: &'a RedeployInput) -> Result<Self> {
        let (major, minor) = (input.template_major_version.as_deref(), input.template_minor_version.as_deref());
        if major.is_none() && minor.is_some() {
            return Err(invalid(
                "templateMinorVersion",
                "is given without templateMajorVersion; give both, the major version alone for its recommended minor \
                 version, or neither to deploy the current version anew",
            ));
        }
        Ok(Self { major: major.map(version_part), minor: minor.map(version_part), spec: input.spec.as_deref() })
    }

    async fn environment(&self, tx: &mut Tx, cx: &Context, name: &str) -> Result<(Target, Aim)> {
        let environment = environment::find(tx, cx, name).await?;
        let kind = TemplateKind::Environment;
        let version = self.version(tx, cx, kind, &environment.template, &environment.track).await?;
        environment::check_provisioning(cx, &environment.access, &version)?;
        let aim = environment::aim(tx, &environment, &version, self.spec).await?;
        Ok((Target::Environment(environment), aim))
    }

    async fn instance(&self, tx: &mut Tx, cx: &Context, service: &str, name: &str) -> Result<(Target, Aim)> {
        let instance = service_instance::find(tx, cx, service, name).await?;
        let service = service::find(tx, cx, service).await?;
        service_instance::check_stays(&service)?;
        if service.change.is_some() && instance.track.status == DeploymentStatus::DeleteInProgress {
            return Err(conflict(format!(
                "the instance '{name}' is being removed by the change of the service '{}', which is {}; redeploy it \
                 when that has ended, or force-delete it",
                service.name, service.status
            )));
        }
        let kind = TemplateKind::Service;
        let version = self.version(tx, cx, kind, &instance.template, &instance.track).await?;
        let aim = service_instance::aim(tx, cx, &service, &instance, &version, self.spec).await?;
        Ok((Target::ServiceInstance(instance), aim))
    }

    async fn pipeline(&self, tx: &mut Tx, cx: &Context, service: &str) -> Result<(Target, Aim)> {
        let pipeline = service_pipeline::find(tx, cx, service).await?;
        let service = service::find(tx, cx, service).await?;
        check_turn(&service)?;
        let kind = TemplateKind::Service;
        let version = self.version(tx, cx, kind, &pipeline.template, &pipeline.track).await?;
        let aim = service_pipeline::aim(tx, cx, &service, &pipeline, &version, self.spec).await?;
        Ok((Target::ServicePipeline(pipeline), aim))
    }

    /// The version that is asked for: the current one where none is.
    async fn version(
        &self,
        rd: &mut Reader,
        cx: &Context,
        kind: TemplateKind,
        template: &str,
        track: &Track,
    ) -> Result<TemplateVersion> {
        let current = track.current().version;
        let (major, minor) = match self.major {
            Some(major) => (major, self.minor),
            None => (current.major, Some(current.minor)),
        };
        usable_version::resolve(rd, cx.scope(), kind, template, major, minor).await
    }
}

/// A pipeline is deployed after the instances, whose outputs its template reads.
fn check_turn(service: &Service) -> Result<()> {
    match &service.change {
        Some(change) if change.kind == Kind::Delete || change.stage != Stage::Pipeline => Err(conflict(format!(
            "the service '{}' is {} and has not come to its pipeline; redeploy that when the service has settled, or \
             force-delete the service",
            service.name, service.status
        ))),
        Some(_) | None => Ok(()),
    }
}
