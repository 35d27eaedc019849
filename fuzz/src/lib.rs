//! What the fuzz targets call. The properties are in `properties`, which the tests of the application replay the
//! corpus with; here they meet a fuzzer.

// The application takes minutes to build with a fuzzer's flags; its checks of signatures and tokens need little else
// of it.
extern crate self as protium;
#[path = "../../crates/protium/src/auth/mod.rs"]
pub mod auth;
#[path = "../../crates/protium/src/events/signature.rs"]
mod event_signature;
pub mod oidc;
pub mod properties;
mod sha256;

/// What is used of the application's module of this name.
pub mod events {
    pub use super::event_signature::signature;
}
