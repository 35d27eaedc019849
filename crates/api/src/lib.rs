//! What is said on the wire: types, constraints and dispatch, generated from the API models in
//! `model/` by `cargo xtask codegen`, and the rules of the protocol around them.
//!
//! Owns the meaning of bytes. Knows nothing of HTTP, storage, or what Protium does with a request.
//!
//! ```
//! use protium_api::{Operation, Request};
//!
//! let operation = Operation::from_target("AwsProton20200720.GetService").unwrap();
//! let request = Request::parse(operation, br#"{"name":"shop"}"#).unwrap();
//! assert!(matches!(request, Request::GetService(input) if input.name == "shop"));
//! ```

pub mod aws_json;
mod call;
mod constraint;
mod error;
mod generated;
mod redact;
mod timestamp;
mod wire_enum;

pub use call::{Call, Paginator};
pub use error::{ErrorCode, WireError};
pub use generated::operations::Operation;
pub use generated::request::Request;
pub use generated::response::Response;
pub use generated::types;
pub use redact::{Disclosed, Redacted};
pub use timestamp::Timestamp;
pub use wire_enum::UnknownValue;
