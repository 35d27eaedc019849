//! What ties an operation's input to its output, and its pages to each other.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Operation, Request, Response};

/// The input structure of one operation.
pub trait Call: Serialize + DeserializeOwned + Into<Request> + Send + Sync {
    /// The operation's output structure.
    type Output: Serialize + DeserializeOwned + Into<Response> + Send + Sync;

    /// The operation.
    const OPERATION: Operation;
}

/// Which members carry the pages of a list operation, by their names on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paginator {
    /// Member of the input that takes the token of the next page.
    pub input_token: &'static str,
    /// Member of the output that has the token of the next page, absent on the last one.
    pub output_token: &'static str,
    /// Member of the input that bounds the length of a page, if there is one.
    pub limit_key: Option<&'static str>,
    /// Member of the output that has the results.
    pub result_key: &'static str,
}
