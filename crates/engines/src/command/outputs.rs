//! What commands put out: the file that they leave behind, in any of the forms in use.

use serde_json::{Map, Value};

/// The file, beside the manifest.
pub(super) const FILE: &str = "proton-outputs.json";
/// The file of a plan, beside it.
pub(super) const PLAN_FILE: &str = "proton-plan.txt";
/// The most outputs that a resource has, as the API lists them.
const MOST: usize = 50;

/// Reads the outputs by name. Taken are an object of names and values, what `terraform output -json` prints, what CDK
/// writes (the outputs of each stack under its name), and the list of `key` and `valueString` that notifications take.
///
/// # Errors
///
/// What is wrong with the file, without its values: they may be secret.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    let parsed: Value =
        serde_json::from_str(text).map_err(|error| format!("{FILE} is no JSON (line {})", error.line()))?;
    let outputs = match parsed {
        Value::Object(stacks) if is_of_stacks(&stacks) => merged(stacks)?,
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        Value::Array(items) => pairs(items)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(format!("{FILE} is neither an object of names and values nor a list of key and valueString"));
        }
    };
    if outputs.len() > MOST {
        return Err(format!("{FILE} has {} outputs; at most {MOST} are kept", outputs.len()));
    }
    Ok(outputs)
}

/// The value of an output of Terraform, which stands beside its type; any other as it is.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(mut members)
            if members.contains_key("value")
                && members.contains_key("type")
                && members.keys().all(|key| matches!(key.as_str(), "value" | "type" | "sensitive")) =>
        {
            members.remove("value").unwrap_or_default()
        }
        other => other,
    }
}

/// Whether it is what CDK writes: below each name an object, of nothing but texts.
fn is_of_stacks(members: &Map<String, Value>) -> bool {
    let mut stacks = members.values().map(Value::as_object);
    !members.is_empty() && stacks.all(|stack| stack.is_some_and(|outputs| outputs.values().all(Value::is_string)))
}

/// The outputs of all stacks.
fn merged(stacks: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut all = Map::new();
    for stack in stacks.into_values() {
        let Value::Object(outputs) = stack else { continue };
        for (name, value) in outputs {
            if all.contains_key(&name) {
                return Err(format!("{FILE}: two stacks have the output {name}; give it another name in one of them"));
            }
            all.insert(name, value);
        }
    }
    Ok(all)
}

fn pairs(items: Vec<Value>) -> Result<Map<String, Value>, String> {
    let mut outputs = Map::new();
    for (index, item) in items.into_iter().enumerate() {
        let Value::Object(mut item) = item else {
            return Err(format!("{FILE}: entry {index} is no object of key and valueString"));
        };
        match (item.remove("key"), item.remove("valueString")) {
            (Some(Value::String(key)), Some(value)) => {
                outputs.insert(key, value);
            }
            _ => return Err(format!("{FILE}: entry {index} lacks key or valueString")),
        }
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_form_is_read() {
        let expected = json!({"url": "http://x", "zones": ["a"], "count": 2});
        for text in [
            r#"{"url": "http://x", "zones": ["a"], "count": 2}"#,
            r#"{"url": {"sensitive": false, "type": "string", "value": "http://x"},
                "zones": {"type": ["list", "string"], "value": ["a"]}, "count": {"type": "number", "value": 2}}"#,
            r#"[{"key": "url", "valueString": "http://x"}, {"key": "zones", "valueString": ["a"]},
                {"key": "count", "valueString": 2}]"#,
        ] {
            assert_eq!(Value::Object(parse(text).unwrap()), expected, "{text}");
        }
        let stacks = parse(r#"{"Network": {"Vpc": "v"}, "App": {"Url": "u", "Zones": "z"}}"#).unwrap();
        assert_eq!(Value::Object(stacks), json!({"Vpc": "v", "Url": "u", "Zones": "z"}));
        let maps = r#"{"db": {"type": ["map", "string"], "value": {"host": "d"}},
            "cache": {"type": ["map", "string"], "value": {"host": "c"}}}"#;
        assert_eq!(Value::Object(parse(maps).unwrap()), json!({"db": {"host": "d"}, "cache": {"host": "c"}}));
        let twice = r#"{"A": {"Url": "a"}, "B": {"Url": "b"}}"#;
        assert!(parse(twice).unwrap_err().contains("two stacks have the output Url"));
        assert_eq!(
            parse(r#"{"o": {"value": 1}, "p": 2}"#).unwrap()["o"],
            json!({"value": 1}),
            "no output of Terraform"
        );
    }

    #[test]
    fn what_is_wrong_is_told_without_the_values() {
        let many: Map<String, Value> = (0..51).map(|n| (format!("o{n}"), Value::from("secret"))).collect();
        for (text, told) in [
            ("{\"a\": \"secret\"", "is no JSON (line 1)"),
            ("\"secret\"", "neither an object"),
            ("[\"secret\"]", "entry 0 is no object"),
            ("[{\"key\": \"secret\"}]", "entry 0 lacks"),
            (&Value::Object(many).to_string(), "has 51 outputs"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(told) && !error.contains("secret"), "{error}");
        }
    }
}
