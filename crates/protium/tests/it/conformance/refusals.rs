//! What is refused although the models allow it, and why.
//!
//! It stands in `refusals.txt`: `code | part of the message`, below a line with the reason, which begins with `#`.

const LIST: &str = include_str!("refusals.txt");

/// Whether there is a reason to refuse with that code and that message what a model allows.
pub(super) fn has_reason(code: &str, message: &str) -> bool {
    refusals().any(|(of, part)| of == code && message.contains(part))
}

fn refusals() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST.lines().filter_map(|line| line.split_once(" | "))
}

#[test]
fn each_refusal_has_a_reason_and_tells_apart() {
    let mut has_reason = false;
    for line in LIST.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix('#') {
            Some(reason) => has_reason = !reason.trim().is_empty(),
            None => {
                let (code, part) = line.split_once(" | ").unwrap_or_else(|| panic!("{line} has no part of a message"));
                assert!(has_reason, "no reason stands above {line}");
                assert!(code.ends_with("Exception") && part.len() > 10, "{line} says too little");
                assert_eq!(refusals().filter(|(_, other)| part.contains(other)).count(), 1, "{line} is said twice");
            }
        }
    }
}
