//! What a build starts from: the files of a run, and what is to be run on them.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::Order;
use crate::command::script::quoted;

/// Where sources are in their bucket.
pub(super) const FOLDER: &str = "runs";
/// What a build runs. It goes to the folder of the files, and runs the script there.
pub(super) const START: &str = "start.sh";
const SCRIPT: &str = "run.sh";
const FILES: &str = "work";

/// The name of an order's source.
pub(super) fn key(order: &Order) -> String {
    format!("{FOLDER}/{}.zip", token(order))
}

/// What is the same for each step of an order, in letters that all services take.
pub(super) fn token(order: &Order) -> String {
    order.deployment_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// The archive. The variables are in it, and not in the build, where whoever may look at builds reads them for a year.
pub(super) fn archive(
    files: &BTreeMap<String, Vec<u8>>,
    script: &str,
    variables: &[(String, String)],
) -> Result<Vec<u8>, String> {
    if let Some((name, _)) =
        variables.iter().find(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'))
    {
        return Err(format!(
            "The variable {name:?} can't be given to a build: its name is empty or has = in it, or U+0000 is in it or in \
             its value. Correct it in env.variables."
        ));
    }
    write(files, script, variables).map_err(|error| format!("The files of the run make no archive: {error}"))
}

fn write(
    files: &BTreeMap<String, Vec<u8>>,
    script: &str,
    variables: &[(String, String)],
) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644);
    let program = plain.unix_permissions(0o755);
    archive.add_directory(FILES, program)?;
    for (path, content) in files {
        archive.start_file(format!("{FILES}/{path}"), if runs(content) { program } else { plain })?;
        archive.write_all(content)?;
    }
    archive.start_file(SCRIPT, plain)?;
    archive.write_all(script.as_bytes())?;
    archive.start_file(START, plain)?;
    archive.write_all(start(files, variables).as_bytes())?;
    Ok(archive.finish()?.into_inner())
}

fn runs(content: &[u8]) -> bool {
    content.starts_with(b"#!")
}

/// What is run first. Not everything that unpacks archives looks at who may run a file, so it is said again.
fn start(files: &BTreeMap<String, Vec<u8>>, variables: &[(String, String)]) -> String {
    let mut text = format!("cd \"$CODEBUILD_SRC_DIR/{FILES}\" || exit 1\n");
    for (path, _) in files.iter().filter(|(_, content)| runs(content)) {
        text.push_str(&format!("chmod +x {}\n", quoted(&format!("./{path}"))));
    }
    // By `env` and not `export`, which ends the run at a name that the shell does not take. A name may begin like an
    // option.
    text.push_str("exec env --");
    for (name, value) in variables {
        text.push_str(&format!(" {}", quoted(&format!("{name}={value}"))));
    }
    text.push_str(&format!(" CODEBUILD_SRC_DIR=\"$PWD\" sh \"$CODEBUILD_SRC_DIR/{SCRIPT}\"\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Intent;
    use std::fs;
    use std::process::Command;

    #[test]
    fn a_build_that_unpacks_it_runs_the_script_in_the_folder_of_the_files() {
        let files = BTreeMap::from([
            ("say it.sh".to_owned(), b"#!/bin/sh\necho \"$1 $COLOR ${PWD##*/}\"\n".to_vec()),
            ("deep/er/notes".to_owned(), vec![0, 159, 146, 150]),
        ]);
        let script = "'./say it.sh' hello; wc -c < deep/er/notes; echo \"${CODEBUILD_SRC_DIR##*/}\"\n";
        let variables = [("COLOR", "it's"), ("A-B", "two\nlines"), ("-i", "odd"), ("COLOR", "it's 'blue'")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let archive = archive(&files, script, &variables).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).unwrap();
            let path = folder.path().join(file.name().unwrap().as_ref());
            if file.is_dir() {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::io::copy(&mut file, &mut fs::File::create(path).unwrap()).unwrap();
            }
        }
        let done = Command::new("sh").arg(folder.path().join(START)).env("CODEBUILD_SRC_DIR", folder.path()).output();
        let done = done.unwrap();
        let output = String::from_utf8(done.stdout).unwrap();
        let lines: Vec<&str> = output.lines().map(str::trim).collect();
        assert_eq!(lines, ["hello it's 'blue' work", "4", "work"], "{:?}", done.stderr);
    }

    #[test]
    fn a_variable_that_no_program_can_be_given_is_refused_by_its_name() {
        for (name, value) in [("", "a"), ("a=b", "c"), ("A", "b\0c"), ("A\0", "b")] {
            let refused = archive(&BTreeMap::new(), "true", &[(name.to_owned(), value.to_owned())]).unwrap_err();
            assert!(refused.starts_with(&format!("The variable {name:?}")), "{refused}");
        }
    }

    #[test]
    fn a_source_is_named_like_its_deployment() {
        let order = Order { deployment_id: "d/1".into(), ..Order::of_test(Intent::Apply) };
        assert_eq!(key(&order), "runs/d-1.zip");
    }
}
