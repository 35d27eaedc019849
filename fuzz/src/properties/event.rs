//! Events: the kind of a change, a line of five equals signs, and the detail that is stored of it.
//!
//! Whatever is stored, it is told as one line of JSON that says what is stored, or not at all; and its signature fits the
//! line and no other.

use hmac::{Hmac, KeyInit as _, Mac as _};
use protium::events::signature;
use protium_domain::arn::Scope;
use protium_domain::event::{Change, DetailType, Selection};
use serde_json::Value;
use sha2::Sha256;

const SECRET: &[u8] = b"a secret of many bytes";
/// The members of an envelope, in AWS's order.
const MEMBERS: [&str; 9] =
    ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"];

/// Tells a change, wraps and signs it.
pub fn check(input: &[u8]) {
    let texts = super::texts(input);
    let (kind, detail) = (texts.first().map_or("", |text| text.trim()), texts.get(1).map_or("", String::as_str));
    let source = texts.get(2).map_or("protium.proton", |text| text.trim());
    let at = i64::try_from(input.len()).unwrap_or(0).wrapping_mul(0x1234_5678_9abc_def1);
    let change = Change {
        scope: Scope::new("123456789012", "us-east-1"),
        resource_id: "resource".to_owned(),
        revision: at,
        kind: kind.to_owned(),
        detail: detail.to_owned(),
        at,
    };
    let Some(event) = change.clone().told() else { return };
    assert!(DetailType::ALL.contains(&event.detail_type) && Selection::default().has(&event));
    assert_eq!(change.told().as_ref(), Some(&event), "the same each time");
    let line = event.envelope(source);
    assert!(!line.contains(['\n', '\r']), "one line: {line}");
    let envelope: Value = serde_json::from_str(&line).expect("JSON");
    let members = envelope.as_object().expect("an object");
    assert_eq!(members.keys().collect::<Vec<_>>(), MEMBERS);
    assert_eq!((&envelope["source"], &envelope["resources"][0]), (&source.into(), &event.arn.as_str().into()));
    let stored: Value = serde_json::from_str(detail).expect("it was told");
    for (name, value) in envelope["detail"].as_object().expect("an object") {
        assert!(value.is_string() && stored[name] == *value, "{name}: {value}");
    }
    check_signature(&line, at);
}

fn check_signature(line: &str, seconds: i64) {
    let header = signature(SECRET, seconds, line);
    let mac = header.strip_prefix(&format!("t={seconds},v1=")).expect("a time and a code");
    let code = |text: String| {
        let mut code = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key of any length");
        code.update(text.as_bytes());
        let bytes: [u8; 32] = code.finalize().into_bytes().into();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    assert_eq!(mac, code(format!("{seconds}.{line}")));
    assert_ne!(mac, code(format!("{seconds}.{line} ")));
}
