//! What only environment variables say: secrets, which do not belong on a command line, and how the
//! program writes its log. Does not own the variables of flags (clap reads them).

use super::ServeArgs;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

impl ServeArgs {
    /// The same with the root user's key of `PROTIUM_ROOT_ACCESS_KEY_ID` and `PROTIUM_ROOT_SECRET_ACCESS_KEY`.
    pub fn with_environment(self) -> Self {
        Self {
            root_access_key_id: text("PROTIUM_ROOT_ACCESS_KEY_ID"),
            root_secret_access_key: text("PROTIUM_ROOT_SECRET_ACCESS_KEY"),
            ..self
        }
    }
}

/// What is logged, as `PROTIUM_LOG` says; nothing if it says nothing.
pub(crate) fn log_filter() -> Option<String> {
    text("PROTIUM_LOG").filter(|filter| !filter.trim().is_empty())
}

/// Whether log lines on standard error may have colours.
pub(crate) fn has_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal()
}

/// The names of the variables that tell AWS clients where to go. They are for clients, not for the server.
pub(crate) fn endpoint_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("AWS_ENDPOINT_URL")).collect()
}

/// Where a quickstart keeps everything unless it is told otherwise. `None`: there is no home folder.
pub(crate) fn quickstart_folder() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".local/share/protium/quickstart"))
}

/// The variables of this process without those that set up a server or an AWS client: for a server that is set up by
/// its flags alone.
pub(crate) fn without_settings() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name == "PROTIUM_LOG" || !(name.starts_with("PROTIUM_") || name.starts_with("AWS_"))
    })
}

/// What is no Unicode is kept as far as it goes, and refused where it is checked.
pub(super) fn text(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
