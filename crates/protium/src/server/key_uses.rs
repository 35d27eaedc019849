//! Saves from time to time when keys were used last: no request waits for it.

use crate::app::App;
use crate::http::save_uses;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(60);

/// Never ends.
pub(super) async fn save_all(app: Arc<App>) {
    loop {
        tokio::time::sleep(EVERY).await;
        save(&app).await;
    }
}

pub(super) async fn save(app: &App) {
    if let Err(error) = save_uses(app).await {
        tracing::warn!("when keys were used last can't be saved: {error}");
    }
}
