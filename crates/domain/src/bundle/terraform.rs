//! Terraform that Protium runs: the files that it adds to a bundle, and the commands.
//!
//! Owns where the state is kept, and what is declared for a bundle that does not declare it. OpenTofu is run likewise.
//! Who runs the commands, and with what in their environment, is decided elsewhere.

mod blocks;
mod declared;
mod managed;

use self::declared::{Backend, Declared};
pub use self::managed::{CONN_STR, ManagedState};
use super::inputs::{self, TERRAFORM_FILE};
use crate::deployment::TargetKind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The file that says where the state is. Terraform reads it last, and takes it for what others say.
const BACKEND_FILE: &str = "zz_protium_backend_override.tf.json";
const BACKEND: &str = "{\"terraform\": {\"backend\": {\"local\": {}}}}\n";
/// The plan of a run, for people; it is kept with the deployment.
pub const PLAN_FILE: &str = "proton-plan.txt";

/// Finds the program, and keeps a state that could not be saved where the next run finds it. Variables and files that
/// say where the state is are forgotten: that is decided here.
const BEGIN: &str = "tf=$(command -v \"${PROTIUM_TERRAFORM:-terraform}\" || command -v \"${PROTIUM_TERRAFORM:-tofu}\") || \
    { echo \"${PROTIUM_TERRAFORM:-terraform or tofu} is not among the programs that runs find: install it for the whole \
    system, or show its folder with --run-tools; for runs elsewhere name an image that has it with --terraform-image\" \
    >&2; exit 127; }; \
    trap 'if [ -e errored.tfstate ]; then cp errored.tfstate \"$PROTIUM_STATE_DIR/\"; fi' EXIT; \
    unset TF_WORKSPACE TF_DATA_DIR; rm -rf .terraform; \
    \"$tf\" version";
const INIT: &str = "\"$tf\" init -input=false -no-color";
/// The same of a backend that is shared: two that make their places in a database at once may meet.
const INIT_IN_TURN: &str = "in_turn init -input=false -no-color";
const INIT_IN_STATE_DIR: &str =
    "\"$tf\" init -input=false -no-color -backend-config=\"path=$PROTIUM_STATE_DIR/terraform.tfstate\"";
/// From here on there may be a state.
const REMEMBER: &str = "echo \"$place\" > \"$PROTIUM_STATE_DIR/backend\"";
/// Of a backend with workspaces: the resource was deployed, so it has one, unless an earlier run came as far as to
/// destroy everything.
const KNOWN: &str = "known=$(\"$tf\" workspace list) && { [ -z \"${PROTIUM_DEPLOYED:-}\" ] || \
    [ -e \"$PROTIUM_STATE_DIR/destroyed\" ] || printf '%s\\n' \"$known\" | tr -d '* ' | grep -Fqx -e \"$STACK_NAME\" || \
    { echo \"The state of $STACK_NAME is missing, which was deployed before: its backend ($place) has no such workspace. \
    Bring that back. To give up what was made, force-delete the resource and retain its infrastructure.\" >&2; false; }; }";
/// Runs what meets others in a backend that is shared. In a database, whoever takes a lock holds that of all workspaces for
/// a moment, and of two that make a schema or a table only one does, whatever they say of those that exist: who comes
/// second tries again, where Terraform does not by itself.
const IN_TURN: &str = "in_turn() { _tries=60; until _said=$(\"$tf\" \"$@\" 2>&1); do _tries=$((_tries - 1)); \
    case $_tries$_said in 0*) false;; *'locked for workspace'* | *'unique constraint \"pg_'*) ;; *) false;; esac || \
    { printf '%s\\n' \"$_said\" >&2; return 1; }; sleep 1; done; [ -z \"$_said\" ] || printf '%s\\n' \"$_said\"; }";
