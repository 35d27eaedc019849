//! Access keys from the store: another process may have made them, replaced them or removed them. Does not check
//! signatures.

use crate::app::App;
use crate::auth::{Credential, Identity, Secret};
use crate::store::{AccessKey, DbResult, ROOT_USER};

/// How long a key is believed without being looked up, in milliseconds: so long it works after it was replaced.
const BELIEVED_MS: i64 = 10_000;

/// Sees to it that the key of that id, which a request claims to be signed with, is known as the store has it.
pub(super) async fn learn(app: &App, id: &str) {
    let now_ms = app.clock.now_ms();
    if app.keys.is_believed(id, now_ms) {
        return;
    }
    match look_up(app, id).await {
        Ok(Some(key)) if key.active && key.user_name == ROOT_USER => {
            let credential = Credential::new(key.id, Secret::new(key.secret), Identity::root(key.account));
            app.keys.believe(credential, now_ms.saturating_add(BELIEVED_MS));
        }
        Ok(_) => app.keys.remove(id),
        // What was known is believed on. Without it, the request is refused for its key.
        Err(error) => tracing::warn!("an access key can't be looked up: {error}"),
    }
}

async fn look_up(app: &App, id: &str) -> DbResult<Option<AccessKey>> {
    app.store.access_key_get(&mut app.store.reader().await?, id).await
}
