//! Logs of runs in a bucket of S3, where all servers read them.
//!
//! Owns what they are called there and how a page is read. Which are to be copied, and when one goes, is the caller's to
//! say. What one server has printed of a run is a part, called by the time of its first line: servers that took turns in
//! a run have a part each, and a part that is copied twice is there once.

use std::io::Cursor;

use super::local::{FinishedLog, LogPage, page_of};
use crate::Transient;
use crate::aws::{Aws, Bucket, CredentialsFailure, Fault};

/// Where the bucket is, if nothing is said.
const REGION: &str = "us-east-1";
/// How much of a part is read at a time, in bytes: more than a page has.
const READ: u64 = 2 << 20;
const WANTED: &str = "give s3://BUCKET or s3://BUCKET/PREFIX, with ?region=REGION if it is not in us-east-1";

/// The place of logs in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    bucket: String,
    prefix: String,
    region: String,
}

impl LogPlace {
    /// Reads `s3://BUCKET/PREFIX?region=REGION`.
    ///
    /// # Errors
    ///
    /// What is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| format!("'{text}' is no place for logs; {WANTED}"))?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(legal) {
            return Err(format!("'{bucket}' is no name of a bucket; {WANTED}"));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
        if !prefix.is_empty() && !prefix.split('/').all(|part| !part.is_empty() && part.chars().all(legal)) {
            return Err(format!(
                "the prefix '{prefix}' has an empty part, or something else than letters, digits and . - _ =; {WANTED}"
            ));
        }
        let region = match parameters.split_once('=') {
            None if parameters.is_empty() => REGION,
            Some(("region", region))
                if !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') =>
            {
                region
            }
            _ => return Err(format!("'{parameters}' is no region; {WANTED}")),
        };
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), region: region.to_owned() })
    }
}

/// Keeps logs in a bucket, with the server's own outbound credentials.
#[derive(Debug, Clone)]
pub struct LogStore {
    aws: Aws,
    place: LogPlace,
}

impl LogStore {
    /// Makes no call.
    #[must_use]
    pub fn new(aws: Aws, place: LogPlace) -> Self {
        Self { aws, place }
    }

    /// Copies the log of a run that has ended. It may be there already.
    ///
    /// # Errors
    ///
    /// When the log can't be read, or S3 does not take it now.
    pub async fn keep(&self, log: &FinishedLog) -> Result<(), Transient> {
        let part = log.read().await.map_err(|error| {
            let message = format!("The log of the deployment {} can't be read: {error}", log.deployment);
            Transient { message, retry_after: None }
        })?;
        let key = format!("{}/{:016}.jsonl", self.folder(&log.deployment), part.first);
        let put = self.bucket().await?.put(&key, part.text).await;
        self.known(put)
    }

    /// A page of the log of a deployment, from the byte `from` of all its parts on; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When S3 does not answer, or does not let the server read.
    pub async fn read(&self, deployment: &str, from: u64, lines: usize) -> Result<Option<LogPage>, Transient> {
        let bucket = self.bucket().await?;
        let parts = self.known(bucket.list(&self.folder(deployment)).await)?;
        if parts.is_empty() {
            return Ok(None);
        }
        let whole: u64 = parts.iter().map(|(_, size)| size).sum();
        let mut begin = 0;
        for (key, size) in parts {
            let end = begin + size;
            if from >= end {
                begin = end;
                continue;
            }
            let mut length = READ.min(end - from);
            loop {
                let text = self.known(bucket.get(&key, from - begin..from - begin + length).await)?;
                let is_all = from + length == end;
                let page =
                    page_of(Cursor::new(text), from, lines, !is_all || end < whole).map_err(|error| Transient {
                        message: format!("The log of the deployment {deployment} can't be read: {error}"),
                        retry_after: None,
                    })?;
                // A line that is longer than what was read.
                if page.next == from && !is_all {
                    length = end - from;
                    continue;
                }
                // What is left without an end of a line will have none.
                let next = if page.next == from { end } else { page.next };
                return Ok(Some(LogPage { next, is_last: next >= whole, ..page }));
            }
        }
        Ok(Some(LogPage { lines: Vec::new(), next: from, is_last: true }))
    }

    /// Removes the log of a deployment, if there is one.
    ///
    /// # Errors
    ///
    /// When S3 does not answer, or does not let the server.
    pub async fn forget(&self, deployment: &str) -> Result<(), Transient> {
        let emptied = self.bucket().await?.empty(&self.folder(deployment)).await;
        self.known(emptied)
    }

    fn folder(&self, deployment: &str) -> String {
        let parts = [self.place.prefix.as_str(), deployment];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    async fn bucket(&self) -> Result<Bucket, Transient> {
        let LogPlace { bucket, region, .. } = &self.place;
        let credentials = self.aws.credentials(region, None).await.map_err(|failure| match failure {
            CredentialsFailure::Transient(transient) => transient,
            CredentialsFailure::Refused(message) => Transient { message, retry_after: None },
        })?;
        self.known(Bucket::open(&self.aws, region, &credentials, bucket))
    }

    /// Whatever S3 refuses is asked again: people can allow it.
    fn known<T>(&self, answer: Result<T, Fault>) -> Result<T, Transient> {
        answer.map_err(|fault| match fault {
            Fault::Transient(transient) => transient,
            Fault::Refused(refusal) => Transient {
                message: format!(
                    "The logs in s3://{} can't be used: {} ({}).",
                    self.place.bucket, refusal.message, refusal.code
                ),
                retry_after: None,
            },
        })
    }
}

#[cfg(all(test, feature = "double"))]
mod tests {
    use super::*;
    use crate::aws::{Credentials, Settings};
    use crate::command::finished_logs;
    use crate::double::{Disturbance, Double};
    use std::fs;

