//! Signatures: the head of a request as HTTP/1 writes it, an empty line, and a body.
//!
//! A request is let in only by the key that it names, for the service that it names, in its time and with its body.

use http::HeaderValue;
use http::request::Parts;
use protium::auth::sigv4::{ClaimedCredential, PROTON, Payload, Protocol, Request, S3, STS, Service, verify};
use protium::auth::{Credential, Identity, Keys, Secret};

/// What the corpus is signed with.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const TEMPORARY: &str = "ASIAIOSFODNN7EXAMPLE";
const TOKEN: &str = "a session/token+with=signs";
/// 2026-09-21T14:13:20Z.
const NOW_MS: i64 = 1_790_000_000_000;
/// Longer than the longest presigned URL lives.
const EIGHT_DAYS_MS: i64 = 8 * 24 * 60 * 60 * 1000;

/// For each service, with the body and without.
pub fn check(input: &[u8]) {
    let Some((parts, body)) = read(input) else { return };
    let (query, keys) = (parts.uri.query(), keys(SECRET));
    let claimed = ClaimedCredential::find(&parts.headers, query);
    // Refusals quote the request, and a fuzzer finds the secret in its own program.
    let sent = input.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    for (service, payload) in [PROTON, STS, S3].into_iter().flat_map(|service| payloads(body).map(|one| (service, one)))
    {
        let request = Request::new(&parts, payload);
        match verify(&request, service, &keys, NOW_MS) {
            Ok(signed) => {
                let claimed = claimed.as_ref().map(|claimed| (claimed.key(), claimed.service()));
                assert_eq!(claimed, Some((signed.credential.access_key_id.as_str(), Some(service.name))));
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                assert!(!signed.region.is_empty() && signed.region.bytes().all(plain), "{}", signed.region);
                only_so(&request, service);
            }
            Err(refusal) => {
                for protocol in [Protocol::Json, Protocol::Query, Protocol::S3] {
                    let answer = refusal.answer(protocol);
                    assert!((400..500).contains(&answer.status) && !answer.code.is_empty(), "{answer:?}");
                    assert!(!answer.message.is_empty(), "{answer:?}");
                    assert!(sent || !answer.message.contains(SECRET), "{answer:?}");
                }
            }
        }
    }
}

/// The request is let in; nothing that differs from it is.
fn only_so(request: &Request<'_>, service: Service) {
    let other_secret = keys("another secret");
    assert!(verify(request, service, &other_secret, NOW_MS).is_err(), "with another secret");
    let keys = keys(SECRET);
    assert!(verify(request, service, &keys, NOW_MS + EIGHT_DAYS_MS).is_err(), "eight days later");
    assert!(verify(request, service, &keys, NOW_MS - EIGHT_DAYS_MS).is_err(), "eight days before");
    let other_method = Request { method: "PATCH", ..*request };
    assert!(verify(&other_method, service, &keys, NOW_MS).is_err() || request.method == "PATCH", "another method");
    if let Payload::Whole(body) = request.payload {
        let longer = [body, b"x"].concat();
        let other_body = Request { payload: Payload::Whole(&longer), ..*request };
        assert!(verify(&other_body, service, &keys, NOW_MS).is_err(), "with another body");
    }
}

fn payloads(body: &[u8]) -> [Payload<'_>; 2] {
    [Payload::Whole(body), Payload::Declared]
}

fn keys(secret: &str) -> Keys {
    let key = |id| Credential::new(id, Secret::new(secret), Identity::root("000000000000"));
    Keys::new([key(ID), key(TEMPORARY).with_session_token(Secret::new(TOKEN))])
}

/// `None` for what no HTTP server would hand on.
fn read(input: &[u8]) -> Option<(Parts, &[u8])> {
    let end = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let mut request = http::Request::builder().method(method).uri(target);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..at], HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?);
    }
    Some((request.body(()).ok()?.into_parts().0, body))
}
