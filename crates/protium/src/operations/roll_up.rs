//! What a service does when one of its parts has settled: the acts of `domain::service::change`,
//! executed in the transaction in which the part settled.

use super::deploy::{self, Ending, begin_waiting, destroy_shown, save_target};
use super::{service, service_sync_config, spec};
use crate::error::{Result, internal};
use crate::store::{
    Target, Tx, content_put, deployment_active, instances_of_service, pipeline_get, service_by_id, service_delete,
    tag_drop, token_drop,
};
use protium_domain::arn::Scope;
use protium_domain::deployment::Event;
use protium_domain::id::Id;
use protium_domain::service::change::{Act, Change, Part, Pipeline, advance, reverted_spec};
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::status::{DeploymentStatus, ServiceStatus};

/// The most rounds that one call can need: every stage of a change, each entered once.
const ROUNDS: usize = 8;

/// Takes the change of a service as far as it goes now. Nothing to do where none is under way.
pub(crate) async fn roll_up(tx: &mut Tx, scope: &Scope, service: &Id, now: i64) -> Result<()> {
    for _ in 0..ROUNDS {
        let Some(service) = service_by_id(tx, service).await? else { return Ok(()) };
        let Some(change) = service.change.clone() else { return Ok(()) };
        let parts = Parts::load(tx, scope, &service).await?;
        let acts = advance(&change, &parts.instances(scope), parts.pipeline_state());
        if acts.is_empty() {
            return Ok(());
        }
        let mut round = Round { scope, now, service, change, parts };
        for act in acts {
            if round.execute(tx, act).await? {
                return Ok(());
            }
        }
        round.save(tx).await?;
    }
    Err(internal(anyhow::anyhow!("the change of service {service} does not come to rest")))
}

/// The parts of a service, as they are now.
struct Parts {
    instances: Vec<ServiceInstance>,
    pipeline: Option<ServicePipeline>,
    /// Whether the pipeline's deployment waits for its turn.
    waiting: bool,
}

impl Parts {
    async fn load(tx: &mut Tx, scope: &Scope, service: &Service) -> Result<Self> {
        let instances = instances_of_service(tx, scope, &service.name).await?;
        let pipeline = pipeline_get(tx, scope, &service.name).await?;
        let waiting = match &pipeline {
            Some(pipeline) => deployment_active(tx, &pipeline.id).await?.is_some_and(|record| record.waiting),
            None => false,
        };
        Ok(Self { instances, pipeline, waiting })
    }

    fn instances(&self, scope: &Scope) -> Vec<Part> {
        let part = |instance: &ServiceInstance| Part {
            id: instance.id.clone(),
            arn: scope.service_instance(&instance.service, &instance.name),
            status: instance.track.status,
            message: instance.track.message.clone(),
        };
        self.instances.iter().map(part).collect()
    }

    fn pipeline_state(&self) -> Option<Pipeline> {
        self.pipeline.as_ref().map(|pipeline| Pipeline {
            status: pipeline.track.status,
            message: pipeline.track.message.clone(),
            waiting: self.waiting,
        })
    }

    fn instance(&self, id: &Id) -> Option<&ServiceInstance> {
        self.instances.iter().find(|instance| instance.id == *id)
    }
}

/// One round of acts on one state of the parts.
struct Round<'a> {
    scope: &'a Scope,
    now: i64,
    service: Service,
    change: Change,
    parts: Parts,
}

