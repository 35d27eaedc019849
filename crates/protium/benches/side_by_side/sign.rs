//! Signed requests as bytes, made before the load begins: signing costs the contenders nothing.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;

/// The key of the root user.
pub(crate) const ROOT: Key<'_> = Key { id: "AKIABENCHBENCHBENCH1", secret: "a-secret/of+forty-characters,-or-so" };
pub(crate) const REGION: &str = "us-east-1";

/// What requests are signed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
}

/// A request that a program of AWS's would send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) service: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
    pub(crate) key: Key<'a>,
}

impl Request<'_> {
    /// The request on the wire, signed as if it were so much older.
    pub(crate) fn bytes(&self, address: SocketAddr, age: Duration) -> Result<Vec<u8>> {
        let identity = Credentials::new(self.key.id, self.key.secret, None, None, "benchmark").into();
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::now() - age)
            .settings(settings)
            .build()?
            .into();
        let host = address.to_string();
        let headers = self.headers.iter().copied().chain([("host", host.as_str())]);
        let uri = format!("http://{address}{}", self.path);
        let signable = SignableRequest::new(self.method, uri, headers, SignableBody::Bytes(self.body))?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path).into_bytes();
        let signed = signature.headers().chain(self.headers.iter().copied());
        for (name, value) in signed {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend_from_slice(self.body);
        Ok(bytes)
    }
}
