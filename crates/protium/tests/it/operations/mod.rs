//! Operations, one file a noun.

mod account;
mod account_connection;
mod account_settings;
mod component;
mod deployment;
mod environment;
mod force_delete;
mod provisioned;
mod redeploy;
mod repository;
mod resources_summary;
mod seed;
mod service;
mod service_instance;
mod service_pipeline;
mod service_sync_config;
mod stuck;
mod sync;
mod sync_blocker;
mod sync_status;
mod tag;
mod template;
mod template_sync_config;
mod template_version;
mod usable_version;