impl Round<'_> {
    /// Executes one act; `true` if the change is over.
    async fn execute(&mut self, tx: &mut Tx, act: Act) -> Result<bool> {
        match act {
            Act::Enter(stage) => self.change.stage = stage,
            Act::Show(status) => self.show(tx, status).await?,
            Act::Destroy(ids) => self.destroy(tx, &ids).await?,
            Act::StartPipeline => {
                if let Some(pipeline) = self.parts.pipeline.clone() {
                    begin_waiting(tx, &Target::ServicePipeline(pipeline), self.now).await?;
                }
            }
            Act::FailPipeline(message) => {
                self.end_pipeline(tx, Ending::without_effect(Event::Failed, message)).await?;
            }
            Act::Revert => self.revert(tx).await?,
            Act::Explain(why) => self.service.explain(&why),
            Act::Settle(status) => {
                self.service.change = None;
                self.show(tx, status).await?;
                return Ok(true);
            }
            Act::Remove => {
                service_sync_config::drop_with_service(tx, self.scope, &self.service, self.now).await?;
                service_delete(tx, &self.service, self.now).await?;
                tag_drop(tx, self.scope, self.service.id.as_str()).await?;
                token_drop(tx, self.service.id.as_str()).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn show(&mut self, tx: &mut Tx, status: ServiceStatus) -> Result<()> {
        let was = self.service.status;
        self.service.status = status;
        self.service.modified_at = self.now;
        service::save(tx, &mut self.service, was, self.now).await
    }

    /// Saves the stage that the round has come to.
    async fn save(&mut self, tx: &mut Tx) -> Result<()> {
        self.service.change = Some(self.change.clone());
        self.show(tx, self.service.status).await
    }

    async fn destroy(&mut self, tx: &mut Tx, ids: &[Id]) -> Result<()> {
        for id in ids {
            let Some(mut instance) = self.parts.instance(id).cloned() else { continue };
            // An instance that the update removes was only shown as being deleted until now.
            let shown = instance.track.status;
            if let Some(removed) = self.change.removed.iter().find(|removed| removed.id == *id) {
                removed.before.clone().restore(&mut instance.track);
            }
            destroy_shown(tx, &mut Target::ServiceInstance(instance), shown, self.scope, self.now).await?;
        }
        Ok(())
    }

    /// Ends the pipeline's waiting deployment.
    async fn end_pipeline(&mut self, tx: &mut Tx, ending: Ending) -> Result<()> {
        let Some(pipeline) = self.parts.pipeline.take() else { return Ok(()) };
        let Some(mut record) = deployment_active(tx, &pipeline.id).await? else { return Ok(()) };
        let mut target = Target::ServicePipeline(pipeline);
        deploy::end(tx, &mut record, &mut target, ending, self.now).await?;
        if let Target::ServicePipeline(pipeline) = target {
            self.parts.pipeline = Some(pipeline);
        }
        Ok(())
    }

    /// Undoes what the update announced and did not come to.
    async fn revert(&mut self, tx: &mut Tx) -> Result<()> {
        for removed in std::mem::take(&mut self.change.removed) {
            let Some(mut instance) = self.parts.instance(&removed.id).cloned() else { continue };
            removed.before.restore(&mut instance.track);
            self.restore(tx, Target::ServiceInstance(instance), DeploymentStatus::DeleteInProgress).await?;
        }
        if self.parts.waiting {
            let why = "Not started: an instance of the same service update failed to deploy";
            self.end_pipeline(tx, Ending::without_effect(Event::Cancelled, why)).await?;
            if let (Some(mut pipeline), Some(before)) =
                (self.parts.pipeline.clone(), self.change.pipeline_before.take())
            {
                let shown = pipeline.track.status;
                before.restore(&mut pipeline.track);
                self.restore(tx, Target::ServicePipeline(pipeline), shown).await?;
            }
        }
        self.revert_spec(tx).await
    }

    async fn revert_spec(&mut self, tx: &mut Tx) -> Result<()> {
        let Some(previous) = self.change.previous_spec.take() else { return Ok(()) };
        let (before, now) = (spec::text(tx, &previous).await?, spec::text(tx, &self.service.spec).await?);
        // Both texts were accepted before; where they can't be merged after all, the old one stands.
        self.service.spec = match reverted_spec(&before, &now) {
            Ok(text) => content_put(tx, text.as_bytes()).await?,
            Err(_) => {
                tracing::warn!(service = %self.service.id, "the spec of a failed update can't be taken back entry by entry");
                previous
            }
        };
        Ok(())
    }

    async fn restore(&self, tx: &mut Tx, mut target: Target, shown: DeploymentStatus) -> Result<()> {
        save_target(tx, &mut target, shown, self.now).await
    }
}
