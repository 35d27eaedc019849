//! The things that there are in the namespace, by kind and name, each with its id and version.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::watch;

/// What time it always is.
pub(super) const NOW: &str = "2026-01-02T03:04:05Z";

#[derive(Default)]
pub(super) struct Objects {
    kinds: BTreeMap<String, BTreeMap<String, Value>>,
    version: u64,
    changes: Vec<Change>,
    /// What came up to this version is forgotten.
    forgotten: u64,
    /// Moves at every change; its value is how often watches were cut.
    pub moves: watch::Sender<u64>,
}

/// One thing before and after a version.
pub(super) struct Change {
    pub version: u64,
    pub kind: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Objects {
    pub(super) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.kinds.get(kind)?.get(name)
    }

    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.kinds.get(kind).into_iter().flat_map(BTreeMap::values)
    }

    /// Stores it with the next version, and with an id and a time if it is new.
    pub(super) fn put(&mut self, kind: &str, mut thing: Value) -> Value {
        self.version += 1;
        let meta = &mut thing["metadata"];
        meta["resourceVersion"] = self.version.to_string().into();
        if meta["uid"].is_null() {
            meta["uid"] = format!("uid-{}", self.version).into();
            meta["creationTimestamp"] = NOW.into();
        }
        let name = text(&thing["metadata"]["name"]).to_owned();
        let before = self.kinds.entry(kind.to_owned()).or_default().insert(name, thing.clone());
        self.changed(kind, before, Some(thing.clone()));
        thing
    }

    pub(super) fn remove(&mut self, kind: &str, name: &str) -> Option<Value> {
        let removed = self.kinds.get_mut(kind)?.remove(name)?;
        self.version += 1;
        self.changed(kind, Some(removed.clone()), None);
        Some(removed)
    }

    fn changed(&mut self, kind: &str, before: Option<Value>, after: Option<Value>) {
        self.changes.push(Change { version: self.version, kind: kind.to_owned(), before, after });
        self.moves.send_modify(|_| ());
    }

    /// The version of all that there is.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// What has changed of a kind since a version, unless that is forgotten.
    pub(super) fn since(&self, kind: &str, version: u64) -> Option<impl Iterator<Item = &Change>> {
        let is_later = move |change: &&Change| change.version > version && change.kind == kind;
        (version >= self.forgotten).then(|| self.changes.iter().filter(is_later))
    }

    /// Ends all watches. Who goes on from before is told that it is forgotten, if `forgets`.
    pub(super) fn cut(&mut self, forgets: bool) {
        if forgets {
            self.version += 1;
            self.forgotten = self.version;
            self.changes.clear();
        }
        self.moves.send_modify(|cuts| *cuts += 1);
    }

    /// Changes what is there.
    pub(super) fn change(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut thing) = self.get(kind, name).cloned() {
            change(&mut thing);
            self.put(kind, thing);
        }
    }

    pub(super) fn names(&self, kind: &str) -> Vec<String> {
        self.kinds.get(kind).into_iter().flat_map(|things| things.keys().cloned()).collect()
    }

    /// The names of those whose owner has this id.
    pub(super) fn owned(&self, kind: &str, uid: &str) -> Vec<String> {
        let is_owned = |thing: &&Value| {
            let owners = thing["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid))
        };
        self.all(kind).filter(is_owned).map(|thing| text(&thing["metadata"]["name"]).to_owned()).collect()
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Lays a merge patch over a thing (RFC 7396).
pub(super) fn merge(thing: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *thing = patch.clone();
        return;
    };
    if !thing.is_object() {
        *thing = json!({});
    }
    for (name, value) in members {
        if value.is_null() {
            thing.as_object_mut().map(|object| object.remove(name));
        } else {
            merge(&mut thing[name.as_str()], value);
        }
    }
}
