//! `protium admin audit`: what was asked of the server, and what came of it.

use super::Failure;
use crate::audit::line;
use clap::{Args, Subcommand, ValueEnum};
use protium_client::types::{AuditOutcome, AuditRecord, ListAuditRecordsInput};
use protium_client::{Client, Timestamp};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

/// How many records are asked for at a time: as many as may be.
const PAGE: i32 = 100;
/// The pause before it is asked again, where nothing new was there.
const PAUSE: Duration = Duration::from_secs(2);
/// What a request is recorded with is its beginning: one that ends so much later is still found, in milliseconds.
const LATE_MS: i64 = 60_000;

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Print records, the newest first, as one JSON object.
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Print all records as lines of JSON, the newest first.
    Export {
        #[command(flatten)]
        filter: Filter,
        /// Go on with those that come, until it is stopped: the oldest of them first.
        #[arg(long, conflicts_with = "until")]
        follow: bool,
    },
}

/// What is given must all be true of a record.
#[derive(Args, Clone)]
pub(super) struct Filter {
    /// Requests that came in then or later, as in 2026-12-01T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Requests that came in before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Who asked.
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
    /// As in CreateEnvironment.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// What it was about.
    #[arg(long, value_name = "ARN")]
    resource: Option<String>,
    /// What came of it.
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,
    /// As the answer told it.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Outcome {
    Succeeded,
    Failed,
    Denied,
}

impl From<Filter> for ListAuditRecordsInput {
    fn from(filter: Filter) -> Self {
        Self {
            start_time: filter.since,
            end_time: filter.until,
            principal_arn: filter.principal,
            operation: filter.operation,
            resource_arn: filter.resource,
            outcome: filter.outcome.map(|outcome| match outcome {
                Outcome::Succeeded => AuditOutcome::Succeeded,
                Outcome::Failed => AuditOutcome::Failed,
                Outcome::Denied => AuditOutcome::Denied,
            }),
            request_id: filter.request_id,
            max_results: Some(PAGE),
            next_token: None,
        }
    }
}

pub(super) async fn print(client: &Client, asked: Audit) -> Result<(), Failure> {
    match asked {
        Audit::List { filter, limit } => list(client, filter.into(), limit).await,
        Audit::Export { filter, follow } => {
            let seen = export(client, filter.clone().into()).await?;
            match follow {
                true => follow_on(client, filter.into(), seen).await,
                false => Ok(()),
            }
        }
    }
}

async fn list(client: &Client, mut input: ListAuditRecordsInput, limit: usize) -> Result<(), Failure> {
    let mut records: Vec<AuditRecord> = Vec::new();
    while records.len() < limit {
        let page = client.list_audit_records(input.clone()).await?;
        records.extend(page.audit_records);
        let Some(token) = page.next_token else { break };
        input.next_token = Some(token);
    }
    records.truncate(limit);
    let lines: Vec<String> = records.iter().map(|record| line(record, record.event_time.as_millis())).collect();
    let text = format!("{{\"auditRecords\":[{}]}}", lines.join(","));
    let shown: serde_json::Value = serde_json::from_str(&text).map_err(io::Error::other)?;
    Ok(writeln!(io::stdout(), "{shown:#}")?)
}

/// The newest records that were printed, where others may still come between them.
struct Seen {
    newest: i64,
    ids: BTreeSet<String>,
}

impl Seen {
    /// The same with a record.
    fn note(&mut self, record: &AuditRecord) {
        self.newest = self.newest.max(record.event_time.as_millis());
        self.ids.insert(record.request_id.clone());
    }

    /// From when on is asked again.
    fn since(&self) -> i64 {
        self.newest.saturating_sub(LATE_MS)
    }

    /// Forgets what is not asked for again.
    fn forget(&mut self, found: &BTreeSet<String>) {
        self.ids.retain(|id| found.contains(id));
    }
}

/// Prints page after page.
async fn export(client: &Client, mut input: ListAuditRecordsInput) -> Result<Seen, Failure> {
    let mut seen = Seen { newest: 0, ids: BTreeSet::new() };
    loop {
        let page = client.list_audit_records(input.clone()).await?;
        for record in &page.audit_records {
            if record.event_time.as_millis() >= seen.since() {
                seen.note(record);
            }
        }
        write(&mut io::stdout().lock(), &page.audit_records)?;
        let Some(token) = page.next_token else { return Ok(seen) };
        input.next_token = Some(token);
    }
}

/// Prints what is new, again and again.
async fn follow_on(client: &Client, input: ListAuditRecordsInput, mut seen: Seen) -> Result<(), Failure> {
    loop {
        let since = input.start_time.map_or(0, Timestamp::as_millis).max(seen.since());
        let input = ListAuditRecordsInput { start_time: Some(Timestamp::from_millis(since)), ..input.clone() };
        let mut found = client.paginate(input).all().await?;
        let ids = found.iter().map(|record| record.request_id.clone()).collect();
        found.retain(|record| !seen.ids.contains(&record.request_id));
        found.reverse();
        write(&mut io::stdout().lock(), &found)?;
        found.iter().for_each(|record| seen.note(record));
        seen.forget(&ids);
        tokio::time::sleep(PAUSE).await;
    }
}

fn write(out: &mut impl Write, records: &[AuditRecord]) -> io::Result<()> {
    for record in records {
        writeln!(out, "{}", line(record, record.event_time.as_millis()))?;
    }
    out.flush()
}

fn time(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("'{text}' is not a time with its zone; give one as in 2026-12-01T08:00:00Z"))?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protium_client::types::AuditEventSource;

    fn record(id: &str, at: i64) -> AuditRecord {
        AuditRecord {
            access_key_id: None,
            account_id: "000000000000".into(),
            error_code: None,
            error_message: None,
            event_source: AuditEventSource::Proton,
            event_time: Timestamp::from_millis(at),
            operation: "DeleteService".into(),
            outcome: AuditOutcome::Succeeded,
            principal_arn: "arn:aws:iam::000000000000:root".into(),
            principal_id: None,
            region: None,
            request_id: id.into(),
            request_parameters: Some(r#"{"name":"shop"}"#.into()),
            resource_arn: None,
            session_issuer_arn: None,
            source_ip_address: None,
            unrecorded: None,
            user_agent: None,
        }
    }

    #[test]
    fn a_record_is_a_line_with_its_time_in_words_and_its_parameters_as_an_object() {
        let mut out = Vec::new();
        write(&mut out, &[record("id", 1_606_603_250_500)]).expect("written");
        let wanted = r#"{"accountId":"000000000000","eventSource":"proton","eventTime":"2020-11-28T22:40:50.500Z","operation":"DeleteService","outcome":"SUCCEEDED","principalArn":"arn:aws:iam::000000000000:root","requestId":"id","requestParameters":{"name":"shop"}}"#;
        assert_eq!(String::from_utf8(out).expect("text"), format!("{wanted}\n"));
    }

    #[test]
    fn what_was_printed_is_known_for_as_long_as_it_is_asked_for_again() {
        let mut seen = Seen { newest: 0, ids: BTreeSet::new() };
        for (id, at) in [("a", 100_000), ("b", 170_000)] {
            seen.note(&record(id, at));
        }
        assert_eq!(seen.since(), 110_000);
        seen.forget(&BTreeSet::from(["b".to_owned()]));
        assert_eq!(seen.ids, BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        assert_eq!(time("2020-11-28T22:40:50.5Z").map(Timestamp::as_millis), Ok(1_606_603_250_500));
        assert!(time("2020-11-28").expect_err("refused").contains("'2020-11-28'"));
    }
}
