//! Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}` and the characters `${*}`, `${?}`, `${$}`.
//!
//! The rules are those of the IAM User Guide, "IAM policy elements: Variables and tags".

use super::key::Key;
use super::problem::{Wrong, quote};

/// What stands for a value of the request.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) key: Key,
    /// What it is if the request has no such value.
    pub(super) default: Option<Box<str>>,
}

/// What a text between `${` and `}` means.
pub(super) enum Meaning {
    /// A character that would be a wildcard or begin a variable.
    Character(char),
    Variable(Variable),
}

/// Reads what stands between `${` and `}`.
pub(super) fn parse(inner: &str) -> Result<Meaning, Wrong> {
    if let "*" | "?" | "$" = inner {
        return Ok(Meaning::Character(inner.chars().next().unwrap_or_default()));
    }
    let (name, default) = match inner.split_once(',') {
        Some((name, default)) => (name, Some(default_value(inner, default)?)),
        None => (inner, None),
    };
    if name.trim() != name || name.is_empty() {
        let message = format!("${{{inner}}} is no variable");
        return Err((message, "write the key without spaces around it, as in ${aws:username}".to_owned()));
    }
    let key = Key::parse(name)?;
    if key.is_multivalued() {
        let message = format!("{} has several values and can't be a variable", quote(name));
        return Err((message, "use it as the key of a condition with ForAnyValue or ForAllValues".to_owned()));
    }
    Ok(Meaning::Variable(Variable { key, default }))
}

fn default_value(inner: &str, text: &str) -> Result<Box<str>, Wrong> {
    let value = text.trim_start_matches(' ').strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    value.filter(|value| !value.contains('\'')).map(Into::into).ok_or_else(|| {
        let message = format!("the default in ${{{inner}}} is not in quotes");
        (message, "write it as in ${aws:username, 'nobody'}".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_defaults_are_read() {
        for (text, key, default) in [
            ("aws:username", "aws:username", None),
            ("aws:PrincipalTag/a b", "aws:PrincipalTag/a b", None),
            ("aws:userid, 'anonymous'", "aws:userid", Some("anonymous")),
            ("aws:userid,''", "aws:userid", Some("")),
            ("aws:userid, 'a, b'", "aws:userid", Some("a, b")),
        ] {
            let Ok(Meaning::Variable(variable)) = parse(text) else { panic!("{text}") };
            assert_eq!((variable.key.as_str(), variable.default.as_deref()), (key, default));
        }
        assert!(matches!(parse("*"), Ok(Meaning::Character('*'))));
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for text in ["", " aws:username", "aws:username ", "username", "aws:userid, x", "aws:userid, 'x", "aws:TagKeys"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
