//! What the integration tests share.

pub mod app;
pub mod bundle;
pub mod bundle_store;
pub mod database;
pub mod double;
pub mod race;
pub mod server;
pub mod service;
pub mod sign;
