//! Access keys from the store: another process may have made them, replaced them or removed them, or changed what
//! those may do whom they stand for. Does not check signatures.

use crate::app::App;
use crate::auth::{Credential, Secret};
use crate::operations::identity_of;
use crate::store::{DbError, DbResult, KeyUse, access_key_used};
use crate::transaction;
use tokio::sync::Semaphore;

/// How long a key and its policies are believed without being looked up, in milliseconds: so long they hold in other
/// processes after they were changed in one.
const BELIEVED_MS: i64 = 5_000;

/// Sees to it that the key of that id, which a request claims to be signed with, is known as the store has it. As long
/// as nothing is known of it, it waits for one of `look_ups`.
///
/// # Errors
/// When what is known of it is too old, and can't be looked up: a key that was disabled elsewhere must not go on.
pub(super) async fn learn(app: &App, id: &str, look_ups: &Semaphore) -> DbResult<()> {
    // No database holds a text with U+0000.
    if id.contains('\0') {
        return Ok(());
    }
    let is_believed = || app.keys.is_believed(id, app.clock.elapsed_ms());
    if is_believed() {
        return Ok(());
    }
    let _turn = match app.keys.lookup(id) {
        Some(_) => None,
        // Nobody closes it.
        None => look_ups.acquire().await.ok(),
    };
    // Another request may have learned it meanwhile.
    if is_believed() {
        return Ok(());
    }
    let now_ms = app.clock.elapsed_ms();
    let as_of = app.keys.as_of();
    // It is rare, and its future large.
    match Box::pin(look_up(app, id)).await? {
        Some(credential) => app.keys.believe(credential, now_ms.saturating_add(BELIEVED_MS), as_of),
        None => app.keys.remove(id),
    }
    Ok(())
}

/// The key of that id, if it may sign, with what policies say about its user.
async fn look_up(app: &App, id: &str) -> DbResult<Option<Credential>> {
    let mut rd = app.store.snapshot().await?;
    let Some(key) = app.store.access_key_get(&mut rd, id).await?.filter(|key| key.active) else { return Ok(None) };
    let identity = identity_of(&mut rd, app.keys.compiled(), &key.account, &key.user_name).await?;
    Ok(identity.map(|identity| Credential::new(key.id, Secret::new(key.secret), identity)))
}

/// Saves when keys were used last, as far as this process knows and has not saved it before.
///
/// # Errors
/// The store can't be written to; what was to be saved is lost.
pub async fn save_uses(app: &App) -> DbResult<()> {
    let uses = app.keys.take_uses();
    if uses.is_empty() {
        return Ok(());
    }
    transaction!(app.store, async |tx| -> Result<(), DbError> {
        for (id, last) in &uses {
            let last = KeyUse { at: last.at, region: last.region.clone(), service: last.service.to_owned() };
            access_key_used(tx, id, &last).await?;
        }
        Ok(())
    })
}
