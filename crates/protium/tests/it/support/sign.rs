//! Signs requests the way clients do, with AWS's own signer.
//!
//! The verifier under test shares no code with it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use hmac::{KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Who signs, for what, and when.
#[derive(Clone, Debug)]
pub struct Signer {
    pub access_key_id: String,
    pub secret: String,
    pub token: Option<String>,
    pub region: String,
    pub service: String,
    pub at: SystemTime,
    /// Makes it a presigned URL that lives so long.
    pub expires_in: Option<Duration>,
    /// What `x-amz-content-sha256` says, instead of the body's hash.
    pub declared: Option<String>,
}

impl Signer {
    pub fn new(access_key_id: &str, secret: &str, service: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret: secret.to_owned(),
            token: None,
            region: "eu-west-1".to_owned(),
            service: service.to_owned(),
            at: SystemTime::now(),
            expires_in: None,
            declared: None,
        }
    }

    /// The request with the signature in its header, or in its query if it is to expire.
    pub fn sign(&self, mut request: http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
        let credentials = Credentials::new(&self.access_key_id, &self.secret, self.token.clone(), None, "tests");
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(self.at)
            .settings(self.settings())
            .build()
            .expect("complete parameters")
            .into();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
            .collect();
        let body = match (self.service.as_str(), self.expires_in, &self.declared) {
            (_, None, Some(declared)) => SignableBody::Precomputed(declared.clone()),
            ("s3", Some(_), _) => SignableBody::UnsignedPayload,
            _ => SignableBody::Bytes(request.body()),
        };
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            body,
        )
        .expect("a request that can be signed");
        let (instructions, _) = sign(signable, &params).expect("a signature").into_parts();
        instructions.apply_to_request_http1x(&mut request);
        request
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        settings.expires_in = self.expires_in;
        if self.expires_in.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
        }
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            if self.expires_in.is_none() {
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            }
        }
        settings
    }

    /// Signs an upload in chunks: the request, and each chunk in a chain that begins with its signature.
    /// `content-length` is not set; the body is complete.
    pub fn sign_chunks(&self, request: http::Request<()>, chunks: &[&[u8]]) -> http::Request<Vec<u8>> {
        let declared = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned();
        let signer = Self { declared: Some(declared), ..self.clone() };
        let mut request = signer.sign(request.map(|()| Vec::new()));
        let header = |name: &str| request.headers()[name].to_str().expect("ASCII").to_owned();
        let at = header("x-amz-date");
        let mut previous = header("authorization").rsplit('=').next().expect("a signature").to_owned();
        let scope = format!("{}/{}/{}/aws4_request", &at[..8], self.region, self.service);
        let key =
            scope.split('/').fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| hmac(&key, part.as_bytes()));
        let mut body = Vec::new();
        for chunk in chunks.iter().chain([&&[][..]]) {
            let text = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{at}\n{scope}\n{previous}\n{}\n{}",
                hex::encode(Sha256::digest(b"")),
                hex::encode(Sha256::digest(chunk))
            );
            previous = hex::encode(hmac(&key, text.as_bytes()));
            body.extend(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).bytes());
            body.extend_from_slice(chunk);
            body.extend(b"\r\n");
        }
        *request.body_mut() = body;
        request
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
