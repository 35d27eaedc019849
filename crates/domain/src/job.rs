//! What can be left to do. Data only: ids, never instructions; what to do is read from the store.

use crate::id::Id;
use serde::{Deserialize, Serialize};

/// One unit of durable work. It may run twice, stop anywhere, and start on another machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Fetch, check and register the bundle of a template version.
    RegisterVersion { version: Id },
    /// Take a deployment to its end: apply, destroy or cancel, whatever its row says.
    Deploy { deployment: Id },
    /// Remove the log of a deployment whose record is deleted from where logs are kept for all servers.
    ForgetLog { deployment: Id },
    /// End what runs on elsewhere of a target whose removal, which is that deployment, left all as it was.
    EndRuns { deployment: Id },
    /// Forget idempotency tokens that are too old to matter; again and again, once for all processes.
    ExpireTokens,
    /// Forget events and their deliveries that are older than they are kept; again and again, once for all processes.
    ExpireEvents,
    /// Remove records of the audit log that are older than they are kept; again and again, once for all processes.
    ExpireAudit,
}

impl Job {
    /// Every kind.
    pub const KINDS: &[&str] =
        &["register_version", "deploy", "forget_log", "end_runs", "expire_tokens", "expire_events", "expire_audit"];

    /// The kind as the store and the metrics name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RegisterVersion { .. } => "register_version",
            Self::Deploy { .. } => "deploy",
            Self::ForgetLog { .. } => "forget_log",
            Self::EndRuns { .. } => "end_runs",
            Self::ExpireTokens => "expire_tokens",
            Self::ExpireEvents => "expire_events",
            Self::ExpireAudit => "expire_audit",
        }
    }

    /// What the job is about; with the kind, it identifies the job: there is never a second one.
    pub fn subject(&self) -> &str {
        match self {
            Self::RegisterVersion { version } => version.as_str(),
            Self::Deploy { deployment } | Self::ForgetLog { deployment } | Self::EndRuns { deployment } => {
                deployment.as_str()
            }
            Self::ExpireTokens | Self::ExpireEvents | Self::ExpireAudit => "all",
        }
    }

    /// Reads back what [`Job::kind`] and [`Job::subject`] say.
    pub fn parse(kind: &str, subject: &str) -> Option<Self> {
        match kind {
            "register_version" => Some(Self::RegisterVersion { version: Id::parse(subject)? }),
            "deploy" => Some(Self::Deploy { deployment: Id::parse(subject)? }),
            "forget_log" => Some(Self::ForgetLog { deployment: Id::parse(subject)? }),
            "end_runs" => Some(Self::EndRuns { deployment: Id::parse(subject)? }),
            "expire_tokens" => Some(Self::ExpireTokens),
            "expire_events" => Some(Self::ExpireEvents),
            "expire_audit" => Some(Self::ExpireAudit),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_read_back_from_its_kind_and_subject() {
        let id = Id::from_random([7; 16]);
        let jobs = [
            Job::RegisterVersion { version: id.clone() },
            Job::Deploy { deployment: id.clone() },
            Job::ForgetLog { deployment: id.clone() },
            Job::EndRuns { deployment: id },
            Job::ExpireTokens,
            Job::ExpireEvents,
            Job::ExpireAudit,
        ];
        assert_eq!(jobs.len(), Job::KINDS.len());
        for job in jobs {
            assert!(Job::KINDS.contains(&job.kind()));
            assert_eq!(Job::parse(job.kind(), job.subject()), Some(job));
        }
        assert_eq!(Job::parse("deploy", "no id"), None);
        assert_eq!(Job::parse("dance", "all"), None);
    }
}
