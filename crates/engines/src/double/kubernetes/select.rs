//! Which things a request is about: selectors of labels and of fields.

use serde_json::Value;

/// What a request selects. Empty, it selects everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    pub labels: String,
    pub fields: String,
}

impl Selector {
    pub(super) fn holds(&self, thing: &Value) -> bool {
        let labels = &thing["metadata"]["labels"];
        self.labels.split(',').all(|label| match comparison(label) {
            Some((name, value, equal)) => (labels[name] == value) == equal,
            // A name alone selects what has such a label.
            None => label.is_empty() || !labels[label].is_null(),
        }) && self.fields.split(',').all(|field| {
            comparison(field).is_none_or(|(path, value, equal)| {
                let found = thing.pointer(&format!("/{}", path.replace('.', "/")));
                found.is_some_and(|found| found == value) == equal
            })
        })
    }
}

/// A name, a value, and whether they are to be equal. `name!=value` also holds for what has no such name.
fn comparison(text: &str) -> Option<(&str, &str, bool)> {
    let unequal = text.split_once("!=").map(|(name, value)| (name, value, false));
    unequal.or_else(|| text.split_once('=').map(|(name, value)| (name, value, true)))
}
