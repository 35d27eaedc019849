//! The output of a run: with times, without secrets, bounded.
//!
//! The beginning is kept as it comes; of what is beyond the bound, the last lines. One JSON object a line.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::plain::plain;
use super::super::script::{announced, begun};
use super::mask::Mask;

/// How many of the last lines the message of a failure repeats, and how long it may be in bytes.
const TAIL_LINES: usize = 10;
const TAIL_BYTES: usize = 2000;
/// How much of a log is read at a time, in bytes; at least one line is.
const PAGE_BYTES: u64 = 1 << 20;

/// A line of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it came, in milliseconds since the epoch.
    #[serde(rename = "t")]
    pub at: i64,
    /// Without its end.
    #[serde(rename = "m")]
    pub text: String,
}

/// A part of the output of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Where to go on, in bytes of the file.
    pub next: u64,
    /// Whether nothing will ever come after it: the run has ended, and all was read.
    pub is_last: bool,
}

/// How much is kept, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the beginning.
    pub head: u64,
    /// Of the end, if there is more.
    pub tail: usize,
    /// Of one line: a longer one is cut into several.
    pub line: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 8 << 20, tail: 256 << 10, line: 16 << 10 }
    }
}

/// What is known of the output when it has ended.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// The number of the last command that began.
    pub command: Option<usize>,
    /// Its last lines.
    pub tail: String,
}

/// What must be known to write a log.
pub(super) struct Scribe<'a> {
    pub commands: &'a [String],
    pub marker: &'a str,
    pub secrets: &'a [String],
    pub limits: Limits,
}

impl Scribe<'_> {
    /// Copies output until its end. A log that can't be written any more ends, the run goes on.
    pub(super) fn copy(&self, source: impl Read, log: impl Write) -> io::Result<Summary> {
        let mask = Mask::of(self.secrets);
        let source = BufReader::new(source);
        let mut lines = Lines { source, most: self.limits.line, mask: &mask, marker: self.marker, ahead: Vec::new() };
        let mut kept =
            Kept { log, limits: self.limits, written: 0, full: false, tail: VecDeque::new(), held: 0, lost: 0 };
        let (mut summary, mut last) = (Summary::default(), VecDeque::new());
        while let Some(line) = lines.next()? {
            let text = String::from_utf8_lossy(&line);
            let Some((before, index)) = begun(&text, self.marker) else {
                // Also a secret of several colours is none in a message.
                last.push_back(mask.masked(&plain(&text)));
                if last.len() > TAIL_LINES {
                    last.pop_front();
                }
                kept.push(mask.masked(&text));
                continue;
            };
            if !before.is_empty() {
                kept.push(mask.masked(before));
            }
            last.clear();
            summary.command = Some(index);
            kept.push(mask.masked(&format!("$ {}", self.commands.get(index).map_or("", String::as_str))));
        }
        kept.finish();
        summary.tail = end_of(&Vec::from(last).join("\n"));
        Ok(summary)
    }
}

/// The lines of an output, long ones in pieces.
struct Lines<'a, R> {
    source: BufReader<R>,
    /// The most bytes of a piece; a little more where a secret would be cut.
    most: u64,
    mask: &'a Mask<'a>,
    /// Of the lines that say that a command begins: none of them is cut.
    marker: &'a str,
    /// What was read and belongs to the next piece.
    ahead: Vec<u8>,
}

impl<R: Read> Lines<'_, R> {
    /// Without its end. `None` when there is nothing more.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = std::mem::take(&mut self.ahead);
        let piece = self.most + self.mask.ahead() as u64;
        loop {
            let room = piece.saturating_sub(line.len() as u64).max(self.most);
            let read = self.source.by_ref().take(room).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok((!line.is_empty()).then_some(line));
            }
            if line.ends_with(b"\n") {
                line.pop();
                return Ok(Some(line));
            }
            if (line.len() as u64) < piece {
                continue;
            }
            let announced = line.split_off(announced(&line, self.marker).unwrap_or(line.len()));
            (line, self.ahead) = self.mask.split(line);
            self.ahead.extend(announced);
            if !line.is_empty() {
                return Ok(Some(line));
            }
            line = std::mem::take(&mut self.ahead);
        }
    }
}

