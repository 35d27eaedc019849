//! What a run brings along: its files, its script and what begins it, in Secrets that go with its Job.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{KeyToPath, Secret, SecretProjection, VolumeProjection};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

use crate::command::script::quoted;

/// Where the Secrets are seen in the container.
pub(super) const GIVEN: &str = "/protium-files";
/// What is written in the container: a folder that goes with the pod.
pub(super) const WRITTEN: &str = "/protium";
/// What is run first.
pub(super) const ENTRY: &str = "entry";
/// What must not be shown of what the run prints. It stands with [`ENTRY`] in one Secret, and so is always of the same
/// session of the role; the pod does not see it.
const HIDDEN: &str = "hidden";
const SCRIPT: &str = "script";
/// Most bytes of one Secret: Kubernetes takes 1 MiB of values.
const MOST: usize = 1_000_000;
/// The modes in the container, before its umask.
const FILE: i32 = 0o666;
const PROGRAM: i32 = 0o777;

/// What stands in the Secrets, each of them not too large.
#[derive(Debug)]
pub(super) struct Parcels(Vec<Vec<Part>>);

struct Part {
    key: String,
    bytes: Vec<u8>,
    /// Its mode in the container; `None` if it is not seen there.
    mode: Option<i32>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("key", &self.key).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Parcels {
    /// Packs what a run is given. `variables` are by name, later ones before those of the same name; `hidden` is what
    /// must not be shown of what it prints.
    ///
    /// # Errors
    ///
    /// The file that is too large, or the variable that a shell can't have.
    pub(super) fn pack(
        files: &BTreeMap<String, Vec<u8>>,
        script: &str,
        variables: &[(String, String)],
        hidden: &[String],
    ) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut begin = "set -e\numask 022\nmkdir -p".to_owned();
        for folder in ["source", "home", "tmp"] {
            begin.push_str(&format!(" {WRITTEN}/{folder}"));
        }
        begin.push_str(&format!("\ncd {WRITTEN}/source\n"));
        let mut made = "";
        for (index, (path, bytes)) in files.iter().enumerate() {
            let key = format!("file-{index}");
            if let Some((folder, _)) = path.rsplit_once('/')
                && folder != made
            {
                begin.push_str(&format!("mkdir -p {}\n", quoted(&format!("./{folder}"))));
                made = folder;
            }
            begin.push_str(&format!("cp {GIVEN}/{key} {}\n", quoted(&format!("./{path}"))));
            let mode = if bytes.starts_with(b"#!") { PROGRAM } else { FILE };
            fitting(path, bytes.len())?;
            parts.push(Part { key, bytes: bytes.clone(), mode: Some(mode) });
        }
        begin.push_str(&exports(variables)?);
        begin.push_str(HOLD);
        fitting("the commands", script.len())?;
        parts.push(Part { key: SCRIPT.to_owned(), bytes: script.as_bytes().to_vec(), mode: Some(FILE) });
        let hidden = serde_json::to_vec(hidden).map_err(|error| error.to_string())?;
        fitting("the variables and the names of the files", begin.len() + hidden.len())?;
        // In the first Secret, which is known by its name, and alone: what the others have is the same each time that a
        // run is packed, and these two are not, since a session is another each time.
        let mut parcels = vec![vec![
            Part { key: ENTRY.to_owned(), bytes: begin.into_bytes(), mode: Some(FILE) },
            Part { key: HIDDEN.to_owned(), bytes: hidden, mode: None },
        ]];
        parcels.extend(parcelled(parts));
        Ok(Self(parcels))
    }

    /// What the pod sees of them, in one folder. The names are of a Job that may not be there yet.
    pub(super) fn projections(&self, job: &str) -> Vec<VolumeProjection> {
        let of_part = |part: &Part| {
            part.mode.map(|mode| KeyToPath { key: part.key.clone(), path: part.key.clone(), mode: Some(mode) })
        };
        let parcels = self.0.iter().enumerate().map(|(index, parts)| SecretProjection {
            name: name(job, index),
            items: Some(parts.iter().filter_map(of_part).collect()),
            optional: None,
        });
        parcels.map(|secret| VolumeProjection { secret: Some(secret), ..VolumeProjection::default() }).collect()
    }

