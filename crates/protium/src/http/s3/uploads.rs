//! Lists of uploads in progress.

use s3s::dto::{CommonPrefix, ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload};

use super::Caller;
use super::failure::Failure;
use super::listing::{Encoding, check_texts, limit, rolled_up};
use super::object::modified;
use super::service::Shelves;
use crate::store::{DbResult, Objects, Reader, UploadRow, upload_list};

/// Rows that are read at once.
const BATCH: i64 = 1000;
/// What no upload's id sorts behind.
const BEHIND_ALL_IDS: &str = "\u{10FFFF}";

/// Which uploads of a bucket are listed.
struct Wanted<'a> {
    of: Objects<'a>,
    prefix: &'a str,
    /// Empty: nothing is rolled up.
    delimiter: &'a str,
    limit: usize,
}

#[derive(Default)]
struct Page {
    uploads: Vec<UploadRow>,
    prefixes: Vec<String>,
    is_truncated: bool,
}

/// Fills a page from `marker` (key and id) on, which then is that of the last upload looked at.
async fn page(rd: &mut Reader, wanted: &Wanted<'_>, marker: &mut (String, String)) -> DbResult<Page> {
    let mut page = Page::default();
    if wanted.limit == 0 {
        return Ok(page);
    }
    loop {
        let rows = upload_list(rd, wanted.of, (&marker.0, &marker.1), BATCH).await?;
        let is_end = i64::try_from(rows.len()).unwrap_or_default() < BATCH;
        for row in rows {
            let at = (row.key.clone(), row.id.clone());
            if row.key.starts_with(wanted.prefix) && !page.take(row, wanted) {
                page.is_truncated = true;
                return Ok(page);
            }
            *marker = at;
        }
        if is_end {
            return Ok(page);
        }
    }
}

impl Page {
    /// Shows an upload, or what it is rolled up to. `false`: the page is full.
    fn take(&mut self, row: UploadRow, wanted: &Wanted<'_>) -> bool {
        let beginning = rolled_up(&row.key, wanted.prefix, wanted.delimiter);
        if beginning.is_some() && beginning == self.prefixes.last().map(String::as_str) {
            return true;
        }
        if self.uploads.len() + self.prefixes.len() == wanted.limit {
            return false;
        }
        match beginning {
            Some(beginning) => self.prefixes.push(beginning.to_owned()),
            None => self.uploads.push(row),
        }
        true
    }
}

pub(super) async fn list(
    shelves: &Shelves,
    caller: &Caller,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, Failure> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let (max_uploads, limit) = limit("max-uploads", input.max_uploads)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.unwrap_or_default();
    let key = input.key_marker.clone().unwrap_or_default();
    // A key alone means: after all uploads to it.
    let id = match input.upload_id_marker.clone() {
        Some(id) if !id.is_empty() => id,
        _ if key.is_empty() => String::new(),
        _ => BEHIND_ALL_IDS.to_owned(),
    };
    check_texts([&key, &id, ""])?;
    shelves.need_bucket(caller.account(), &input.bucket).await?;
    let of = Objects { account: caller.account(), bucket: &input.bucket };
    let wanted = Wanted { of, prefix: &prefix, delimiter: &delimiter, limit };
    let mut marker = (key, id);
    let page = page(&mut shelves.store.reader().await?, &wanted, &mut marker).await?;
    let uploads = page.uploads.into_iter().map(|row| MultipartUpload {
        key: Some(encoding.name(row.key)),
        upload_id: Some(row.id),
        initiated: Some(modified(row.created_at)),
        ..Default::default()
    });
    let prefixes = page.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(encoding.name(prefix)) });
    Ok(ListMultipartUploadsOutput {
        uploads: Some(uploads.collect()),
        common_prefixes: Some(prefixes.collect()),
        is_truncated: Some(page.is_truncated),
        next_key_marker: page.is_truncated.then(|| encoding.name(marker.0)),
        next_upload_id_marker: page.is_truncated.then_some(marker.1),
        key_marker: input.key_marker.map(|marker| encoding.name(marker)),
        upload_id_marker: input.upload_id_marker,
        max_uploads: Some(max_uploads),
        prefix: Some(encoding.name(prefix)),
        delimiter: Some(encoding.name(delimiter)).filter(|delimiter| !delimiter.is_empty()),
        encoding_type: input.encoding_type,
        bucket: Some(input.bucket),
        request_charged: None,
    })
}
