//! Lists of objects, in both versions of the operation.
//!
//! A delimiter rolls keys that share a beginning up into one entry; the directory is then asked past it,
//! so that a list costs what it shows and not what is below it.

use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::S3Error;
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object, ObjectStorageClass, Owner,
};

use super::Caller;
use super::failure::{Failure, invalid};
use super::object::modified;
use super::service::Shelves;
use crate::store::{DbResult, ObjectRow, Objects, Reader, object_list, past_prefix};

/// The most entries in one answer.
const LIMIT: i32 = 1000;
/// What stays as it is when names are encoded.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// Which part of a bucket is listed.
struct Wanted<'a> {
    of: Objects<'a>,
    prefix: &'a str,
    /// Empty: nothing is rolled up.
    delimiter: &'a str,
    /// The entry (key or rolled-up beginning) after which the list goes on.
    after: &'a str,
    limit: usize,
}

#[derive(Default)]
struct Page {
    objects: Vec<ObjectRow>,
    prefixes: Vec<String>,
    /// The last entry, if there are more.
    last: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

/// Where the database is to go on.
enum From {
    Start,
    After(String),
    At(String),
}

impl From {
    fn bound(&self) -> Bound<&str> {
        match self {
            Self::Start => Bound::Unbounded,
            Self::After(key) => Bound::Excluded(key),
            Self::At(key) => Bound::Included(key),
        }
    }
}

async fn page(rd: &mut Reader, wanted: &Wanted<'_>) -> DbResult<Page> {
    let mut page = Page::default();
    if wanted.limit == 0 {
        return Ok(page);
    }
    let mut from = match wanted.after {
        "" => From::Start,
        key => From::After(key.to_owned()),
    };
    let mut last = String::new();
    loop {
        let batch = i64::try_from(wanted.limit + 1 - page.len()).unwrap_or(i64::MAX);
        let rows = object_list(rd, wanted.of, wanted.prefix, from.bound(), batch).await?;
        let is_end = i64::try_from(rows.len()).unwrap_or(i64::MAX) < batch;
        let mut skip = None;
        for row in rows {
            let beginning = rolled_up(&row.key, wanted.prefix, wanted.delimiter);
            // A page may have ended with this beginning: what is below it was shown with it.
            if beginning.is_some_and(|beginning| beginning <= wanted.after) {
                skip = beginning.map(str::to_owned);
                break;
            }
            if page.len() == wanted.limit {
                page.last = Some(last);
                return Ok(page);
            }
            if let Some(beginning) = beginning {
                last = beginning.to_owned();
                page.prefixes.push(last.clone());
                skip = Some(last.clone());
                break;
            }
            last.clone_from(&row.key);
            from = From::After(last.clone());
            page.objects.push(row);
        }
        from = match skip {
            Some(beginning) => match past_prefix(&beginning) {
                Some(next) => From::At(next),
                None => return Ok(page),
            },
            None if is_end => return Ok(page),
            None => from,
        };
    }
}

/// The beginning of the key up to the first delimiter after the prefix.
pub(super) fn rolled_up<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.get(prefix.len()..)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    key.get(..end)
}

/// Whether and how names are encoded in the answer.
#[derive(Clone, Copy)]
pub(super) struct Encoding(bool);

impl Encoding {
    pub(super) fn read(asked: Option<&EncodingType>) -> Result<Self, S3Error> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self(false)),
            Some(EncodingType::URL) => Ok(Self(true)),
            Some(other) => {
                Err(invalid(format!("Invalid Encoding Method specified in Request: '{other}'; there is 'url'")))
            }
        }
    }

    pub(super) fn name(self, name: impl Into<String>) -> String {
        let name = name.into();
        if self.0 { utf8_percent_encode(&name, RESERVED).to_string() } else { name }
    }
}

/// The size of a page: 1000 if nothing is said, never more.
pub(super) fn limit(name: &str, asked: Option<i32>) -> Result<(i32, usize), S3Error> {
    let limit = asked.unwrap_or(LIMIT).min(LIMIT);
    let size = usize::try_from(limit).map_err(|_| invalid(format!("{name} is {limit}, and must not be negative")))?;
    Ok((limit, size))
}

