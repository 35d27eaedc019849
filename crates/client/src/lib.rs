//! The typed Rust client: one method per operation, signing, retries, paginators, waiters.
//!
//! It speaks to Protium, and to anything else that speaks the same API. It knows nothing of the
//! server's insides.
//!
//! Connections are plain HTTP or TLS, as the scheme of the endpoint says. A server is trusted by the
//! authorities of the system, or by those of [`Config::ca_bundle`].
//!
//! ```no_run
//! use protium_client::{Client, Config, Credentials};
//! use protium_client::types::{GetServiceInput, ListServicesInput};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = Credentials::new("AKID", "secret");
//! let client = Client::new(Config::new("http://127.0.0.1:8420", "us-east-1", credentials))?;
//! let service = client.get_service(GetServiceInput { name: "shop".to_owned() }).await?.service;
//! let all = client.paginate(ListServicesInput::default()).all().await?;
//! client.wait_until_service_created(GetServiceInput { name: "shop".to_owned() }, None).await?;
//! # Ok(())
//! # }
//! ```

mod bundle_store;
mod client;
mod config;
mod connect;
mod error;
mod generated;
mod paginate;
mod retry;
mod sign;
mod wait;

pub use client::Client;
pub use config::{Config, Credentials};
pub use connect::{Connector, connector};
pub use error::{Error, ServiceError};
pub use generated::waiters;
pub use paginate::{Pages, Paginated};
pub use protium_api::{Call, ErrorCode, Operation, Timestamp, types};
pub use retry::Retry;
pub use wait::{Acceptor, Condition, Pace, Verdict, WaitError, Waiter};
