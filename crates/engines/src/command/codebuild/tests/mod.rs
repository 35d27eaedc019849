//! The runner against the double: every scenario once, with each step taken twice, with the process killed at each
//! step, with each answer lost and with each call throttled.

mod errors;
mod project;
mod runs;
mod site;
