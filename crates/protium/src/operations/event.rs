//! Deliveries of events that were not made at once: what waits, what was given up, and bringing that again.

use super::Context;
use super::page::Page;
use super::wire::time;
use crate::error::{Result, not_found};
use crate::store::{Delivery, DeliveryFilter, DeliveryState, deliveries_revive, delivery_page, destination_is_known};
use crate::transaction;
use protium_api::types::{
    self as api, ListEventDeliveriesInput, ListEventDeliveriesOutput, RedeliverEventsInput, RedeliverEventsOutput,
};

/// How many dead deliveries one request brings again.
const MOST: i64 = 1_000;

/// `ListEventDeliveries`, by destination and then in the order of the events. What was delivered is not listed.
pub(super) async fn deliveries(cx: &Context, input: ListEventDeliveriesInput) -> Result<ListEventDeliveriesOutput> {
    let state = input.state.map(|state| match state {
        api::EventDeliveryState::Pending => DeliveryState::Pending,
        api::EventDeliveryState::Dead => DeliveryState::Dead,
    });
    let filter = DeliveryFilter { destination: input.destination, state, arn: input.resource_arn, event: None };
    let filters = [
        ("destination", filter.destination.as_deref()),
        ("state", state.map(DeliveryState::as_str)),
        ("resourceArn", filter.arn.as_deref()),
    ];
    let filters = filters.into_iter().filter_map(|(name, value)| value.map(|value| [name, value])).flatten();
    let page = Page::new(cx, "ListEventDeliveries", filters, input.max_results, input.next_token.as_deref())?;
    let (position, destination) = page.after_moment()?.unwrap_or((0, ""));
    let mut rd = cx.store().reader().await?;
    let found = delivery_page(&mut rd, cx.scope(), &filter, (destination, position), page.limit()).await?;
    let (found, next_token) = page.cut(found, |one| format!("{}/{}", one.position, one.destination));
    Ok(ListEventDeliveriesOutput { deliveries: found.into_iter().map(shown).collect(), next_token })
}

/// `RedeliverEvents`: those of a destination that were given up, or one of them, as if they had not been tried.
pub(super) async fn redeliver(cx: &Context, input: RedeliverEventsInput) -> Result<RedeliverEventsOutput> {
    let RedeliverEventsInput { destination, event_id } = input;
    let filter =
        DeliveryFilter { destination: Some(destination.clone()), event: event_id.clone(), ..DeliveryFilter::default() };
    let revived = transaction!(cx.store(), async |tx| -> Result<usize> {
        if !destination_is_known(tx, &destination).await? {
            return Err(not_found("destination of events", &destination));
        }
        let revived = deliveries_revive(tx, cx.scope(), &filter, MOST).await?;
        match &event_id {
            Some(id) if revived == 0 => Err(not_found("dead delivery of an event", id)),
            Some(_) | None => Ok(revived),
        }
    })?;
    Ok(RedeliverEventsOutput { redelivered: i32::try_from(revived).unwrap_or(i32::MAX) })
}

fn shown(one: Delivery) -> api::EventDelivery {
    api::EventDelivery {
        attempts: i32::try_from(one.attempts).unwrap_or(i32::MAX),
        destination: one.destination,
        detail_type: one.detail_type,
        event_id: one.event,
        event_time: time(one.at),
        last_error: one.last_error,
        next_attempt_at: one.next_at.map(time),
        resource_arn: one.arn,
        state: match one.state {
            DeliveryState::Pending => api::EventDeliveryState::Pending,
            DeliveryState::Dead => api::EventDeliveryState::Dead,
        },
    }
}
