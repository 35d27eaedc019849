//! What the integration tests share.

pub mod app;
pub mod bundle;
pub mod bundle_store;
pub mod component;
pub mod database;
pub mod death;
pub mod double;
pub mod dump;
pub mod events;
pub mod issuer;
pub mod notification;
pub mod plan;
pub mod race;
pub mod receiver;
pub mod schedule;
pub mod self_managed;
pub mod server;
pub mod service;
pub mod sign;
pub mod sts;
pub mod under_way;
