//! Events: that every change of a status is told, and that what is told arrives, whatever happens on the way.

mod bus;
mod file;
mod log;
mod operations;
mod order;
mod verify;
mod webhook;
