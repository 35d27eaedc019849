//! What makes infrastructure: the trait [`Engine`], the order it is given and the answer it gives.
//!
//! Owns the outbound calls that create, change and destroy things. Does not know the store, the
//! wire, deadlines or retries: whoever calls [`Engine::step`] saves the cursor it answers, waits as
//! long as it says, and backs off on [`Transient`].
//!
//! The invariant: a step may run twice, stop anywhere and go on in another process. So everything
//! that a step needs is in the order and in the cursor, and every call with an effect carries a
//! token that is derived from the two.

pub mod aws;
pub mod cloudformation;
pub mod command;
#[cfg(feature = "double")]
pub mod double;
mod order;
mod self_managed;
mod step;

pub use order::{Commands, Intent, KeptState, Order, Process, Role};
pub use self_managed::SelfManaged;
pub use step::{Artifact, Cursor, End, Outcome, ProvisionedResource, ProvisioningEngine, Step, Transient};

use async_trait::async_trait;

/// One way to make infrastructure.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Takes the next step of `order` from `cursor`, `None` at the first.
    ///
    /// The intent of the order may change between two steps (a cancelled deployment); all else in
    /// it stays as it was at the first step. Asking the same step again has no second effect.
    ///
    /// # Errors
    ///
    /// [`Transient`] when nothing is decided yet: ask again later with the same cursor. What will
    /// not get better by itself is a [`Step::Ended`].
    async fn step(&self, order: &Order, cursor: Option<&Cursor>) -> Result<Step, Transient>;

    /// Asks the runs to end that deployments of the order's resource other than its own have left where nobody notices
    /// that they should. Answers whether any goes on: ask again then.
    ///
    /// # Errors
    ///
    /// [`Transient`] when it is not known, or can't be done; ask again later.
    async fn end_others(&self, _order: &Order) -> Result<bool, Transient> {
        Ok(false)
    }

    /// Whether the next step must be given the files of the bundle as they are.
    fn wants_bundle(&self, cursor: Option<&Cursor>) -> bool {
        cursor.is_none()
    }
}
