//! The contract of `Engine`, kept by CloudFormation and by commands as builds, against the
//! double. Every scenario of [`scenarios`] is played once, with each step taken twice, with the
//! process killed at each step, with each answer lost and with each call throttled, and has to end
//! the same way with the same effects.

mod builds;
mod cancelling;
mod credentials;
mod delivery;
mod environment;
mod messages;
mod polling;
mod scenarios;
mod site;
mod templates;
