//! Jobs: what becomes of what was asked for.

mod component;
mod deploy;
mod end_runs;
mod expire_tokens;
mod forget_log;
mod recovery;
mod register_version;
mod service;
mod worker;
