//! Access keys that this process does not know yet: another one may have made them, or it did before it was
//! started. Does not check signatures.

use crate::app::App;
use crate::auth::{Credential, Identity, Secret};
use crate::store::{AccessKey, DbResult, ROOT_USER};

/// Sees to it that the key of that id is known, which a request claims to be signed with, if there is one.
pub(super) async fn learn(app: &App, id: &str) {
    if app.keys.lookup(id).is_some() {
        return;
    }
    match look_up(app, id).await {
        Ok(Some(key)) if key.active && key.user_name == ROOT_USER => {
            app.keys.insert(Credential::new(key.id, Secret::new(key.secret), Identity::root(key.account)));
        }
        Ok(_) => {}
        // The request is refused for its key, which is all that is known of it.
        Err(error) => tracing::warn!("an access key can't be looked up: {error}"),
    }
}

async fn look_up(app: &App, id: &str) -> DbResult<Option<AccessKey>> {
    app.store.access_key_get(&mut app.store.reader().await?, id).await
}
