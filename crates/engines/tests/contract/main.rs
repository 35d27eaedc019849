//! The contract of `Engine`, kept by each engine that there is: so far CloudFormation, against the
//! double. Every scenario of [`scenarios`] is played once, with each step taken twice, with the
//! process killed at each step, with each answer lost and with each call throttled, and has to end
//! the same way with the same effects.

mod cancelling;
mod credentials;
mod delivery;
mod environment;
mod messages;
mod polling;
mod scenarios;
mod site;
mod templates;
