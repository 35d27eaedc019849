//! What a pod prints, line by line, without loss and without a line twice.
//!
//! The cluster tells the time of each line to the nanosecond, but gives lines since a whole second only. So a place is
//! the last line that was read: its time, and how many lines of that time there were. What follows it is new, whatever
//! its time: two streams may be written in another order than they were timed. If that line is gone, since nodes keep
//! the newest 10 MiB or so, what is later than it is new. Where the log ends, a line without an end may still grow: it
//! is read when it is whole, or when nothing more will come. (Lines of more than 16 KiB are kept in pieces by the node;
//! it gives them back as one.)

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::client::Body;
use kube::core::subresource::LogParams;

use super::api::{Api, Fault, transient};
use super::job::CONTAINER;
use crate::command::remote::{Printed, TAIL};

/// Most bytes of lines that are read at a time.
const PAGE: usize = 2 << 20;
/// Most bytes of a line; what is longer is cut.
const LINE: usize = TAIL;
/// How long the next piece of a log may take.
const PIECE: Duration = Duration::from_secs(30);

/// Where reading goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    at: Timestamp,
    /// How many lines of that time were read.
    count: usize,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (at, count) = text.split_once(' ')?;
        Some(Self { at: at.parse().ok()?, count: count.parse().ok()? })
    }

    fn text(self) -> String {
        format!("{} {}", self.at, self.count)
    }
}

/// A page of what the pod `pod` printed after a place. `over` is whether nothing more will come.
pub(super) async fn read(api: &Api, pod: &str, over: bool, after: Option<&str>) -> Result<Printed, Fault> {
    let place = match after {
        None => None,
        Some(text) => Some(Place::parse(text).ok_or_else(|| {
            Fault::Transient(transient(format!("The place {text:?} of the log is not known to this server.")))
        })?),
    };
    let since = place.and_then(|place| Timestamp::from_second(place.at.as_second() - 1).ok());
    let parameters = LogParams { since_time: since, timestamps: true, ..of_run() };
    let mut lines = Lines::of(api.log(pod, &parameters).await?);
    let mut page = Page::after(place);
    while !page.is_full()
        && let Some(line) = lines.next(over).await?
    {
        page.take(&line);
    }
    Ok(Printed { next: page.end.or(place).map(Place::text), lines: page.lines })
}

/// The last lines.
pub(super) async fn tail(api: &Api, pod: &str) -> Result<Vec<String>, Fault> {
    // A line has a byte at least: so many lines are enough. (A limit of bytes would cut the end off, not the beginning.)
    let parameters = LogParams { tail_lines: Some(i64::try_from(TAIL).unwrap_or(i64::MAX)), ..of_run() };
    let mut lines = Lines::of(api.log(pod, &parameters).await?);
    let mut kept = VecDeque::new();
    let mut bytes = 0;
    while let Some(line) = lines.next(true).await? {
        bytes += line.len() + 1;
        kept.push_back(line);
        while let Some(first) = kept.front()
            && bytes - (first.len() + 1) >= TAIL
        {
            bytes -= first.len() + 1;
            kept.pop_front();
        }
    }
    Ok(kept.into())
}

fn of_run() -> LogParams {
    LogParams { container: Some(CONTAINER.to_owned()), ..LogParams::default() }
}

/// What is read so far.
struct Page {
    after: Option<Place>,
    /// Whether what comes is behind that place.
    found: bool,
    /// How many lines of each time came so far.
    seen: HashMap<Timestamp, usize>,
    /// The time of the line before the next.
    at: Timestamp,
    lines: Vec<(SystemTime, String)>,
    bytes: usize,
    /// The last of the lines.
    end: Option<Place>,
}

impl Page {
    fn after(after: Option<Place>) -> Self {
        Self {
            after,
            found: after.is_none(),
            seen: HashMap::new(),
            at: Timestamp::UNIX_EPOCH,
            lines: Vec::new(),
            bytes: 0,
            end: None,
        }
    }

    fn is_full(&self) -> bool {
        self.found && self.bytes >= PAGE
    }

    fn take(&mut self, line: &str) {
        let (at, text) = match line.split_once(' ').and_then(|(time, text)| Some((time.parse().ok()?, text))) {
            Some(timed) => timed,
            // A line of no text, and words of the cluster's own.
            None => line.parse::<Timestamp>().map_or((self.at, line), |at| (at, "")),
        };
        self.at = at;
        let count = self.seen.entry(at).or_default();
        *count += 1;
        let here = Place { at, count: *count };
        if !self.found {
            if self.after == Some(here) {
                // What stands before it was read before it.
                self.found = true;
                self.lines.clear();
                (self.bytes, self.end) = (0, None);
                return;
            }
            if self.bytes >= PAGE || self.after.is_some_and(|place| at <= place.at) {
                return;
            }
        }
        self.end = Some(here);
        self.bytes += text.len() + 1;
        self.lines.push((SystemTime::from(at), text.to_owned()));
    }
}

