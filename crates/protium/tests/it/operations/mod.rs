//! Operations, one file a noun.

mod account_settings;
mod deployment;
mod environment;
mod notification;
mod provisioned;
mod repository;
mod resources_summary;
mod seed;
mod self_managed;
mod service;
mod service_instance;
mod service_pipeline;
mod tag;
mod template;
mod template_version;
mod usable_version;
