//! Unpacking a bundle: bytes in, files out, nothing trusted.
//!
//! Owns what an archive may contain. It does not know what the files mean: `check` does.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::limits::{Limits, bytes};
use super::problem::Problem;

/// The files of a bundle by relative path with `/` between folders.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Folders that make a root the root of a bundle: with one of them there, nothing is stripped.
const LAYOUT: [&str; 4] = ["schema", "infrastructure", "instance_infrastructure", "pipeline_infrastructure"];

const REPACK: &str = "pack the bundle's files anew: `tar -czf bundle.tar.gz -C <folder> .`";

/// Unpacks a `tar.gz` (or a plain `tar`).
///
/// A single folder that holds everything is stripped (bundles of the preview era have one, and
/// `tar` adds `./`). Leftovers of macOS and `pax` are skipped. Refused: absolute paths, `..`, links,
/// devices, duplicate paths, and anything beyond `limits`; reading stops at the limit, so a
/// decompression bomb costs no more than that.
///
/// # Errors
/// The first problem found; it names the entry.
pub fn unpack(archive: &[u8], limits: &Limits) -> Result<Files, Problem> {
    if archive.len() > limits.archive_bytes {
        return Err(whole(
            format!("the archive has {}, the limit is {}", bytes(archive.len()), bytes(limits.archive_bytes)),
            "leave out what the templates do not need",
        ));
    }
    let files = match archive {
        [0x1f, 0x8b, ..] => read_entries(MultiGzDecoder::new(archive), limits)?,
        [b'P', b'K', ..] => return Err(whole("this is a zip file, not a tar.gz", REPACK)),
        [] => return Err(whole("the archive is empty", REPACK)),
        _ => read_entries(archive, limits)?,
    };
    if files.is_empty() {
        return Err(whole("the archive holds no files", REPACK));
    }
    Ok(strip_common_folder(files))
}

fn read_entries(reader: impl Read, limits: &Limits) -> Result<Files, Problem> {
    // Headers and padding of many small files come on top of their contents.
    let budget = limits.unpacked_bytes.saturating_add(limits.files.saturating_mul(4096));
    let mut archive = Archive::new(Bounded { reader, left: budget });
    let mut files = Files::new();
    let mut unpacked = 0usize;
    let mut seen = 0usize;
    for entry in archive.entries().map_err(|error| unreadable(&error, limits))? {
        let mut entry = entry.map_err(|error| unreadable(&error, limits))?;
        seen += 1;
        if seen > limits.files.saturating_mul(4) {
            return Err(too_many(limits));
        }
        let raw = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&raw).chars().take(120).collect::<String>();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
            continue;
        }
        let path = match safe_path(&raw, limits) {
            Ok(path) => path,
            Err(why) => return Err(refused(&shown, &why)),
        };
        if is_leftover(&path) {
            continue;
        }
        match kind {
            EntryType::Directory => continue,
            EntryType::Regular | EntryType::Continuous => {}
            other => {
                return Err(refused(
                    &shown,
                    &format!("it is {}, only files and folders may be in a bundle", kind_name(other)),
                ));
            }
        }
        let Some(path) = path else { return Err(refused(&shown, "a file needs a name")) };
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        if size > limits.file_bytes {
            return Err(refused(
                &shown,
                &format!("it has {}, the limit for one file is {}", bytes(size), bytes(limits.file_bytes)),
            ));
        }
        unpacked = unpacked.saturating_add(size);
        if unpacked > limits.unpacked_bytes {
            return Err(too_large(limits));
        }
        if files.len() >= limits.files {
            return Err(too_many(limits));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| unreadable(&error, limits))?;
        if content.len() != size {
            return Err(refused(&shown, "it ends early: the archive is cut off"));
        }
        if files.insert(path, content).is_some() {
            return Err(refused(&shown, "the archive holds this path twice"));
        }
    }
    refuse_file_and_folder(&files)?;
    Ok(files)
}

/// A reader that fails, instead of ending, after `left` bytes.
struct Bounded<R> {
    reader: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count).ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        Ok(count)
    }
}

/// The relative path of an entry with `.` parts removed; `None` for the root itself.
fn safe_path(raw: &[u8], limits: &Limits) -> Result<Option<String>, String> {
    let text = std::str::from_utf8(raw).map_err(|_| "its name is not UTF-8".to_owned())?;
    if text.starts_with('/') {
        return Err("its path is absolute".to_owned());
    }
    if text.chars().count() > limits.path_chars {
        return Err(format!("its path is longer than {} characters", limits.path_chars));
    }
    if text.contains(['\\', ':']) || text.chars().any(char::is_control) {
        return Err("its name holds a character that is not portable (`\\`, `:` or a control character)".to_owned());
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("its path leaves the bundle with `..`".to_owned()),
            part => parts.push(part),
        }
    }
    if parts.len() > limits.path_depth {
        return Err(format!("it is nested in more than {} folders", limits.path_depth));
    }
    Ok(if parts.is_empty() { None } else { Some(parts.join("/")) })
}

/// Whether an entry is something that an archiver added: AppleDouble files, Finder's notes, `pax`
/// headers that an old `tar` did not understand.
fn is_leftover(path: &Option<String>) -> bool {
    path.as_deref().unwrap_or_default().split('/').any(|part| {
        part.starts_with("._")
            || part == ".DS_Store"
            || part == "__MACOSX"
            || part == "PaxHeader"
            || part.starts_with("PaxHeaders.")
            || part == "pax_global_header"
    })
}

/// `a` and `a/b` cannot both be written to a folder.
fn refuse_file_and_folder(files: &Files) -> Result<(), Problem> {
    for path in files.keys() {
        for (at, _) in path.match_indices('/') {
            let folder = path.get(..at).unwrap_or_default();
            if files.contains_key(folder) {
                return Err(refused(folder, "it is both a file and a folder"));
            }
        }
    }
    Ok(())
}

fn strip_common_folder(files: Files) -> Files {
    let mut tops = files.keys().map(|path| path.split_once('/').map(|(top, _)| top));
    let Some(Some(top)) = tops.next().map(|top| top.map(str::to_owned)) else { return files };
    if LAYOUT.contains(&top.as_str()) || !tops.all(|other| other == Some(top.as_str())) {
        return files;
    }
    let prefix = format!("{top}/");
    files
        .into_iter()
        .map(|(path, content)| (path.strip_prefix(&prefix).map(str::to_owned).unwrap_or(path), content))
        .collect()
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        _ => "of an unknown kind",
    }
}

fn whole(message: impl Into<String>, remedy: &str) -> Problem {
    Problem::new("bundle", message, remedy)
}

fn refused(entry: &str, why: &str) -> Problem {
    Problem::new("bundle", format!("entry `{}` is refused: {why}", entry.escape_debug()), REPACK)
}

fn too_many(limits: &Limits) -> Problem {
    whole(format!("the archive holds more than {} files", limits.files), "leave out what the templates do not need")
}

fn too_large(limits: &Limits) -> Problem {
    whole(
        format!("the archive unpacks to more than {}", bytes(limits.unpacked_bytes)),
        "leave out what the templates do not need",
    )
}

fn unreadable(error: &io::Error, limits: &Limits) -> Problem {
    // `Bounded` stopped the reading; the readers above it keep the kind of its error.
    if error.kind() == io::ErrorKind::FileTooLarge {
        return too_large(limits);
    }
    // The error may quote the archive.
    let error: String = error.to_string().chars().take(200).collect();
    whole(format!("the archive cannot be read as tar.gz: {}", error.escape_debug()), REPACK)
}

#[cfg(test)]
mod tests;
