//! The resource that an ARN in a request names, where several kinds will do.

use super::Context;
use crate::error::{Error, Result, invalid, not_found};
use protium_domain::arn::{self, Resource};

/// The resource of that ARN; `wanted` says which kinds the operation takes.
///
/// Refused if it is no ARN, and not found if it is one of another account or region.
pub(super) fn addressed(cx: &Context, text: &str, wanted: &str) -> Result<Resource> {
    let (scope, resource) = arn::parse(text).ok_or_else(|| unfit(text, wanted))?;
    if scope == *cx.scope() { Ok(resource) } else { Err(not_found("resource", text)) }
}

/// The ARN of something that the operation does not take.
pub(super) fn unfit(text: &str, wanted: &str) -> Error {
    invalid("resourceArn", format_args!("'{text}' is not the ARN of {wanted}"))
}
