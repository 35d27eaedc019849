//! Operations, one file a noun.

mod account_connection;
mod account_settings;
mod component;
mod deployment;
mod environment;
mod provisioned;
mod repository;
mod resources_summary;
mod seed;
mod service;
mod service_instance;
mod service_pipeline;
mod service_sync_config;
mod sync;
mod sync_blocker;
mod sync_status;
mod tag;
mod template;
mod template_sync_config;
mod template_version;
mod usable_version;
