//! Services: what they are now. How they come, change and go is in the submodules.

mod create;
mod delete;
mod parts;
mod update;

use super::authorize::Entry;
use super::deploy::lost_update;
use super::page::{Filling, Page};
use super::{Context, spec, wire};
use crate::error::{Result, not_found};
use crate::store::{Reader, ServiceSummary, Tx, service_get, service_page, service_save, service_with_pipeline};
use protium_api::types::{self as api, *};
use protium_domain::service::{Service, ServicePipeline};
use protium_domain::status::ServiceStatus;

pub(super) use create::create;
pub(super) use delete::delete;
pub(super) use parts::{
    NewInstance, add_instance, check_compatible, check_environment, check_pipeline_engine, check_settled, new_instances,
};
pub(super) use update::update;

const NOUN: &str = "service";

pub(super) async fn get(cx: &Context, input: GetServiceInput) -> Result<GetServiceOutput> {
    let mut rd = cx.store().reader().await?;
    let (service, pipeline) = find_with_pipeline(&mut rd, cx, &input.name).await?;
    Ok(GetServiceOutput { service: Some(shown(&mut rd, cx, &service, pipeline.as_ref()).await?) })
}

pub(super) async fn list(cx: &Context, input: ListServicesInput) -> Result<ListServicesOutput> {
    let page = Page::new(cx, "ListServices", [], input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    let entry = |service: &ServiceSummary| Entry::new(cx.scope().service(&service.name));
    let mut filling = Filling::new(page);
    let (found, next_token) = loop {
        let found =
            service_page(&mut rd, cx.scope(), filling.page.after().unwrap_or_default(), filling.page.limit()).await?;
        if let Some(full) = filling.take(cx, &mut rd, found, |service| service.name.clone(), entry).await? {
            break full;
        }
    };
    let services = found.into_iter().map(|service| wire::service_summary(cx.scope(), service)).collect();
    Ok(ListServicesOutput { next_token, services })
}

/// The service as answers show it, with its spec and its pipeline.
async fn shown(
    rd: &mut Reader,
    cx: &Context,
    service: &Service,
    pipeline: Option<&ServicePipeline>,
) -> Result<api::Service> {
    let text = spec::text(rd, &service.spec).await?;
    let pipeline = match pipeline {
        Some(pipeline) => {
            // Most often both have the same spec: it is read once then.
            let spec = match &pipeline.track.deployed {
                Some(aim) if aim.spec == service.spec => Some(text.clone()),
                Some(aim) => Some(spec::text(rd, &aim.spec).await?),
                None => None,
            };
            Some(wire::service_pipeline(cx.scope(), pipeline, spec))
        }
        None => None,
    };
    Ok(wire::service(cx.scope(), service, text, pipeline))
}

/// The service of that name.
pub(super) async fn find(rd: &mut Reader, cx: &Context, name: &str) -> Result<Service> {
    service_get(rd, cx.scope(), name).await?.ok_or_else(|| missing(cx, name))
}

/// The same with its pipeline, if it has one.
pub(super) async fn find_with_pipeline(
    rd: &mut Reader,
    cx: &Context,
    name: &str,
) -> Result<(Service, Option<ServicePipeline>)> {
    service_with_pipeline(rd, cx.scope(), name).await?.ok_or_else(|| missing(cx, name))
}

/// Saves a changed service; `was` is the status that it was read with.
pub(super) async fn save(tx: &mut Tx, service: &mut Service, was: ServiceStatus, now: i64) -> Result<()> {
    if service_save(tx, service, was, now).await? { Ok(()) } else { Err(lost_update()) }
}

fn missing(cx: &Context, name: &str) -> crate::error::Error {
    not_found(NOUN, cx.scope().service(name))
}
