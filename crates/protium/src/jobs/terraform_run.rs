//! Terraform that the server runs: which files of the bundle go along, and its commands as an order.

use protium_domain::bundle::manifest::Infrastructure;
use protium_domain::bundle::terraform;
use protium_domain::template::RegisteredPart;
use protium_domain::track::{ContentHash, Track};
use protium_engines::{Commands, KeptState, ProvisioningEngine};
use serde_json::Value;
use std::collections::BTreeMap;

/// The files of a Terraform template that is run here: all of its folder, with its modules and what it reads; where
/// the manifest names one file, no other configuration beside that.
pub(super) fn sources(part: &RegisteredPart, infrastructure: &Infrastructure) -> BTreeMap<String, ContentHash> {
    let all = matches!(infrastructure, Infrastructure::Terraform { file } if file == "*");
    let files = part.files.iter();
    let taken = files.filter(|(path, _)| all || infrastructure.takes(path) || !terraform::is_configuration(path));
    taken.map(|(path, hash)| (path.clone(), hash.clone())).collect()
}

/// Tells the commands of a target that was deployed before that it was: it has a state. Those of others are left alone.
pub(super) fn tell(commands: &mut Commands, track: &Track) {
    if commands.listed_as == ProvisioningEngine::Terraform && track.deployed.is_some() {
        commands.variables.push((terraform::DEPLOYED.to_owned(), "yes".to_owned()));
    }
}

/// Its commands, as the engine that runs commands takes them. `before` is where attempts before kept the state, if none
/// of them succeeded.
pub(super) fn commands(run: terraform::Run, before: Option<String>) -> Commands {
    let terraform::Run { provision, deprovision, connects_to, place, in_state_folder: in_folder, .. } = run;
    let state = KeptState { before: before.filter(|before| *before != place), place, in_folder };
    Commands {
        image: None,
        runtimes: Vec::new(),
        variables: terraform::VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        secrets: Vec::new(),
        provision,
        deprovision,
        process: None,
        project_properties: Value::Null,
        listed_as: ProvisioningEngine::Terraform,
        connects_to,
        state: Some(state),
    }
}

/// Where the state was begun to be kept that those commands keep.
pub(super) fn first_place(commands: &Commands) -> Option<String> {
    let state = commands.state.as_ref()?;
    Some(state.before.as_ref().unwrap_or(&state.place).clone())
}
