//! The bundle store through a listener, with requests that are really signed.

mod access;
mod bucket;
mod client;
mod hostile;
mod integrity;
mod listing;
mod object;
mod sweep;
mod upload;
