//! Archives: the bytes of a `tar.gz` or a `tar`.
//!
//! What is unpacked stays below the folder that it is unpacked to, within the limits, and is the same when it is
//! packed and unpacked again.

use flate2::Compression;
use flate2::write::GzEncoder;
use protium_domain::bundle::{Expect, Files, Limits, check as check_bundle, unpack};
use std::io::Write;

const BLOCK: usize = 512;

/// Small ones, so that they are reached.
fn limits() -> Limits {
    Limits {
        archive_bytes: 64 * 1024,
        unpacked_bytes: 256 * 1024,
        files: 40,
        file_bytes: 64 * 1024,
        path_chars: 200,
        path_depth: 10,
        ..Limits::default()
    }
}

/// As it is, and with the checksums that its headers should have, which no fuzzer guesses.
pub fn check(input: &[u8]) {
    unpacked(input);
    if !input.starts_with(&[0x1f, 0x8b]) {
        let repaired = with_checksums(input);
        let plain = unpacked(&repaired);
        if repaired.len() < limits().archive_bytes / 2 && repaired.first().is_some_and(|byte| *byte != b'P') {
            assert_eq!(plain, unpacked(&gzip(&repaired)), "tar and tar.gz");
        }
    }
}

/// The files, if the archive is taken.
fn unpacked(archive: &[u8]) -> Option<Files> {
    let limits = limits();
    let files = match unpack(archive, &limits) {
        Ok(files) => files,
        Err(problem) => {
            assert_eq!(problem.file, "bundle");
            assert!(!problem.message.is_empty() && !problem.message.chars().any(char::is_control), "{problem:?}");
            return None;
        }
    };
    assert!(!files.is_empty() && files.len() <= limits.files);
    assert!(files.values().map(Vec::len).sum::<usize>() <= limits.unpacked_bytes);
    for (path, content) in &files {
        assert!(content.len() <= limits.file_bytes && path.chars().count() <= limits.path_chars);
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        assert!(path.split('/').all(is_plain) && path.split('/').count() <= limits.path_depth, "{path:?}");
        assert!(!path.contains(['\\', ':', '\0', '\n']), "{path:?}");
        assert!(path.match_indices('/').all(|(at, _)| !files.contains_key(&path[..at])), "{path:?}");
    }
    packed_again(&files);
    checked(&files, &limits);
    Some(files)
}

/// In a folder, which is stripped again.
fn packed_again(files: &Files) {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, format!("bundle/{path}"), content.as_slice()).expect("packed");
    }
    let archive = archive.into_inner().and_then(GzEncoder::finish).expect("packed");
    assert_eq!(unpack(&archive, &Limits::default()).as_ref(), Ok(files));
}

/// Registration's checks: what they find is in a file of the bundle, or in one that is missing.
fn checked(files: &Files, limits: &Limits) {
    let expects = [
        Expect::Environment { customer_managed: false },
        Expect::Environment { customer_managed: true },
        Expect::Service { pipeline: true },
    ];
    for expect in expects {
        for problem in check_bundle(files, expect, limits).err().into_iter().flatten() {
            assert!(!problem.file.is_empty() && !problem.message.is_empty() && !problem.remedy.is_empty());
            if let Some(text) = files.get(&problem.file).and_then(|content| std::str::from_utf8(content).ok()) {
                super::check_place(problem.line, problem.column, text);
            }
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::none());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

/// The same archive with the sum that each header should have.
fn with_checksums(archive: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    let mut at = 0;
    while let Some(header) = archive.get_mut(at..at + BLOCK) {
        let size = tar::Header::from_byte_slice(header).entry_size().unwrap_or(0);
        if header.iter().any(|byte| *byte != 0) {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let blocks = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(BLOCK);
        at = at.saturating_add(blocks.saturating_add(1).saturating_mul(BLOCK));
        if at > limits().archive_bytes {
            break;
        }
    }
    archive
}
