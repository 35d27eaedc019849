//! Jobs: what becomes of what was asked for.

mod component;
mod deploy;
mod recovery;
mod register_version;
mod service;
mod worker;
