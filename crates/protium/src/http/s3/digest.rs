//! Digests of a body: MD5, which makes the ETag, and whatever checksums the caller sent along.
//!
//! Knows where a caller may put them: headers, or the trailer of a chunked upload.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use md5::Digest;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto::Checksum;
use s3s::{S3Error, S3ErrorCode, TrailingHeaders};

use super::failure::{named, refusal};

/// One kind of checksum: its header, its name, and where it is in a [`Checksum`].
struct Kind {
    header: &'static str,
    name: &'static str,
    slot: fn(&mut Checksum) -> &mut Option<String>,
}

const KINDS: [Kind; 5] = [
    Kind { header: "x-amz-checksum-crc32", name: "CRC32", slot: |sums| &mut sums.checksum_crc32 },
    Kind { header: "x-amz-checksum-crc32c", name: "CRC32C", slot: |sums| &mut sums.checksum_crc32c },
    Kind { header: "x-amz-checksum-crc64nvme", name: "CRC64NVME", slot: |sums| &mut sums.checksum_crc64nvme },
    Kind { header: "x-amz-checksum-sha1", name: "SHA1", slot: |sums| &mut sums.checksum_sha1 },
    Kind { header: "x-amz-checksum-sha256", name: "SHA256", slot: |sums| &mut sums.checksum_sha256 },
];

/// What a body must be, according to its caller.
pub(super) struct Expected {
    md5: Option<[u8; 16]>,
    /// From headers.
    sums: Checksum,
    /// Names of the headers that come after the body.
    trailer: Vec<String>,
}

impl Expected {
    /// Reads `Content-MD5`, `x-amz-checksum-…` and `x-amz-trailer`.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, S3Error> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let md5 = match text("content-md5") {
            None => None,
            Some(digits) => {
                let bytes = STANDARD.decode(digits).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
                let invalid = || {
                    refusal(
                        S3ErrorCode::InvalidDigest,
                        format!("The Content-MD5 you specified is not the base64 of 16 bytes: {digits}"),
                    )
                };
                Some(bytes.ok_or_else(invalid)?)
            }
        };
        let mut sums = Checksum::default();
        for kind in &KINDS {
            *(kind.slot)(&mut sums) = text(kind.header).map(str::to_owned);
        }
        let trailer = text("x-amz-trailer")
            .map(|names| names.split(',').map(|name| name.trim().to_ascii_lowercase()).collect())
            .unwrap_or_default();
        Ok(Self { md5, sums, trailer })
    }

    /// The checksums of a whole object that was uploaded in parts, if its caller sent any. Those with a
    /// number of parts behind them are made of the parts' own, which were compared when the parts came.
    pub(super) fn of_whole(headers: &HeaderMap) -> Option<Self> {
        let mut sums = Checksum::default();
        let mut any = false;
        for kind in &KINDS {
            let value = headers.get(kind.header).and_then(|value| value.to_str().ok());
            let sum = value.filter(|sum| !sum.contains('-')).map(str::to_owned);
            any |= sum.is_some();
            *(kind.slot)(&mut sums) = sum;
        }
        any.then_some(Self { md5: None, sums, trailer: Vec::new() })
    }

    /// Starts to compute what is needed to check it.
    pub(super) fn digests(&self) -> Digests {
        let wanted = |index: usize| {
            let kind = &KINDS[index];
            let mut sums = self.sums.clone();
            (kind.slot)(&mut sums).is_some() || self.trailer.iter().any(|name| name == kind.header)
        };
        Digests {
            md5: md5::Md5::new(),
            sums: ChecksumHasher {
                crc32: wanted(0).then(s3s::crypto::Crc32::new),
                crc32c: wanted(1).then(s3s::crypto::Crc32c::new),
                crc64nvme: wanted(2).then(s3s::crypto::Crc64Nvme::new),
                sha1: wanted(3).then(s3s::crypto::Sha1::new),
                sha256: wanted(4).then(s3s::crypto::Sha256::new),
            },
        }
    }

    /// Compares. `trailing` is what came after the body.
    pub(super) fn check(mut self, computed: Digests, trailing: Option<&TrailingHeaders>) -> Result<Computed, S3Error> {
        let md5: [u8; 16] = computed.md5.finalize().into();
        if self.md5.is_some_and(|expected| expected != md5) {
            return Err(refusal(
                S3ErrorCode::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let mut sums = computed.sums.finalize();
        for kind in &KINDS {
            let Some(computed) = (kind.slot)(&mut sums).as_deref() else { continue };
            let sent = match (kind.slot)(&mut self.sums).take() {
                Some(sent) => sent,
                None => trailing_value(trailing, kind.header)?,
            };
            if sent != computed {
                return Err(refusal(
                    S3ErrorCode::BadDigest,
                    format!("The {} you specified did not match the calculated checksum.", kind.name),
                ));
            }
        }
        Ok(Computed { md5, sums })
    }
}

fn trailing_value(trailing: Option<&TrailingHeaders>, name: &str) -> Result<String, S3Error> {
    trailing
        .and_then(|trailing| trailing.read(|headers| headers.get(name).cloned()))
        .flatten()
        .and_then(|value| value.to_str().ok().map(str::to_owned))
        .ok_or_else(|| {
            let message = format!("The request announced a trailing header that did not come: {name}");
            named("MalformedTrailerError", StatusCode::BAD_REQUEST, message)
        })
}

/// Digests being computed.
pub(super) struct Digests {
    md5: md5::Md5,
    sums: ChecksumHasher,
}

impl Digests {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sums.update(bytes);
    }
}

/// The digests of a body that is as its caller said.
pub(super) struct Computed {
    pub(super) md5: [u8; 16],
    pub(super) sums: Checksum,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], body: &[u8]) -> Result<Computed, S3Error> {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        let expected = Expected::read(&headers)?;
        let mut digests = expected.digests();
        digests.update(body);
        expected.check(digests, None)
    }

    #[test]
    fn every_kind_of_checksum_is_compared() {
        // Of the text "123456789", as the catalogues of checksums give them.
        let known = [
            ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
            ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-checksum-crc32c", "4waSgw=="),
            ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
            ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
            ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ];
        for (name, value) in known {
            check(&[(name, value)], b"123456789").map(drop).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let error = check(&[(name, value)], b"123456780").map(drop).unwrap_err();
            assert_eq!(error.code(), &S3ErrorCode::BadDigest, "{name}");
        }
        let error = check(&[("content-md5", "short")], b"").map(drop).unwrap_err();
        assert_eq!(error.code(), &S3ErrorCode::InvalidDigest);
    }

    #[test]
    fn an_announced_trailer_that_does_not_come_is_refused() {
        let error = check(&[("x-amz-trailer", "x-amz-checksum-crc32")], b"x").map(drop).unwrap_err();
        assert_eq!(error.code().as_str(), "MalformedTrailerError");
    }
}
