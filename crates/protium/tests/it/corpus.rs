//! The corpus of the fuzz targets, replayed: what a fuzzer once found stays found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../../fuzz/src/properties/mod.rs"]
mod properties;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names in a folder, without their endings.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

/// Runs the target of that name with every input of its folder.
fn replay(name: &str) {
    let (_, check) = properties::TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target");
    let folder = fuzz().join("corpus").join(name);
    let mut inputs: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{} inputs in {}", inputs.len(), folder.display());
    for input in inputs {
        let bytes = fs::read(&input).unwrap();
        let held = std::panic::catch_unwind(|| check(&bytes));
        assert!(held.is_ok(), "what must hold does not hold for {}; the reason stands above", input.display());
    }
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer() {
    let targets: BTreeSet<String> = properties::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    assert_eq!(names(&fuzz().join("fuzz_targets")), targets);
}

macro_rules! replayed {
    ($($test:ident $target:literal;)*) => {$(
        #[test]
        fn $test() {
            replay($target);
        }
    )*};
}

replayed! {
    archives_stay_in_their_folder_and_within_their_limits "archive";
    events_are_one_line_that_says_what_is_stored_or_not_told "event";
    manifests_are_refused_with_a_place_or_name_a_file_below_them "manifest";
    policies_are_refused_with_a_place_or_decide_the_same_when_printed "policy_documents";
    requests_are_refused_with_a_member_or_read_back_the_same "request";
    schemas_are_refused_with_a_place_or_follow_themselves "schema";
    signatures_let_in_only_what_was_signed "signature";
    specs_are_refused_with_a_place_or_changed_in_one_part_only "spec";
    templates_render_within_their_limits_or_fail_with_a_place "template";
    tokens_are_believed_only_as_they_were_signed "tokens";
}
