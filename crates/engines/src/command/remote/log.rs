//! The copy of what a run away from this machine prints, in the data folder, where it is read like that of any other.
//!
//! How far the copy is stands in the cursor: whoever goes on from there begins at that byte, whatever was written
//! behind it.

use std::fs::OpenOptions;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::super::local::{Mask, RunId, copied, line_of};
use super::script::{Line, line};
use super::{Printed, TAIL};

/// How much of a log is kept as it comes, in bytes; of a longer one, the end too.
const HEAD: u64 = 8 << 20;
const END: usize = 256 << 10;

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The size of the copy.
    bytes: u64,
    /// That of the plan, which is printed between.
    #[serde(default)]
    plan: u64,
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

/// What must be known to write a copy. Its calls wait for a disk.
pub(super) struct Copy {
    /// The folder of all runs, and whose this is.
    pub root: PathBuf,
    pub run: RunId,
    pub commands: Vec<String>,
    /// What announces commands and the end.
    pub word: String,
    pub secrets: Vec<String>,
}

impl Copy {
    /// Adds what was printed.
    pub(super) fn add(&self, place: &mut Place, printed: Printed) -> io::Result<()> {
        let (mut text, mut plan, mask) = (String::new(), String::new(), Mask::of(&self.secrets));
        if !place.full {
            for (at, printed) in &printed.lines {
                if let Line::Plan(_, planned) = line(printed, &self.word) {
                    plan.push_str(&mask.masked(planned));
                    plan.push('\n');
                }
                let shown = self.shown(printed, &mask);
                text.extend(shown.map(|shown| as_lines(*at, &shown)));
                if place.bytes + text.len() as u64 > HEAD {
                    place.full = true;
                    break;
                }
            }
            let files = copied(&self.root, &self.run)?;
            write(&files.log, &mut place.bytes, &text)?;
            if !plan.is_empty() && place.plan + plan.len() as u64 <= HEAD {
                write(&files.plan, &mut place.plan, &plan)?;
            }
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
        write(&copied(&self.root, &self.run)?.log, &mut place.bytes, &lines.concat())?;
        place.full = false;
        Ok(())
    }

    /// Adds words of this program's own.
    pub(super) fn tell(&self, place: &mut Place, words: &str) -> io::Result<()> {
        let text = as_lines(SystemTime::now(), &Mask::of(&self.secrets).masked(words));
        write(&copied(&self.root, &self.run)?.log, &mut place.bytes, &text)
    }

    /// A line as people see it. There is none of what only this program reads.
    fn shown(&self, text: &str, mask: &Mask<'_>) -> Option<String> {
        match line(text, &self.word) {
            // What is so long may have been cut, and a secret with it.
            Line::Text(text) if text.len() >= TAIL => Some(mask.masked_of_cut(text)),
            Line::Text(text) => Some(mask.masked(text)),
            Line::End(text, _) | Line::Output(text, _) | Line::Plan(text, _) => {
                Some(mask.masked(text)).filter(|text| !text.is_empty())
            }
            Line::Begins(before, index) => {
                let command = format!("$ {}", self.commands.get(index).map_or("", String::as_str));
                let before = if before.is_empty() { String::new() } else { format!("{before}\n") };
                Some(mask.masked(&(before + &command)))
            }
        }
    }
}

/// Writes what follows the first bytes of a file, and counts it among them.
fn write(path: &Path, bytes: &mut u64, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    // If there is less, what came before is with another server.
    *bytes = file.metadata()?.len().min(*bytes);
    file.set_len(*bytes)?;
    file.seek(SeekFrom::Start(*bytes))?;
    file.write_all(text.as_bytes())?;
    *bytes += text.len() as u64;
    Ok(())
}

/// Lines of a log, all printed at that time.
fn as_lines(at: SystemTime, text: &str) -> String {
    text.split('\n').map(|text| line_of(at, text.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::LogLine;
    use std::time::{Duration, UNIX_EPOCH};

    /// A copy of the output of those commands, and where it is.
    fn copy(root: &Path, commands: &[&str], secrets: &[&str]) -> (Copy, PathBuf) {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let run = RunId::of(&crate::Order::of_test(crate::Intent::Apply));
        let log = copied(root, &run).unwrap().log;
        let (commands, secrets) = (own(commands), own(secrets));
        (Copy { root: root.to_owned(), run, commands, word: "W".to_owned(), secrets }, log)
    }

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
        let (copy, path) = copy(folder.path(), &["make"], &["s3cr3t"]);
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
    fn a_plan_is_kept_beside_the_copy_and_goes_on_from_its_place_too() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, path) = copy(folder.path(), &[], &["s3cr3t"]);
        let mut place = Place::default();
        copy.add(&mut place, printed(&["done::protium W plan + one", "::protium W plan "], "2")).unwrap();
        let saved = place.clone();
        copy.add(&mut place, printed(&["::protium W plan lost with the process"], "3")).unwrap();
        let mut place = saved;
        copy.add(&mut place, printed(&["::protium W plan  s3cr3t", "::protium W out {}"], "4")).unwrap();
        assert_eq!(std::fs::read_to_string(path.with_file_name("plan.txt")).unwrap(), "+ one\n\n ***\n");
        assert_eq!(texts(&path), ["done"]);
    }

    #[test]
    fn of_a_line_that_was_cut_no_half_of_a_secret_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, path) = copy(folder.path(), &[], &["s3cr3t", "cr"]);
        let mut place = Place::default();
        copy.add(&mut place, printed(&[&("x".repeat(TAIL) + "s3cr3"), "a short s3cr3"], "n")).unwrap();
        let texts = texts(&path);
        assert!(texts[0].ends_with("x***") && texts[0].len() == TAIL + 3, "{}", texts[0].len());
        assert_eq!(texts[1], "a short s3***3");
    }

    #[test]
    fn of_a_long_one_the_end_is_kept_too() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, path) = copy(folder.path(), &[], &[]);
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
