//! `UpdateService`: the description, or which instances there are.

use super::parts::{NewInstance, add_instance, check_pipeline_engine, check_settled, new_instances};
use super::{find_with_pipeline, save, shown};
use crate::error::{Result, conflict, invalid, over_quota};
use crate::operations::attachment::check_no_component;
use crate::operations::deploy::{self, Start, lost_update};
use crate::operations::roll_up::roll_up;
use crate::operations::usable_version::{self, check_built};
use crate::operations::{Context, spec, sync_blocker};
use crate::store::{Reader, Target, Tx, content_put, instance_save, instances_of_service, tag_list};
use crate::transaction;
use protium_api::types::{UpdateServiceInput, UpdateServiceOutput};
use protium_domain::bundle::spec::ServiceSpec;
use protium_domain::deployment::State;
use protium_domain::service::change::{Before, Change, Kind, Removed};
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::track::Aim;
use protium_domain::version::Version;

pub(in crate::operations) async fn update(cx: &Context, input: UpdateServiceInput) -> Result<UpdateServiceOutput> {
    transaction!(cx.store(), async |tx| -> Result<UpdateServiceOutput> {
        let (mut service, mut pipeline) = find_with_pipeline(tx, cx, &input.name).await?;
        let was = service.status;
        // What is wrong with the request is told before what is in its way.
        let asked = match &input.spec {
            Some(given) => Some(Asked::read(tx, cx, &service, pipeline.as_ref(), given).await?),
            None => None,
        };
        check_at_rest(&service)?;
        if let Some(description) = &input.description {
            service.description = Some(description.clone());
        }
        service.origin.modified = true;
        service.modified_at = cx.now;
        if let Some(asked) = asked {
            change_instances(tx, cx, &mut service, &mut pipeline, asked).await?;
        }
        save(tx, &mut service, was, cx.now).await?;
        let answer = shown(tx, cx, &service, pipeline.as_ref()).await?;
        roll_up(tx, cx.scope(), &service.id, cx.now).await?;
        Ok(UpdateServiceOutput { service: answer })
    })
}

/// Whether nothing is under way for the service as a whole.
fn check_at_rest(service: &Service) -> Result<()> {
    let (name, status) = (&service.name, service.status);
    if status.is_active() {
        return Err(conflict(format!("the service '{name}' is {status}; update it when that has ended")));
    }
    Ok(())
}

/// What a given spec asks for: it is right, and what it names is there.
struct Asked {
    text: String,
    /// That of new instances.
    version: Version,
    new: Vec<NewInstance>,
    plan: Plan,
}

impl Asked {
    /// Reads it without regard to what is under way.
    async fn read(
        rd: &mut Reader,
        cx: &Context,
        service: &Service,
        pipeline: Option<&ServicePipeline>,
        given: &str,
    ) -> Result<Self> {
        let stored = spec::text(rd, &service.spec).await?;
        let (text, wanted) = spec::service(given, Some(&stored))?;
        spec::check_unchanged(&stored, &wanted)?;
        let plan = Plan::new(&wanted, instances_of_service(rd, cx.scope(), &service.name).await?)?;
        let version = version_of_new(rd, cx, service, pipeline, &plan).await?;
        spec::check_instances(rd, &version, &wanted, &plan.added).await?;
        if let Some(pipeline) = pipeline {
            check_pipeline(rd, cx, pipeline).await?;
        }
        let new = new_instances(rd, cx, &version, &wanted, &plan.added).await?;
        if !new.is_empty() {
            check_built(cx, version.infrastructure())?;
        }
        Ok(Self { text, version: version.version, new, plan })
    }
}

/// Starts the change to the instances that is asked for, if nothing is in its way.
async fn change_instances(
    tx: &mut Tx,
    cx: &Context,
    service: &mut Service,
    pipeline: &mut Option<ServicePipeline>,
    asked: Asked,
) -> Result<()> {
    let Asked { text, version, new, plan } = asked;
    check_settled(service, pipeline.as_ref(), "update the service")?;
    plan.check_settled(service)?;
    for instance in &plan.removed {
        check_no_component(tx, instance).await?;
    }
    if !new.is_empty() {
        plan.check_quota(cx.app.config.quotas.instances_per_service)?;
    }
    let content = content_put(tx, text.as_bytes()).await?;
    let mut change = Change::new(Kind::Update);
    change.previous_spec = Some(std::mem::replace(&mut service.spec, content.clone()));
    service.status = ServiceStatus::UpdateInProgress;
    service.status_message = None;
    create(tx, cx, service, &new, &Aim { version, spec: content.clone() }, &mut change).await?;
    retry(tx, cx, plan.retried, &content, &mut change).await?;
    announce_removal(tx, cx, plan.removed, &mut change).await?;
    if let Some(pipeline) = pipeline {
        change.pipeline_before = Some(Before::of(&pipeline.track));
        redeploy(tx, cx, pipeline, &content).await?;
    }
    service.change = Some(change);
    sync_blocker::by_update(tx, cx, service).await
}

/// What becomes of each instance.
struct Plan {
    added: Vec<String>,
    /// Kept ones that never succeeded.
    retried: Vec<ServiceInstance>,
    removed: Vec<ServiceInstance>,
    kept: Vec<ServiceInstance>,
}

