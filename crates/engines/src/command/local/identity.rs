//! Which process: a number alone may be another's by now.

use std::{fs, io};

use serde::{Deserialize, Serialize};

/// A process of this machine: its number, when it began, and the boot in which that counts.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug, Clone)]
pub(super) struct Identity {
    pid: u32,
    /// In ticks since the boot.
    start_time: u64,
    boot_id: String,
}

impl Identity {
    /// The process of that number, if it is alive.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let unknown = || io::Error::other(format!("/proc/{pid}/stat is not understood"));
        // The name stands in brackets and may hold brackets and blanks itself.
        let (_, rest) = stat.rsplit_once(") ").ok_or_else(unknown)?;
        let fields: Vec<&str> = rest.split(' ').collect();
        if matches!(fields.first(), Some(&"Z" | &"X")) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // `starttime` is the 22nd of all, and the first after the name is the third.
        let start_time = fields.get(22 - 3).and_then(|field| field.parse().ok()).ok_or_else(unknown)?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(Self { pid, start_time, boot_id })
    }

    /// Whether it is still there.
    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert!(!Identity { start_time: me.start_time + 1, ..me.clone() }.is_alive());
        assert!(!Identity { boot_id: "another boot".into(), ..me }.is_alive());
    }

    #[test]
    fn one_that_has_ended_is_not_there() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!identity.is_alive());
    }
}
