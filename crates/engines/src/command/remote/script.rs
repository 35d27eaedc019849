//! What a runner away from this machine is given to run, and what the end of its output says.
//!
//! The script says in its output which command begins, what it leaves behind and how it ended: whatever brings the
//! output back brings all of it back.

use super::super::local::{Mask, end_of_lines};
use super::super::outputs::{self, PLAN_FILE};
use super::super::plain::plain;
use super::super::script::{begun, script as all};

/// How the commands ended, as the output says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub status: i32,
    /// The number of the last command that began.
    pub command: Option<usize>,
    /// The text of the outputs file, if there was one.
    pub outputs: Option<Result<String, String>>,
    /// The last lines of that command.
    pub tail: String,
}

/// What a line of output is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Something was printed.
    Text(&'a str),
    /// A command begins; before it may be what was printed without an end of line.
    Begins(&'a str, usize),
    /// A line of the outputs file; before it likewise.
    Output(&'a str, &'a str),
    /// A line of the plan; before it likewise.
    Plan(&'a str, &'a str),
    /// The end, with its status; before it likewise.
    End(&'a str, i32),
}

/// The text for `sh`, in the folder with the files. `word` is one that nobody prints by chance; `at_end` is run when the
/// commands have ended, and may change their `$_status`.
pub(super) fn script(commands: &[String], word: &str, at_end: &str) -> String {
    let (commands, mark, file) = (all(commands, word), mark(word), outputs::FILE);
    // A shell of its own runs the commands: where they go, and what they close, is not where the files are looked for.
    format!(
        "(\n{commands}\n)\n_status=$?\n{at_end}\
         _say() {{ while IFS= read -r _line || [ -n \"$_line\" ]; do printf '%s\\n' '{mark}'\"$1 $_line\"; done; }}\n\
         if [ -f {PLAN_FILE} ]; then _say plan < {PLAN_FILE}; fi\n\
         if [ $_status -eq 0 ] && [ -f {file} ]; then _say out < {file}; fi\n\
         printf '%s\\n' '{mark}end '\"$_status\"\nexit $_status\n"
    )
}

/// What a line of the output of [`script`] says.
pub(super) fn line<'a>(text: &'a str, word: &str) -> Line<'a> {
    if let Some((before, index)) = begun(text, word) {
        return Line::Begins(before, index);
    }
    let mark = mark(word);
    let Some((before, said)) = text.split_once(&mark) else { return Line::Text(text) };
    let Some((kind, said)) = said.split_once(' ') else { return Line::Text(text) };
    match (kind, said.trim_end().parse()) {
        ("end", Ok(status)) => Line::End(before, status),
        ("out", _) => Line::Output(before, said),
        ("plan", _) => Line::Plan(before, said),
        _ => Line::Text(text),
    }
}

/// What the last lines of an output say of its end; `None` if that is not among them. What must not be shown is masked
/// in what people read; where that is not known, they read nothing of it.
pub(super) fn end(lines: &[String], word: &str, mask: Option<&Mask<'_>>) -> Option<End> {
    let last = lines.iter().rposition(|text| matches!(line(text, word), Line::End(..)))?;
    let Line::End(before, status) = line(&lines[last], word) else { return None };
    let mut end = End { status, command: None, outputs: None, tail: String::new() };
    let mut output = Vec::new();
    let mut printed: Vec<_> = Some(before).filter(|before| !before.is_empty()).into_iter().collect();
    for (index, text) in lines[..last].iter().enumerate().rev() {
        match line(text, word) {
            Line::Begins(_, command) => {
                end.command = Some(command);
                break;
            }
            // Where the lines begin in the middle of the file, its beginning is missing.
            Line::Output(..) if index == 0 => {
                let message = format!("{} is too large: a run may print 512 KiB of it", outputs::FILE);
                end.outputs = Some(Err(message));
                break;
            }
            Line::Output(before, line) => {
                output.push(line);
                printed.extend(Some(before).filter(|before| !before.is_empty()));
            }
            Line::Plan(before, _) => printed.extend(Some(before).filter(|before| !before.is_empty())),
            Line::Text(text) | Line::End(text, _) => printed.push(text),
        }
    }
    if end.outputs.is_none() && !output.is_empty() {
        output.reverse();
        end.outputs = Some(Ok(output.join("\n")));
    }
    printed.reverse();
    end.tail = match mask {
        Some(mask) => {
            // Also a secret of several colours is none in a message.
            let printed: Vec<String> = printed.into_iter().map(|text| mask.masked(&plain(text))).collect();
            end_of_lines(&printed)
        }
        None if printed.is_empty() => String::new(),
        None => super::UNKNOWN.to_owned(),
    };
    Some(end)
}

fn mark(word: &str) -> String {
    format!("::protium {word} ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn end(lines: &[String], word: &str) -> Option<End> {
        super::end(lines, word, Some(&Mask::of(&["s3cr3t".to_owned()])))
    }

    fn run(commands: &[&str]) -> (i32, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let commands: Vec<String> = commands.iter().map(|&command| command.to_owned()).collect();
        let mut sh = Command::new("/bin/sh");
        let done = sh.args(["-c", &script(&commands, "WORD", "")]).current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        (done.status.code().unwrap(), text.lines().map(str::to_owned).collect())
    }

    #[test]
    fn the_end_of_the_output_says_what_commands_leave_behind() {
        let outputs = r#"printf '{\n  "Url": "http://\\\\x"}' > proton-outputs.json"#;
        let (status, lines) = run(&["echo one", outputs, "mkdir sub && cd sub && exec 2>&1; printf unended"]);
        let end = end(&lines, "WORD").unwrap();
        assert_eq!((status, end.status, end.command), (0, 0, Some(2)), "{lines:?}");
        assert_eq!(end.outputs, Some(Ok("{\n  \"Url\": \"http://\\\\x\"}".to_owned())));
        assert_eq!(end.tail, "unended");
    }

    #[test]
    fn the_end_of_the_output_says_what_failed() {
        let (status, lines) = run(&[
            "echo one > proton-outputs.json",
            "echo a; printf 'b\\033[1ms3\\033[0mcr3t\\n'; exit 7",
            "echo never",
        ]);
        let expected = End { status: 7, command: Some(1), outputs: None, tail: "a\nb***".to_owned() };
        assert_eq!((status, end(&lines, "WORD")), (7, Some(expected)));
        assert_eq!(end(&lines[..lines.len() - 1], "WORD"), None);
        assert_eq!(end(&lines, "OTHER"), None);
        let unmasked = super::end(&lines, "WORD", None).unwrap();
        assert_eq!((unmasked.status, unmasked.tail.as_str()), (7, crate::command::remote::UNKNOWN));
    }

    #[test]
    fn outputs_without_their_beginning_are_refused() {
        let (_, lines) = run(&["printf '{\n}\n' > proton-outputs.json"]);
        let at = lines.iter().position(|text| matches!(line(text, "WORD"), Line::Output(..))).unwrap();
        assert!(end(&lines[at..], "WORD").unwrap().outputs.unwrap().unwrap_err().contains("too large"));
        assert_eq!(end(&lines[at - 1..], "WORD").unwrap().outputs, Some(Ok("{\n}".to_owned())));
    }

    #[test]
    fn commands_that_close_everything_still_end_with_a_word() {
        let (status, lines) = run(&["exec >/dev/null 2>&1", "false"]);
        assert_eq!((status, end(&lines, "WORD").unwrap().status), (1, 1));
    }
}
