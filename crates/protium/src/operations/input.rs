//! What the inputs of several operations have in common: hashes, tags, version parts.
//!
//! Owns the reading. What a repeated request or a given version means is decided elsewhere.

use crate::error::{Result, internal, invalid};
use crate::sha256::sha256_hex;
use protium_api::types::Tag;
use protium_domain::tag;
use protium_domain::track::ContentHash;
use protium_domain::version;
use serde::Serialize;
use serde_json::{Map, Value};

/// The hash by which two requests are the same: of all members but the client token, whatever the
/// order of the tags. No tags and an empty list of tags are the same.
pub(super) fn request_hash<T: Serialize>(input: &T) -> Result<ContentHash> {
    let mut value = serde_json::to_value(input).map_err(internal)?;
    if let Value::Object(members) = &mut value {
        members.remove("clientToken");
        if let Some(Value::Array(tags)) = members.get_mut("tags") {
            tags.sort_by_cached_key(Value::to_string);
            if tags.is_empty() {
                members.remove("tags");
            }
        }
    }
    Ok(sha256_hex(canonical(value).to_string().as_bytes()))
}

/// The same value with the members of its objects in the order of their names.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(name, value)| (name, canonical(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The user's tags of a create, checked.
pub(super) fn tags(given: Option<&[Tag]>) -> Result<Vec<(String, String)>> {
    let given = given.unwrap_or_default();
    tag::check(given.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())))
        .map_err(|error| invalid("tags", error))?;
    Ok(given.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect())
}

/// The tags of a new resource: those that it inherits, and those that it is given, which win.
pub(super) fn inherited_tags(
    mut inherited: Vec<(String, String)>,
    given: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    inherited.retain(|(key, _)| given.iter().all(|(own, _)| own != key));
    inherited.extend_from_slice(given);
    tag::check_count(inherited.len()).map_err(|error| invalid("tags", error))?;
    Ok(inherited)
}

/// A part of a version that the request gives. The model lets 20 digits through; no version has
/// such a number, and `i64::MAX`, which none has either, stands for all of them.
pub(super) fn version_part(text: &str) -> i64 {
    version::parse_part(text).unwrap_or(i64::MAX)
}

/// A token for idempotency; the empty one is none.
pub(super) fn client_token(given: Option<&str>) -> Option<&str> {
    given.filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hash(value: Value) -> String {
        request_hash(&value).expect("JSON is hashed")
    }

    #[test]
    fn the_order_of_tags_and_members_does_not_matter() {
        let (a, b) = (json!({ "key": "a", "value": "1" }), json!({ "key": "b", "value": "2" }));
        let one = hash(json!({ "name": "n", "description": "d", "tags": [a, b] }));
        assert_eq!(one, hash(json!({ "tags": [b, a], "description": "d", "name": "n" })));
        assert_ne!(one, hash(json!({ "tags": [a], "description": "d", "name": "n" })));
        assert_ne!(one, hash(json!({ "tags": [a, b], "name": "n" })));
    }

    #[test]
    fn the_order_of_other_lists_does() {
        assert_ne!(hash(json!({ "list": [1, 2] })), hash(json!({ "list": [2, 1] })));
    }

    #[test]
    fn the_token_and_an_empty_list_of_tags_do_not_count() {
        let plain = hash(json!({ "name": "n" }));
        assert_eq!(plain, hash(json!({ "name": "n", "clientToken": "x" })));
        assert_eq!(plain, hash(json!({ "name": "n", "tags": [] })));
    }

    #[test]
    fn a_part_that_no_version_has_is_no_versions_part() {
        assert_eq!(version_part("12"), 12);
        assert_eq!(version_part("99999999999999999999"), i64::MAX);
    }
}
