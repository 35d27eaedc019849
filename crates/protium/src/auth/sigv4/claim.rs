//! What a request says about its own signature, in the `Authorization` header or in the query.
//!
//! Owns the syntax of both and the checks that need no secret: scope and time.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;

use super::canonical::Query;
use super::refusal::{Mechanism, Refusal};
use super::{ALGORITHM, Service, TERMINATOR, timestamp};

/// A week, the longest that a presigned URL may live.
const LONGEST_EXPIRY_S: i64 = 604_800;
const MINUTE_MS: i64 = 60_000;

pub(super) struct Claim<'a> {
    pub(super) access_key_id: Cow<'a, str>,
    /// `date/region/service/aws4_request`; always four parts.
    pub(super) scope: Cow<'a, str>,
    /// Names separated by `;`.
    pub(super) signed_headers: Cow<'a, str>,
    pub(super) signature: Cow<'a, str>,
    /// `YYYYMMDDTHHMMSSZ`.
    pub(super) at: Cow<'a, str>,
    at_ms: i64,
    pub(super) token: Option<Cow<'a, str>>,
    /// Only presigned URLs have one.
    pub(super) expires_s: Option<i64>,
}

/// The credential of a header or a presigned URL before anything is checked: to route a request and to know its key,
/// not to believe it.
pub struct ClaimedCredential<'a> {
    credential: Cow<'a, str>,
    token: Option<Cow<'a, str>>,
}

/// Without the token.
impl fmt::Debug for ClaimedCredential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClaimedCredential").field(&self.credential).finish()
    }
}

impl<'a> ClaimedCredential<'a> {
    /// `None` if the request doesn't say that it is signed, or not so that anything can be read of it.
    pub fn find(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<Self> {
        match headers.get(http::header::AUTHORIZATION) {
            Some(value) => {
                let (algorithm, rest) = split_algorithm(value.to_str().ok()?);
                let credential = pieces(rest).find_map(|piece| piece.strip_prefix("Credential="))?;
                let token = only(headers, "x-amz-security-token").ok().flatten().map(Cow::Borrowed);
                (algorithm == ALGORITHM).then_some(Self { credential: Cow::Borrowed(credential), token })
            }
            None => {
                let query = Query::new(query);
                let credential = query.value("X-Amz-Credential")?;
                Some(Self { credential, token: query.value("X-Amz-Security-Token") })
            }
        }
    }

    /// The access key id.
    pub fn key(&self) -> &str {
        self.credential.split('/').next().unwrap_or_default()
    }

    /// The service that was signed for.
    pub fn service(&self) -> Option<&str> {
        self.credential.split('/').nth(3)
    }

    /// The session token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

/// The first word of an `Authorization` header, and what follows it.
fn split_algorithm(text: &str) -> (&str, &str) {
    text.split_once([' ', '\t']).unwrap_or((text, ""))
}

/// What stands between the commas of an `Authorization` header.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|piece| !piece.is_empty())
}

impl<'a> Claim<'a> {
    /// Finds the one claim of a request.
    pub(super) fn find(headers: &'a HeaderMap, query: &Query<'a>) -> Result<Self, Refusal> {
        let in_query = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].iter().any(|name| query.has(name));
        let foreign = query.has("Signature") || query.has("AWSAccessKeyId");
        let in_header = headers.contains_key(http::header::AUTHORIZATION);
        match (in_header, in_query) {
            (true, true) => Err(Refusal::TwoMechanisms),
            _ if foreign => Err(Refusal::Algorithm("AWS".to_owned())),
            (true, false) => Self::in_header(headers),
            (false, true) => Self::in_query(query),
            (false, false) => Err(Refusal::Missing),
        }
    }

