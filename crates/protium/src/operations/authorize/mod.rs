//! Whether a caller may do what it asks for.

mod subject;

use protium_api::Request;
use protium_domain::arn::Scope;
use subject::Subject;

/// The ARN of the resource that a request is about, `*` if it is about none. One that is named by an ARN is taken from
/// it, whatever account and region that is of; versions are their template, and pipelines their service.
#[expect(dead_code, reason = "what asks for it comes with the next commit")]
pub(crate) fn resource_of(request: &Request, scope: &Scope) -> String {
    Subject::of(request).about.arn(scope)
}
