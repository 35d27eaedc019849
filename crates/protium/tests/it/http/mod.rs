//! The listener.

mod assume_role;
mod aws_json;
mod listener;
mod metrics;
mod s3;
mod sigv4;
mod source_ip;
mod strangers;
mod sts;
mod throttle;
mod web_identity;
mod wire;
