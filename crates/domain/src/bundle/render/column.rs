//! Indenting multi-line filter output to the column of its tag.
//!
//! A filter does not know where its tag stands, so it marks where a block begins and where its lines
//! break; this pass over the output turns the marks into line breaks and spaces.

/// Announces a mark. A Unicode noncharacter: no text holds one.
const MARK: char = '\u{fdd0}';
/// The first byte of `MARK` in UTF-8.
const MARK_BYTE: u8 = 0xef;
/// After `MARK`: a block begins.
const BEGIN: char = '[';
/// After `MARK`: a line of the block ends.
const BREAK: char = '/';

/// A block of lines to be indented to wherever it lands.
pub(super) fn block(lines: &[String]) -> String {
    format!("{MARK}{BEGIN}{}", lines.join(&format!("{MARK}{BREAK}")))
}

/// The text with all blocks indented; `None` if it grows beyond `limit` bytes.
pub(super) fn indent(text: String, limit: usize) -> Option<String> {
    // Looking for one byte is much faster than looking for the character, and finds it no less.
    if memchr::memchr(MARK_BYTE, text.as_bytes()).is_none() {
        return Some(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for (index, piece) in text.split(MARK).enumerate() {
        let rest = match piece.strip_prefix(BEGIN).filter(|_| index > 0) {
            Some(rest) => {
                column = out.rsplit('\n').next().unwrap_or_default().chars().count();
                rest
            }
            None => match piece.strip_prefix(BREAK).filter(|_| index > 0) {
                Some(rest) => {
                    if out.len().saturating_add(column) > limit {
                        return None;
                    }
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', column));
                    rest
                }
                None => piece,
            },
        };
        out.push_str(rest);
    }
    (out.len() <= limit).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_align_with_the_first() {
        let text = format!("a:\n  {}\nb: {}\n", block(&["x".into(), "y".into()]), block(&["1".into(), "2".into()]));
        assert_eq!(indent(text, 100).as_deref(), Some("a:\n  x\n  y\nb: 1\n   2\n"));
        assert_eq!(indent("plain".to_owned(), 100).as_deref(), Some("plain"));
    }

    #[test]
    fn indentation_cannot_multiply_the_output() {
        let text = format!("{}{}", " ".repeat(1000), block(&vec!["x".into(); 1000]));
        assert_eq!(indent(text, 100_000), None);
    }
}
