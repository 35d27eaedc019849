//! One script of all commands: one shell runs them, one after the other, until one fails.
//!
//! As in a build: variables and the folder that one command sets are there for the next. Each is quoted whole, so
//! that what is wrong with one can't change another.

/// What stands in the output before the number of the command that begins, after the marker of the run.
const BEGINS: char = '\u{1e}';
/// The most digits of the number of a command.
const DIGITS: usize = 20;

/// The text for `sh`. `marker` is a word that nobody else knows: see [`begun`].
pub(super) fn script(commands: &[String], marker: &str) -> String {
    // Asked to end, the shell lets the command that it waits for do so first.
    let mut script = "trap 'exit 143' TERM\n".to_owned();
    for (index, command) in commands.iter().enumerate() {
        script.push_str(&format!(
            "printf '%s\\n' '{BEGINS}{marker}{index}'\neval {}\n_status=$?; [ $_status -eq 0 ] || exit $_status\n",
            quoted(command)
        ));
    }
    script
}

/// The text before the marker, and the number of the command that begins, if the line of output says that one does.
pub(super) fn begun<'a>(line: &'a str, marker: &str) -> Option<(&'a str, usize)> {
    let (before, rest) = line.rsplit_once(BEGINS)?;
    let index = rest.strip_prefix(marker)?.parse().ok()?;
    Some((before, index))
}

/// Where at the end of a piece of output, whose line goes on, what [`begun`] reads may begin.
pub(super) fn announced(piece: &[u8], marker: &str) -> Option<usize> {
    let longest = 1 + marker.len() + DIGITS;
    let from = piece.len().saturating_sub(longest);
    let at = from + piece[from..].iter().rposition(|byte| *byte == BEGINS as u8)?;
    let rest = &piece[at + 1..];
    let begins = match rest.strip_prefix(marker.as_bytes()) {
        Some(index) => index.iter().all(u8::is_ascii_digit),
        None => marker.as_bytes().starts_with(rest),
    };
    begins.then_some(at)
}

/// In single quotes, where a shell takes everything for itself.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(commands: &[&str]) -> (i32, String) {
        let commands: Vec<String> = commands.iter().map(|&command| command.to_owned()).collect();
        let done = Command::new("/bin/sh").args(["-c", &script(&commands, "MARK")]).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap())
    }

    #[test]
    fn commands_share_a_shell_and_end_with_the_first_that_fails() {
        let (status, output) =
            run(&["cd / && A='it''s'", "printf \"$A $PWD\"", "false; true", "(exit 7)", "echo never"]);
        assert_eq!(status, 7);
        let lines: Vec<&str> = output.lines().collect();
        let seen: Vec<_> = lines.iter().map(|line| begun(line, "MARK")).collect();
        let expected = [Some(("", 0)), Some(("", 1)), Some(("its /", 2)), Some(("", 3))];
        assert_eq!(seen, expected, "{output}");
    }

    #[test]
    fn what_is_wrong_with_one_command_does_not_hide_another() {
        let (status, output) = run(&["echo one", "if true", "echo three"]);
        assert_ne!(status, 0);
        assert!(output.contains("one") && !output.contains("three"), "{output}");
        assert_eq!(run(&["cat <<END\na\nEND"]).0, 0);
        assert_eq!(run(&[]).0, 0);
        assert_eq!(begun("\u{1e}OTHER3", "MARK"), None);
    }
}
