//! Keeps the credential chain away from `AWS_ENDPOINT_URL*`.
//!
//! Inside the chain, the SDK asks STS and SSO through clients that honour these variables and the
//! profile's `endpoint_url`, and offers no way to turn that off. A server whose shell points its
//! clients at the server itself would then ask itself for its own credentials. So the guard sits
//! below those clients: a web identity exchange, which is unsigned, is sent where it belongs; what
//! is signed for a wrong host, or carries a bearer token to one, is refused with the remedy.

use aws_sdk_sts::config::SharedHttpClient;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The domains of AWS's own services, of all partitions.
const AWS_DOMAINS: [&str; 8] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

#[derive(Clone, Debug)]
pub(super) struct EndpointGuard {
    below: SharedHttpClient,
    sts: String,
}

impl EndpointGuard {
    pub(super) fn new(below: SharedHttpClient, endpoint_url: Option<&str>, region: &str) -> Self {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let sts = match endpoint_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://sts.{region}.{suffix}"),
        };
        Self { below, sts }
    }
}

impl HttpClient for EndpointGuard {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let below = self.below.http_connector(settings, components);
        SharedHttpConnector::new(GuardedConnector { below, sts: self.sts.clone() })
    }
}

#[derive(Debug)]
struct GuardedConnector {
    below: SharedHttpConnector,
    sts: String,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        match verdict(&request) {
            Verdict::Pass => {}
            Verdict::Redirect => {
                if let Err(error) = request.set_uri(format!("{}/", self.sts)) {
                    return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
                }
                request.headers_mut().remove("host");
            }
            Verdict::Refuse => {
                let message = format!(
                    "a profile of the credential chain would call {}, which comes from AWS_ENDPOINT_URL* or the \
                     profile's endpoint_url; unset it for the server (use --aws-endpoint-url to redirect its calls)",
                    request.uri()
                );
                return HttpConnectorFuture::ready(Err(ConnectorError::user(message.into())));
            }
        }
        self.below.call(request)
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Pass,
    Redirect,
    Refuse,
}

/// Instance and container metadata are read with GET and PUT and have hosts of their own; services
/// are called with POST, and SSO with a bearer token.
fn verdict(request: &HttpRequest) -> Verdict {
    let bearer = request.headers().get("x-amz-sso_bearer_token").is_some();
    let service = request.method() == "POST" || bearer;
    if !service || is_aws(request.uri()) {
        return Verdict::Pass;
    }
    let form =
        request.headers().get("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    let signed = request.headers().get("authorization").is_some();
    if form && !signed && !bearer { Verdict::Redirect } else { Verdict::Refuse }
}

fn is_aws(uri: &str) -> bool {
    let authority = uri.split("://").nth(1).unwrap_or(uri);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    AWS_DOMAINS.iter().any(|domain| host.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

    fn request(method: &str, uri: &str, headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let mut request = HttpRequest::empty();
        request.set_method(method).unwrap();
        request.set_uri(uri).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    #[test]
    fn calls_to_aws_itself_and_to_metadata_pass() {
        for (method, uri) in [
            ("POST", "https://sts.eu-west-1.amazonaws.com/"),
            ("POST", "https://sts.cn-north-1.amazonaws.com.cn:443/"),
            ("GET", "http://169.254.169.254/latest/meta-data/"),
            ("PUT", "http://169.254.169.254/latest/api/token"),
        ] {
            assert_eq!(verdict(&request(method, uri, &[FORM])), Verdict::Pass, "{method} {uri}");
        }
    }

    #[test]
    fn a_web_identity_exchange_is_sent_to_sts_whatever_the_environment_says() {
        let exchange = request("POST", "http://127.0.0.1:8420/", &[FORM]);
        assert_eq!(verdict(&exchange), Verdict::Redirect);
    }

    #[test]
    fn what_is_signed_or_bears_a_token_for_another_host_is_refused() {
        let signed = request("POST", "http://127.0.0.1:8420/", &[FORM, ("authorization", "AWS4-HMAC-SHA256 x")]);
        let bearer = request("GET", "http://127.0.0.1:8420/federation", &[("x-amz-sso_bearer_token", "t")]);
        let lookalike = request("POST", "https://amazonaws.com.example.org/token", &[]);
        for request in [signed, bearer, lookalike] {
            assert_eq!(verdict(&request), Verdict::Refuse, "{}", request.uri());
        }
    }
}
