//! What a build printed, from CloudWatch Logs.
//!
//! A place is the time of the last line, and CloudWatch's token for what follows it. That one is good for a day only:
//! after that, reading goes on from the time.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsOutput;
use aws_sdk_cloudwatchlogs::types::OutputLogEvent;

use super::super::remote::{Printed, TAIL};
use super::Session;
use super::project::Place;
use crate::aws::{Fault, classify};

/// Empty pages may have full ones behind them; so many are turned at once.
const PAGES: usize = 10;
/// What is read of the log to see its end: a page has at most a mebibyte.
const TAIL_PAGES: usize = 8;

/// Where reading goes on.
struct After<'a> {
    /// The time of the last line, in milliseconds.
    at: i64,
    token: &'a str,
}

impl<'a> After<'a> {
    fn read(place: &'a str) -> Option<Self> {
        let (at, token) = place.split_once('/')?;
        Some(Self { at: at.parse().ok()?, token })
    }

    fn place(at: i64, token: &str) -> String {
        format!("{at}/{token}")
    }
}

impl Session<'_> {
    pub(super) async fn read(&self, place: &Place, build: &str, after: Option<&str>) -> Result<Printed, Fault> {
        let start = after.and_then(After::read);
        let mut at = start.as_ref().map_or(0, |after| after.at);
        let mut token = start.as_ref().map(|after| after.token.to_owned());
        let mut lines = Vec::new();
        for _ in 0..PAGES {
            let page = match self.page(place, build, token.as_deref(), Some(0), true).await {
                Err(Fault::Refused(refusal)) if token.is_some() && refusal.code == "InvalidParameterException" => {
                    self.page(place, build, None, Some(at.saturating_add(1)), true).await?
                }
                page => page?,
            };
            let Some(page) = page else { break };
            let next = page.next_forward_token.clone();
            for event in page.events() {
                at = event.timestamp().unwrap_or(at);
                lines.extend(split(event).map(|line| (moment(at), line.to_owned())));
            }
            let is_end = next.is_none() || next == token;
            token = next.or(token);
            if is_end || !lines.is_empty() {
                break;
            }
        }
        // Before the first line there is no place yet; reading begins again.
        let next = token.filter(|_| at > 0).map(|token| After::place(at, &token));
        Ok(Printed { lines, next: next.or_else(|| after.map(str::to_owned)) })
    }

    pub(super) async fn tail(&self, place: &Place, build: &str) -> Result<Vec<String>, Fault> {
        let mut lines: Vec<String> = Vec::new();
        let (mut token, mut size) = (None, 0);
        for _ in 0..TAIL_PAGES {
            let Some(page) = self.page(place, build, token.as_deref(), None, false).await? else { break };
            let mut earlier: Vec<String> = page.events().iter().flat_map(split).map(str::to_owned).collect();
            size += earlier.iter().map(|line| line.len() + 1).sum::<usize>();
            earlier.append(&mut lines);
            lines = earlier;
            let next = page.next_backward_token;
            if size >= TAIL || next.is_none() || next == token {
                break;
            }
            token = next;
        }
        Ok(lines)
    }

    /// A page of the log, its oldest event first; `None` as long as there is no log.
    async fn page(
        &self,
        place: &Place,
        build: &str,
        token: Option<&str>,
        since: Option<i64>,
        from_head: bool,
    ) -> Result<Option<GetLogEventsOutput>, Fault> {
        let stream = build.rsplit_once(':').map_or(build, |(_, stream)| stream);
        let request = self
            .logs
            .get_log_events()
            .log_group_name(&place.group)
            .log_stream_name(stream)
            .start_from_head(from_head)
            .set_start_time(since.filter(|since| *since > 0))
            .set_next_token(token.map(str::to_owned));
        match request.send().await.map_err(classify) {
            Ok(page) => Ok(Some(page)),
            Err(Fault::Refused(refusal)) if refusal.code == "ResourceNotFoundException" => Ok(None),
            Err(fault) => Err(self.needs(fault, &format!("logs:GetLogEvents on the log group {}", place.group))),
        }
    }
}

/// The lines of an event, which mostly is one.
fn split(event: &OutputLogEvent) -> impl Iterator<Item = &str> {
    event.message().unwrap_or_default().lines()
}

fn moment(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}
