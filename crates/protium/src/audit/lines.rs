//! The operator's own copy of the audit log: a JSON object in a line, in a file or on standard output.
//!
//! Best effort: lines are written after the change is committed, by a thread of its own. A process that dies loses those
//! that wait; where the reader is slower than the server, lines are left out and counted in the log.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use serde::Serialize;
use serde_json::Value;

use crate::config::AuditLog;
use crate::store::AuditRecord;

/// Lines that wait to be written.
const WAITING: usize = 8192;

#[derive(Debug)]
pub(super) struct Lines {
    to: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    pub(super) fn open(log: &AuditLog) -> io::Result<Self> {
        let out: Box<dyn Write + Send> = match log {
            AuditLog::StandardOutput => Box::new(io::stdout()),
            AuditLog::File(path) => {
                use std::os::unix::fs::OpenOptionsExt as _;
                Box::new(OpenOptions::new().create(true).append(true).mode(0o600).open(path)?)
            }
        };
        let (to, from) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        std::thread::Builder::new().name("audit-log".into()).spawn(move || write_all(out, &from, &counted))?;
        Ok(Self { to, lost })
    }

    pub(super) fn write(&self, record: &AuditRecord) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.to.try_send(line(record, record.at)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes until nobody has anything to write any more.
fn write_all(mut out: impl Write, from: &Receiver<String>, lost: &AtomicU64) {
    while let Ok(first) = from.recv() {
        let mut text = first;
        text.push('\n');
        for line in from.try_iter().take(WAITING) {
            text.push_str(&line);
            text.push('\n');
        }
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            tracing::warn!("audit-log: lines can't be written and are lost: {error}");
        }
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => {
                tracing::warn!("audit-log: {lost} lines were left out, since they came faster than they are written")
            }
        }
    }
}

/// A record as a line: the members that `ListAuditRecords` shows, with the time (milliseconds since 1970) in words and
/// the parameters as what they are.
pub fn line(record: &impl Serialize, at: i64) -> String {
    let Ok(Value::Object(mut members)) = serde_json::to_value(record) else { return String::new() };
    let time = jiff::Timestamp::from_millisecond(at).map(|at| format!("{at:.3}"));
    members.remove("at");
    members.insert("eventTime".to_owned(), time.unwrap_or_default().into());
    if let Some(parameters) = members.get_mut("requestParameters")
        && let Some(object) = parameters.as_str().and_then(|json| serde_json::from_str::<Value>(json).ok())
    {
        *parameters = object;
    }
    // The same order wherever a line is made.
    let members: BTreeMap<String, Value> = members.into_iter().collect();
    serde_json::to_string(&members).unwrap_or_default()
}