/// The last of these lines, as the message of a failure repeats them.
pub(in crate::command) fn end_of_lines(lines: &[String]) -> String {
    end_of(&lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

/// The last bytes, from the beginning of a character.
fn end_of(text: &str) -> String {
    let from = (text.len().saturating_sub(TAIL_BYTES)..text.len()).find(|&at| text.is_char_boundary(at));
    text[from.unwrap_or(0)..].to_owned()
}

struct Kept<W> {
    log: W,
    limits: Limits,
    written: u64,
    /// The disk is.
    full: bool,
    tail: VecDeque<String>,
    held: usize,
    lost: usize,
}

impl<W: Write> Kept<W> {
    fn push(&mut self, text: String) {
        let line = as_line(text);
        if self.tail.is_empty() && !self.full && self.written + line.len() as u64 <= self.limits.head {
            match self.log.write_all(line.as_bytes()) {
                Ok(()) => self.written += line.len() as u64,
                Err(_) => self.full = true,
            }
            return;
        }
        self.held += line.len();
        self.tail.push_back(line);
        while self.held > self.limits.tail
            && let Some(old) = self.tail.pop_front()
        {
            self.held -= old.len();
            self.lost += old.len();
        }
    }

    /// Nobody can be told of a disk that is full.
    fn finish(mut self) {
        if self.lost > 0 {
            let _ = self.log.write_all(as_line(format!("[{} bytes of the log are left out]", self.lost)).as_bytes());
        }
        for line in self.tail {
            let _ = self.log.write_all(line.as_bytes());
        }
    }
}

/// A line of a log, printed now.
pub(super) fn as_line(text: String) -> String {
    line_of(SystemTime::now(), text)
}

/// A line of a log, printed at that time.
pub(in crate::command) fn line_of(at: SystemTime, text: String) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let line = LogLine { at: i64::try_from(since.as_millis()).unwrap_or(i64::MAX), text };
    let mut json = serde_json::to_string(&line).unwrap_or_default();
    json.push('\n');
    json
}

/// Reads a log from the byte `from` on, at most `lines` of it. What is still being written is left for later, and
/// comes only if the run `goes_on`. `None` if there is no log.
pub(super) fn read(path: &Path, from: u64, lines: usize, goes_on: bool) -> io::Result<Option<LogPage>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // Beyond its end there is nothing, however far: a system may refuse to go there.
    file.seek(SeekFrom::Start(from.min(file.metadata()?.len())))?;
    page(BufReader::new(file), from, lines, goes_on).map(Some)
}

