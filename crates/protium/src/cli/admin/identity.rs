//! `protium admin user`, `group`, `key` and `policy`: who may do what.

use super::{Failure, text_or_file};
use clap::{Args, Subcommand};
use protium_client::Client;
use protium_client::types as api;
use serde_json::{Value, json};
use std::io::{self, Write as _};

#[derive(Subcommand)]
pub(super) enum User {
    /// Make a user, who may do nothing yet and has no key.
    Create {
        name: String,
        #[command(flatten)]
        about: About,
    },
    /// Print the users.
    List,
    /// Print a user with its groups and policies.
    Show { name: String },
    /// Replace the tags or the permissions boundary of a user, whichever is given.
    Update {
        name: String,
        #[command(flatten)]
        about: About,
    },
    /// Remove a user, who must have no keys, groups and policies any more.
    Delete { name: String },
}

#[derive(Args)]
pub(super) struct About {
    /// A tag, which policies see as aws:PrincipalTag/KEY; give it again for others.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// A policy that bounds what all others allow; an empty text takes it away.
    #[arg(long, value_name = "POLICY")]
    permissions_boundary: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Group {
    /// Make a group.
    Create { name: String },
    /// Print the groups.
    List,
    /// Print a group with its users and policies.
    Show { name: String },
    /// Remove a group, which must have no users and policies any more.
    Delete { name: String },
    /// Put a user into a group.
    Add {
        name: String,
        #[arg(long)]
        user: String,
    },
    /// Take a user out of a group.
    Remove {
        name: String,
        #[arg(long)]
        user: String,
    },
}

#[derive(Subcommand)]
pub(super) enum Key {
    /// Make an access key, and print it with its secret, this once. A user has two at most: an old one and its successor.
    Create(Owner),
    /// Print the access keys of a user, with when each was used last.
    List(Owner),
    /// Let requests be signed with a key again.
    Enable(OneKey),
    /// Let no request be signed with a key any more.
    Disable(OneKey),
    /// Remove a key.
    Delete(OneKey),
}

#[derive(Args)]
pub(super) struct Owner {
    /// By default the user that the command is signed by.
    #[arg(long)]
    user: Option<String>,
}

#[derive(Args)]
pub(super) struct OneKey {
    #[arg(value_name = "ACCESS_KEY_ID")]
    id: String,
    #[command(flatten)]
    owner: Owner,
}

#[derive(Subcommand)]
pub(super) enum Policy {
    /// Make a policy, to be attached to users, groups and roles.
    Create {
        name: String,
        /// The document; `file://PATH` reads it from a file.
        #[arg(long, value_name = "JSON")]
        document: String,
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Print the policies, those that are built in too.
    List,
    /// Print a policy with its document; of a user, a group or a role the one that is embedded there.
    Show {
        policy: String,
        #[command(flatten)]
        holder: Holder,
    },
    /// Replace the document or the description of a policy, whichever is given.
    Update {
        policy: String,
        /// The document; `file://PATH` reads it from a file.
        #[arg(long, value_name = "JSON")]
        document: Option<String>,
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Remove a policy that nobody has; of a user, a group or a role the one that is embedded there.
    Delete {
        policy: String,
        #[command(flatten)]
        holder: Holder,
    },
    /// Give a policy to a user, a group or a role.
    Attach {
        /// Its name or ARN.
        #[arg(long)]
        policy: String,
        #[command(flatten)]
        holder: Holder,
    },
    /// Take a policy from a user, a group or a role.
    Detach {
        /// Its name or ARN.
        #[arg(long)]
        policy: String,
        #[command(flatten)]
        holder: Holder,
    },
    /// Embed a policy in a user, a group or a role, in the place of the one of that name.
    Put {
        #[arg(long)]
        name: String,
        /// The document; `file://PATH` reads it from a file.
        #[arg(long, value_name = "JSON")]
        document: String,
        #[command(flatten)]
        holder: Holder,
    },
    /// Print why something is or would be allowed or not, without doing it.
    Simulate(Simulate),
}

/// Who holds policies: one of them.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct Holder {
    #[arg(long)]
    user: Option<String>,
    #[arg(long)]
    group: Option<String>,
    #[arg(long)]
    role: Option<String>,
}

#[derive(Args)]
pub(super) struct Simulate {
    #[command(flatten)]
    holder: Holder,
    /// Instead of a user, a group or a role: a document, or `file://PATH`; give it again for others.
    #[arg(long = "document", value_name = "JSON")]
    documents: Vec<String>,
    /// Such as proton:CreateService.
    #[arg(long)]
    action: String,
    /// An ARN.
    #[arg(long, default_value = "*")]
    resource: String,
    /// A condition key, such as aws:SourceIp=203.0.113.7; give a key again for further values of it.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or_else(|| format!("'{text}' has no '='; write KEY=VALUE"))?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

impl About {
    fn tags(&self) -> Option<Vec<api::Tag>> {
        let tags = self.tags.iter().map(|(key, value)| api::Tag { key: key.clone(), value: value.clone() });
        (!self.tags.is_empty()).then(|| tags.collect())
    }
}

pub(super) async fn user(client: &Client, task: User) -> Result<Value, Failure> {
    Ok(match task {
        User::Create { name: user_name, about } => {
            let (tags, permissions_boundary) = (about.tags(), about.permissions_boundary);
            json!(client.create_user(api::CreateUserInput { permissions_boundary, tags, user_name }).await?)
        }
        User::List => {
            json!({ "users": client.paginate(api::ListUsersInput::default()).all().await? })
        }
        User::Show { name: user_name } => json!(client.get_user(api::GetUserInput { user_name }).await?),
        User::Update { name: user_name, about } => {
            let (tags, permissions_boundary) = (about.tags(), about.permissions_boundary);
            json!(client.update_user(api::UpdateUserInput { permissions_boundary, tags, user_name }).await?)
        }
        User::Delete { name: user_name } => json!(client.delete_user(api::DeleteUserInput { user_name }).await?),
    })
}

pub(super) async fn group(client: &Client, task: Group) -> Result<Value, Failure> {
    Ok(match task {
        Group::Create { name: group_name } => json!(client.create_group(api::CreateGroupInput { group_name }).await?),
        Group::List => {
            json!({ "groups": client.paginate(api::ListGroupsInput::default()).all().await? })
        }
        Group::Show { name: group_name } => {
            let mut input = api::GetGroupInput { group_name, ..api::GetGroupInput::default() };
            let mut shown = client.get_group(input.clone()).await?;
            while let Some(token) = shown.next_token.take() {
                input.next_token = Some(token);
                let page = client.get_group(input.clone()).await?;
                shown.users.extend(page.users);
                shown.next_token = page.next_token;
            }
            json!(shown)
        }
        Group::Delete { name: group_name } => json!(client.delete_group(api::DeleteGroupInput { group_name }).await?),
        Group::Add { name: group_name, user: user_name } => {
            json!(client.add_user_to_group(api::AddUserToGroupInput { group_name, user_name }).await?)
        }
        Group::Remove { name: group_name, user: user_name } => {
            json!(client.remove_user_from_group(api::RemoveUserFromGroupInput { group_name, user_name }).await?)
        }
    })
}

pub(super) async fn key(client: &Client, task: Key) -> Result<Value, Failure> {
    let (OneKey { id: access_key_id, owner: Owner { user: user_name } }, status) = match task {
        Key::Create(Owner { user: user_name }) => {
            let made = client.create_access_key(api::CreateAccessKeyInput { user_name }).await?.access_key;
            return Ok(json!({
                "AccessKeyId": made.access_key_id,
                "SecretAccessKey": made.secret_access_key,
            }));
        }
        Key::List(Owner { user: user_name }) => {
            return Ok(json!(client.list_access_keys(api::ListAccessKeysInput { user_name }).await?));
        }
        Key::Delete(OneKey { id: access_key_id, owner: Owner { user: user_name } }) => {
            let input = api::DeleteAccessKeyInput { access_key_id, user_name };
            return Ok(json!(client.delete_access_key(input).await?));
        }
        Key::Enable(key) => (key, api::AccessKeyStatus::Active),
        Key::Disable(key) => (key, api::AccessKeyStatus::Inactive),
    };
    Ok(json!(client.update_access_key(api::UpdateAccessKeyInput { access_key_id, status, user_name }).await?))
}

/// `None` if it is printed already.
pub(super) async fn policy(client: &Client, task: Policy) -> Result<Option<Value>, Failure> {
    Ok(Some(match task {
        Policy::Create { name: policy_name, document, description } => {
            let policy_document = text_or_file("--document", document)?;
            json!(client.create_policy(api::CreatePolicyInput { description, policy_document, policy_name }).await?)
        }
        Policy::List => {
            json!({ "policies": client.paginate(api::ListPoliciesInput::default()).all().await? })
        }
        Policy::Show { policy, holder: Holder { user: None, group: None, role: None } } => {
            json!(client.get_policy(api::GetPolicyInput { policy }).await?)
        }
        Policy::Show {
            policy: policy_name,
            holder: Holder { user: user_name, group: group_name, role: role_name },
        } => {
            json!(
                client
                    .get_inline_policy(api::GetInlinePolicyInput { group_name, policy_name, role_name, user_name })
                    .await?
            )
        }
        Policy::Update { policy, document, description } => {
            let policy_document = document.map(|text| text_or_file("--document", text)).transpose()?;
            json!(client.update_policy(api::UpdatePolicyInput { description, policy, policy_document }).await?)
        }
        Policy::Delete { policy, holder: Holder { user: None, group: None, role: None } } => {
            json!(client.delete_policy(api::DeletePolicyInput { policy }).await?)
        }
        Policy::Delete {
            policy: policy_name,
            holder: Holder { user: user_name, group: group_name, role: role_name },
        } => {
            let input = api::DeleteInlinePolicyInput { group_name, policy_name, role_name, user_name };
            json!(client.delete_inline_policy(input).await?)
        }
        Policy::Attach { policy, holder: Holder { user: user_name, group: group_name, role: role_name } } => {
            json!(client.attach_policy(api::AttachPolicyInput { group_name, policy, role_name, user_name }).await?)
        }
        Policy::Detach { policy, holder: Holder { user: user_name, group: group_name, role: role_name } } => {
            json!(client.detach_policy(api::DetachPolicyInput { group_name, policy, role_name, user_name }).await?)
        }
        Policy::Put {
            name: policy_name,
            document,
            holder: Holder { user: user_name, group: group_name, role: role_name },
        } => {
            let policy_document = text_or_file("--document", document)?;
            let input = api::PutInlinePolicyInput { group_name, policy_document, policy_name, role_name, user_name };
            json!(client.put_inline_policy(input).await?)
        }
        Policy::Simulate(asked) => {
            simulate(client, asked).await?;
            return Ok(None);
        }
    }))
}

/// Prints the explanation as it is, for people.
async fn simulate(client: &Client, asked: Simulate) -> Result<(), Failure> {
    let mut context: Vec<api::ContextEntry> = Vec::new();
    for (key, value) in asked.context {
        match context.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.values.push(value),
            None => context.push(api::ContextEntry { key, values: vec![value] }),
        }
    }
    let documents = asked.documents.into_iter().map(|text| text_or_file("--document", text));
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    let Holder { user: user_name, group: group_name, role: role_name } = asked.holder;
    let input = api::SimulatePolicyInput {
        action: asked.action,
        context: Some(context),
        group_name,
        policy_documents: Some(documents),
        resource: Some(asked.resource),
        role_name,
        user_name,
    };
    let answer = client.simulate_policy(input).await?;
    Ok(write!(io::stdout(), "{}", answer.explanation)?)
}
