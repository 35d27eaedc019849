//! `DeleteService`: everything the service has, then the service.

use super::{save, shown};
use crate::error::{Result, conflict};
use crate::operations::Context;
use crate::operations::attachment::check_no_components;
use crate::operations::deploy::destroy;
use crate::operations::roll_up::roll_up;
use crate::store::{Target, instances_of_service, service_with_pipeline};
use crate::transaction;
use protium_api::types::{DeleteServiceInput, DeleteServiceOutput};
use protium_domain::service::change::{Change, Kind};
use protium_domain::status::ServiceStatus;

pub(in crate::operations) async fn delete(cx: &Context, input: DeleteServiceInput) -> Result<DeleteServiceOutput> {
    transaction!(cx.store(), async |tx| -> Result<DeleteServiceOutput> {
        let Some((mut service, pipeline)) = service_with_pipeline(tx, cx.scope(), &input.name).await? else {
            return Ok(DeleteServiceOutput { service: None });
        };
        let was = service.status;
        if was == ServiceStatus::DeleteInProgress {
            return Ok(DeleteServiceOutput { service: Some(shown(tx, cx, &service, pipeline.as_ref()).await?) });
        }
        if was.is_active() {
            return Err(conflict(format!(
                "the service '{}' is {was}; wait until that has ended, or cancel its deployments, and delete it then",
                service.name
            )));
        }
        check_no_components(tx, cx.scope(), &service.name).await?;
        service.status = ServiceStatus::DeleteInProgress;
        service.status_message = None;
        service.modified_at = cx.now;
        service.change = Some(Change::new(Kind::Delete));
        for instance in instances_of_service(tx, cx.scope(), &service.name).await? {
            destroy(tx, &mut Target::ServiceInstance(instance), cx.scope(), cx.now).await?;
        }
        let mut shown_pipeline = None;
        if let Some(pipeline) = pipeline {
            let mut target = Target::ServicePipeline(pipeline);
            destroy(tx, &mut target, cx.scope(), cx.now).await?;
            if let Target::ServicePipeline(pipeline) = target {
                shown_pipeline = Some(pipeline);
            }
        }
        save(tx, &mut service, was, cx.now).await?;
        let answer = shown(tx, cx, &service, shown_pipeline.as_ref()).await?;
        // A service that has lost all its parts to an earlier attempt is gone at once.
        roll_up(tx, cx.scope(), &service.id, cx.now).await?;
        Ok(DeleteServiceOutput { service: Some(answer) })
    })
}