/// At most `lines` of what is at the byte `from` of a log, and about 1 MiB.
pub(in crate::command) fn page(mut log: impl BufRead, from: u64, lines: usize, goes_on: bool) -> io::Result<LogPage> {
    let mut page = LogPage { lines: Vec::new(), next: from, is_last: false };
    let mut line = Vec::new();
    while page.lines.len() < lines && page.next - from < PAGE_BYTES {
        line.clear();
        let read = log.read_until(b'\n', &mut line)?;
        let Some(json) = line.strip_suffix(b"\n") else {
            page.is_last = !goes_on;
            return Ok(page);
        };
        page.next += read as u64;
        // A place that is none of ours: the next whole line is.
        page.lines.extend(serde_json::from_slice::<LogLine>(json).ok());
    }
    // Nobody is to ask again only to hear that there is nothing more.
    page.is_last = !goes_on && log.fill_buf()?.is_empty();
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(output: &str, limits: Limits) -> (Vec<String>, Summary) {
        let (commands, secrets) = (["make all".to_owned(), "sec x".to_owned()], ["s3cr3t".to_owned()]);
        let scribe = Scribe { commands: &commands, marker: "M", secrets: &secrets, limits };
        let mut log = Vec::new();
        let summary = scribe.copy(output.as_bytes(), &mut log).unwrap();
        let lines = String::from_utf8(log).unwrap();
        (lines.lines().map(|line| serde_json::from_str::<LogLine>(line).unwrap().text).collect(), summary)
    }

    #[test]
    fn lines_have_times_and_no_secrets_and_commands_are_announced() {
        let output = "\u{1e}M0\nhello\nkey=s3cr3t;\npart\u{1e}M1\nbad\n\nlast";
        let (lines, summary) = copied(output, Limits::default());
        assert_eq!(lines, ["$ make all", "hello", "key=***;", "part", "$ sec x", "bad", "", "last"]);
        assert_eq!((summary.command, summary.tail.as_str()), (Some(1), "bad\n\nlast"));
    }

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end() {
        let output: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let (lines, summary) = copied(&output, Limits { head: 1000, tail: 500, line: 100 });
        assert_eq!(lines[0], "line 0");
        assert_eq!(lines.last().unwrap(), "line 9999");
        let left_out = lines.iter().filter(|line| line.contains("bytes of the log are left out")).count();
        assert!(left_out == 1 && lines.len() < 100, "{}", lines.len());
        assert!(summary.tail.ends_with("line 9999") && summary.tail.lines().count() == TAIL_LINES);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let (lines, _) = copied(&"x".repeat(250), Limits { head: 10_000, tail: 0, line: 100 });
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [100, 100, 50]);
    }

    #[test]
    fn a_command_is_announced_wherever_a_line_before_it_is_cut() {
        let limits = Limits { head: 1 << 20, tail: 0, line: 20 };
        for before in 0..70 {
            // What only looks like a beginning is output.
            let around = format!("{}\u{1e}Mx", "x".repeat(before));
            let (lines, summary) = copied(&format!("{around}\u{1e}M1\nbad\n"), limits);
            let [shown @ .., command, bad] = lines.as_slice() else { panic!("{lines:?}") };
            assert_eq!((shown.concat(), command.as_str(), bad.as_str()), (around, "$ sec x", "bad"), "{before}");
            assert_eq!((summary.command, summary.tail.as_str()), (Some(1), "bad"));
        }
    }

    #[test]
    fn a_message_has_no_colours_and_no_secret_behind_them() {
        let (lines, summary) = copied("\u{1b}[31mred\u{1b}[0m\ns3\u{1b}[1mcr3t\n", Limits::default());
        assert_eq!(lines[0], "\u{1b}[31mred\u{1b}[0m", "the log has what was printed");
        assert_eq!(summary.tail, "red\n***");
    }

    #[test]
    fn no_half_of_a_secret_is_shown_where_a_line_is_cut() {
        let limits = Limits { head: 1 << 20, tail: 0, line: 20 };
        for before in 0..50 {
            let around = ["x".repeat(before), "y".repeat(30)];
            let (lines, _) = copied(&around.join("s3cr3t"), limits);
            assert_eq!(lines.concat(), around.join("***"), "{before}");
            assert!(lines.iter().all(|line| line.len() <= 25), "{lines:?}");
        }
        let (lines, _) = copied(&format!("{}\nnext\n", "s3cr3t".repeat(20)), limits);
        assert_eq!(lines.concat(), "***".repeat(20) + "next");
        let many = ["ab".repeat(5), "ba".repeat(30)];
        let scribe = Scribe { commands: &[], marker: "M", secrets: &many, limits };
        let mut log = Vec::new();
        scribe.copy("ab".repeat(200).as_bytes(), &mut log).unwrap();
        assert!(!String::from_utf8(log).unwrap().contains("ab"));
    }

    #[test]
    fn a_full_disk_ends_the_log_and_not_the_copying() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let scribe = Scribe { commands: &[], marker: "M", secrets: &[], limits: Limits::default() };
        assert_eq!(scribe.copy("a\nb\n".as_bytes(), Full).unwrap().tail, "a\nb");
    }

    fn log(content: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn a_log_is_read_on_from_where_it_was_left() {
        let (_folder, path) = log("{\"t\":1,\"m\":\"a\"}\n{\"t\":2,\"m\":\"b\"}\n{\"t\":3,\"m\":");
        let page = |from, goes_on| read(&path, from, 1, goes_on).unwrap().unwrap();
        let first = page(0, true);
        assert_eq!((first.lines.len(), first.lines[0].text.as_str(), first.is_last), (1, "a", false));
        let second = page(first.next, true);
        assert_eq!(second.lines, [LogLine { at: 2, text: "b".into() }]);
        let third = page(second.next, true);
        assert_eq!(third, LogPage { lines: vec![], next: second.next, is_last: false }, "it is not whole yet");
        assert!(page(second.next, false).is_last, "and never will be");
        assert_eq!(read(&path.with_file_name("none"), 0, 1, true).unwrap(), None);
    }

    #[test]
    fn the_last_page_is_known_to_be_the_last() {
        let (_folder, path) = log("{\"t\":1,\"m\":\"a\"}\n{\"t\":2,\"m\":\"b\"}\n");
        for (lines, goes_on, is_last) in
            [(1, false, false), (2, false, true), (3, false, true), (2, true, false), (3, true, false)]
        {
            let page = read(&path, 0, lines, goes_on).unwrap().unwrap();
            assert_eq!(page.is_last, is_last, "{lines} {goes_on}");
        }
    }

    #[test]
    fn a_place_that_no_line_begins_at_leads_to_the_next_line() {
        let (_folder, path) = log("{\"t\":1,\"m\":\"é\"}\n{\"t\":2,\"m\":\"b\"}\n");
        for from in 1..15 {
            let page = read(&path, from, 10, false).unwrap().unwrap();
            assert_eq!(page.lines, [LogLine { at: 2, text: "b".into() }], "{from}");
        }
        let beyond = read(&path, u64::MAX, 10, false).unwrap().unwrap();
        assert_eq!(beyond, LogPage { lines: vec![], next: u64::MAX, is_last: true });
    }

    #[test]
    fn a_page_has_at_most_so_many_bytes_and_a_line_at_least() {
        let line = |n: usize| serde_json::to_string(&LogLine { at: 1, text: "x".repeat(n) }).unwrap() + "\n";
        let large = usize::try_from(PAGE_BYTES).unwrap();
        let (_folder, path) = log(&[line(large / 2), line(large / 2), line(large * 2), line(1)].concat());
        let (mut from, mut counts) = (0, Vec::new());
        loop {
            let page = read(&path, from, 100, false).unwrap().unwrap();
            counts.push(page.lines.len());
            from = page.next;
            if page.is_last {
                break;
            }
        }
        assert_eq!(counts, [2, 1, 1]);
    }
}
