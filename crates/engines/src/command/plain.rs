//! What a line of output says, without what is for terminals alone.

use std::str::Chars;

/// The text of a line as a terminal would show it in the end, without its colours: what was written over is gone, and
/// nothing is left that a terminal would obey.
#[must_use]
pub fn plain(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit_once('\r').map_or(line, |(_, last)| last);
    let mut shown = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        match next {
            '\u{1b}' => escape(&mut rest),
            '\u{9b}' => control(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => text(&mut rest),
            '\t' => shown.push(next),
            next if next.is_control() => {}
            next => shown.push(next),
        }
    }
    shown
}

/// Passes over what follows an escape character.
fn escape(rest: &mut Chars<'_>) {
    match rest.next() {
        Some('[') => control(rest),
        Some('P' | 'X' | ']' | '^' | '_') => text(rest),
        // One of several characters, like the choice of a character set.
        Some(' '..='/') => drop(rest.find(|next| !(' '..='/').contains(next))),
        Some(_) | None => {}
    }
}

/// Numbers, and the letter that they are for.
fn control(rest: &mut Chars<'_>) {
    rest.find(|next| ('@'..='~').contains(next));
}

/// A text for the terminal itself, such as its title.
fn text(rest: &mut Chars<'_>) {
    let end = rest.find(|next| matches!(next, '\u{7}' | '\u{1b}' | '\u{9c}'));
    if end == Some('\u{1b}') {
        rest.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_would_obey() {
        for (line, expected) in [
            ("plain é\ttext", "plain é\ttext"),
            ("\u{1b}[1;31mError:\u{1b}[0m no such \u{1b}[38;5;12mfile\u{1b}[m", "Error: no such file"),
            ("\u{1b}]0;a title\u{7}after \u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "after link"),
            ("\u{1b}(B\u{1b}7\u{1b}=x\u{1b}c", "x"),
            ("10%\r 55%\r100%", "100%"),
            ("from Windows\r", "from Windows"),
            ("\u{9b}31mred\u{9d}52;c;eA==\u{9c}.\u{8}\u{7f}\u{0}", "red."),
            ("cut \u{1b}[31", "cut "),
            ("cut \u{1b}]0;title", "cut "),
            ("cut \u{1b}", "cut "),
            ("", ""),
        ] {
            assert_eq!(plain(line), expected, "{line:?}");
        }
    }
}
