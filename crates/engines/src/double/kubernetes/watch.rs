//! Watches: what has changed since a version, as it happens.
//!
//! As a cluster does: a thing that comes to be selected is added, one that no longer is has been deleted, and who asks for
//! what came after a version that is forgotten is told so (410), in the answer that has begun.

use std::convert::Infallible;

use bytes::Bytes;
use futures::Stream;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;

use super::objects::Change;
use super::select::Selector;
use super::{Shared, lock};

/// One that has begun.
pub(super) struct Watch {
    pub world: Shared,
    pub kind: String,
    pub selector: Selector,
    /// The last version that the client knows.
    pub version: u64,
    /// Whether only metadata are asked for.
    pub metadata: bool,
    /// Moves when something changes; its value, when watches are cut.
    pub moves: Receiver<u64>,
    pub ended: bool,
}

impl Watch {
    /// The answer: lines, until it is cut.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
        let begun = *self.moves.borrow();
        futures::stream::unfold(self, move |mut watch| async move {
            let lines = watch.next(begun).await?;
            Some((Ok(Frame::data(Bytes::from(lines))), watch))
        })
    }

    async fn next(&mut self, begun: u64) -> Option<String> {
        loop {
            if self.ended || *self.moves.borrow_and_update() != begun {
                return None;
            }
            if let Some(lines) = self.lines() {
                return Some(lines);
            }
            self.moves.changed().await.ok()?;
        }
    }

    fn lines(&mut self) -> Option<String> {
        let world = lock(&self.world);
        let Some(changes) = world.objects.since(&self.kind, self.version) else {
            self.ended = true;
            let message = format!("too old resource version: {}", self.version);
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                                "reason": "Expired", "message": message, "code": 410});
            return Some(line("ERROR", &status));
        };
        let lines: String = changes.filter_map(|change| self.event(change)).collect();
        self.version = world.objects.version();
        (!lines.is_empty()).then_some(lines)
    }

    fn event(&self, change: &Change) -> Option<String> {
        let selected = |thing: &Option<Value>| thing.as_ref().is_some_and(|thing| self.selector.holds(thing));
        let (what, thing) = match (selected(&change.before), selected(&change.after)) {
            (false, true) => ("ADDED", &change.after),
            (true, true) => ("MODIFIED", &change.after),
            (true, false) => ("DELETED", &change.before),
            (false, false) => return None,
        };
        let mut thing = thing.clone()?;
        // Of what is gone, too, it is the version of the change.
        thing["metadata"]["resourceVersion"] = change.version.to_string().into();
        Some(line(what, &if self.metadata { metadata(&thing) } else { thing }))
    }
}

fn line(what: &str, thing: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": thing}))
}

/// A thing for who asks for its metadata alone.
pub(super) fn metadata(thing: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]})
}
