//! The story of the clients, told by the AWS SDK for Rust; the same one is in `../python_story.py`.
//!
//! It uses every paginator and every waiter of the crate `aws-sdk-proton`, waiters into their failure state too, and
//! fails when the crate has one that the story does not know. Run it through `clients.sh`.

#![expect(deprecated, reason = "AWS marked all of the SDK when it closed Proton to new customers")]

#[macro_use]
mod teller;
mod components;
mod environments;
mod farewell;
mod services;
mod templates;

use anyhow::{Context as _, Result};
use teller::Story;

#[tokio::main]
async fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("usage: client-story SETTING.json")?;
    let setting = serde_json::from_slice(&std::fs::read(&path)?)?;
    let mut story = Story::new(setting).await;
    story.identity().await?;
    story.templates().await?;
    story.connections().await?;
    story.environments().await?;
    story.repositories().await?;
    story.services().await?;
    story.components().await?;
    story.service_updates().await?;
    story.history_and_tags().await?;
    story.errors().await?;
    story.farewell().await?;
    story.nothing_was_left_out()
}