    fn in_header(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let text = only(headers, "authorization")?.unwrap_or_default();
        let (algorithm, rest) = split_algorithm(text);
        if algorithm != ALGORITHM {
            return Err(Refusal::Algorithm(algorithm.to_owned()));
        }
        let mut pairs = [("Credential", None), ("SignedHeaders", None), ("Signature", None)];
        for piece in pieces(rest) {
            let Some((name, value)) = piece.split_once('=') else {
                return Err(malformed("Authorization header has a part that is not a key=value pair"));
            };
            if let Some((_, slot)) = pairs.iter_mut().find(|(known, _)| *known == name)
                && slot.replace(value).is_some()
            {
                return Err(malformed(format!("Authorization header has more than one '{name}' parameter")));
            }
        }
        let date = match only(headers, "x-amz-date")? {
            Some(date) => Some(Cow::Borrowed(date)),
            None => only(headers, "date")?.map(plain_date),
        };
        let [(_, Some(credential)), (_, Some(signed_headers)), (_, Some(signature))] = pairs else {
            return Err(incomplete(&pairs, date.is_some()));
        };
        let Some(at) = date else { return Err(incomplete(&pairs, false)) };
        let (access_key_id, scope) = split_credential(credential, Mechanism::Header)?;
        only(headers, "x-amz-content-sha256")?;
        Ok(Self {
            access_key_id: Cow::Borrowed(access_key_id),
            scope: Cow::Borrowed(scope),
            signed_headers: Cow::Borrowed(signed_headers),
            signature: Cow::Borrowed(signature),
            at_ms: instant(&at, Mechanism::Header)?,
            at,
            token: only(headers, "x-amz-security-token")?.map(Cow::Borrowed),
            expires_s: None,
        })
    }

    fn in_query(query: &Query<'a>) -> Result<Self, Refusal> {
        let needed = |name: &'static str| {
            query.value(name).ok_or_else(|| {
                Refusal::Malformed(Mechanism::Query, format!("AWS query-string parameters must include '{name}'"))
            })
        };
        let algorithm = needed("X-Amz-Algorithm")?;
        if algorithm != ALGORITHM {
            return Err(Refusal::Algorithm(algorithm.into_owned()));
        }
        if let Some(name) = query.repeated("X-Amz-") {
            let message = format!("AWS query-string parameter '{name}' is given more than once");
            return Err(Refusal::Malformed(Mechanism::Query, message));
        }
        let credential = needed("X-Amz-Credential")?;
        let (access_key_id, scope) = split_credential(&credential, Mechanism::Query)?;
        let at = needed("X-Amz-Date")?;
        Ok(Self {
            access_key_id: Cow::Owned(access_key_id.to_owned()),
            scope: Cow::Owned(scope.to_owned()),
            signed_headers: needed("X-Amz-SignedHeaders")?,
            signature: needed("X-Amz-Signature")?,
            at_ms: instant(&at, Mechanism::Query)?,
            at,
            token: query.value("X-Amz-Security-Token"),
            expires_s: Some(expiry(&needed("X-Amz-Expires")?)?),
        })
    }

    /// Date, region and service of the scope.
    pub(super) fn scope_parts(&self) -> (&str, &str, &str) {
        let mut parts = self.scope.split('/').map(Some).chain(std::iter::repeat(None));
        let mut next = || parts.next().flatten().unwrap_or_default();
        (next(), next(), next())
    }

    /// The scope must be for this service, this protocol and the day of the request.
    pub(super) fn check_scope(&self, service: Service) -> Result<(), Refusal> {
        let (date, region, name) = self.scope_parts();
        let terminator = self.scope.rsplit('/').next().unwrap_or_default();
        let mut wrong = Vec::new();
        if region.is_empty() || !region.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            wrong.push("Credential should be scoped to a valid region. ".to_owned());
        }
        if name != service.name {
            wrong.push(format!("Credential should be scoped to correct service: '{}'. ", service.name));
        }
        if terminator != TERMINATOR {
            wrong.push(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
            ));
        }
        if self.at.get(..8) != Some(date) {
            wrong.push(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
                 HTTP: '{date}' != '{}', from '{}'.",
                self.at.get(..8).unwrap_or_default(),
                self.at
            ));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Refusal::Scope(self.mechanism(), wrong.concat().trim_end().to_owned()))
    }

    /// The request must be of about now, or of a presigned URL's lifetime.
    pub(super) fn check_time(&self, service: Service, now_ms: i64) -> Result<(), Refusal> {
        let skew_ms = service.skew_minutes * MINUTE_MS;
        let (earliest_ms, latest_ms) = (now_ms.saturating_sub(skew_ms), now_ms.saturating_add(skew_ms));
        if self.at_ms > latest_ms {
            return Err(Refusal::NotYetCurrent(format!(
                "Signature not yet current: {} is still later than {} ({} + {} min.)",
                self.at,
                timestamp::format(latest_ms),
                timestamp::format(now_ms),
                service.skew_minutes
            )));
        }
        match self.expires_s {
            Some(expires_s) => {
                let end_ms = self.at_ms.saturating_add(expires_s * 1000);
                if now_ms <= end_ms {
                    return Ok(());
                }
                Err(Refusal::LinkExpired(format!(
                    "Signature expired: {} is now earlier than {}",
                    timestamp::format(end_ms),
                    timestamp::format(now_ms)
                )))
            }
            None if self.at_ms < earliest_ms => Err(Refusal::Expired(format!(
                "Signature expired: {} is now earlier than {} ({} - {} min.)",
                self.at,
                timestamp::format(earliest_ms),
                timestamp::format(now_ms),
                service.skew_minutes
            ))),
            None => Ok(()),
        }
    }

    fn mechanism(&self) -> Mechanism {
        if self.expires_s.is_some() { Mechanism::Query } else { Mechanism::Header }
    }
}