    /// The Secrets: they go when the Job goes.
    pub(super) fn secrets(self, owner: &OwnerReference, labels: &BTreeMap<String, String>) -> Vec<Secret> {
        let of_parts = |(index, parts): (usize, Vec<Part>)| Secret {
            metadata: ObjectMeta {
                name: Some(name(&owner.name, index)),
                labels: Some(labels.clone()),
                owner_references: Some(vec![owner.clone()]),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            immutable: Some(true),
            data: Some(parts.into_iter().map(|part| (part.key, ByteString(part.bytes))).collect()),
            string_data: None,
        };
        self.0.into_iter().enumerate().map(of_parts).collect()
    }
}

/// The name of the Secret that says what must not be shown.
pub(super) fn telling(job: &str) -> String {
    name(job, 0)
}

/// What must not be shown, as that Secret says; `None` if it says nothing of it.
pub(super) fn hidden(secret: &Secret) -> Option<Vec<String>> {
    serde_json::from_slice(&secret.data.as_ref()?.get(HIDDEN)?.0).ok()
}

fn name(job: &str, index: usize) -> String {
    format!("{job}-{index}")
}

fn fitting(what: &str, bytes: usize) -> Result<(), String> {
    if bytes <= MOST {
        return Ok(());
    }
    Err(format!(
        "{what}: {bytes} bytes, and runs on Kubernetes are given at most {MOST} bytes in one piece. Let the commands \
         fetch what is larger, or put it into the image."
    ))
}

/// Each into the first parcel with room for it.
fn parcelled(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut parcels: Vec<(usize, Vec<Part>)> = Vec::new();
    for part in parts {
        let size = part.bytes.len();
        match parcels.iter_mut().find(|(used, _)| used + size <= MOST) {
            Some((used, parcel)) => {
                *used += size;
                parcel.push(part);
            }
            None => parcels.push((size, vec![part])),
        }
    }
    parcels.into_iter().map(|(_, parcel)| parcel).collect()
}

/// The variables as a shell takes them. They are not the container's own: who may look at pods would see those.
fn exports(variables: &[(String, String)]) -> Result<String, String> {
    let mut text = String::new();
    for (name, value) in variables {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(known) {
            return Err(format!(
                "{name:?} is no name of a variable that a shell can have: those are of letters, digits and _, and do not \
                 begin with a digit. Give it another name in env.variables."
            ));
        }
        if value.contains('\0') {
            return Err(format!("The variable {name} has a NUL in its value, which no program can be given."));
        }
        text.push_str(&format!("export {name}={}\n", quoted(value)));
    }
    Ok(text)
}

/// Runs the script as a child: this shell is the first process of the container, which no signal ends that it does not
/// wait for, and nobody else would pass one on. Asked to end, it asks all that the run began.
const HOLD: &str = "export CODEBUILD_SRC_DIR=/protium/source HOME=/protium/home TMPDIR=/protium/tmp
set +e
trap 'asked=1; kill -s TERM -- -1' TERM
sh /protium-files/script &
wait $!
status=$?
if [ \"$asked\" ]; then
  wait $!
  status=$?
fi
exit $status
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Runs what the container would run, in a folder in the place of its root.
    fn run(parcels: &Parcels) -> (i32, String) {
        let root = tempfile::tempdir().unwrap();
        let (given, written) = (root.path().join("given"), root.path().join("written"));
        fs::create_dir(&given).unwrap();
        let here = |text: &str| {
            text.replace(GIVEN, given.to_str().unwrap()).replace("/protium/", &format!("{}/", written.display()))
        };
        for part in parcels.0.iter().flatten() {
            let path = given.join(&part.key);
            match part.key.as_str() {
                ENTRY => fs::write(&path, here(std::str::from_utf8(&part.bytes).unwrap())).unwrap(),
                _ => fs::write(&path, &part.bytes).unwrap(),
            }
            let Some(mode) = part.mode else { continue };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode.cast_unsigned())).unwrap();
        }
        let done = Command::new("sh").arg(given.join(ENTRY)).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap())
    }

    #[test]
    fn the_script_finds_its_files_and_variables_and_its_status_is_the_containers() {
        let given = files(&[("a/b/c d.sh", "#!/bin/sh\necho ran in $PWD\n"), ("..odd 'name'", "odd"), ("-n", "dash")]);
        let script = "'./a/b/c d.sh' | sed 's,.*/,,'; cat \"./..odd 'name'\" ./-n; echo; echo \"$COLOR\"; \
                      test -x ./-n || echo plain; echo more >> ./-n || exit 3; cd \"$HOME\" && : > x && cd \"$TMPDIR\" \
                      && exit 7";
        let given_variables = variables(&[("COLOR", "red"), ("COLOR", "it's $HOME `blue`")]);
        let (status, output) = run(&Parcels::pack(&given, script, &given_variables, &[]).unwrap());
        assert_eq!(output, "source\nodddash\nit's $HOME `blue`\nplain\n");
        assert_eq!(status, 7);
    }

    #[test]
    fn many_files_are_split_and_one_that_is_too_large_is_refused_by_its_name() {
        let half = "x".repeat(MOST / 2 + 1);
        let packed = Parcels::pack(&files(&[("a", &half), ("b", &half), ("c", &half)]), "true", &[], &[]).unwrap();
        assert_eq!(packed.0.len(), 4);
        for parcel in &packed.0 {
            assert!(parcel.iter().map(|part| part.bytes.len()).sum::<usize>() <= MOST);
        }
        let large = "x".repeat(MOST + 1);
        let message = Parcels::pack(&files(&[("big.bin", &large)]), "true", &[], &[]).unwrap_err();
        assert!(message.starts_with("big.bin: 1000001 bytes") && message.contains("1000000"), "{message}");
    }

    #[test]
    fn what_must_not_be_shown_is_with_what_is_run_first_and_the_pod_does_not_see_it() {
        let large = "x".repeat(1_000);
        let secrets = ["s3cr3t".to_owned(), "two\nlines".to_owned()];
        let packed = Parcels::pack(&files(&[("a", &large)]), "true", &[], &secrets).unwrap();
        let seen = serde_json::to_string(&packed.projections("job")).unwrap();
        let made = packed.secrets(&crate::command::kubernetes::job::owner("job", "uid"), &BTreeMap::new());
        assert_eq!(made[0].metadata.name.as_deref(), Some(telling("job").as_str()));
        assert_eq!(hidden(&made[0]).as_deref(), Some(&secrets[..]));
        assert!(made[0].data.as_ref().unwrap().contains_key(ENTRY) && seen.contains(ENTRY), "{seen}");
        assert!(!seen.contains(HIDDEN) && made[1..].iter().all(|secret| hidden(secret).is_none()), "{seen}");
        let again = Parcels::pack(&files(&[("a", &large)]), "true", &variables(&[("A", "b")]), &[]).unwrap();
        let names = |parcels: &Parcels| serde_json::to_string(&parcels.projections("job")).unwrap();
        assert_eq!(names(&again), seen, "whatever is given, it is found in the same places");
        let large = ["x".repeat(MOST)];
        assert!(Parcels::pack(&files(&[]), "true", &[], &large).unwrap_err().starts_with("the variables"));
    }

    #[test]
    fn a_variable_that_no_shell_has_is_refused_by_its_name() {
        for name in ["my-var", "a.b", "1A", ""] {
            let message = Parcels::pack(&files(&[]), "true", &variables(&[(name, "v")]), &[]).unwrap_err();
            assert!(message.starts_with(&format!("{name:?} is no name of a variable")), "{message}");
        }
        assert!(Parcels::pack(&files(&[]), "true", &variables(&[("A", "\0")]), &[]).unwrap_err().contains("NUL"));
    }
}
