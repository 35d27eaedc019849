//! The one pool of outbound connections, shared by all roles, regions and services.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

type Timeouts = (Option<Duration>, Option<Duration>);

/// One connector for each pair of connect and read timeouts; there are two or three of them.
struct Pool {
    secure: bool,
    connectors: Mutex<Vec<(Timeouts, SharedHttpConnector)>>,
}

/// Connections through the proxy of the environment where one is set. Without `secure`, plain HTTP
/// only: loading the system's certificates costs time that an emulator needs not cost.
pub(super) fn pool(secure: bool) -> SharedHttpClient {
    SharedHttpClient::new(Pool { secure, connectors: Mutex::default() })
}

impl HttpClient for Pool {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut known = self.connectors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, connector)) = known.iter().find(|(t, _)| *t == timeouts) {
            return connector.clone();
        }
        let mut builder = ConnectorBuilder::default();
        builder.set_connector_settings(Some(settings.clone()));
        builder.set_sleep_impl(components.sleep_impl());
        builder.set_proxy_config(Some(ProxyConfig::from_env()));
        let connector = if self.secure {
            SharedHttpConnector::new(builder.tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build())
        } else {
            SharedHttpConnector::new(builder.build_http())
        };
        known.push((timeouts, connector.clone()));
        connector
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}
