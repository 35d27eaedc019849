//! `protium admin events`: what destinations of events have not got, and bringing it again.

use clap::{Args, Subcommand, ValueEnum};
use protium_client::types as api;
use protium_client::{Client, Error};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Events {
    /// Print the deliveries that were not made at once, those first that are oldest.
    List(List),
    /// Bring events that were given up again, as if they had not been tried.
    Redeliver(Redeliver),
}

#[derive(Args)]
pub(super) struct List {
    /// By default of all.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// By default in any.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// By default of all resources.
    #[arg(long, value_name = "ARN")]
    resource_arn: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Pending,
    Dead,
}

#[derive(Args)]
pub(super) struct Redeliver {
    /// Whose.
    #[arg(long, value_name = "NAME")]
    destination: String,
    /// By default all of them, up to 1000 at a time.
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
}

impl Events {
    /// The resource that the command is about.
    pub(super) fn resource_arn(&self) -> Option<&str> {
        match self {
            Self::List(List { resource_arn, .. }) => resource_arn.as_deref(),
            Self::Redeliver(_) => None,
        }
    }
}

/// What is to be printed.
pub(super) async fn call(client: &Client, asked: Events) -> Result<Value, Error> {
    Ok(match asked {
        Events::List(List { destination, state, resource_arn }) => {
            let state = state.map(|state| match state {
                State::Pending => api::EventDeliveryState::Pending,
                State::Dead => api::EventDeliveryState::Dead,
            });
            let input = api::ListEventDeliveriesInput {
                destination,
                state,
                resource_arn,
                ..api::ListEventDeliveriesInput::default()
            };
            json!({ "deliveries": client.paginate(input).all().await? })
        }
        Events::Redeliver(Redeliver { destination, event_id }) => {
            json!(client.redeliver_events(api::RedeliverEventsInput { destination, event_id }).await?)
        }
    })
}
