//! Policies: documents as IAM has them, and what follows from them for a request.
//!
//! | module | owns |
//! |---|---|
//! | [`actions`] | the actions of our services, with their resources, condition keys and dependent actions |
//! | [`managed`] | the policies that are built in |
//! | [`holder`] | who holds policies: names, ids, ARNs, quotas |
//! | `policy` `statement` `principal` `condition` `operator` `key` | a document, read with a place for each problem |
//! | `glob` `variable` `value` | texts with wildcards and variables, numbers, dates, networks |
//! | `request` `decide` | who asks for what; allowed or not, and why |
//! | `limits` `json` `problem` | sizes; JSON that keeps what is written twice; what is wrong and where |
//!
//! A document is read once and asked for each request, which allocates nothing. What is not understood is refused
//! when it is read: a condition that was left out would allow too much. Keys, users and where policies are stored
//! are others' concern.

pub mod actions;
mod condition;
mod decide;
mod glob;
pub mod holder;
mod json;
mod key;
mod limits;
pub mod managed;
mod operator;
mod policy;
mod principal;
mod problem;
mod request;
mod statement;
mod value;
mod variable;

pub use decide::{Decision, Explanation, Layer, NamedPolicy, Policies, StatementRef, StatementReport};
pub use limits::Attachment;
pub use policy::{IdentityPolicy, TrustPolicy};
pub use principal::Named;
pub use problem::{Problem, summary};
pub use request::{Context, Principal, PrincipalKind, Request};
pub use statement::Effect;