impl Plan {
    fn new(wanted: &ServiceSpec, instances: Vec<ServiceInstance>) -> Result<Self> {
        if wanted.instances.is_empty() {
            return Err(invalid("spec", "has no instances; a service keeps at least one, or is deleted"));
        }
        let exists = |name: &str| instances.iter().any(|instance| instance.name == name);
        let added: Vec<String> =
            wanted.instances.iter().map(|entry| entry.name.clone()).filter(|name| !exists(name)).collect();
        let (kept, removed): (Vec<_>, Vec<_>) =
            instances.into_iter().partition(|instance| wanted.instance(&instance.name).is_some());
        let (retried, kept) = kept
            .into_iter()
            .partition(|instance| instance.track.deployed.is_none() && !instance.track.status.is_active());
        Ok(Self { added, retried, removed, kept })
    }

    /// Whether the instances that exist have come to rest, as far as it concerns them.
    fn check_settled(&self, service: &Service) -> Result<()> {
        if let Some(busy) = self.removed.iter().find(|instance| instance.track.status.is_active()) {
            return Err(conflict(format!(
                "the instance '{}' of the service '{}' is {}; remove it when that has ended",
                busy.name, service.name, busy.track.status
            )));
        }
        let mut stay = self.kept.iter().chain(&self.retried);
        if let Some(stuck) = stay.find(|instance| instance.track.status == DeploymentStatus::DeleteFailed) {
            return Err(conflict(format!(
                "the instance '{}' of the service '{}' is DELETE_FAILED; leave it out of the spec to delete it again",
                stuck.name, service.name
            )));
        }
        Ok(())
    }

    /// Counts those that are there in the end, even if what could not be deleted before can't be now.
    fn check_quota(&self, limit: i64) -> Result<()> {
        let stuck = self.removed.iter().filter(|instance| instance.track.status == DeploymentStatus::DeleteFailed);
        let total = self.added.len() + self.retried.len() + self.kept.len() + stuck.count();
        if i64::try_from(total).unwrap_or(i64::MAX) > limit {
            return Err(over_quota("instances of a service, those that failed to delete included", limit));
        }
        Ok(())
    }
}

/// New instances get the recommended minor version of the major that the service's parts use, or
/// the very version of those where none is recommended.
async fn version_of_new(
    rd: &mut Reader,
    cx: &Context,
    service: &Service,
    pipeline: Option<&ServicePipeline>,
    plan: &Plan,
) -> Result<TemplateVersion> {
    let instances = plan.kept.iter().chain(&plan.retried).chain(&plan.removed);
    let tracks = instances.map(|instance| &instance.track).chain(pipeline.map(|pipeline| &pipeline.track));
    let Some(current) = tracks.map(|track| track.current().version).max() else {
        check_at_rest(service)?;
        check_settled(service, pipeline, "update the service")?;
        return Err(conflict(format!(
            "the service '{}' has no instances left; delete it and create it again",
            service.name
        )));
    };
    let kind = TemplateKind::Service;
    match usable_version::resolve(rd, cx.scope(), kind, &service.template, current.major, None).await {
        Ok(version) => Ok(version),
        Err(_) => {
            let minor = Some(current.minor);
            usable_version::resolve(rd, cx.scope(), kind, &service.template, current.major, minor).await
        }
    }
}

async fn create(
    tx: &mut Tx,
    cx: &Context,
    service: &Service,
    new: &[NewInstance],
    aim: &Aim,
    change: &mut Change,
) -> Result<()> {
    let tags = tag_list(tx, cx.scope(), service.id.as_str(), "", i64::MAX).await?;
    for instance in new {
        change.added.push(add_instance(tx, cx, service, instance, aim, &tags, None).await?.id);
    }
    Ok(())
}

async fn retry(
    tx: &mut Tx,
    cx: &Context,
    retried: Vec<ServiceInstance>,
    spec: &str,
    change: &mut Change,
) -> Result<()> {
    for instance in retried {
        change.retried.push(instance.id.clone());
        let aim = Aim { version: instance.track.current().version, spec: spec.to_owned() };
        let goal = State::new(&instance.template, &aim);
        let start = Start { scope: cx.scope(), now: cx.now, goal, waiting: false };
        deploy::start(tx, &mut Target::ServiceInstance(instance), start).await?;
    }
    Ok(())
}

/// Shows instances as being deleted, and remembers what they were in case it does not come to that.
async fn announce_removal(tx: &mut Tx, cx: &Context, removed: Vec<ServiceInstance>, change: &mut Change) -> Result<()> {
    for mut instance in removed {
        let was = instance.track.status;
        change.removed.push(Removed { id: instance.id.clone(), before: Before::of(&instance.track) });
        instance.track.status = DeploymentStatus::DeleteInProgress;
        instance.track.message = None;
        if !instance_save(tx, &mut instance, was, cx.now).await? {
            return Err(lost_update());
        }
    }
    Ok(())
}

/// Whether the pipeline can be deployed once more at its version.
async fn check_pipeline(rd: &mut Reader, cx: &Context, pipeline: &ServicePipeline) -> Result<()> {
    let (kind, current) = (TemplateKind::Service, pipeline.track.current().version);
    let version =
        usable_version::resolve(rd, cx.scope(), kind, &pipeline.template, current.major, Some(current.minor)).await?;
    check_pipeline_engine(rd, cx, &version, Some(pipeline)).await
}

/// Deploys the pipeline once more, after the instances: it may name each of them.
async fn redeploy(tx: &mut Tx, cx: &Context, pipeline: &mut ServicePipeline, spec: &str) -> Result<()> {
    let aim = Aim { version: pipeline.track.current().version, spec: spec.to_owned() };
    let goal = State::new(&pipeline.template, &aim);
    let mut target = Target::ServicePipeline(pipeline.clone());
    deploy::start(tx, &mut target, Start { scope: cx.scope(), now: cx.now, goal, waiting: true }).await?;
    if let Target::ServicePipeline(started) = target {
        *pipeline = started;
    }
    Ok(())
}
