//! `protium admin logs`: what the commands of a deployment print, while they print it, as plain text.

use super::Failure;
use clap::Args;
use protium_client::Client;
use protium_client::types::{GetDeploymentLogsInput, LogLine};
use protium_engines::command::plain;
use std::io::{self, Write};
use std::time::Duration;

/// How many lines are asked for at a time: as many as may be.
const LINES: i32 = 1000;
/// The pause before it is asked again, where nothing new was there.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(super) struct Logs {
    /// The deployment, as `lastAttemptedDeploymentId` of a resource names it.
    #[arg(long, value_name = "ID")]
    deployment_id: String,
    /// Go on until the deployment has ended.
    #[arg(long)]
    follow: bool,
    /// Begin each line with when it was printed, in UTC.
    #[arg(long)]
    timestamps: bool,
}

/// Prints what is there, or, following, all until the end.
pub(super) async fn print(client: &Client, asked: Logs) -> Result<(), Failure> {
    let mut input = GetDeploymentLogsInput {
        id: asked.deployment_id,
        max_results: Some(LINES),
        ..GetDeploymentLogsInput::default()
    };
    loop {
        let page = client.get_deployment_logs(input.clone()).await?;
        write(&mut io::stdout().lock(), &page.logs, asked.timestamps)?;
        let Some(token) = page.next_token else { return Ok(()) };
        if page.logs.is_empty() {
            if !asked.follow {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        input.next_token = Some(token);
    }
}

fn write(out: &mut impl Write, lines: &[LogLine], timestamps: bool) -> io::Result<()> {
    for line in lines {
        if timestamps {
            let at = jiff::Timestamp::from_millisecond(line.timestamp.as_millis()).map_err(io::Error::other)?;
            write!(out, "{at:.3} ")?;
        }
        // Whoever wrote a template does not get to tell the terminal of its reader anything.
        writeln!(out, "{}", plain(&line.message))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protium_client::Timestamp;

    #[test]
    fn a_line_is_plain_and_has_its_time_where_that_is_asked_for() {
        let line = |ms, message: &str| LogLine { message: message.into(), timestamp: Timestamp::from_millis(ms) };
        let lines = [line(1_606_603_250_500, "\u{1b}[31ma\u{1b}[0m"), line(1_606_603_251_000, "")];
        let written = |timestamps| {
            let mut out = Vec::new();
            write(&mut out, &lines, timestamps).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(false), "a\n\n");
        assert_eq!(written(true), "2020-11-28T22:40:50.500Z a\n2020-11-28T22:40:51.000Z \n");
    }
}
