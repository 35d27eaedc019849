//! What type a scalar has: the YAML 1.2 core schema, minus what would lose digits.

use serde_json::Value;

/// The value of a plain scalar without a tag.
///
/// Null, booleans, integers (also `0x`, `0o`) and floats as in the core schema. Text stays: `yes`,
/// dates, numbers with leading zeros, integers beyond 64 bits, `.inf` and `.nan` (no JSON number).
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The value of any scalar.
///
/// # Errors
/// A tag that is not one of the core schema's for scalars, or that the text contradicts.
pub(super) fn scalar(text: &str, is_plain: bool, tag: Option<&str>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return Ok(if is_plain { plain(text) } else { Value::String(text.to_owned()) });
    };
    let value = match tag {
        "!!str" | "!" => return Ok(Value::String(text.to_owned())),
        "!!null" => Some(plain(text)).filter(Value::is_null),
        "!!bool" => Some(plain(text)).filter(Value::is_boolean),
        "!!int" => number(text).filter(|number| number.is_i64() || number.is_u64()),
        "!!float" => number(text).and_then(|number| number.as_f64()).map(Value::from),
        _ => return Err(format!("the tag `{tag}` has no meaning here; remove it, or quote the value")),
    };
    value.ok_or_else(|| format!("the tag `{tag}` does not fit the value"))
}

fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = unsigned.bytes().next()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        return text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok();
    }
    if is_float(unsigned) {
        return text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Value::from);
    }
    None
}

fn radix(digits: &str, radix: u32) -> Option<Value> {
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Value::from)
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_resolve_by_the_core_schema() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("80", json!(80)),
            ("+7", json!(7)),
            ("-0", json!(0)),
            ("0", json!(0)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0x+1", json!("0x+1")),
            ("18446744073709551615", json!(18446744073709551615u64)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("1.5", json!(1.5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("1e999", json!("1e999")),
            ("1e", json!("1e")),
            (".", json!(".")),
            (".inf", json!(".inf")),
            ("2012-10-17", json!("2012-10-17")),
            ("1.2.3", json!("1.2.3")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn account_ids_stay_text() {
        for id in ["000000000001", "012345678901", "007", "00.5", "-01"] {
            assert_eq!(plain(id), json!(id));
        }
    }

    #[test]
    fn tags_force_a_type_or_are_refused() {
        assert_eq!(scalar("80", true, Some("!!str")), Ok(json!("80")));
        assert_eq!(scalar("80", false, Some("!!int")), Ok(json!(80)));
        assert_eq!(scalar("80", true, Some("!!float")), Ok(json!(80.0)));
        assert!(scalar("x", true, Some("!!int")).is_err());
        assert!(scalar("x", true, Some("!Ref")).unwrap_err().contains("!Ref"));
    }
}
