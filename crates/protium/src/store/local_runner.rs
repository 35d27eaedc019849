//! Which runner alone runs commands on its own machine. There is one row, for ever.

use super::db_error::DbResult;
use super::tx::Tx;
use crate::params;

/// Has the runner of that id hold the place for `for_ms` from now on, unless another one holds it: then how many more
/// milliseconds that one does.
pub async fn local_runner_hold(tx: &mut Tx, runner: &str, for_ms: i64) -> DbResult<Option<i64>> {
    let now = tx.now_ms().await?;
    let sql = "UPDATE local_runner SET runner = $1, held_until = $2 WHERE runner = $1 OR held_until <= $3";
    if tx.execute(sql, params![runner, now.saturating_add(for_ms), now]).await? == 1 {
        return Ok(None);
    }
    let held = tx.query_one("SELECT held_until FROM local_runner", params![]).await?.int(0)?;
    Ok(Some(held.saturating_sub(now).max(0)))
}

/// Leaves the place to whoever comes next, if that runner has it.
pub async fn local_runner_leave(tx: &mut Tx, runner: &str) -> DbResult<()> {
    tx.execute("UPDATE local_runner SET held_until = 0 WHERE runner = $1", params![runner]).await.map(drop)
}
