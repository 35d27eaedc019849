//! Terraform on machines that forget everything: a run has no folder that stays, and no program that an operator has
//! installed there.
//!
//! Owns what stands in for both: an image or a command that installs the program, and a folder that goes with the run.
//! So a state must be kept where the next run finds it, and one that could not be saved there is tried to be saved
//! before the run ends.

use std::borrow::Cow;

use super::super::script::quoted;
use crate::{Commands, Intent, Order, ProvisioningEngine};

/// What an operator says about Terraform away from the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TerraformSettings {
    /// The image that has it; else the image of all runs.
    pub image: Option<String>,
    /// A command that installs it, run first in each of its runs.
    pub install: Option<String>,
}

/// Saves what a run could not: nothing of its folder is there for the next one. `terraform` says itself what is wrong.
const SAVE: &str = "if [ -e errored.tfstate ]; then
  _tf=$(command -v \"${PROTIUM_TERRAFORM:-terraform}\" || command -v \"${PROTIUM_TERRAFORM:-tofu}\")
  for _pause in 0 5 15 45; do
    sleep $_pause
    if \"$_tf\" state push -lock-timeout=30s errored.tfstate 2>&1; then
      echo 'The state that could not be saved is saved now.'
      rm -f errored.tfstate
      break
    fi
  done
  if [ -e errored.tfstate ]; then
    echo 'The state could not be saved, and is lost with this run: what it has made is not known to the next one. Import \
it (terraform import), or delete it by hand.'
    [ $_status -ne 0 ] || _status=1
  fi
fi
";

/// The order as it is run away from the server; another than one of Terraform as it is.
pub(super) fn fitted<'a>(order: &'a Order, settings: &TerraformSettings) -> Cow<'a, Order> {
    let Some(commands) = order.commands.as_ref().filter(|commands| is_terraform(commands)) else {
        return Cow::Borrowed(order);
    };
    let mut commands = commands.clone();
    commands.image = settings.image.clone().or(commands.image);
    let install = settings.install.as_ref().map_or(String::new(), |install| format!("{{ {install}\n}} && "));
    let folder = format!("{install}PROTIUM_STATE_DIR=$(mktemp -d)");
    if !commands.deprovision.is_empty() {
        // Where no folder says whether there is a state, it is looked for in its place.
        let place = commands.state.as_ref().map_or("", |state| state.place.as_str());
        let remembered = format!("{folder} && printf '%s\\n' {} > \"$PROTIUM_STATE_DIR/backend\"", quoted(place));
        commands.deprovision.insert(0, remembered);
    }
    commands.provision.insert(0, folder);
    Cow::Owned(Order { commands: Some(commands), ..order.clone() })
}

/// What is run when the commands have ended, whatever came of them.
pub(super) fn at_end(commands: &Commands) -> &'static str {
    if is_terraform(commands) { SAVE } else { "" }
}

/// Why an order of Terraform can't be carried out away from the server, if it can't.
pub(super) fn refusal(order: &Order, commands: &Commands) -> Option<String> {
    if !is_terraform(commands) {
        return None;
    }
    let Some(state) = commands.state.as_ref().filter(|state| !state.in_folder) else {
        let elsewhere =
            "Start the server with --terraform-state s3://BUCKET/PREFIX or postgres://USER:PASSWORD@HOST/NAME";
        return Some(match order.intent {
            Intent::Destroy => "The state of what is to be deleted is in the data folder of a server that ran Terraform \
                                itself, and runs of this server are elsewhere. Use that server, with --runner local; or \
                                force-delete the resource and retain its infrastructure."
                .to_owned(),
            _ => format!(
                "The state of Terraform would be in the data folder, which runs away from the server do not see. \
                 {elsewhere}, or with --runner local; or name a backend with its settings in the template, or a provisioning repository."
            ),
        });
    };
    let before = state.before.as_ref().filter(|before| **before != state.place)?;
    Some(format!(
        "The state is to be kept elsewhere than before ({}; before: {before}), where nothing is known of what the attempts \
         before have made. Go back to the backend that the template had, or to the server's --terraform-state of before, \
         and deploy or delete; if they have made nothing, force-delete the resource and create it again.",
        state.place
    ))
}

fn is_terraform(commands: &Commands) -> bool {
    commands.listed_as == ProvisioningEngine::Terraform
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    /// What is run at the end of a run whose commands ended so, with a program that fails so often.
    fn ended(folder: &Path, status: i32, failures: usize) -> (i32, String) {
        let program = folder.join("terraform");
        let text = "#!/bin/sh\necho \"$@\" >> \"$0.calls\"\n[ $(wc -l < \"$0.calls\") -gt \"$FAILURES\" ]\n";
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(folder.join("errored.tfstate"), "{}").unwrap();
        let script = format!("sleep() {{ :; }}\n_status={status}\n{SAVE}exit $_status\n");
        let mut shell = Command::new("/bin/sh");
        let shell = shell.args(["-c", &script]).current_dir(folder).env("PROTIUM_TERRAFORM", &program);
        let done = shell.env("FAILURES", failures.to_string()).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
    }

    #[test]
    fn a_state_that_could_not_be_saved_is_tried_again_before_the_run_ends() {
        for (status, failures, expected, said) in
            [(1, 2, 1, "is saved now"), (0, 99, 1, "is lost with this run"), (7, 99, 7, "is lost with this run")]
        {
            let folder = tempfile::tempdir().unwrap();
            let (ended, told) = ended(folder.path(), status, failures);
            assert!(ended == expected && told.contains(said), "{ended} {told}");
            assert_eq!(folder.path().join("errored.tfstate").exists(), failures > 3);
            let calls = fs::read_to_string(folder.path().join("terraform.calls")).unwrap();
            assert_eq!(calls.lines().count(), (failures + 1).min(4));
            assert!(calls.starts_with("state push -lock-timeout=30s errored.tfstate"), "{calls}");
        }
    }
}
