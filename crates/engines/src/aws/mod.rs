//! Outbound AWS: whose credentials, which endpoint, which connections.
//!
//! Owns the standard credential chain, the roles assumed through STS with their renewal, and the
//! one pool of connections. `AWS_ENDPOINT_URL*` of the environment and of profiles is ignored: the
//! shell that starts the server may well carry its clients' setting. Does not know what the
//! credentials are used for.

mod bucket;
mod chain;
mod connections;
mod endpoint_guard;
mod event_bus;
mod fault;
mod roles;

pub use aws_credential_types::Credentials;
pub(crate) use bucket::Bucket;
pub use event_bus::{BusEntry, BusSettings, EventBus, MOST_ENTRIES, NotTaken};
pub(crate) use fault::{Fault, Refusal, causes, classify, transient};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_cloudformation::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, SharedHttpClient};
use tokio::sync::Mutex;

use crate::{Role, Transient};
use roles::{RoleKey, Session};

/// A client of one service. They are of different types that say the same.
macro_rules! client {
    ($service:ident, $aws:expr, $region:expr, $credentials:expr) => {{
        let config = $service::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new($region.to_owned()))
            .credentials_provider($credentials)
            .http_client($aws.inner.http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(READ_TIMEOUT));
        let config = match $aws.endpoint_url() {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        $service::Client::from_conf(config.build())
    }};
}

/// Credentials are renewed when they have less than this left.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Credentials that name no end are asked for again after this.
const KEEP_UNDATED: Duration = Duration::from_secs(900);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Reading calls answer within this or are asked again.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls with an effect get longer: some emulators do the work before they answer.
pub(crate) const EFFECT_TIMEOUT: Duration = Duration::from_secs(60);

/// What an operator sets about outbound AWS calls.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where all calls go (an emulator, a VPC endpoint); without it, AWS itself.
    pub endpoint_url: Option<String>,
    /// The profile of the standard chain; without it, the chain's own default.
    pub profile: Option<String>,
    /// Credentials to use instead of the standard chain.
    pub credentials: Option<Credentials>,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsFailure {
    /// It may work later.
    #[error("{0}")]
    Transient(Transient),
    /// It will not work until somebody changes something; the message says what.
    #[error("{0}")]
    Refused(String),
}

/// Who the server is for AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ARN of the user or role.
    pub arn: String,
    /// The account of it.
    pub account: String,
    /// The id of the access key in use.
    pub access_key_id: String,
}

/// Outbound AWS. Cheap to clone; clones share credentials and connections.
#[derive(Clone, Debug)]
pub struct Aws {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint_url: Option<String>,
    source: SharedCredentialsProvider,
    http: SharedHttpClient,
    own: Mutex<Option<(Credentials, SystemTime)>>,
    roles: Mutex<HashMap<RoleKey, Session>>,
}

