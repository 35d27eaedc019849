//! Programs that tests make up.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program that everybody may run.
///
/// Another process writes it. A process that a test beside this one starts would for a moment hold a file open that
/// was open here, and a file that somebody may write to can't be run ("text file busy").
///
/// # Errors
/// The file can't be written.
pub fn write_program(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let script = ["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"];
    let mut writer = Command::new("/bin/sh").args(script).arg(path).stdin(Stdio::piped()).spawn()?;
    let sent = writer.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_ref()));
    if writer.wait()?.success() { sent } else { Err(io::Error::other(format!("{} can't be written", path.display()))) }
}
