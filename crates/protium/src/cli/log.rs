//! The log on standard error: what gets into it, and what never does.

use crate::config::environment;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, ParseError, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts the log, as `PROTIUM_LOG` says, or with everything from `info` on.
///
/// # Errors
/// The variable is no filter.
pub(super) fn start() -> Result<(), ParseError> {
    let filter = environment::log_filter().unwrap_or_else(|| "info".to_owned());
    let wanted = EnvFilter::builder().parse(filter)?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(environment::has_colours())
        .with_filter(wanted.and(filter_fn(is_safe)));
    tracing_subscriber::registry().with(lines).init();
    Ok(())
}

/// Other libraries say in detail what passes through them: statements with their parameters, bodies of requests.
/// Nobody can ask for that here, since specs, outputs and secrets are in it. What the AWS SDK warns of is told to
/// those whom it concerns, in fewer words.
fn is_safe(event: &Metadata<'_>) -> bool {
    *event.level() <= most_detailed(event.target())
}

fn most_detailed(target: &str) -> Level {
    let library = target.split("::").next().unwrap_or_default();
    match library {
        "protium" => Level::TRACE,
        _ if library.starts_with("protium_") => Level::TRACE,
        _ if library.starts_with("aws_") => Level::ERROR,
        _ => Level::WARN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_details_are_logged() {
        for (target, level) in [
            ("protium", Level::TRACE),
            ("protium::http::aws_json", Level::TRACE),
            ("protium_engines::cloudformation", Level::TRACE),
            ("protiumish", Level::WARN),
            ("tokio_postgres::query", Level::WARN),
            ("aws_config::meta::credentials::chain", Level::ERROR),
        ] {
            assert_eq!(most_detailed(target), level, "{target}");
        }
    }
}
