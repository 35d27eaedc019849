//! The parameters of a call: a form of the query protocol, where lists are numbered.
//!
//! Owns reading them, and saying what is wrong with their shapes, all of it at once, as AWS does.

use super::fault::Fault;
use percent_encoding::percent_decode_str;
use std::fmt::Display;

/// The parameters, decoded.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(text: &str) -> Self {
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// Whether a text has U+0000, which no database holds.
    pub(super) fn has_nul(&self) -> bool {
        self.0.iter().any(|(name, value)| name.contains('\0') || value.contains('\0'))
    }

    /// The first parameter of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The entries of a list, in the order of their numbers: `<name>.member.<number><rest>`.
    pub(super) fn list(&self, name: &str, rest: &str) -> Vec<(u32, &str)> {
        let number = |key: &str| -> Option<u32> {
            key.strip_prefix(name)?.strip_prefix(".member.")?.strip_suffix(rest)?.parse().ok()
        };
        let entries = self.0.iter().filter_map(|(key, value)| Some((number(key)?, value.as_str())));
        let mut entries: Vec<(u32, &str)> = entries.collect();
        entries.sort_by_key(|(number, _)| *number);
        entries
    }

    /// Whether a parameter is given, or a list of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|(key, _)| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

/// Which characters a text may have: as AWS writes it, and as it is checked.
pub(super) type Pattern = (&'static str, fn(char) -> bool);

/// What is wrong with the shapes of parameters, as AWS words it.
#[derive(Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// Notes that the value at `place` fails a constraint.
    pub(super) fn add(&mut self, value: impl Display, place: &str, constraint: impl Display) {
        self.0.push(format!("Value '{value}' at '{place}' failed to satisfy constraint: {constraint}"));
    }

    /// The text, which must be there and have so many characters, all of them legal.
    pub(super) fn text<'a>(
        &mut self,
        value: Option<&'a str>,
        place: &str,
        (least, most): (usize, usize),
        legal: Option<Pattern>,
    ) -> &'a str {
        let Some(value) = value else {
            self.0.push(format!("Value null at '{place}' failed to satisfy constraint: Member must not be null"));
            return "";
        };
        let length = value.chars().count();
        let shown: String = value.chars().take(128).collect();
        if length < least {
            self.add(&shown, place, format_args!("Member must have length greater than or equal to {least}"));
        } else if length > most {
            self.add(&shown, place, format_args!("Member must have length less than or equal to {most}"));
        }
        if let Some((pattern, is_legal)) = legal
            && !value.chars().all(is_legal)
        {
            self.add(&shown, place, format_args!("Member must satisfy regular expression pattern: {pattern}"));
        }
        value
    }

    /// Refuses the call if anything was noted.
    pub(super) fn check(self) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (count, errors) = (self.0.len(), if self.0.len() == 1 { "error" } else { "errors" });
        Err(Fault::invalid(format!("{count} validation {errors} detected: {}", self.0.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_decoded_name() {
        assert_eq!(Form::read("A=1&Act%69on=Get+it%21&Action=2").get("Action"), Some("Get it!"));
        assert_eq!(Form::read("Action").get("Action"), Some(""));
        assert_eq!(Form::read("").get("Action"), None);
    }

    #[test]
    fn lists_are_in_the_order_of_their_numbers() {
        let form = Form::read(
            "Tags.member.10.Key=j&Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.x.Key=no&Tagss.member.1.Key=no",
        );
        assert_eq!(form.list("Tags", ".Key"), [(2, "b"), (10, "j")]);
        assert_eq!(form.list("Tags", ".Value"), [(2, "2")]);
        assert!(form.has("Tags") && !form.has("Tag"));
    }

    #[test]
    fn all_that_is_wrong_is_told_as_aws_words_it() {
        let mut violations = Violations::default();
        violations.text(Some("a b"), "roleSessionName", (2, 64), Some(("[\\w+=,.@-]*", |c| c != ' ')));
        violations.text(None, "roleArn", (20, 2048), None);
        assert_eq!(
            violations.check().unwrap_err().message,
            "2 validation errors detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]*; Value null at 'roleArn' failed to satisfy constraint: \
             Member must not be null"
        );
        assert!(Violations::default().check().is_ok());
    }
}
