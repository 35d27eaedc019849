//! What an uploader said of an object and gets back with it: headers, metadata, checksums.

use std::collections::BTreeMap;

use s3s::dto::{Checksum, Timestamp};
use s3s::{S3Error, S3ErrorCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::failure::refusal;
use crate::store::{DbError, DbResult};

/// The most that names and values of an object's metadata may have together, in bytes.
const METADATA_LIMIT: usize = 2048;

/// The document of an object's row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) expires: Option<Timestamp>,
    /// Without the prefix `x-amz-meta-`.
    pub(super) metadata: BTreeMap<String, String>,
    /// Base64 by algorithm: those of the whole object that its uploader sent.
    pub(super) checksums: BTreeMap<String, String>,
    /// Of how many parts it was made, if of parts.
    pub(super) parts: Option<u32>,
}

/// The document of an upload's row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct UploadDetails {
    pub(super) content_type: Option<String>,
    pub(super) object: Details,
}

/// The [`Details`] of an input that has the usual members.
macro_rules! details_of {
    ($input:expr) => {
        $crate::http::s3::details::Details {
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::http::s3::details::without_chunking($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            ..Default::default()
        }
    };
}
pub(super) use details_of;

impl Details {
    /// Refuses more metadata than an answer's headers could hold.
    pub(super) fn check(&self) -> Result<(), S3Error> {
        let size: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size <= METADATA_LIMIT {
            return Ok(());
        }
        let message = format!(
            "Your metadata headers exceed the maximum allowed metadata size: {size} bytes, and {METADATA_LIMIT} may be"
        );
        Err(refusal(S3ErrorCode::MetadataTooLarge, message))
    }

    pub(super) fn parse(doc: &str) -> DbResult<Self> {
        read(doc)
    }

    pub(super) fn remember(&mut self, sums: &Checksum) {
        let known = [
            ("CRC32", &sums.checksum_crc32),
            ("CRC32C", &sums.checksum_crc32c),
            ("CRC64NVME", &sums.checksum_crc64nvme),
            ("SHA1", &sums.checksum_sha1),
            ("SHA256", &sums.checksum_sha256),
        ];
        for (name, sum) in known {
            if let Some(sum) = sum {
                self.checksums.insert(name.to_owned(), sum.clone());
            }
        }
    }

    pub(super) fn sums(&self) -> Checksum {
        let sum = |name: &str| self.checksums.get(name).cloned();
        Checksum {
            checksum_crc32: sum("CRC32"),
            checksum_crc32c: sum("CRC32C"),
            checksum_crc64nvme: sum("CRC64NVME"),
            checksum_sha1: sum("SHA1"),
            checksum_sha256: sum("SHA256"),
            checksum_type: None,
        }
    }
}

impl UploadDetails {
    pub(super) fn parse(doc: &str) -> DbResult<Self> {
        read(doc)
    }
}

/// A document as the text that is stored.
pub(super) fn text<T: Serialize>(details: &T) -> DbResult<String> {
    serde_json::to_string(details).map_err(|error| DbError::other(format!("a document can't be written: {error}")))
}

/// A stored document. It may be a newer program's: what it has besides is passed over.
fn read<T: DeserializeOwned>(doc: &str) -> DbResult<T> {
    serde_json::from_str(doc).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        DbError::corrupt(format!("an object's document can't be read at line {line}, column {column}"))
    })
}

/// The encoding of the object itself: `aws-chunked` was only that of its upload.
pub(super) fn without_chunking(encoding: Option<String>) -> Option<String> {
    let kept: Vec<&str> =
        encoding.as_deref()?.split(',').map(str::trim).filter(|one| !one.is_empty() && *one != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_an_upload_is_not_that_of_the_object() {
        assert_eq!(without_chunking(Some("aws-chunked".into())), None);
        assert_eq!(without_chunking(Some("gzip, aws-chunked".into())).as_deref(), Some("gzip"));
        assert_eq!(without_chunking(None), None);
    }

    #[test]
    fn details_survive_their_document() {
        let mut details = Details { content_language: Some("de".into()), ..Details::default() };
        details.metadata.insert("a".into(), "ä".into());
        details.remember(&Checksum { checksum_sha1: Some("x".into()), ..Checksum::default() });
        let read = Details::parse(&text(&details).unwrap()).unwrap();
        assert_eq!(read, details);
        assert_eq!(read.sums().checksum_sha1.as_deref(), Some("x"));
    }

    #[test]
    fn too_much_metadata_is_refused() {
        let mut details = Details::default();
        details.metadata.insert("a".into(), "x".repeat(METADATA_LIMIT));
        assert_eq!(details.check().unwrap_err().code(), &S3ErrorCode::MetadataTooLarge);
    }
}
