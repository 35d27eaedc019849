//! What the fuzz targets call. The properties are in `properties`, which the tests of the application replay the
//! corpus with; here they meet a fuzzer.

// The application takes minutes to build with a fuzzer's flags; its check of signatures needs little else of it.
extern crate self as protium;
#[path = "../../crates/protium/src/auth/mod.rs"]
pub mod auth;
pub mod properties;
mod sha256;
