//! The canonical request: the one text that signer and verifier both make of a request.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::claim::Claim;
use super::refusal::Refusal;
use super::{PathStyle, Request};

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same in a path, whose slashes stay.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The parameters of a query, encoded as they are signed and sorted.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub(super) fn new(query: Option<&'a str>) -> Self {
        let query = query.unwrap_or_default();
        let mut pairs: Vec<_> = query
            .split('&')
            .filter(|piece| !piece.is_empty())
            .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
            .map(|(name, value)| (encoded(name), encoded(value)))
            .collect();
        pairs.sort_unstable();
        Self(pairs)
    }

    /// Whether there is a parameter of that (unreserved) name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The decoded value of the first parameter of that (unreserved) name.
    pub(super) fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        if !value.contains('%') {
            return Some(value.clone());
        }
        Some(Cow::Owned(percent_decode_str(value).decode_utf8_lossy().into_owned()))
    }

    /// A name with this prefix that stands there more than once.
    pub(super) fn repeated(&self, prefix: &str) -> Option<&str> {
        self.0.windows(2).find_map(|pair| match pair {
            [(one, _), (two, _)] if one == two && one.starts_with(prefix) => Some(one.as_ref()),
            _ => None,
        })
    }

    fn write(&self, text: &mut Vec<u8>, left_out: &[&str]) {
        let mut first = true;
        for (name, value) in self.0.iter().filter(|(name, _)| !left_out.contains(&name.as_ref())) {
            if !first {
                text.push(b'&');
            }
            first = false;
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
        }
    }
}

/// The same text encoded in the one way that signatures know. A `+` is a space, as in a form.
fn encoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    let decoded: Cow<'_, [u8]> = percent_decode_str(&spaced).into();
    Cow::Owned(percent_encode(&decoded, RESERVED).to_string())
}

/// `host` and every `x-amz-…` header that was sent must be signed.
///
/// A session token is free to be added after signing: it is compared with the key's own.
pub(super) fn check_signed_headers(request: &Request<'_>, signed: &str) -> Result<(), Refusal> {
    let is_signed = |name: &str| signed.split(';').any(|known| known == name);
    if !is_signed("host") {
        return Err(Refusal::HostUnsigned);
    }
    let unsigned: Vec<&str> = request
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && *name != "x-amz-security-token" && !is_signed(name))
        .collect();
    if unsigned.is_empty() { Ok(()) } else { Err(Refusal::HeadersUnsigned(unsigned.join(", "))) }
}

/// The text whose hash is signed.
pub(super) fn request(
    request: &Request<'_>,
    style: PathStyle,
    query: &Query<'_>,
    claim: &Claim<'_>,
    payload_hash: &[u8],
    leave_out_token: bool,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(request.method.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(path(request.path, style).as_bytes());
    text.push(b'\n');
    let left_out: &[&str] = match (claim.expires_s.is_some(), leave_out_token) {
        (false, _) => &[],
        (true, false) => &["X-Amz-Signature"],
        (true, true) => &["X-Amz-Signature", "X-Amz-Security-Token"],
    };
    query.write(&mut text, left_out);
    text.push(b'\n');
    for name in claim.signed_headers.split(';') {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        write_values(&mut text, request, name);
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(claim.signed_headers.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload_hash);
    text
}

fn write_values(text: &mut Vec<u8>, request: &Request<'_>, name: &str) {
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), request.authority) {
        (Some(first), _) => {
            write_trimmed(text, first.as_bytes());
            for value in values {
                text.push(b',');
                write_trimmed(text, value.as_bytes());
            }
        }
        (None, Some(authority)) if name == "host" => text.extend_from_slice(authority.as_bytes()),
        (None, _) => {}
    }
}

/// Without spaces around it, and with one space where there were several.
fn write_trimmed(text: &mut Vec<u8>, value: &[u8]) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        text.extend_from_slice(value);
        return;
    }
    let mut after_space = false;
    for &byte in value {
        if !(after_space && byte == b' ') {
            text.push(byte);
        }
        after_space = byte == b' ';
    }
}

fn path(path: &str, style: PathStyle) -> Cow<'_, str> {
    match style {
        _ if path.is_empty() || path == "/" => Cow::Borrowed("/"),
        PathStyle::Plain => {
            let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
            Cow::Owned(percent_encode(&decoded, RESERVED_IN_PATH).to_string())
        }
        PathStyle::Normalized => Cow::Owned(percent_encode(resolved(path).as_bytes(), RESERVED_IN_PATH).to_string()),
    }
}

/// The path without `.`, `..` and empty segments; a slash at its end stays.
fn resolved(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let ends_in_slash = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if ends_in_slash && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_s3_is_encoded_once_and_keeps_its_dots() {
        assert_eq!(path("/b/a%20b/../c//d+e", PathStyle::Plain), "/b/a%20b/../c//d%2Be");
        assert_eq!(path("", PathStyle::Plain), "/");
    }

    #[test]
    fn a_path_of_other_services_is_resolved_and_encoded_twice() {
        assert_eq!(path("/a%20b/./c//d/../e/", PathStyle::Normalized), "/a%2520b/c/e/");
        assert_eq!(path("/../..", PathStyle::Normalized), "/");
    }

    #[test]
    fn parameters_are_sorted_by_their_encoded_names_and_values() {
        let mut text = Vec::new();
        Query::new(Some("b=2&a=z&a=%61&c+d&&=x")).write(&mut text, &[]);
        assert_eq!(String::from_utf8(text).unwrap(), "=x&a=a&a=z&b=2&c%20d=");
    }
}
