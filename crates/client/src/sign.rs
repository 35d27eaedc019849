//! Signature version 4 for one request.

use std::time::SystemTime;

use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use protium_api::{Operation, aws_json};

use crate::{Credentials, Error};

/// The name that the service signs under.
const SERVICE: &str = "proton";
/// The name that the bundle store signs under.
const STORE: &str = "s3";

/// The request that calls an operation, signed for this time.
pub(crate) fn request(
    uri: &Uri,
    region: &str,
    credentials: &Credentials,
    operation: Operation,
    body: Bytes,
    time: SystemTime,
) -> Result<Request<Full<Bytes>>, Error> {
    let plain = [("content-type", aws_json::CONTENT_TYPE), ("host", host(uri)), (aws_json::TARGET, operation.target())];
    let signer = Signer { region, credentials, service: SERVICE, settings: SigningSettings::default(), time };
    signer.sign(Method::POST, uri, &plain, body)
}

/// The request that puts a bucket or an object into the bundle store, signed for this time.
pub(crate) fn put(
    uri: &Uri,
    region: &str,
    credentials: &Credentials,
    body: Bytes,
    time: SystemTime,
) -> Result<Request<Full<Bytes>>, Error> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    Signer { region, credentials, service: STORE, settings, time }.sign(Method::PUT, uri, &[("host", host(uri))], body)
}

fn host(uri: &Uri) -> &str {
    uri.authority().map_or("", http::uri::Authority::as_str)
}

/// Who signs, for what, and when.
struct Signer<'a> {
    region: &'a str,
    credentials: &'a Credentials,
    service: &'a str,
    settings: SigningSettings,
    time: SystemTime,
}

impl Signer<'_> {
    /// The request with these headers, which the signature is for.
    fn sign(
        self,
        method: Method,
        uri: &Uri,
        plain: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in plain {
            insert(&mut headers, name, value)?;
        }
        insert(&mut headers, "user-agent", concat!("protium-client/", env!("CARGO_PKG_VERSION")))?;
        let Credentials { access_key, secret, session_token } = self.credentials.clone();
        let identity = Identity::new(access_key, secret, session_token, None, "protium-client").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time)
            .settings(self.settings)
            .build()
            .map_err(unsigned)?
            .into();
        let signable =
            SignableRequest::new(method.as_str(), uri.to_string(), plain.iter().copied(), SignableBody::Bytes(&body));
        let (instructions, _) = sign(signable.map_err(unsigned)?, &params).map_err(unsigned)?.into_parts();
        for (name, value) in instructions.headers() {
            insert(&mut headers, name, value)?;
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Error> {
    let name = HeaderName::try_from(name).map_err(unsigned)?;
    let value = HeaderValue::try_from(value).map_err(|_| {
        Error::Config(format!("header {name} can't be sent: region, key or token has characters that are not allowed"))
    })?;
    headers.insert(name, value);
    Ok(())
}

fn unsigned(error: impl std::fmt::Display) -> Error {
    Error::Config(format!("the request can't be signed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn signed(credentials: &Credentials) -> Result<Request<Full<Bytes>>, Error> {
        request(
            &Uri::from_static("http://127.0.0.1:8420"),
            "eu-west-1",
            credentials,
            Operation::GetService,
            Bytes::from_static(br#"{"name":"shop"}"#),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_726_400),
        )
    }

    /// The expected signature was computed apart from this code, from the description of the algorithm.
    #[test]
    fn a_request_has_the_signature_that_the_algorithm_gives() {
        let credentials =
            Credentials { session_token: Some("session".to_owned()), ..Credentials::new("AKID", "secret") };
        let request = signed(&credentials).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(
            header("authorization"),
            "AWS4-HMAC-SHA256 Credential=AKID/20251121/eu-west-1/proton/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=e0a961e33198b7022aa02fd0a200f2b21d448b13a69634acc30d10f0cd696dc1"
        );
        assert_eq!(header("x-amz-date"), "20251121T120000Z");
        assert_eq!(header("x-amz-security-token"), "session");
        assert_eq!(header("x-amz-target"), "AwsProton20200720.GetService");
        assert_eq!(header("content-type"), "application/x-amz-json-1.0");
        assert_eq!(request.uri(), "http://127.0.0.1:8420/");
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_an_error() {
        let error = signed(&Credentials::new("AK\nID", "secret")).unwrap_err();
        assert!(matches!(&error, Error::Config(_)), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