/// The one value of a header. Two could be read as one by us and as the other by somebody else.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed(format!("Header '{name}' is given more than once")));
    }
    let text = value.to_str().map_err(|_| malformed(format!("Header '{name}' has bytes that are not ASCII")))?;
    Ok(Some(text))
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::Malformed(Mechanism::Header, message.into())
}

fn incomplete(pairs: &[(&str, Option<&str>)], dated: bool) -> Refusal {
    let mut message: String = pairs
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| format!("Authorization header requires '{name}' parameter. "))
        .collect();
    if !dated {
        message.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    malformed(message.trim_end())
}

fn split_credential(credential: &str, mechanism: Mechanism) -> Result<(&str, &str), Refusal> {
    match credential.split_once('/') {
        Some((id, scope)) if scope.split('/').count() == 4 => Ok((id, scope)),
        _ => Err(Refusal::Malformed(
            mechanism,
            format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{credential}'"
            ),
        )),
    }
}

fn instant(at: &str, mechanism: Mechanism) -> Result<i64, Refusal> {
    timestamp::parse(at).ok_or_else(|| {
        let message = format!("Date must be in ISO-8601 'basic format', e.g. 20150830T123600Z. Got '{at}'");
        Refusal::Malformed(mechanism, message)
    })
}

/// The `Date` header may also be written as HTTP writes dates.
fn plain_date(text: &str) -> Cow<'_, str> {
    match jiff::fmt::rfc2822::parse(text) {
        Ok(at) => Cow::Owned(timestamp::format(at.timestamp().as_millisecond())),
        Err(_) => Cow::Borrowed(text),
    }
}

fn expiry(text: &str) -> Result<i64, Refusal> {
    let refuse = |why: &str| Refusal::Malformed(Mechanism::Query, format!("X-Amz-Expires {why}"));
    match text.parse::<i64>() {
        Err(_) => Err(refuse("should be a number")),
        Ok(seconds) if seconds < 1 => Err(refuse("must be at least 1 (in seconds)")),
        Ok(seconds) if seconds > LONGEST_EXPIRY_S => Err(refuse(
            "must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Ok(seconds) => Ok(seconds),
    }
}