/// The workspace of the resource: a backend has all resources of a bundle, or of all of them.
const WORKSPACE: &str = "in_turn workspace select -or-create \"$STACK_NAME\" && rm -f \"$PROTIUM_STATE_DIR/destroyed\"";
/// Of HCP Terraform, which makes a workspace that the configuration names, but none that `TF_WORKSPACE` names.
const CLOUD_WORKSPACE: &str = "sed -i \"s/@STACK_NAME@/$STACK_NAME/\" zz_protium_backend_override.tf.json";
/// A workspace that was made just now has no state.
const CLOUD_KNOWN: &str = "known=$(\"$tf\" state pull) && { [ -n \"$known\" ] || [ -z \"${PROTIUM_DEPLOYED:-}\" ] || \
    { echo \"The state of $STACK_NAME is missing, which was deployed before: the workspace of that name has none ($place). \
    Bring it back. To give up what was made, force-delete the resource and retain its infrastructure.\" >&2; false; }; }";
const LEAVE_WORKSPACE: &str = "> \"$PROTIUM_STATE_DIR/destroyed\" && \"$tf\" workspace select default && \
    in_turn workspace delete \"$STACK_NAME\"";
/// Versions before do not know the lock of a state in S3.
const LOCKS_BY_FILE: &str = "version=$(\"$tf\" version | sed -n '1s/^[^0-9]*\\([0-9]*\\.[0-9]*\\).*/\\1/p'); \
    [ \"${version%%.*}\" -gt 1 ] || [ \"${version#*.}\" -ge 10 ] || \
    { echo \"A state in S3 is locked by a file beside it, which Terraform and OpenTofu know from version 1.10 on; this is \
    $version: install a newer one.\" >&2; false; }";
/// Saves what an earlier run could not. One that the backend refuses because its own is newer or another is put aside,
/// once; whatever else goes wrong, it stays for the next run.
const RECOVER: &str = "if [ -e \"$PROTIUM_STATE_DIR/errored.tfstate\" ]; then \
    if pushed=$(\"$tf\" state push -lock-timeout=30s \"$PROTIUM_STATE_DIR/errored.tfstate\" 2>&1); then \
    mv \"$PROTIUM_STATE_DIR/errored.tfstate\" \"$PROTIUM_STATE_DIR/recovered.tfstate\"; else \
    echo \"$pushed\" >&2; case $pushed in *serial*|*lineage*) \
    mv \"$PROTIUM_STATE_DIR/errored.tfstate\" \"$PROTIUM_STATE_DIR/recovered.tfstate\"; \
    echo 'The state that an earlier run could not save is refused, and put aside as recovered.tfstate.' >&2;; \
    esac; false; fi; fi";
/// Runs what takes the lock of the state first. `$unlock` says what to do where that is another's
/// for longer than `$patience`.
const LOCKING: &str = "locking() { \"$tf\" \"$@\" 2> .terraform/said; _said=$?; cat .terraform/said >&2; \
    if [ -n \"$unlock\" ] && grep -q 'Error acquiring the state lock' .terraform/said; then \
    echo \"Protium runs one Terraform at a time for $STACK_NAME. Unless somebody works on it by hand, this is the lock of a \
    run that was killed. $unlock\" >&2; fi; return $_said; }";
const PLAN: &str = "locking plan -lock-timeout=$patience -input=false -no-color -out=plan.bin";
const SHOW: &str = "\"$tf\" show -no-color plan.bin > proton-plan.txt";
const APPLY: &str = "\"$tf\" apply -lock-timeout=$patience -input=false -no-color plan.bin";
const OUTPUT: &str = "\"$tf\" output -no-color -json > proton-outputs.json";
/// Nothing was ever begun: also a bundle that can't be initialised is deleted.
const NOTHING: &str = "[ -e \"$PROTIUM_STATE_DIR/backend\" ] || [ -n \"${PROTIUM_DEPLOYED:-}\" ] || \
    { echo 'There is no state: nothing was made.'; exit 0; }";
/// What was deployed has a state. Without it, all would be made a second time, or forgotten.
const MISSING: &str = "[ -e \"$PROTIUM_STATE_DIR/backend\" ] || [ -z \"${PROTIUM_DEPLOYED:-}\" ] || \
    { echo \"The state of $STACK_NAME is missing, which was deployed before: bring runs/<resource>/state of the data folder \
    back, which is in no backup of Protium's. To give up what was made, force-delete the resource and retain its \
    infrastructure.\" >&2; exit 1; }";
