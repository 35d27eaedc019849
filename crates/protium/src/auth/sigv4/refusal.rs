//! Why a signature is not believed, and how AWS says so in each of its protocols.

use std::borrow::Cow;

/// Where the signature stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The `Authorization` header.
    Header,
    /// The query of a presigned URL.
    Query,
}

/// The family of error codes and messages that a client expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson: the Proton API.
    Json,
    /// awsQuery: STS.
    Query,
    /// S3's XML.
    S3,
}

/// What stands in the answer to a request that was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The error's name, without a namespace.
    pub code: &'static str,
    /// For people.
    pub message: Cow<'static, str>,
}

/// Why a request was not let in. Texts never hold a secret or a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No signature at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// A signature in the header and one in the query.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature \
         query string parameter or the Authorization header should be specified"
    )]
    TwoMechanisms,
    /// Another way to sign; only `AWS4-HMAC-SHA256` is understood.
    #[error("Unsupported AWS 'algorithm': '{0}'.")]
    Algorithm(String),
    /// A part is missing, repeated or unreadable; the text names it.
    #[error("{1}")]
    Malformed(Mechanism, String),
    /// Signed for another service, region, day or protocol; the text names it.
    #[error("{1}")]
    Scope(Mechanism, String),
    /// The `host` header is not signed.
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostUnsigned,
    /// These `x-amz-…` headers are not signed.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    HeadersUnsigned(String),
    /// Too old; the text says by what.
    #[error("{0}")]
    Expired(String),
    /// A presigned URL after its end.
    #[error("{0}")]
    LinkExpired(String),
    /// From the future; the text says by what.
    #[error("{0}")]
    NotYetCurrent(String),
    /// No such access key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session token is missing, wrong, or sent with a key that has none.
    #[error("The security token included in the request is invalid.")]
    Token,
    /// The session has ended.
    #[error("The security token included in the request is expired")]
    TokenExpired,
    /// The body is not the one that `x-amz-content-sha256` declares.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    PayloadMismatch,
    /// S3 needs `x-amz-content-sha256`.
    #[error("Missing required header for this request: x-amz-content-sha256")]
    PayloadUndeclared,
    /// `x-amz-content-sha256` is no hash and no known marker.
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid \
         sha256 value."
    )]
    PayloadMarker,
    /// The signature is not the one of this request and key.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl Refusal {
    /// What AWS answers in this protocol.
    pub fn answer(&self, protocol: Protocol) -> Answer {
        match protocol {
            Protocol::Json => self.json(),
            Protocol::Query => self.query(),
            Protocol::S3 => self.s3(),
        }
    }

    fn own(&self, status: u16, code: &'static str) -> Answer {
        Answer { status, code, message: Cow::Owned(self.to_string()) }
    }

    fn json(&self) -> Answer {
        self.own(
            400,
            match self {
                Self::Missing => "MissingAuthenticationTokenException",
                Self::TwoMechanisms
                | Self::Algorithm(_)
                | Self::Malformed(..)
                | Self::PayloadUndeclared
                | Self::PayloadMarker => "IncompleteSignatureException",
                Self::UnknownKey | Self::Token => "UnrecognizedClientException",
                Self::TokenExpired => "ExpiredTokenException",
                Self::Scope(..)
                | Self::HostUnsigned
                | Self::HeadersUnsigned(_)
                | Self::Expired(_)
                | Self::LinkExpired(_)
                | Self::NotYetCurrent(_)
                | Self::PayloadMismatch
                | Self::Mismatch => "InvalidSignatureException",
            },
        )
    }

    fn query(&self) -> Answer {
        match self {
            Self::Missing => Answer {
                status: 403,
                code: "MissingAuthenticationToken",
                message: Cow::Borrowed("Request is missing Authentication Token"),
            },
            Self::TwoMechanisms
            | Self::Algorithm(_)
            | Self::Malformed(..)
            | Self::PayloadUndeclared
            | Self::PayloadMarker => self.own(400, "IncompleteSignature"),
            Self::UnknownKey | Self::Token => self.own(403, "InvalidClientTokenId"),
            Self::TokenExpired => self.own(403, "ExpiredToken"),
            Self::Scope(..)
            | Self::HostUnsigned
            | Self::HeadersUnsigned(_)
            | Self::Expired(_)
            | Self::LinkExpired(_)
            | Self::NotYetCurrent(_)
            | Self::PayloadMismatch
            | Self::Mismatch => self.own(403, "SignatureDoesNotMatch"),
        }
    }

    fn s3(&self) -> Answer {
        let fixed = |status, code, message| Answer { status, code, message: Cow::Borrowed(message) };
        match self {
            Self::Missing => fixed(403, "AccessDenied", "Access Denied"),
            Self::TwoMechanisms => self.own(400, "InvalidArgument"),
            Self::Algorithm(_) => fixed(
                400,
                "InvalidRequest",
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            ),
            Self::Malformed(Mechanism::Header, why) | Self::Scope(Mechanism::Header, why) => Answer {
                status: 400,
                code: "AuthorizationHeaderMalformed",
                message: Cow::Owned(format!("The authorization header is malformed; {why}")),
            },
            Self::Malformed(Mechanism::Query, why) | Self::Scope(Mechanism::Query, why) => Answer {
                status: 400,
                code: "AuthorizationQueryParametersError",
                message: Cow::Owned(format!("The query-string authorization is malformed; {why}")),
            },
            Self::HostUnsigned => {
                fixed(403, "AccessDenied", "There were headers present in the request which were not signed: host")
            }
            Self::HeadersUnsigned(names) => Answer {
                status: 403,
                code: "AccessDenied",
                message: Cow::Owned(format!(
                    "There were headers present in the request which were not signed: {names}"
                )),
            },
            Self::Expired(_) | Self::NotYetCurrent(_) => fixed(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Self::LinkExpired(_) => fixed(403, "AccessDenied", "Request has expired"),
            Self::UnknownKey => {
                fixed(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
            }
            Self::Token => fixed(400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
            Self::TokenExpired => fixed(400, "ExpiredToken", "The provided token has expired."),
            Self::PayloadMismatch => self.own(400, "XAmzContentSHA256Mismatch"),
            Self::PayloadUndeclared => self.own(400, "InvalidRequest"),
            Self::PayloadMarker => self.own(400, "InvalidArgument"),
            Self::Mismatch => fixed(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            ),
        }
    }
}
