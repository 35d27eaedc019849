//! Tags: what users put on resources, and the managed ones that Protium adds.

use std::fmt;

/// The most tags a user may put on one resource.
pub const MAX_USER_TAGS: usize = 50;

/// Why a user's tag is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagError {
    /// Keys that begin with `aws:` belong to managed tags.
    ReservedKey(String),
    /// A character outside letters, digits, spaces and `_ . : / = + - @`.
    IllegalCharacter {
        text: String,
        character: char,
    },
    /// The same key twice in one request.
    DuplicateKey(String),
    TooMany(usize),
}

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedKey(key) => {
                write!(f, "tag key '{key}' begins with 'aws:', which is reserved for managed tags; choose another key")
            }
            Self::IllegalCharacter { text, character } => write!(
                f,
                "tag key or value '{text}' contains '{character}'; letters, digits, spaces and _ . : / = + - @ are allowed"
            ),
            Self::DuplicateKey(key) => write!(f, "tag key '{key}' is given more than once; give each key once"),
            Self::TooMany(count) => {
                write!(f, "the resource would have {count} tags; at most {MAX_USER_TAGS} are allowed")
            }
        }
    }
}

/// Checks the tags of one request: reserved keys, characters, duplicates, count.
pub fn check<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), TagError> {
    let mut keys = Vec::new();
    for (key, value) in tags {
        check_key(key)?;
        check_characters(value)?;
        if keys.contains(&key) {
            return Err(TagError::DuplicateKey(key.to_owned()));
        }
        keys.push(key);
    }
    check_count(keys.len())
}

/// Checks a key that is to be set or removed.
pub fn check_key(key: &str) -> Result<(), TagError> {
    if key.len() >= 4 && key.is_char_boundary(4) && key[..4].eq_ignore_ascii_case("aws:") {
        return Err(TagError::ReservedKey(key.to_owned()));
    }
    check_characters(key)
}

/// Checks how many tags a user would have on a resource.
pub fn check_count(count: usize) -> Result<(), TagError> {
    if count > MAX_USER_TAGS { Err(TagError::TooMany(count)) } else { Ok(()) }
}

fn check_characters(text: &str) -> Result<(), TagError> {
    let legal = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    match text.chars().find(|c| !legal(*c)) {
        Some(character) => Err(TagError::IllegalCharacter { text: text.to_owned(), character }),
        None => Ok(()),
    }
}

/// The ARNs that a resource's managed tags name. Absent ones have no tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managed {
    pub account: String,
    pub template: Option<String>,
    pub environment: Option<String>,
    pub service: Option<String>,
    pub service_instance: Option<String>,
    pub component: Option<String>,
}

impl Managed {
    /// The tags that `ListTagsForResource` shows: `aws:proton:*`.
    pub fn on_resource(&self) -> Vec<(String, String)> {
        self.with_prefix("aws:proton:")
    }

    /// The tags on what is provisioned: `proton:*`.
    pub fn on_infrastructure(&self) -> Vec<(String, String)> {
        self.with_prefix("proton:")
    }

    fn with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
        let account = Some(&self.account);
        [
            ("account", account),
            ("template", self.template.as_ref()),
            ("service", self.service.as_ref()),
            ("environment", self.environment.as_ref()),
            ("service-instance", self.service_instance.as_ref()),
            ("component", self.component.as_ref()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((format!("{prefix}{key}"), value?.clone())))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_keys_are_refused_in_any_case() {
        assert_eq!(check_key("AWS:x"), Err(TagError::ReservedKey("AWS:x".into())));
        assert_eq!(check_key("awsome"), Ok(()));
        assert_eq!(check_key("é:x"), Ok(()));
    }

    #[test]
    fn duplicates_and_odd_characters_are_named() {
        assert_eq!(check([("a", "1"), ("a", "2")]), Err(TagError::DuplicateKey("a".into())));
        assert_eq!(check([("a", "<b>")]), Err(TagError::IllegalCharacter { text: "<b>".into(), character: '<' }));
    }

    #[test]
    fn managed_tags_leave_out_what_does_not_apply() {
        let managed = Managed { account: "1".into(), template: Some("t".into()), ..Managed::default() };
        assert_eq!(
            managed.on_infrastructure(),
            [("proton:account".into(), "1".into()), ("proton:template".into(), "t".into())]
        );
    }
}
