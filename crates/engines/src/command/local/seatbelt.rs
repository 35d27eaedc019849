//! What a run sees of a Mac: a profile for `sandbox-exec`, which comes with macOS.
//!
//! Owns the text of the profile alone, which any machine can make. Nobody has run it so far: docs/runs.md says so.

use std::path::{Path, PathBuf};

/// What holds a command to a profile.
pub(super) const PROGRAM: &str = "/usr/bin/sandbox-exec";
/// Below these are the programs of a Mac and what they need. Not what is configured: there are keys there.
const SYSTEM: [&str; 10] = [
    "/usr",
    "/bin",
    "/sbin",
    "/opt",
    "/System",
    "/Library/Developer/CommandLineTools",
    "/private/etc/ssl",
    "/private/etc/hosts",
    "/private/etc/resolv.conf",
    "/private/var/db/timezone",
];
/// What every program needs of the devices.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty"];
/// What programs ask other processes of the system for: names of users and hosts, whether certificates are trusted.
const SERVICES: [&str; 4] = [
    "com.apple.system.opendirectoryd.libinfo",
    "com.apple.dnssd.service",
    "com.apple.SystemConfiguration.configd",
    "com.apple.trustd",
];

/// What a run may, as a profile says it.
pub(super) struct Seatbelt<'a> {
    /// What it may read and run beside the system, below these: absolute paths without links.
    pub readable: &'a [PathBuf],
    /// Where it may write too.
    pub writable: &'a [PathBuf],
    pub deny_network: bool,
}

impl Seatbelt<'_> {
    /// The profile. Whatever it does not name is denied.
    ///
    /// # Errors
    ///
    /// When a path is none that a profile can name: not absolute, or no Unicode.
    pub(super) fn profile(&self) -> Result<String, String> {
        let mut profile = "(version 1)\n(deny default)\n".to_owned();
        profile.push_str("(allow process-fork)\n(allow sysctl-read)\n(allow signal (target same-sandbox))\n");
        // A path can be followed only if what it leads through can be looked at.
        profile.push_str("(allow file-read-metadata)\n(allow file-read* (literal \"/\"))\n");
        for folder in SYSTEM.iter().map(Path::new).chain(self.readable.iter().map(PathBuf::as_path)) {
            let folder = text(folder)?;
            profile.push_str(&format!("(allow file-read* file-map-executable process-exec (subpath {folder}))\n"));
        }
        for folder in self.writable {
            let folder = text(folder)?;
            profile.push_str(&format!(
                "(allow file-read* file-write* file-map-executable process-exec (subpath {folder}))\n"
            ));
        }
        for device in DEVICES {
            profile.push_str(&format!("(allow file-read* file-write* file-ioctl (literal \"{device}\"))\n"));
        }
        if !self.deny_network {
            for service in SERVICES {
                profile.push_str(&format!("(allow mach-lookup (global-name \"{service}\"))\n"));
            }
            profile.push_str("(allow network*)\n(allow system-socket)\n");
        }
        Ok(profile)
    }
}

/// A path in quotes, where nothing in it is taken for a part of the profile.
fn text(path: &Path) -> Result<String, String> {
    let shown = path.to_str().filter(|text| path.is_absolute() && !text.contains(['\0', '\n']));
    let shown = shown.ok_or_else(|| format!("{} is no path that a sandbox can be told of", path.display()))?;
    Ok(format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(readable: &[&str], writable: &[&str], deny_network: bool) -> Result<String, String> {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        Seatbelt { readable: &paths(readable), writable: &paths(writable), deny_network }.profile()
    }

    #[test]
    fn what_is_not_named_is_denied_and_only_a_runs_own_folders_can_be_written() {
        let profile = profile(&["/srv/tools"], &["/data/runs/r/d/work", "/data/runs/r/state"], false).unwrap();
        assert!(profile.starts_with("(version 1)\n(deny default)\n"), "{profile}");
        let written: Vec<_> = profile.lines().filter(|line| line.contains("file-write*")).collect();
        let of_devices = written.iter().filter(|line| line.contains("(literal \"/dev/")).count();
        assert_eq!((of_devices, written.len()), (DEVICES.len(), DEVICES.len() + 2), "{profile}");
        assert!(profile.contains("process-exec (subpath \"/srv/tools\"))"), "{profile}");
        assert!(
            !profile.contains("\"/data\"") && !profile.contains("\"/Users") && !profile.contains("\"/private/etc\"")
        );
        let open = profile.chars().filter(|&c| c == '(').count();
        assert_eq!(open, profile.chars().filter(|&c| c == ')').count());
    }

    #[test]
    fn the_network_is_allowed_unless_it_is_denied() {
        assert!(profile(&[], &[], false).unwrap().contains("(allow network*)"));
        let denied = profile(&[], &[], true).unwrap();
        assert!(
            !denied.contains("network") && !denied.contains("mach-lookup") && !denied.contains("socket"),
            "{denied}"
        );
    }

    #[test]
    fn a_path_is_never_a_part_of_the_profile() {
        let quoted = profile(&[], &["/a\")(allow default)(subpath \"\\"], false).unwrap();
        assert!(quoted.contains(r#"(subpath "/a\")(allow default)(subpath \"\\"))"#), "{quoted}");
        for bad in ["relative", "", "/a\nb", "/a\0b"] {
            assert!(profile(&[bad], &[], false).unwrap_err().contains("no path"), "{bad:?}");
        }
    }
}
