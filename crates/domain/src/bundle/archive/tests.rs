//! Which archives unpack, and that hostile ones cost little.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, Header};

use super::*;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn add(builder: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, content: &[u8]) {
    let mut header = Header::new_gnu();
    // Written as it is: `set_path` would refuse what is to be tested.
    let name = path.as_bytes();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    if kind == EntryType::Symlink || kind == EntryType::Link {
        header.set_link_name("target").unwrap();
    }
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        add(&mut builder, path, *kind, content);
    }
    builder.into_inner().unwrap()
}

fn plain(paths: &[&str]) -> Vec<u8> {
    tar(&paths
        .iter()
        .map(|path| {
            (*path, if path.ends_with('/') { EntryType::Directory } else { EntryType::Regular }, b"x".as_slice())
        })
        .map(|(path, kind, content)| (path, kind, if kind == EntryType::Directory { b"".as_slice() } else { content }))
        .collect::<Vec<_>>())
}

fn paths(archive: &[u8]) -> Vec<String> {
    unpack(archive, &Limits::default()).unwrap_or_else(|problem| panic!("{problem}")).into_keys().collect()
}

fn error(archive: &[u8], limits: &Limits) -> String {
    unpack(archive, limits).unwrap_err().to_string()
}

#[test]
fn bundles_unpack_compressed_or_not() {
    let archive = plain(&["./", "./schema/", "./schema/schema.yaml", "./infrastructure/manifest.yaml"]);
    let expected = ["infrastructure/manifest.yaml", "schema/schema.yaml"];
    assert_eq!(paths(&archive), expected);
    assert_eq!(paths(&gz(&archive)), expected);
}

#[test]
fn a_single_folder_around_everything_is_stripped() {
    assert_eq!(paths(&plain(&["v1/schema/schema.yaml", "v1/README.md"])), ["README.md", "schema/schema.yaml"]);
    assert_eq!(paths(&plain(&["./v1/schema/schema.yaml", "./._v1", "./.DS_Store"])), ["schema/schema.yaml"]);
    assert_eq!(paths(&plain(&["infrastructure/manifest.yaml"])), ["infrastructure/manifest.yaml"]);
    assert_eq!(paths(&plain(&["a/x", "b/y"])), ["a/x", "b/y"]);
    assert_eq!(paths(&plain(&["a/x", "y"])), ["a/x", "y"]);
    assert_eq!(paths(&plain(&["a/b/x"])), ["b/x"]);
}

#[test]
fn what_archivers_add_is_skipped() {
    let entries = ["schema/schema.yaml", "schema/._schema.yaml", "__MACOSX/x", "PaxHeaders.1/x", "schema/.DS_Store"];
    assert_eq!(paths(&plain(&entries)), ["schema/schema.yaml"]);
    let mut builder = Builder::new(Vec::new());
    add(&mut builder, "pax_global_header", EntryType::XGlobalHeader, b"19 comment=deadbeef");
    add(&mut builder, "schema/schema.yaml", EntryType::Regular, b"x");
    assert_eq!(paths(&builder.into_inner().unwrap()), ["schema/schema.yaml"]);
}

#[test]
fn long_names_are_read() {
    let long = format!("schema/{}/{}", "a".repeat(150), "b".repeat(120));
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, &long, b"x".as_slice()).unwrap();
    assert_eq!(paths(&builder.into_inner().unwrap()), [long]);
}

#[test]
fn entries_that_could_escape_are_refused_by_name() {
    for (path, kind, expected) in [
        ("/etc/passwd", EntryType::Regular, "entry `/etc/passwd` is refused: its path is absolute"),
        ("a/../../b", EntryType::Regular, "entry `a/../../b` is refused: its path leaves the bundle"),
        ("..", EntryType::Directory, "its path leaves the bundle"),
        ("C:x", EntryType::Regular, "not portable"),
        ("a\\..\\b", EntryType::Regular, "not portable"),
        ("a\nb", EntryType::Regular, "entry `a\\nb` is refused"),
        ("link", EntryType::Symlink, "entry `link` is refused: it is a symbolic link"),
        ("link", EntryType::Link, "it is a hard link"),
        ("dev", EntryType::Char, "it is a device"),
        ("dev", EntryType::Block, "it is a device"),
        ("pipe", EntryType::Fifo, "it is a named pipe"),
        ("sparse", EntryType::GNUSparse, "the archive cannot be read as tar.gz"),
        ("./", EntryType::Regular, "a file needs a name"),
    ] {
        let message = error(&tar(&[(path, kind, b"")]), &Limits::default());
        assert!(message.starts_with("bundle: ") && message.contains(expected) && message.contains(" — "), "{message}");
    }
}

