//! Runs away from this machine: what they mean for a deployment, whatever runner has them.

mod runner;

pub(super) use runner::{Begin, Printed, Remote, RemoteLook, RemoteRun, TAIL};
