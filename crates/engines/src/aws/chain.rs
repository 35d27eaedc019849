//! The server's own credentials: the standard chain of the AWS SDKs, in its order.

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::{Region, SharedHttpClient};
use aws_sdk_sts::error::DisplayErrorContext;

use super::endpoint_guard::EndpointGuard;
use super::{CredentialsFailure, transient};

/// Where STS is asked when neither environment nor profile names a region.
const FALLBACK_REGION: &str = "us-east-1";

/// Environment, profile, web identity, container, instance; `profile` chooses one of the file.
pub(super) async fn source(
    profile: Option<&str>,
    endpoint_url: Option<&str>,
    http: SharedHttpClient,
) -> SharedCredentialsProvider {
    // Not from the instance's metadata: it is asked at every start then, also where there is none.
    let mut file = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        file = file.profile_name(profile);
    }
    let regions = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(file.build());
    let region = regions.region().await.unwrap_or(Region::from_static(FALLBACK_REGION));
    let guard = EndpointGuard::new(http, endpoint_url, region.as_ref());
    let config = ProviderConfig::without_region().with_http_client(guard);
    let mut chain = DefaultCredentialsChain::builder().configure(config).region(region);
    if let Some(profile) = profile {
        chain = chain.profile_name(profile);
    }
    SharedCredentialsProvider::new(chain.build().await)
}

/// What the operator or the caller is told when the chain gives nothing.
pub(super) fn failure(error: CredentialsError) -> CredentialsFailure {
    match &error {
        CredentialsError::CredentialsNotLoaded(_) => CredentialsFailure::Refused(
            "The server has no AWS credentials. Give it some through the environment, a profile \
             (--aws-profile), a container role or an instance role."
                .to_owned(),
        ),
        CredentialsError::InvalidConfiguration(_) => CredentialsFailure::Refused(format!(
            "The server's AWS credentials are not configured correctly: {}",
            DisplayErrorContext(&error)
        )),
        _ => CredentialsFailure::Transient(transient(format!(
            "The server's AWS credentials can't be loaded: {}",
            DisplayErrorContext(&error)
        ))),
    }
}