fn contents(rows: Vec<ObjectRow>, encoding: Encoding, owner: Option<&str>) -> Vec<Object> {
    rows.into_iter()
        .map(|row| Object {
            key: Some(encoding.name(row.key)),
            size: Some(row.size),
            e_tag: Some(ETag::Strong(row.etag)),
            last_modified: Some(modified(row.modified_at)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            owner: owner.map(|account| Owner { display_name: None, id: Some(account.to_owned()) }),
            ..Default::default()
        })
        .collect()
}

fn common_prefixes(prefixes: Vec<String>, encoding: Encoding) -> Vec<CommonPrefix> {
    prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(encoding.name(prefix)) }).collect()
}

/// No key has a NUL, and PostgreSQL takes none in a parameter.
pub(super) fn check_texts(texts: [&str; 3]) -> Result<(), S3Error> {
    match texts.iter().find(|text| text.contains('\0')) {
        Some(_) => Err(invalid("A parameter contains a NUL character, which no key does")),
        None => Ok(()),
    }
}

pub(super) async fn first(
    shelves: &Shelves,
    caller: &Caller,
    input: ListObjectsInput,
) -> Result<ListObjectsOutput, Failure> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let (max_keys, limit) = limit("max-keys", input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.unwrap_or_default();
    let marker = input.marker.unwrap_or_default();
    check_texts([&prefix, &delimiter, &marker])?;
    shelves.need_bucket(caller.account(), &input.bucket).await?;
    let of = Objects { account: caller.account(), bucket: &input.bucket };
    let wanted = Wanted { of, prefix: &prefix, delimiter: &delimiter, after: &marker, limit };
    let page = page(&mut shelves.store.reader().await?, &wanted).await?;
    Ok(ListObjectsOutput {
        contents: Some(contents(page.objects, encoding, Some(caller.account()))),
        common_prefixes: Some(common_prefixes(page.prefixes, encoding)),
        is_truncated: Some(page.last.is_some()),
        next_marker: page.last.map(|last| encoding.name(last)),
        name: Some(input.bucket),
        prefix: Some(encoding.name(prefix)),
        delimiter: Some(encoding.name(delimiter)).filter(|delimiter| !delimiter.is_empty()),
        marker: Some(encoding.name(marker)),
        max_keys: Some(max_keys),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

pub(super) async fn second(
    shelves: &Shelves,
    caller: &Caller,
    input: ListObjectsV2Input,
) -> Result<ListObjectsV2Output, Failure> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let (max_keys, limit) = limit("max-keys", input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.unwrap_or_default();
    let after = match &input.continuation_token {
        Some(token) => opened(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    check_texts([&prefix, &delimiter, &after])?;
    shelves.need_bucket(caller.account(), &input.bucket).await?;
    let of = Objects { account: caller.account(), bucket: &input.bucket };
    let wanted = Wanted { of, prefix: &prefix, delimiter: &delimiter, after: &after, limit };
    let page = page(&mut shelves.store.reader().await?, &wanted).await?;
    let owner = input.fetch_owner.unwrap_or(false).then_some(caller.account());
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(page.len()).ok(),
        contents: Some(contents(page.objects, encoding, owner)),
        common_prefixes: Some(common_prefixes(page.prefixes, encoding)),
        is_truncated: Some(page.last.is_some()),
        next_continuation_token: page.last.map(|last| URL_SAFE_NO_PAD.encode(last)),
        continuation_token: input.continuation_token,
        name: Some(input.bucket),
        prefix: Some(encoding.name(prefix)),
        delimiter: Some(encoding.name(delimiter)).filter(|delimiter| !delimiter.is_empty()),
        start_after: input.start_after.map(|after| encoding.name(after)),
        max_keys: Some(max_keys),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

/// A continuation token is the last entry of the page before.
fn opened(token: &str) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|last| !last.is_empty())
        .ok_or_else(|| invalid(format!("The continuation token provided is incorrect: '{token}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_rolled_up_to_the_first_delimiter_after_the_prefix() {
        assert_eq!(rolled_up("a/b/c", "", "/"), Some("a/"));
        assert_eq!(rolled_up("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(rolled_up("a/b/c", "a/b/", "/"), None);
        assert_eq!(rolled_up("a--b", "", "--"), Some("a--"));
        assert_eq!(rolled_up("a/b", "", ""), None);
    }

    #[test]
    fn a_page_has_at_most_1000_entries_and_at_least_none() {
        assert_eq!(limit("max-keys", None).unwrap(), (1000, 1000));
        assert_eq!(limit("max-keys", Some(5000)).unwrap(), (1000, 1000));
        assert_eq!(limit("max-keys", Some(0)).unwrap(), (0, 0));
        assert!(limit("max-keys", Some(-1)).is_err());
    }
}
