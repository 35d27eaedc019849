//! Which process: a number alone may be another's by now.

use std::{fs, io};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process of this machine: its number, when it began, and the boot in which that counts.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug, Clone)]
pub struct Identity {
    pid: u32,
    /// In ticks since the boot.
    start_time: u64,
    boot_id: String,
}

impl Identity {
    /// The process of that number.
    ///
    /// # Errors
    ///
    /// When there is none that is alive, or /proc can't be read.
    pub fn of(pid: u32) -> io::Result<Self> {
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

    /// Its number, for people.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is still there.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }

    /// Asks it to end. One that is gone already has.
    ///
    /// # Errors
    ///
    /// When it belongs to somebody else.
    pub fn terminate(&self) -> io::Result<()> {
        self.send(Signal::TERM)
    }

    /// Ends it without asking. One that is gone already has ended.
    ///
    /// # Errors
    ///
    /// When it belongs to somebody else.
    pub fn kill(&self) -> io::Result<()> {
        self.send(Signal::KILL)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
        // Held before it is looked at: the number can't become another's in between.
        let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|process| match self.is_alive() {
            true => pidfd_send_signal(&process, signal),
            false => Ok(()),
        });
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
        identity.kill().unwrap();
    }

    #[test]
    fn only_the_very_process_is_signalled() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let earlier = Identity { start_time: identity.start_time - 1, ..identity.clone() };
        earlier.kill().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the number was another's");
        identity.terminate().unwrap();
        assert!(!child.wait().unwrap().success());
    }
}