#[test]
fn a_path_may_be_there_once() {
    let twice = tar(&[("a", EntryType::Regular, b"1"), ("./a", EntryType::Regular, b"2")]);
    assert!(error(&twice, &Limits::default()).contains("entry `./a` is refused: the archive holds this path twice"));
    let both = tar(&[("a", EntryType::Regular, b"1"), ("a/b", EntryType::Regular, b"2")]);
    assert!(error(&both, &Limits::default()).contains("both a file and a folder"));
}

#[test]
fn what_is_no_tar_is_told_so() {
    let limits = Limits::default();
    for (bytes, expected) in [
        (b"".to_vec(), "the archive is empty"),
        (b"PK\x03\x04".to_vec(), "this is a zip file"),
        (b"hello".to_vec(), "cannot be read as tar.gz"),
        (gz(b"hello"), "cannot be read as tar.gz"),
        (vec![0; 1024], "holds no files"),
        (gz(&plain(&["a"]))[..40].to_vec(), "cannot be read as tar.gz"),
        (plain(&["a"])[..512].to_vec(), "ends early"),
    ] {
        let message = error(&bytes, &limits);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn limits_name_themselves() {
    let limits = Limits {
        archive_bytes: 4096,
        files: 2,
        file_bytes: 10,
        unpacked_bytes: 15,
        path_depth: 2,
        path_chars: 20,
        ..Limits::default()
    };
    let file = |path, size: usize| (path, EntryType::Regular, &b"0123456789ABCDEF"[..size]);
    for (archive, expected) in [
        (vec![b'x'; 5000], "the archive has 5000 bytes, the limit is 4 KB"),
        (tar(&[file("a", 11)]), "entry `a` is refused: it has 11 bytes, the limit for one file is 10 bytes"),
        (tar(&[file("a", 10), file("b", 10)]), "unpacks to more than 15 bytes"),
        (tar(&[file("a", 1), file("b", 1), file("c", 1)]), "more than 2 files"),
        (tar(&[file("a/b/c", 1)]), "nested in more than 2 folders"),
        (tar(&[file("abcdefghijklmnopqrstu", 1)]), "longer than 20 characters"),
        (gz(&plain(&["a/"; 20])), "more than 2 files"),
    ] {
        let message = error(&archive, &limits);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_decompression_bomb_is_stopped_at_the_limit() {
    let limits = Limits { unpacked_bytes: 100_000, files: 10, ..Limits::default() };
    // A header that claims little, followed by megabytes of zeros in what ought to be its padding.
    let bomb = gz(&vec![b'a'; 20_000_000]);
    assert!(bomb.len() < 50_000);
    assert!(error(&bomb, &limits).contains("cannot be read") || error(&bomb, &limits).contains("unpacks to more"));
    let mut header = Header::new_gnu();
    header.set_path("skipped/._x").unwrap();
    header.set_size(20_000_000);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend(vec![0; 20_000_000]);
    archive.extend(plain(&["a"]));
    assert!(error(&gz(&archive), &limits).contains("unpacks to more than"));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), compressed in any::<bool>()) {
        let _ = unpack(&if compressed { gz(&bytes) } else { bytes }, &Limits::default());
    }

    #[test]
    fn damaged_archives_never_panic(at in 0usize..3000, byte in any::<u8>(), compressed in any::<bool>()) {
        let mut archive = plain(&["schema/schema.yaml", "infrastructure/manifest.yaml"]);
        let length = archive.len();
        archive[at % length] = byte;
        let _ = unpack(&if compressed { gz(&archive) } else { archive }, &Limits::default());
    }
}
