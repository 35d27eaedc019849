//! `transaction!`: the one way to write to the database.
//!
//! Owns: running the body again when it lost a race. It is a macro because the body borrows both its
//! surroundings and the transaction: as an async closure its future is not `Send` for every lifetime, which
//! the server's tasks need.

/// Runs a block in a write transaction, as if no other one ran at the same time.
///
/// ```ignore
/// let arn = transaction!(store, async |tx| {
///     template_insert(tx, &row).await?;
///     Ok(row.arn())
/// });
/// ```
///
/// Within the block `tx` is a `&mut Tx`; `?` and `return` leave the block, not the function around it. Commits
/// if the block's value is `Ok`; leaves nothing behind if it is `Err` or if the future is dropped. The value of
/// the macro is that of the block. Where the error's type can't be inferred, name the result's:
/// `async |tx| -> Result<_, Error> { .. }`.
///
/// The block runs again, on a fresh transaction, when the database found that it raced with another
/// transaction: it must have no effects of its own. A statement that failed dooms its transaction; to go on
/// after a duplicate, write `ON CONFLICT DO NOTHING` and look at the number of rows. Nothing slow belongs in it:
/// with SQLite every other writer waits.
///
/// Errors: those of the block, those of the database as the block's error type, and
/// [`DbErrorKind::TooBusy`](crate::store::DbErrorKind::TooBusy) when it lost every race for a while.
#[macro_export]
macro_rules! transaction {
    ($store:expr, async |$tx:ident| $body:block) => {
        $crate::transaction!($store, async |$tx| -> ::std::result::Result<_, _> $body)
    };
    ($store:expr, async |$tx:ident| -> $outcome:ty $body:block) => {{
        let mut attempts = $store.attempts();
        loop {
            let mut tx = match attempts.begin().await {
                Ok(tx) => tx,
                Err(error) => break Err(::std::convert::From::from(error)),
            };
            let outcome: $outcome = {
                let $tx = &mut tx;
                async { $body }.await
            };
            if let Some(outcome) = attempts.settle(tx, outcome).await {
                break outcome;
            }
        }
    }};
}
