//! What only environment variables say: secrets, which do not belong on a command line, and how the
//! program writes its log. Does not own the variables of flags (clap reads them).

use super::ServeArgs;
use std::io::IsTerminal as _;

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

/// What is no Unicode is kept as far as it goes, and refused where it is checked.
pub(super) fn text(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
