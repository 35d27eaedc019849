//! The listener.

mod aws_json;
mod listener;
mod metrics;
mod s3;
mod sigv4;
mod sts;
mod throttle;
mod wire;
