//! Connections: plain TCP to `http://`, TLS to `https://`.
//!
//! Owns whom a client trusts. Does not own what is sent.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::Error;

/// Opens the connections of a client.
pub type Connector = HttpsConnector<HttpConnector>;

/// What connects to endpoints of this scheme, `http` or `https`, which is trusted by the authorities of a PEM file or
/// those of the system.
///
/// # Errors
///
/// [`Error::Config`] if there is no authority to trust.
pub fn connector(scheme: &str, ca_bundle: Option<&Path>) -> Result<Connector, Error> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let roots = if scheme == "https" { trusted(ca_bundle)? } else { RootCertStore::empty() };
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error: rustls::Error| Error::Config(format!("TLS can't be used: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((tcp, config).into())
}

/// The authorities of the file, or those that the system trusts.
fn trusted(ca_bundle: Option<&Path>) -> Result<RootCertStore, Error> {
    let (certificates, source) = match ca_bundle {
        None => (rustls_native_certs::load_native_certs().certs, "the certificates of the system".to_owned()),
        Some(path) => {
            let source = format!("the CA bundle {}", path.display());
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
            (read.map_err(|error| Error::Config(format!("{source} can't be read: {error}")))?, source)
        }
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(Error::Config(format!("no authority to trust in {source}; name a PEM file that has one")));
    }
    Ok(roots)
}
