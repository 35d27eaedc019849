//! The copy of what a run away from this machine prints, in the data folder, where it is read like that of any other.
//!
//! How far the copy is stands in the cursor: whoever goes on from there begins at that byte, whatever was written
//! behind it.

use std::fs::OpenOptions;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::super::local::{Mask, line_of};
use super::Printed;
use super::script::{Line, line};

/// How much of a log is kept as it comes, in bytes; of a longer one, the end too.
const HEAD: u64 = 8 << 20;
const END: usize = 256 << 10;

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The size of the copy.
    bytes: u64,
    /// Where the runner goes on; `None` is the beginning.
    pub after: Option<String>,
    /// Whether the copy takes no more.
    #[serde(default)]
    full: bool,
}

impl Place {
    /// Whether the copy takes no more: what follows need not be read, but for its end.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }
}

/// What must be known to write a copy.
pub(super) struct Copy<'a> {
    /// The file, if its folder could be made.
    pub path: io::Result<PathBuf>,
    pub commands: &'a [String],
    /// What announces commands and the end.
    pub word: &'a str,
    pub secrets: Vec<String>,
}

impl Copy<'_> {
    /// Adds what was printed.
    pub(super) fn add(&self, place: &mut Place, printed: Printed) -> io::Result<()> {
        let (mut text, mask) = (String::new(), Mask::of(&self.secrets));
        if !place.full {
            for (at, line) in &printed.lines {
                let shown = self.shown(line, &mask);
                text.extend(shown.map(|shown| as_lines(*at, &shown)));
                if place.bytes + text.len() as u64 > HEAD {
                    place.full = true;
                    break;
                }
            }
            self.write(place, &text)?;
        }
        place.after = printed.next;
        Ok(())
    }

    /// Ends a copy that could not take all: the last lines follow.
    pub(super) fn finish(&self, place: &mut Place, last: &[String]) -> io::Result<()> {
        if !place.full {
            return Ok(());
        }
        let now = SystemTime::now();
        let mask = Mask::of(&self.secrets);
        let mut lines = Vec::new();
        let mut held = 0;
        for line in last.iter().rev().filter_map(|line| self.shown(line, &mask)) {
            let line = as_lines(now, &line);
            held += line.len();
            if held > END {
                break;
            }
            lines.push(line);
        }
        lines.push(as_lines(now, "[a part of the log is left out; the runner may have it]"));
        lines.reverse();
        self.write(place, &lines.concat())?;
        place.full = false;
        Ok(())
    }

    /// A line as people see it. There is none of what only this program reads.
    fn shown(&self, text: &str, mask: &Mask<'_>) -> Option<String> {
        match line(text, self.word) {
            Line::Text(text) => Some(mask.masked(text)),
            Line::End(text, _) | Line::Output(text, _) => Some(mask.masked(text)).filter(|text| !text.is_empty()),
            Line::Begins(before, index) => {
                let command = format!("$ {}", self.commands.get(index).map_or("", String::as_str));
                let before = if before.is_empty() { String::new() } else { format!("{before}\n") };
                Some(mask.masked(&(before + &command)))
            }
        }
    }

    fn write(&self, place: &mut Place, text: &str) -> io::Result<()> {
        let path = self.path.as_ref().map_err(|error| io::Error::from(error.kind()))?;
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        if file.metadata()?.len() < place.bytes {
            // What came before is with another server.
            place.bytes = file.metadata()?.len();
        }
        file.set_len(place.bytes)?;
        file.seek(SeekFrom::Start(place.bytes))?;
        file.write_all(text.as_bytes())?;
        place.bytes += text.len() as u64;
        Ok(())
    }
}

/// Lines of a log, all printed at that time.
fn as_lines(at: SystemTime, text: &str) -> String {
    text.split('\n').map(|text| line_of(at, text.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::LogLine;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    fn printed(lines: &[&str], next: &str) -> Printed {
        let at = UNIX_EPOCH + Duration::from_millis(5);
        Printed { lines: lines.iter().map(|&line| (at, line.to_owned())).collect(), next: Some(next.to_owned()) }
    }

    fn texts(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str::<LogLine>(line).unwrap().text).collect()
    }

    #[test]
    fn a_copy_goes_on_from_its_place_whatever_was_written_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (commands, secrets) = (["make".to_owned()], ["s3cr3t".to_owned()]);
        let copy = Copy { path: Ok(path.clone()), commands: &commands, word: "W", secrets: secrets.to_vec() };
        let mut place = Place::default();
        copy.add(&mut place, printed(&["\u{1e}W0", "key=s3cr3t"], "2")).unwrap();
        let saved = place.clone();
        copy.add(&mut place, printed(&["lost with the process"], "3")).unwrap();
        let mut place = saved;
        copy.add(&mut place, printed(&["::protium W out {}", "end::protium W end 0"], "4")).unwrap();
        copy.finish(&mut place, &["end".to_owned()]).unwrap();
        assert_eq!(texts(&path), ["$ make", "key=***", "end"]);
        assert_eq!(place.after.as_deref(), Some("4"));
    }

    #[test]
    fn of_a_long_one_the_end_is_kept_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let copy = Copy { path: Ok(path.clone()), commands: &[], word: "W", secrets: Vec::new() };
        let mut place = Place::default();
        let long = "x".repeat(1 << 20);
        for _ in 0..10 {
            copy.add(&mut place, printed(&[&long], "n")).unwrap();
        }
        copy.finish(&mut place, &["last but one".to_owned(), "last".to_owned()]).unwrap();
        copy.finish(&mut place, &["last".to_owned()]).unwrap();
        let texts = texts(&path);
        assert!(std::fs::metadata(&path).unwrap().len() < HEAD + (2 << 20));
        assert!(texts[texts.len() - 3].contains("left out"));
        assert_eq!(texts[texts.len() - 2..], ["last but one", "last"]);
    }
}
