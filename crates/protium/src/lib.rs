//! Protium: the AWS Proton API on the wire, provisioning behind it.
//!
//! Imports point right: `cli → server · backup → events · http · worker · root_key · tls → jobs → operations → app · error → audit · auth · bundle_source · oidc → config → store → clock · crowd · sha256 · throttle`; `config`,
//! `error` and `clock` may be imported from anywhere. `cargo xtask tidy` holds them to it.

pub mod app;
pub mod audit;
pub mod auth;
mod backup;
pub mod bundle_source;
pub mod cli;
pub mod clock;
pub mod config;
mod crowd;
pub mod error;
pub mod events;
pub mod http;
pub mod jobs;
pub mod oidc;
pub mod operations;
mod root_key;
pub mod server;
mod sha256;
pub mod store;
pub mod throttle;
mod tls;
pub mod worker;
