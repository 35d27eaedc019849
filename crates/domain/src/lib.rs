//! What is true in Protium: names, versions, states, template bundles, specs, rendering and policies.
//!
//! Nothing here does I/O, is async, or reads the clock: every function takes what it needs and
//! answers a value. The application stores and executes what this crate decides.

pub mod account;
pub mod account_connection;
pub mod arn;
pub mod bundle;
pub mod component;
pub mod deployment;
pub mod environment;
pub mod event;
pub mod iam;
pub mod id;
pub mod job;
pub mod moment;
pub mod name;
pub mod notification;
pub mod oidc_provider;
pub mod outputs;
pub mod page;
pub mod provisioning;
pub mod quota;
pub mod refused;
pub mod repository;
pub mod role;
pub mod service;
pub mod staleness;
pub mod status;
pub mod sync_blocker;
pub mod sync_config;
pub mod tag;
pub mod template;
pub mod track;
pub mod upgrade;
pub mod version;
