//! `protium admin role`: roles of the account, whose rights others get for a while.

use super::{Failure, text_or_file};
use clap::Subcommand;
use protium_client::Client;
use protium_client::types as api;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Role {
    /// Make a role.
    Create {
        name: String,
        /// Who may assume it, as JSON; `file://PATH` reads it from a file.
        #[arg(long, value_name = "JSON")]
        trust_policy: String,
        #[command(flatten)]
        more: More,
    },
    /// Print a role.
    Show { name: String },
    /// Print the roles of the account.
    List,
    /// Change what is given and leave the rest.
    Update {
        name: String,
        /// Who may assume it, as JSON; `file://PATH` reads it from a file.
        #[arg(long, value_name = "JSON")]
        trust_policy: Option<String>,
        #[command(flatten)]
        more: More,
    },
    /// Remove a role, and end its sessions.
    Delete { name: String },
}

#[derive(clap::Args)]
pub(super) struct More {
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How long its sessions may live: 3600 (by default) to 43200.
    #[arg(long, value_name = "SECONDS")]
    max_session_duration: Option<i32>,
    /// A tag of the role, which its sessions have too; instead of all that it had.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<api::Tag>,
}

impl More {
    fn tags(&self) -> Option<Vec<api::Tag>> {
        (!self.tags.is_empty()).then(|| self.tags.clone())
    }
}

pub(super) async fn call(client: &Client, task: Role) -> Result<Value, Failure> {
    Ok(match task {
        Role::Create { name, trust_policy, more } => {
            let input = api::CreateRoleInput {
                role_name: name,
                trust_policy: text_or_file("--trust-policy", trust_policy)?,
                tags: more.tags(),
                description: more.description,
                max_session_duration: more.max_session_duration,
            };
            json!(client.create_role(input).await?)
        }
        Role::Show { name } => json!(client.get_role(api::GetRoleInput { role_name: name }).await?),
        Role::List => json!({ "roles": client.paginate(api::ListRolesInput::default()).all().await? }),
        Role::Update { name, trust_policy, more } => {
            let input = api::UpdateRoleInput {
                role_name: name,
                trust_policy: trust_policy.map(|text| text_or_file("--trust-policy", text)).transpose()?,
                tags: more.tags(),
                description: more.description,
                max_session_duration: more.max_session_duration,
            };
            json!(client.update_role(input).await?)
        }
        Role::Delete { name } => json!(client.delete_role(api::DeleteRoleInput { role_name: name }).await?),
    })
}

fn tag(text: &str) -> Result<api::Tag, String> {
    match text.split_once('=') {
        Some((key, value)) => Ok(api::Tag { key: key.to_owned(), value: value.to_owned() }),
        None => Err(format!("'{text}' is no tag; write it as key=value")),
    }
}
