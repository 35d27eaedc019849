//! Looks after the certificate from time to time: whether its files have changed, and whether it is over soon.

use crate::clock::Clock;
use crate::http::Metrics;
use crate::tls::Certificates;
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Never ends.
pub(super) async fn attend(certificates: Arc<Certificates>, clock: Clock, metrics: Metrics) {
    loop {
        metrics.certificate_expires(certificates.expires());
        certificates.warn(clock.now_ms() / 1000);
        tokio::time::sleep(EVERY).await;
        certificates.look(false).await;
    }
}
