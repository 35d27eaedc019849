//! Operations, one file a noun.

mod account_settings;
mod create_instance;
mod deployment;
mod environment;
mod idempotency;
mod list_instances;
mod pagination;
mod provisioned;
mod quota;
mod resources_summary;
mod seed;
mod service;
mod service_instance;
mod service_pipeline;
mod tag;
mod template;
mod template_version;
mod usable_version;