const DESTROY: &str = "locking destroy -lock-timeout=$patience -auto-approve -input=false -no-color";

/// What running a bundle takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Files beside those of the bundle, by path; they take the place of those of the same path.
    pub files: BTreeMap<String, String>,
    /// The commands that provision, in order.
    pub provision: Vec<String>,
    /// The commands that deprovision, in order.
    pub deprovision: Vec<String>,
    /// The [name](ManagedState::name) of the state whose [connection](ManagedState::connection) they need.
    pub connects_to: Option<String>,
    /// What the place of the state is called: the same as long as it is the same.
    pub place: String,
    /// Whether that place is the folder that stays from run to run.
    pub in_state_folder: bool,
}

/// The variable that is set for a resource that was deployed before.
pub const DEPLOYED: &str = "PROTIUM_DEPLOYED";

/// What Terraform is told in its environment.
pub const VARIABLES: [(&str, &str); 3] = [("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")];

/// Whether Terraform or OpenTofu reads the file at `path` by itself.
pub fn is_configuration(path: &str) -> bool {
    !path.contains('/') && [".tf", ".tf.json", ".tofu", ".tofu.json"].iter().any(|ending| path.ends_with(ending))
}

/// What it takes to run a bundle whose [configuration](is_configuration) these `files` are, for a target of that kind.
/// `namespace`, the managed `tags` and the ARN of the resource are its inputs. A state for which the bundle names no
/// place is `managed`, or in the folder that stays from run to run.
///
/// # Errors
///
/// Why no resource could have a state of its own, and what would be right.
pub fn run(
    kind: TargetKind,
    files: &BTreeMap<String, String>,
    namespace: &Value,
    tags: &[(String, String)],
    arn: &str,
    managed: Option<&ManagedState>,
) -> Result<Run, String> {
    let variables = variables_file(kind);
    let own = files.iter().filter(|(path, _)| **path != variables && *path != BACKEND_FILE);
    let declared = Declared::of(own);
    if let Some(refusal) = &declared.refusal {
        return Err(refusal.clone());
    }
    let document = inputs::terraform(namespace, tags, arn);
    let mut made = BTreeMap::from([(TERRAFORM_FILE.to_owned(), document)]);
    made.insert(variables, declarations(namespace, &declared.variables));
    let managed = managed.filter(|_| declared.backend == Backend::Operators);
    let in_state_dir = declared.backend == Backend::Operators && managed.is_none();
    let backend = match managed {
        Some(managed) => Some(format!("{}\n", managed.backend(kind, arn))),
        None if in_state_dir => Some(BACKEND.to_owned()),
        None => declared.cloud.as_ref().map(|cloud| format!("{}\n", json!({ "terraform": { "cloud": cloud } }))),
    };
    made.extend(backend.map(|text| (BACKEND_FILE.to_owned(), text)));
    let (check, init, work, last): (&[&str], &[&str], &[&str], &[&str]) = match declared.backend {
        Backend::Operators if in_state_dir => (&[MISSING], &[INIT_IN_STATE_DIR], &[], &[]),
        Backend::Operators if managed.is_some_and(ManagedState::locks_by_file) => {
            (&[IN_TURN], &[LOCKS_BY_FILE, INIT_IN_TURN, KNOWN], &[WORKSPACE], &[LEAVE_WORKSPACE])
        }
        Backend::Operators | Backend::Named => (&[IN_TURN], &[INIT_IN_TURN, KNOWN], &[WORKSPACE], &[LEAVE_WORKSPACE]),
        Backend::Cloud => (&[], &[CLOUD_WORKSPACE, INIT, CLOUD_KNOWN], &[], &[]),
    };
    let place = managed.map_or_else(|| declared.place(), |managed| managed.name().to_owned());
    let stays = stays(&place);
    let unlock = match managed {
        Some(managed) => managed.unlock(kind, arn),
        None if in_state_dir => String::new(),
        None => "Release it with terraform force-unlock and the ID above, in the workspace $STACK_NAME.".to_owned(),
    };
    // HCP Terraform queues runs, and gives up those that wait for longer.
    let patience = if declared.backend == Backend::Cloud { "0s" } else { "30s" };
    let locking = format!("unlock=\"{unlock}\"; patience={patience}; {LOCKING}");
    let commands = |first: &[&str], then: &[&str]| {
        let all = [first, check, &[BEGIN, &stays], init, &[REMEMBER], work, &[RECOVER, &locking], then].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    Ok(Run {
        files: made,
        provision: commands(&[], &[PLAN, SHOW, APPLY, OUTPUT]),
        deprovision: commands(&[NOTHING], &[&[DESTROY], last].concat()),
        connects_to: managed.filter(|managed| managed.connection().is_some()).map(|managed| managed.name().to_owned()),
        place,
        in_state_folder: in_state_dir,
    })
}

/// Sees that the state is where it was. What has a state elsewhere would be made anew.
fn stays(place: &str) -> String {
    format!(
        "place='{place}'; before=$(cat \"$PROTIUM_STATE_DIR/backend\" 2>/dev/null || echo \"$place\"); \
         [ \"$before\" = \"$place\" ] || {{ \
         echo \"The state is to be kept elsewhere than before ($place; before: $before), where nothing is known of \
         $STACK_NAME. Go back to the backend that the template had, or to the server's --terraform-state of before; or move \
         the state (terraform init -migrate-state, or as docs/runs.md says) and remove the file \
         runs/<resource>/state/backend in the data folder.\" >&2; false; }}"
    )
}

/// The file that declares the inputs, as AWS Proton names it.
fn variables_file(kind: TargetKind) -> String {
    let kind = match kind {
        TargetKind::Environment => "environment",
        TargetKind::ServiceInstance => "service_instance",
        TargetKind::ServicePipeline => "pipeline",
        TargetKind::Component => "component",
    };
    format!("proton.{kind}.variables.tf")
}

/// Variables for all that the bundle is given and does not declare itself. They are of any type: outputs of others
/// may be lists and maps.
fn declarations(namespace: &Value, declared: &BTreeSet<String>) -> String {
    let variables = inputs::names(namespace).map(|name| (name, "any")).chain([("proton_tags", "map(string)")]);
    let undeclared = variables.filter(|(name, _)| !declared.contains(*name));
    let blocks =
        undeclared.map(|(name, kind)| format!("variable \"{name}\" {{\n  type    = {kind}\n  default = null\n}}\n"));
    blocks.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::render::namespace;

    const S3: &str = "terraform {\n  backend \"s3\" { bucket = \"b\" }\n}";

    fn of(files: &[(&str, &str)]) -> Run {
        run_of(&files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()).unwrap()
    }

    fn run_of(files: &BTreeMap<String, String>) -> Result<Run, String> {
        let namespace = namespace::environment("dev", &json!({"zones": ["a"]}));
        run(TargetKind::Environment, files, &namespace, &[("proton:account".into(), "1".into())], "arn:e", None)
    }

    /// With a state in a place of the operator's.
    fn managed(files: &[(&str, &str)], place: &str) -> Run {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let namespace = namespace::environment("dev", &json!({}));
        let place = ManagedState::parse(place, false).unwrap();
        let arn = "arn:aws:proton:eu-west-1:123456789012:environment/dev";
        run(TargetKind::Environment, &files, &namespace, &[], arn, Some(&place)).unwrap()
    }

    #[test]
    fn the_state_is_in_the_state_folder_unless_the_bundle_says_where() {
        let (ours, named) = (&[INIT_IN_STATE_DIR][..], &[INIT_IN_TURN, KNOWN, WORKSPACE][..]);
        for (files, init) in [
            (&[("main.tf", "output \"a\" { value = 1 }")][..], ours),
            (&[("main.tf", "terraform {\n  backend \"s3\" {\n  }\n}")][..], ours),
            (&[("main.tf", "terraform {\n  backend \"local\" { path = \"x\" }\n}")][..], ours),
            (&[("main.tf", "# terraform { backend \"s3\" { bucket = \"b\" } }")][..], ours),
            (&[("a.tf", ""), ("b.tf", "terraform {\n  backend \"s3\" { bucket = \"b\" }\n}")][..], named),
            (&[("b.tf.json", r#"{"terraform": [{"backend": {"pg": {"conn_str": "p"}}}]}"#)][..], named),
            (&[("b.tf.json", r#"{"terraform": {"backend": {"pg": {}}}}"#)][..], ours),
            (&[("b.tf.json", "no JSON")][..], ours),
            (&[("main.tf", "terraform {\n  cloud {}\n}")][..], &[CLOUD_WORKSPACE, INIT, CLOUD_KNOWN][..]),
            (&[("a_override.tf", "terraform {\n  backend \"local\" {}\n}"), ("main.tf", S3)][..], ours),
            (&[("a.tf", ""), ("override.tf", S3)][..], named),
            (&[("main.tofu", S3)][..], ours),
        ] {
            let run = of(files);
            let is_ours = init == ours;
            assert_eq!(run.files.contains_key(BACKEND_FILE), init != named, "{files:?}");
            assert!(init.iter().all(|command| run.provision.iter().any(|found| found == command)), "{files:?}");
            assert!(run.provision.ends_with(&[PLAN, SHOW, APPLY, OUTPUT].map(str::to_owned)), "{files:?}");
            assert_eq!(run.provision[0] == MISSING, is_ours, "{files:?}");
            assert_eq!((run.in_state_folder, run.place == "local"), (is_ours, is_ours), "{files:?}");
            assert_eq!((run.deprovision[0].as_str(), run.deprovision[1] == MISSING), (NOTHING, is_ours), "{files:?}");
            assert!(run.deprovision.iter().any(|command| command == DESTROY));
            let patience = if init.contains(&CLOUD_KNOWN) { "patience=0s;" } else { "patience=30s;" };
            assert!(run.provision.iter().any(|command| command.contains(patience)), "{files:?}");
            assert_eq!(run.deprovision.iter().any(|command| command == LEAVE_WORKSPACE), init.contains(&WORKSPACE));
        }
    }

    /// What the commands up to the first use of the program do, in such a state folder.
    fn begun(commands: &[String], state: &std::path::Path, deployed: &str) -> (bool, String) {
        let program = state.join("terraform");
        let script = "#!/bin/sh\ncase \"$1 $2\" in\nversion*) cat \"$0.version\" 2>/dev/null || :;;\n\
                      \"workspace list\") cat \"$0.workspaces\" 2>/dev/null || echo '* AWSProton-dev';;\n\
                      state*) cat \"$0.says\" >&2; [ ! -s \"$0.says\" ];;\n*) :;;\nesac\n";
        // Not written here: a process that a test beside this one starts would hold it open, and it could not be run.
        let write = ["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh", script];
        let written = std::process::Command::new("/bin/sh").args(write).arg(&program).status().unwrap();
        assert!(written.success());
        let until = commands.iter().position(|command| command == RECOVER).unwrap();
        let script = commands[..=until].join("\n_s=$?; [ $_s -eq 0 ] || exit $_s\n");
        let done = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .current_dir(state)
            .env("PROTIUM_STATE_DIR", state)
            .env("PROTIUM_TERRAFORM", &program)
            .env("STACK_NAME", "AWSProton-dev")
            .env(DEPLOYED, deployed)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    }

    #[test]
    fn a_state_stays_where_it_was_and_is_missed_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let (ours, theirs) = (of(&[("main.tf", "")]), of(&[("main.tf", S3)]));
        let (done, said) = begun(&ours.deprovision, state, "");
        assert!(done && said == "There is no state: nothing was made.\n", "{said}");
        for commands in [&ours.provision, &ours.deprovision] {
            let (done, said) = begun(commands, state, "yes");
            assert!(!done && said.contains("The state of AWSProton-dev is missing"), "{said}");
        }
        assert_eq!(begun(&ours.provision, state, ""), (true, String::new()));
        assert_eq!(std::fs::read_to_string(state.join("backend")).unwrap(), "local\n");
        assert_eq!(begun(&ours.deprovision, state, "yes"), (true, String::new()));
        let (done, said) = begun(&theirs.provision, state, "yes");
        assert!(!done && said.contains("elsewhere than before (s3 ") && said.contains("; before: local)"), "{said}");
        std::fs::remove_file(state.join("backend")).unwrap();
        assert!(begun(&theirs.deprovision, state, "yes").0, "a state of theirs does not go with a folder of ours");
        let other = of(&[("main.tf", &S3.replace("\"b\"", "\"c\""))]);
        assert!(!begun(&other.provision, state, "yes").0, "another bucket is another place");
    }

    #[test]
    fn a_place_is_the_same_however_it_is_written_and_whoever_asks_for_it() {
        let place = |body: &str| of(&[("main.tf", &format!("terraform {{\n  {body}\n}}"))]).place;
        let first = place("backend \"s3\" {\n bucket = \"b\"\n key = \"k\"\n endpoints = { s3 = \"x\" }\n }");
        for same in [
            "backend \"s3\" {\n\n # where\n key = \"k\"\n bucket = \"b\"\n endpoints = {\n s3 = \"x\"\n }\n }",
            "backend \"s3\" {\n bucket = \"b\"\n key = \"k\"\n endpoints = { s3 = \"x\" }\n access_key = \"a\"\n \
             assume_role {\n role_arn = \"r\"\n }\n encrypt = true\n }",
        ] {
            assert_eq!(place(same), first, "{same}");
        }
        for other in [
            "backend \"s3\" {\n bucket = \"b\"\n key = \"k2\"\n endpoints = { s3 = \"x\" }\n }",
            "backend \"s3\" {\n bucket = \"b\"\n key = \"k\"\n endpoints = { s3 = \"y\" }\n }",
            "backend \"gcs\" {\n bucket = \"b\"\n key = \"k\"\n endpoints = { s3 = \"x\" }\n }",
        ] {
            assert_ne!(place(other), first, "{other}");
        }
        let json =
            |body: &str| of(&[("main.tf.json", &format!(r#"{{"terraform": {{"backend": {{"s3": {body}}}}}}}"#))]).place;
        assert_eq!(json(r#"{"bucket": "b", "key": "k"}"#), json(r#"{"key": "k", "bucket": "b", "profile": "p"}"#));
        assert_ne!(json(r#"{"bucket": "b", "key": "k"}"#), json(r#"{"bucket": "b", "key": "l"}"#));
        let cloud = |token: &str| place(&format!("cloud {{\n organization = \"acme\"\n token = \"{token}\"\n }}"));
        assert_eq!(cloud("one"), cloud("two"), "a token is rotated");
    }

    #[test]
    fn a_cloud_block_is_given_a_workspace_and_must_not_choose_one() {
        let organization = "    organization = \"acme\"\n    hostname     = \"tfe.internal\"\n";
        let cloud = |workspaces: &str| format!("terraform {{\n  cloud {{\n{organization}    {workspaces}\n  }}\n}}");
        let expected = json!({ "terraform": { "cloud": {
            "organization": "acme", "hostname": "tfe.internal",
            "workspaces": { "name": "@STACK_NAME@", "project": "p" },
        } } });
        let in_json = r#"{"terraform": {"cloud": [{"organization": "acme", "hostname": "tfe.internal",
            "workspaces": {"project": "p"}}]}}"#;
        for (path, text) in
            [("a.tf", cloud("workspaces {\n      project = \"p\"\n    }")), ("a.tf.json", in_json.to_owned())]
        {
            let run = of(&[(path, &text)]);
            assert_eq!(serde_json::from_str::<Value>(&run.files[BACKEND_FILE]).unwrap(), expected, "{path}");
        }
        // The name stands there when Terraform begins.
        let folder = tempfile::tempdir().unwrap();
        let run = of(&[("a.tf", &cloud(""))]);
        std::fs::write(folder.path().join(BACKEND_FILE), &run.files[BACKEND_FILE]).unwrap();
        assert!(begun(&run.provision, folder.path(), "").0);
        let text = std::fs::read_to_string(folder.path().join(BACKEND_FILE)).unwrap();
        assert!(text.contains("{\"name\":\"AWSProton-dev\"}"), "{text}");
        let (done, said) = begun(&run.provision, folder.path(), "yes");
        assert!(!done && said.contains("the workspace of that name has none"), "{said}");

        for (text, why) in [
            (cloud("workspaces {\n      tags = [\"a\"]\n    }"), "has tags of workspaces"),
            (cloud("workspaces {\n      name = \"one\"\n    }"), "has name of workspaces"),
            (
                "terraform {\n  backend \"remote\" {\n    workspaces {\n      prefix = \"a-\"\n    }\n  }\n}".into(),
                "\"remote\"",
            ),
        ] {
            let files = BTreeMap::from([("main.tf".to_owned(), text)]);
            let refused = run_of(&files).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_state_in_a_place_of_the_operators_is_for_bundles_that_name_none() {
        let place = "s3://states/team";
        for files in [&[("main.tf", "")][..], &[("main.tf", "terraform {\n  backend \"pg\" {}\n}")]] {
            let run = managed(files, place);
            let backend: Value = serde_json::from_str(&run.files[BACKEND_FILE]).unwrap();
            let prefix = &backend["terraform"]["backend"]["s3"]["workspace_key_prefix"];
            assert_eq!(prefix, "team/123456789012/eu-west-1/environment");
            let has = |command: &str| run.provision.iter().any(|found| found == command);
            assert!(has(LOCKS_BY_FILE) && has(INIT_IN_TURN) && has(KNOWN) && has(WORKSPACE) && !has(INIT_IN_STATE_DIR));
            assert!(run.deprovision.ends_with(&[DESTROY, LEAVE_WORKSPACE].map(str::to_owned)));
            assert_eq!((run.connects_to, run.place.as_str(), run.in_state_folder), (None, place, false));
        }
        let named = managed(&[("main.tf", S3)], place);
        assert!(!named.files.contains_key(BACKEND_FILE) && named == managed(&[("main.tf", S3)], "s3://elsewhere"));
        let run = managed(&[("main.tf", "")], "postgres://u:hidden@db/states");
        assert_eq!(run.connects_to.as_deref(), Some("postgres://db/states"));
        assert!(!run.provision.iter().any(|command| command == LOCKS_BY_FILE));
        assert!(!format!("{run:?}").contains("hidden"));
    }

    #[test]
    fn a_state_in_a_place_of_the_operators_stays_there_and_is_missed_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let put = |name: &str, text: &str| std::fs::write(state.join(name), text).unwrap();
        let (ours, theirs) = (of(&[("main.tf", "")]), managed(&[("main.tf", "")], "s3://states/team"));
        for (version, done) in [
            ("Terraform v1.9.8\non linux\n", false),
            ("OpenTofu v1.10.0-beta1\n", true),
            ("Terraform v1.11.4\n", true),
            ("Terraform v2.0.0\n", true),
        ] {
            put("terraform.version", version);
            let (found, said) = begun(&theirs.provision, state, "");
            assert_eq!(found, done, "{version}: {said}");
            assert_eq!(said.contains("from version 1.10 on; this is 1.9: install"), !done, "{said}");
        }
        assert_eq!(std::fs::read_to_string(state.join("backend")).unwrap(), "s3://states/team\n");
        let (done, said) = begun(&ours.provision, state, "");
        assert!(!done && said.contains("than before (local; before: s3://states/team)"), "{said}");
        // Another machine, or another data folder: the place alone says whether there is one.
        std::fs::remove_file(state.join("backend")).unwrap();
        assert!(begun(&theirs.provision, state, "yes").0);
        put("terraform.workspaces", "* default\n  AWSProton-dev2\n");
        for commands in [&theirs.provision, &theirs.deprovision] {
            let (done, said) = begun(commands, state, "yes");
            assert!(!done && said.contains("its backend (s3://states/team) has no such workspace"), "{said}");
        }
        assert!(begun(&theirs.provision, state, "").0, "it was never deployed");
        // A run that was lost after it had destroyed everything and left the workspace.
        put("destroyed", "");
        assert!(begun(&theirs.deprovision, state, "yes").0);
        assert!(!state.join("destroyed").exists());
    }

    #[test]
    fn the_lock_of_a_run_that_was_killed_comes_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".terraform")).unwrap();
        let run = managed(&[("main.tf", "")], "s3://states/team");
        let locking = run.provision.iter().find(|command| command.ends_with(LOCKING)).unwrap();
        for (says, told) in [("Error: Error acquiring the state lock", true), ("Error: something else", false)] {
            let script = format!("tf=fails; fails() {{ echo '{says}' >&2; return 3; }}; {locking}; locking plan");
            let mut shell = std::process::Command::new("/bin/sh");
            let shell = shell.args(["-c", &script]).current_dir(folder.path()).env("STACK_NAME", "AWSProton-dev");
            let done = shell.output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert!(done.status.code() == Some(3) && said.starts_with(says), "{said}");
            let object =
                "aws s3 rm s3://states/team/123456789012/eu-west-1/environment/AWSProton-dev/protium.tfstate.tflock";
            assert_eq!(said.contains(object), told, "{said}");
        }
    }

    #[test]
    fn a_workspace_is_waited_for_while_another_is_made() {
        let folder = tempfile::tempdir().unwrap();
        for (says, tries) in [
            ("Already locked for workspace creation: w", 3),
            ("pq: duplicate key value violates unique constraint \"pg_namespace_nspname_index\"", 3),
            ("no such bucket", 1),
        ] {
            let script = format!(
                "sleep() {{ :; }}; tf=busy; busy() {{ echo >> tried; [ $(wc -l < tried) -gt 2 ] || {{ echo '{says}' >&2; false; }}; \
                 }}; {IN_TURN}; {WORKSPACE}; echo $? $(wc -l < tried); rm tried"
            );
            let mut shell = std::process::Command::new("/bin/sh");
            let done = shell.args(["-c", &script]).current_dir(folder.path()).output().unwrap();
            let waited = tries == 3;
            assert_eq!(String::from_utf8(done.stdout).unwrap(), format!("{} {tries}\n", i32::from(!waited)));
            assert_eq!(String::from_utf8(done.stderr).unwrap().contains(says), !waited, "{says}");
        }
    }

    #[test]
    fn a_state_that_could_not_be_saved_is_kept_until_it_is_saved_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let (errored, recovered) = (state.join("errored.tfstate"), state.join("recovered.tfstate"));
        let provision = of(&[("main.tf", "")]).provision;
        for (says, done, kept) in [
            ("Error acquiring the state lock", false, true),
            ("cannot import state with serial 1 over newer state with serial 2", false, false),
            ("", true, false),
        ] {
            std::fs::write(state.join("terraform.says"), says).unwrap();
            std::fs::write(&errored, "{}").unwrap();
            let (succeeded, said) = begun(&provision, state, "");
            assert_eq!((succeeded, errored.exists(), recovered.exists()), (done, kept, !kept), "{says}: {said}");
            assert!(said.contains(says), "{said}");
            let _ = std::fs::remove_file(&recovered);
        }
    }

    #[test]
    fn what_a_bundle_is_given_is_declared_once() {
        let run = of(&[("main.tf", "")]);
        let variables = &run.files["proton.environment.variables.tf"];
        assert_eq!(
            variables,
            "variable \"environment\" {\n  type    = any\n  default = null\n}\n\n\
             variable \"proton_tags\" {\n  type    = map(string)\n  default = null\n}\n"
        );
        assert!(run.files[TERRAFORM_FILE].contains("\"proton:account\" : \"1\""));
        // What it has for trials is replaced, and declares nothing.
        let again = of(&[("proton.environment.variables.tf", variables)]);
        assert_eq!(again.files["proton.environment.variables.tf"], *variables);
        for (path, text) in
            [("v.tf", "variable \"environment\" { type = any }"), ("v.tf.json", r#"{"variable": {"environment": {}}}"#)]
        {
            let variables = of(&[(path, text)]).files["proton.environment.variables.tf"].clone();
            assert!(!variables.contains("\"environment\"") && variables.contains("\"proton_tags\""), "{variables}");
        }
    }

    #[test]
    fn terraform_reads_what_is_beside_the_manifest() {
        for (path, read) in
            [("main.tf", true), ("main.tf.json", true), ("main.tofu", true), ("m/main.tf", false), ("a.tpl", false)]
        {
            assert_eq!(is_configuration(path), read, "{path}");
        }
    }
}
