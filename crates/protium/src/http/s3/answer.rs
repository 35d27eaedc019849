//! Answers on their way out: errors as XML, and the headers that keep a browser from running uploads.

use axum::body::Body;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use s3s::{HttpResponse, S3Error};
use uuid::Uuid;

/// The answer that is an error.
pub(super) fn error(error: S3Error) -> HttpResponse {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = HttpResponse::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// The same answer, harmless in a browser: whatever it holds, it is saved and not shown.
pub(super) fn sandboxed(response: HttpResponse, request_id: Uuid) -> Response<Body> {
    let mut response = response.map(Body::new);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Uploaders may choose the name under which it is saved, nothing else.
    let is_attachment = headers.get(CONTENT_DISPOSITION).is_some_and(|value| {
        let kind = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"attachment")
    });
    if !is_attachment {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(HeaderName::from_static("x-amz-request-id"), id);
    }
    response
}