/// The lines of an answer, as they come in.
struct Lines {
    body: Body,
    /// What has come in and was not given out.
    held: Vec<u8>,
    /// Where in it no end of a line was found so far.
    searched: usize,
    /// Whether what comes until the next end of a line is left out.
    cuts: bool,
    ended: bool,
}

impl Lines {
    fn of(body: Body) -> Self {
        Self { body, held: Vec::new(), searched: 0, cuts: false, ended: false }
    }

    /// The next line without its end; at the end of the log, what has no end of a line only if it is asked for.
    async fn next(&mut self, unended: bool) -> Result<Option<String>, Fault> {
        loop {
            if let Some(found) = self.held[self.searched..].iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=self.searched + found).collect();
                self.searched = 0;
                if std::mem::take(&mut self.cuts) {
                    continue;
                }
                return Ok(Some(text(&line)));
            }
            self.searched = self.held.len();
            if self.searched > LINE {
                let line = std::mem::take(&mut self.held);
                self.searched = 0;
                if !std::mem::replace(&mut self.cuts, true) {
                    return Ok(Some(text(&line)));
                }
            }
            if self.ended {
                let line = std::mem::take(&mut self.held);
                self.searched = 0;
                return Ok((unended && !self.cuts && !line.is_empty()).then(|| text(&line)));
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), Fault> {
        let piece = tokio::time::timeout(PIECE, self.body.frame()).await;
        match piece {
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.held.extend_from_slice(data);
                }
            }
            Ok(None) => self.ended = true,
            Ok(Some(Err(error))) => return Err(super::api::unreachable(&error)),
            Err(_) => return Err(Fault::Transient(transient("Kubernetes did not send the log in time.".to_owned()))),
        }
        Ok(())
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(log: &[&str], after: Option<Place>) -> Page {
        let mut page = Page::after(after);
        log.iter().for_each(|line| page.take(line));
        page
    }

    #[test]
    fn a_place_is_behind_the_lines_that_were_read_and_before_all_others() {
        // The last but one was timed before the one that it follows.
        let log = [
            "2026-01-02T03:04:05.1Z a",
            "2026-01-02T03:04:05.2Z b",
            "2026-01-02T03:04:05.2Z c",
            "2026-01-02T03:04:05.2Z ",
            "2026-01-02T03:04:05.3Z d",
            "2026-01-02T03:04:05.2Z e",
            "2026-01-02T03:04:06Z f",
        ];
        for read in 0..=log.len() {
            let first = page(&log[..read], None);
            let place = first.end.map(|place| Place::parse(&place.text()).unwrap());
            assert_eq!(place, first.end);
            let second = page(&log, place);
            let all: Vec<_> = first.lines.iter().chain(&second.lines).map(|(_, text)| text.as_str()).collect();
            assert_eq!(all, ["a", "b", "c", "", "d", "e", "f"], "after {read}");
        }
        let gone = Place::parse("2026-01-02T03:04:05.25Z 3");
        let later: Vec<_> = page(&log, gone).lines.into_iter().map(|(_, text)| text).collect();
        assert_eq!(later, ["d", "f"], "the line of the place is gone");
        for bad in ["", "now 1", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z many"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_line_that_may_still_grow_waits_and_one_that_is_too_long_is_cut() {
        let lines = |text: &str| Lines::of(Body::from(text.as_bytes().to_vec()));
        let mut growing = lines("one\r\ntwo");
        assert_eq!(growing.next(false).await.unwrap().as_deref(), Some("one"));
        assert_eq!(growing.next(false).await.unwrap(), None);
        let mut over = lines("one\ntwo");
        over.next(true).await.unwrap();
        assert_eq!(over.next(true).await.unwrap().as_deref(), Some("two"));
        assert_eq!(over.next(true).await.unwrap(), None);
        let mut long = lines(&format!("{}\nshort\n", "x".repeat(LINE + 10)));
        assert!(long.next(true).await.unwrap().unwrap().len() > LINE);
        assert_eq!(long.next(true).await.unwrap().as_deref(), Some("short"));
    }
}
