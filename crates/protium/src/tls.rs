//! The certificate for HTTPS: read at start, and again when its files change.
//!
//! A pair that can't be right never takes the place of one that is. Does not know who listens.

use crate::config::Tls;
use crate::sha256::sha256_hex;
use anyhow::{Context as _, bail};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::der::Decode as _;

/// So long before its end a certificate is warned of, in seconds.
const SOON: i64 = 14 * 24 * 60 * 60;
/// How often, in seconds.
const AGAIN: i64 = 24 * 60 * 60;

/// What new connections are answered with.
pub(crate) struct Certificates {
    files: Tls,
    current: RwLock<Identity>,
    looked: Mutex<Looked>,
}

#[derive(Clone)]
struct Identity {
    acceptor: TlsAcceptor,
    /// When the certificate is over, in seconds since 1970.
    expires: i64,
}

/// What was found in the files, and what was said of it.
struct Looked {
    /// What the current identity was made of.
    current: String,
    /// What is in the files now and makes no identity.
    broken: Option<Broken>,
    /// When it was said last that the certificate is over soon, in seconds since 1970.
    warned: Option<i64>,
}

#[derive(PartialEq, Eq)]
struct Broken {
    found: String,
    is_said: bool,
}

/// What a file had in it, or why it could not be read.
type Contents = (Result<Vec<u8>, std::io::Error>, Result<Vec<u8>, std::io::Error>);

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// The certificate or the key can't be read, or they do not belong together.
    pub(crate) async fn load(files: &Tls) -> anyhow::Result<Self> {
        let contents = read(files).await;
        let looked = Looked { current: fingerprint(&contents), broken: None, warned: None };
        let identity = identity(files, contents)?;
        tracing::info!("{}", files.is_valid_until(identity.expires));
        Ok(Self { files: files.clone(), current: RwLock::new(identity), looked: Mutex::new(looked) })
    }

    /// What agrees with clients, as of now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// When the certificate is over, in seconds since 1970.
    pub(crate) fn expires(&self) -> i64 {
        self.current.read().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// Takes what the files have now, if that is something new and right; what is wrong with it is logged, once. While
    /// somebody writes one file after the other they do not belong together: unless `asked`, that is said only if
    /// it is so at the next look too.
    pub(crate) async fn look(&self, asked: bool) {
        let contents = read(&self.files).await;
        let found = fingerprint(&contents);
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if found == looked.current {
            looked.broken = None;
            if asked {
                tracing::info!("tls-cert: nothing has changed; {}", self.files.is_valid_until(self.expires()));
            }
            return;
        }
        let known = looked.broken.take().filter(|broken| broken.found == found);
        match identity(&self.files, contents) {
            Ok(identity) => {
                let until = self.files.is_valid_until(identity.expires);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
                (looked.current, looked.warned) = (found, None);
                tracing::info!("a new certificate holds for new connections; {until}");
            }
            Err(error) => {
                let is_said = known.as_ref().is_some_and(|broken| broken.is_said);
                let say = asked || known.is_some() && !is_said;
                if say {
                    tracing::error!("the new certificate is not taken, the old one stays: {error:#}");
                }
                looked.broken = Some(Broken { found, is_said: is_said || say });
            }
        }
    }

    /// Warns if the certificate is over or is so soon: once a day. The time is in seconds since 1970.
    pub(crate) fn warn(&self, now: i64) {
        let expires = self.expires();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if expires.saturating_sub(now) >= SOON || looked.warned.is_some_and(|said| now.saturating_sub(said) < AGAIN) {
            return;
        }
        looked.warned = Some(now);
        let (file, until) = (self.files.cert.display(), moment(expires));
        if expires <= now {
            tracing::error!("tls-cert: the certificate in {file} is over since {until}; clients refuse it");
        } else {
            tracing::warn!("tls-cert: the certificate in {file} is over soon, at {until}; renew it");
        }
    }
}

impl Tls {
    fn is_valid_until(&self, expires: i64) -> String {
        format!("the certificate in {} is valid until {}", self.cert.display(), moment(expires))
    }
}

fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s after 1970"), |moment| moment.to_string())
}

async fn read(files: &Tls) -> Contents {
    (tokio::fs::read(&files.cert).await, tokio::fs::read(&files.key).await)
}

/// Tells contents apart, without keeping the key.
fn fingerprint((cert, key): &Contents) -> String {
    let one = |file: &Result<Vec<u8>, std::io::Error>| match file {
        Ok(bytes) => sha256_hex(bytes),
        Err(error) => error.to_string(),
    };
    format!("{} {}", one(cert), one(key))
}

fn identity(files: &Tls, (cert, key): Contents) -> anyhow::Result<Identity> {
    let unread = |setting: &str, path: &Path| format!("{setting}: {} can't be read", path.display());
    let chain = cert.with_context(|| unread("tls-cert", &files.cert))?;
    let chain = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| unread("tls-cert", &files.cert))?;
    let Some(leaf) = chain.first() else {
        bail!("tls-cert: {} has no certificate; give a chain in PEM form", files.cert.display());
    };
    let parsed = x509_cert::Certificate::from_der(leaf)
        .with_context(|| format!("tls-cert: the first certificate in {} is none", files.cert.display()))?;
    let expires = parsed.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    let key = zeroize::Zeroizing::new(key.with_context(|| unread("tls-key", &files.key))?);
    let key = PrivateKeyDer::from_pem_slice(&key).with_context(|| unread("tls-key", &files.key))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("tls-cert and tls-key do not belong together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), expires: i64::try_from(expires).unwrap_or(i64::MAX) })
}
