//! Jobs: what becomes of what was asked for.

mod deploy;
mod recovery;
mod register_version;
mod service;
mod worker;