    async fn store(double: &Double, prefix: &str) -> LogStore {
        let credentials = Some(Credentials::from_keys("AKIDEXAMPLE", "secret", None));
        let settings = Settings { endpoint_url: Some(double.url()), credentials, ..Settings::default() };
        LogStore::new(Aws::new(settings).await, LogPlace::parse(&format!("s3://logs{prefix}")).unwrap())
    }

    /// The log of the deployment `d` as a server has it, with lines of those times.
    fn log(lines: &[(i64, &str)]) -> (tempfile::TempDir, FinishedLog) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("r/d")).unwrap();
        let line = |(at, text): &(i64, &str)| format!("{{\"t\":{at},\"m\":\"{text}\"}}\n");
        fs::write(folder.path().join("r/d/log"), lines.iter().map(line).collect::<String>()).unwrap();
        let found = finished_logs(folder.path()).unwrap().pop().unwrap();
        (folder, found)
    }

    async fn all(store: &LogStore, most: usize) -> Vec<String> {
        let (mut from, mut texts) = (0, Vec::new());
        loop {
            let page = store.read("d", from, most).await.unwrap().unwrap();
            assert!(page.lines.len() <= most && (page.next > from || page.is_last), "{page:?}");
            texts.extend(page.lines.into_iter().map(|line| line.text));
            if page.is_last {
                return texts;
            }
            from = page.next;
        }
    }

    #[tokio::test]
    async fn the_parts_of_several_servers_are_one_log_in_the_order_of_their_time() {
        let double = Double::start().await.unwrap();
        double.make_bucket("logs");
        let store = store(&double, "/team").await;
        assert_eq!(store.read("d", 0, 10).await.unwrap(), None);
        let long = "x".repeat(3 << 20);
        let (_second, second) = log(&[(30, &long), (31, "d")]);
        let (_first, first) = log(&[(9, "a"), (10, "b"), (11, "c")]);
        for part in [&second, &first, &second] {
            store.keep(part).await.unwrap();
        }
        assert_eq!(double.objects(), ["logs/team/d/0000000000000009.jsonl", "logs/team/d/0000000000000030.jsonl"]);
        for most in [1, 2, 100] {
            let texts = all(&store, most).await;
            assert_eq!(texts.len(), 5, "{most}");
            assert_eq!((texts[..3].concat(), texts[3].len(), texts[4].as_str()), ("abc".to_owned(), long.len(), "d"));
        }
        let beyond = store.read("d", u64::MAX, 10).await.unwrap().unwrap();
        assert!(beyond.is_last && beyond.lines.is_empty());
        store.forget("d").await.unwrap();
        store.forget("d").await.unwrap();
        assert!(double.objects().is_empty());
    }

    #[tokio::test]
    async fn what_s3_does_not_do_now_is_told_and_can_be_asked_again() {
        let double = Double::start().await.unwrap();
        let store = store(&double, "").await;
        let (_folder, part) = log(&[(1, "a")]);
        let told = store.keep(&part).await.unwrap_err().message;
        assert!(told.contains("s3://logs") && told.contains("NoSuchBucket"), "{told}");
        double.make_bucket("logs");
        for trouble in [
            Disturbance::Lost,
            Disturbance::AnswerLost,
            Disturbance::ServerError,
            Disturbance::Refused("AccessDenied".into(), "not allowed".into()),
        ] {
            double.disturb("PutObject", trouble);
            store.keep(&part).await.unwrap_err();
        }
        store.keep(&part).await.unwrap();
        for call in ["ListObjects", "GetObject"] {
            double.disturb(call, Disturbance::Refused("AccessDenied".into(), "not allowed".into()));
            assert!(store.read("d", 0, 1).await.unwrap_err().message.contains("not allowed"), "{call}");
        }
        assert_eq!(all(&store, 10).await, ["a"]);
    }

    #[test]
    fn what_is_no_place_says_what_would_be_right() {
        let place = LogPlace::parse("s3://logs/a/b/?region=eu-west-1").unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str(), place.region.as_str()), ("logs", "a/b", "eu-west-1"));
        assert_eq!(LogPlace::parse("s3://logs").unwrap().region, "us-east-1");
        for (text, why) in [
            ("file:///logs", "no place for logs"),
            ("s3://", "no name of a bucket"),
            ("s3://Logs", "no name of a bucket"),
            ("s3://logs/a//b", "the prefix"),
            ("s3://logs?region=", "no region"),
            ("s3://logs?endpoint=x", "no region"),
        ] {
            let said = LogPlace::parse(text).unwrap_err();
            assert!(said.contains(why) && said.contains("s3://BUCKET/PREFIX"), "{said}");
        }
    }
}