impl Aws {
    /// Prepares the chain and the pool. Makes no call.
    pub async fn new(settings: Settings) -> Self {
        let plain = settings.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://"));
        let source = match settings.credentials {
            Some(credentials) => SharedCredentialsProvider::new(credentials),
            None => {
                let http = connections::pool(true);
                chain::source(settings.profile.as_deref(), settings.endpoint_url.as_deref(), http).await
            }
        };
        let inner = Inner {
            endpoint_url: settings.endpoint_url,
            source,
            http: connections::pool(!plain),
            own: Mutex::new(None),
            roles: Mutex::new(HashMap::new()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Where all calls go, if not to AWS itself.
    #[must_use]
    pub fn endpoint_url(&self) -> Option<&str> {
        self.inner.endpoint_url.as_deref()
    }

    /// The server's own credentials, from the standard chain, good for the next minutes.
    ///
    /// # Errors
    ///
    /// [`CredentialsFailure::Refused`] when the chain has none.
    pub async fn source_credentials(&self) -> Result<Credentials, CredentialsFailure> {
        let now = SystemTime::now();
        let mut own = self.inner.own.lock().await;
        if let Some((credentials, renew_at)) = own.as_ref()
            && now < *renew_at
        {
            return Ok(credentials.clone());
        }
        let credentials = self.inner.source.provide_credentials().await.map_err(chain::failure)?;
        *own = Some((credentials.clone(), renewal(&credentials, now)));
        Ok(credentials)
    }

    /// The credentials to work with in `region`: those of `role`, or the server's own.
    ///
    /// # Errors
    ///
    /// [`CredentialsFailure::Refused`] with AWS's message and the remedy when the role can't be assumed.
    pub async fn credentials(&self, region: &str, role: Option<&Role>) -> Result<Credentials, CredentialsFailure> {
        match role {
            None => self.source_credentials().await,
            Some(role) => self.role_credentials(region, role).await,
        }
    }

    /// The access key id that outbound calls are signed with.
    ///
    /// # Errors
    ///
    /// As [`Self::source_credentials`].
    pub async fn access_key_id(&self) -> Result<String, CredentialsFailure> {
        Ok(self.source_credentials().await?.access_key_id().to_owned())
    }

    /// Asks STS in `region` who the server is.
    ///
    /// # Errors
    ///
    /// When there are no credentials, or STS does not accept them.
    pub async fn outbound_identity(&self, region: &str) -> Result<Identity, CredentialsFailure> {
        let credentials = self.source_credentials().await?;
        let access_key_id = credentials.access_key_id().to_owned();
        let answer = self.sts(region, credentials).get_caller_identity().send().await;
        let answer = answer.map_err(|error| match classify(error) {
            Fault::Transient(transient) => CredentialsFailure::Transient(transient),
            Fault::Refused(refusal) => CredentialsFailure::Refused(refusal.message),
        })?;
        Ok(Identity { arn: answer.arn.unwrap_or_default(), account: answer.account.unwrap_or_default(), access_key_id })
    }

    /// Forgets the credentials for `role`: AWS has said that they ended.
    pub(crate) async fn forget(&self, region: &str, role: Option<&Role>) {
        match role {
            None => *self.inner.own.lock().await = None,
            Some(role) => {
                self.inner.roles.lock().await.remove(&RoleKey::new(region, role));
            }
        }
    }

    pub(crate) fn cloudformation(&self, region: &str, credentials: Credentials) -> aws_sdk_cloudformation::Client {
        client!(aws_sdk_cloudformation, self, region, credentials)
    }

    pub(crate) fn codebuild(&self, region: &str, credentials: Credentials) -> aws_sdk_codebuild::Client {
        client!(aws_sdk_codebuild, self, region, credentials)
    }

    pub(crate) fn event_bridge(&self, region: &str, credentials: Credentials) -> aws_sdk_eventbridge::Client {
        client!(aws_sdk_eventbridge, self, region, credentials)
    }

    pub(crate) fn logs(&self, region: &str, credentials: Credentials) -> aws_sdk_cloudwatchlogs::Client {
        client!(aws_sdk_cloudwatchlogs, self, region, credentials)
    }

    pub(crate) fn secrets_manager(&self, region: &str, credentials: Credentials) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(credentials)
            .http_client(self.inner.http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(READ_TIMEOUT));
        let config = match self.endpoint_url() {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    fn sts(&self, region: &str, credentials: Credentials) -> aws_sdk_sts::Client {
        client!(aws_sdk_sts, self, region, credentials)
    }
}

/// The account of an IAM role by its ARN: `arn:aws:iam::123456789012:role/name`.
#[must_use]
pub fn account_of(role_arn: &str) -> Option<&str> {
    let account = role_arn.split(':').nth(4)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

pub(crate) fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt + CONNECT_TIMEOUT)
        .build()
}

/// When to ask for new credentials instead of these. Those that end soon are asked for at each use.
fn renewal(credentials: &Credentials, now: SystemTime) -> SystemTime {
    match credentials.expiry() {
        Some(end) => end.checked_sub(RENEW_BEFORE).unwrap_or(now),
        None => now + KEEP_UNDATED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_a_role_is_read_from_its_arn() {
        assert_eq!(account_of("arn:aws:iam::123456789012:role/deploy"), Some("123456789012"));
        assert_eq!(account_of("arn:aws-cn:iam::123456789012:role/path/deploy"), Some("123456789012"));
        for bad in [
            "",
            "deploy",
            "arn:aws:iam:::role/deploy",
            "arn:aws:iam::12345:role/deploy",
            "arn:aws:iam::12345678901x:role/a",
        ] {
            assert_eq!(account_of(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn given_credentials_are_used_without_a_call() {
        let credentials = Credentials::from_keys("AKIDEXAMPLE", "secret", None);
        let aws = Aws::new(Settings { credentials: Some(credentials), ..Settings::default() }).await;
        assert_eq!(aws.access_key_id().await.as_deref(), Ok("AKIDEXAMPLE"));
    }
}
