//! Environment account connections: an account requests one, another accepts it for its environment.
//!
//! Owns what both sides may do with a connection, and which one an environment may be given. Does not own
//! what is provisioned through it: deployments read its roles when they are prepared.

use super::Context;
use super::authorize::Entry;
use super::deploy::lost_update;
use super::input::{client_token, request_hash, tags};
use super::page::{Filling, Page};
use super::quota::{Places, Quota};
use super::token::Token;
use super::wire::time;
use crate::app::new_id;
use crate::error::{Error, Result, not_found};
use crate::store::{
    ConnectionFilter, Reader, Tx, connection_delete, connection_get, connection_insert, connection_page,
    connection_save, connections_accepted_for, environment_get, environment_save, tag_drop, tag_set, token_drop,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::account_connection::{AccountConnection, Side};
use protium_domain::arn::{Resource, Scope};
use protium_domain::environment::Roles;
use protium_domain::status::ConnectionStatus;

pub(super) const NOUN: &str = "environment account connection";

/// `CreateEnvironmentAccountConnection`, in the account that lends its roles. The other one is not looked
/// for: it need not be an account of this server yet, and may be the same.
pub(super) async fn create(
    cx: &Context,
    input: CreateEnvironmentAccountConnectionInput,
) -> Result<CreateEnvironmentAccountConnectionOutput> {
    let user_tags = tags(input.tags.as_deref())?;
    let token = Token {
        operation: "CreateEnvironmentAccountConnection",
        token: client_token(input.client_token.as_deref()),
        request: &request_hash(&input)?,
    };
    let (scope, places) = (cx.scope(), Places::of(cx, Quota::AccountConnections).await?);
    let connection = transaction!(cx.store(), async |tx| -> Result<AccountConnection> {
        if let Some(id) = token.made(tx, cx).await?
            && let Some(made) = connection_get(tx, &scope.region, id.as_str()).await?
        {
            cx.concerns(&arn(scope, &made));
            return Ok(made);
        }
        places.check(tx, cx, 1).await?;
        let connection = requested(cx, &input);
        if !connection_insert(tx, &scope.region, &connection).await? {
            return Err(lost_update());
        }
        let arn = arn(scope, &connection);
        cx.concerns(&arn);
        for (key, value) in &user_tags {
            tag_set(tx, scope, connection.id.as_str(), &arn, key, value).await?;
        }
        token.remember(tx, cx, &connection.id).await?;
        Ok(connection)
    })?;
    Ok(CreateEnvironmentAccountConnectionOutput { environment_account_connection: shown(scope, connection) })
}

fn requested(cx: &Context, input: &CreateEnvironmentAccountConnectionInput) -> AccountConnection {
    AccountConnection {
        revision: 0,
        id: new_id(),
        environment_account: cx.scope().account.clone(),
        management_account: input.management_account_id.clone(),
        environment: input.environment_name.clone(),
        status: ConnectionStatus::Pending,
        roles: Roles {
            service: input.role_arn.clone(),
            codebuild: input.codebuild_role_arn.clone(),
            component: input.component_role_arn.clone(),
        },
        created_at: cx.now,
        modified_at: cx.now,
        unknown: serde_json::Map::new(),
    }
}

/// `AcceptEnvironmentAccountConnection`. An environment whose connection is gone goes on with the new one.
pub(super) async fn accept(
    cx: &Context,
    input: AcceptEnvironmentAccountConnectionInput,
) -> Result<AcceptEnvironmentAccountConnectionOutput> {
    let scope = cx.scope();
    let connection = transaction!(cx.store(), async |tx| -> Result<AccountConnection> {
        let mut connection = on_side(tx, cx, &input.id, Side::Management, "accept").await?;
        let was = connection.status;
        let accepted = connections_accepted_for(tx, scope, &connection.environment).await?;
        let environment = environment_get(tx, scope, &connection.environment).await?;
        if !connection.accept(&accepted, environment.as_ref(), cx.now)? {
            return Ok(connection);
        }
        save(tx, &mut connection, was, cx.now).await?;
        hand_over(tx, scope, &connection.environment, cx.now).await?;
        Ok(connection)
    })?;
    Ok(AcceptEnvironmentAccountConnectionOutput { environment_account_connection: shown(scope, connection) })
}

/// `RejectEnvironmentAccountConnection`.
pub(super) async fn reject(
    cx: &Context,
    input: RejectEnvironmentAccountConnectionInput,
) -> Result<RejectEnvironmentAccountConnectionOutput> {
    let scope = cx.scope();
    let connection = transaction!(cx.store(), async |tx| -> Result<AccountConnection> {
        let mut connection = on_side(tx, cx, &input.id, Side::Management, "reject").await?;
        let was = connection.status;
        let environment = environment_get(tx, scope, &connection.environment).await?;
        let used = environment.is_some_and(|environment| environment.uses(&connection.id));
        if connection.reject(used, cx.now)? {
            save(tx, &mut connection, was, cx.now).await?;
        }
        Ok(connection)
    })?;
    Ok(RejectEnvironmentAccountConnectionOutput { environment_account_connection: shown(scope, connection) })
}

/// `UpdateEnvironmentAccountConnection`. What is left out stays.
pub(super) async fn update(
    cx: &Context,
    input: UpdateEnvironmentAccountConnectionInput,
) -> Result<UpdateEnvironmentAccountConnectionOutput> {
    let given =
        Roles { service: input.role_arn, codebuild: input.codebuild_role_arn, component: input.component_role_arn };
    let connection = transaction!(cx.store(), async |tx| -> Result<AccountConnection> {
        let mut connection = on_side(tx, cx, &input.id, Side::Environment, "update").await?;
        let was = connection.status;
        if connection.update(given.clone(), cx.now)? {
            save(tx, &mut connection, was, cx.now).await?;
        }
        Ok(connection)
    })?;
    Ok(UpdateEnvironmentAccountConnectionOutput { environment_account_connection: shown(cx.scope(), connection) })
}

/// `DeleteEnvironmentAccountConnection`, also of one that is in use: if there is an accepted one to replace it,
/// the environment goes on with that. What the caller can't see is deleted
/// already.
pub(super) async fn delete(
    cx: &Context,
    input: DeleteEnvironmentAccountConnectionInput,
) -> Result<DeleteEnvironmentAccountConnectionOutput> {
    let scope = cx.scope();
    let connection = transaction!(cx.store(), async |tx| -> Result<Option<AccountConnection>> {
        let Some(connection) = seen(tx, cx, &input.id).await? else { return Ok(None) };
        connection.check_side(&scope.account, Side::Environment, "delete")?;
        connection_delete(tx, &connection, cx.now).await?;
        tag_drop(tx, scope, connection.id.as_str()).await?;
        token_drop(tx, connection.id.as_str()).await?;
        let management = Scope::new(&connection.management_account, &scope.region);
        hand_over(tx, &management, &connection.environment, cx.now).await?;
        Ok(Some(connection))
    })?;
    let environment_account_connection = connection.map(|connection| shown(scope, connection));
    Ok(DeleteEnvironmentAccountConnectionOutput { environment_account_connection })
}

/// `GetEnvironmentAccountConnection`, for both sides.
pub(super) async fn get(
    cx: &Context,
    input: GetEnvironmentAccountConnectionInput,
) -> Result<GetEnvironmentAccountConnectionOutput> {
    let connection = find(&mut cx.store().reader().await?, cx, &input.id).await?;
    Ok(GetEnvironmentAccountConnectionOutput { environment_account_connection: shown(cx.scope(), connection) })
}

/// `ListEnvironmentAccountConnections`: those of one side, the newest first.
pub(super) async fn list(
    cx: &Context,
    input: ListEnvironmentAccountConnectionsInput,
) -> Result<ListEnvironmentAccountConnectionsOutput> {
    use EnvironmentAccountConnectionRequesterAccountType as Requester;
    let side = match input.requested_by {
        Requester::EnvironmentAccount => Side::Environment,
        Requester::ManagementAccount => Side::Management,
    };
    let mut statuses: Vec<_> = input.statuses.unwrap_or_default();
    statuses.sort_unstable();
    statuses.dedup();
    let mut filters = vec![input.requested_by.as_str()];
    filters.extend(input.environment_name.iter().flat_map(|name| ["environmentName", name]));
    filters.extend(statuses.iter().flat_map(|status| ["status", status.as_str()]));
    let operation = "ListEnvironmentAccountConnections";
    let page = Page::new(cx, operation, filters, input.max_results, input.next_token.as_deref())?;
    let filter = ConnectionFilter {
        side,
        statuses: statuses.iter().map(|status| status_of(*status)).collect(),
        environment: input.environment_name,
    };
    let mut rd = cx.store().reader().await?;
    let key = |connection: &AccountConnection| format!("{}/{}", connection.created_at, connection.id);
    let entry = |connection: &AccountConnection| Entry::new(arn(cx.scope(), connection));
    let mut filling = Filling::new(page);
    let (found, next_token) = loop {
        let found =
            connection_page(&mut rd, cx.scope(), &filter, filling.page.after_moment()?, filling.page.limit()).await?;
        if let Some(full) = filling.take(cx, &mut rd, found, key, entry).await? {
            break full;
        }
    };
    let environment_account_connections =
        found.into_iter().map(|connection| summary(shown(cx.scope(), connection))).collect();
    Ok(ListEnvironmentAccountConnectionsOutput { environment_account_connections, next_token })
}

/// Gives an environment whose connection is gone the accepted one that succeeds it, if there is one.
async fn hand_over(tx: &mut Tx, management: &Scope, environment: &str, now: i64) -> Result<()> {
    let Some(mut environment) = environment_get(tx, management, environment).await? else { return Ok(()) };
    let accepted = connections_accepted_for(tx, management, &environment.name).await?;
    let Some(next) = environment.successor(&accepted) else { return Ok(()) };
    environment.access.connection = Some(next.id.to_string());
    let status = environment.track.status;
    if environment_save(tx, &mut environment, status, now).await? { Ok(()) } else { Err(lost_update()) }
}

/// The connection of that id, if an environment of that name in the caller's account may use it.
pub(super) async fn usable(rd: &mut Reader, cx: &Context, id: &str, environment: &str) -> Result<AccountConnection> {
    let connection = find(rd, cx, id).await?;
    connection.check_use(&cx.scope().account, environment)?;
    Ok(connection)
}

/// The connection of that id, if the caller is one of its sides.
async fn seen(rd: &mut Reader, cx: &Context, id: &str) -> Result<Option<AccountConnection>> {
    let found = connection_get(rd, &cx.scope().region, id).await?;
    Ok(found.filter(|connection| connection.is_seen_by(&cx.scope().account)))
}

async fn find(rd: &mut Reader, cx: &Context, id: &str) -> Result<AccountConnection> {
    seen(rd, cx, id).await?.ok_or_else(|| not_found(NOUN, id))
}

/// The connection of that id, if the caller is on that side of it; `act` is what it is about to do.
async fn on_side(rd: &mut Reader, cx: &Context, id: &str, side: Side, act: &str) -> Result<AccountConnection> {
    let connection = find(rd, cx, id).await?;
    connection.check_side(&cx.scope().account, side, act)?;
    Ok(connection)
}

async fn save(tx: &mut Tx, connection: &mut AccountConnection, was: ConnectionStatus, now: i64) -> Result<(), Error> {
    if connection_save(tx, connection, was, now).await? { Ok(()) } else { Err(lost_update()) }
}

/// The ARN of a connection in the region of `scope`: it is the account's that lends its roles.
pub(super) fn arn(scope: &Scope, connection: &AccountConnection) -> String {
    Scope::new(&connection.environment_account, &scope.region)
        .arn(&Resource::EnvironmentAccountConnection(connection.id.to_string()))
}

fn status_of(status: EnvironmentAccountConnectionStatus) -> ConnectionStatus {
    match status {
        EnvironmentAccountConnectionStatus::Pending => ConnectionStatus::Pending,
        EnvironmentAccountConnectionStatus::Connected => ConnectionStatus::Connected,
        EnvironmentAccountConnectionStatus::Rejected => ConnectionStatus::Rejected,
    }
}

fn shown(scope: &Scope, from: AccountConnection) -> api::EnvironmentAccountConnection {
    api::EnvironmentAccountConnection {
        arn: arn(scope, &from),
        codebuild_role_arn: from.roles.codebuild,
        component_role_arn: from.roles.component,
        environment_account_id: from.environment_account,
        environment_name: from.environment,
        id: from.id.to_string(),
        last_modified_at: time(from.modified_at),
        management_account_id: from.management_account,
        requested_at: time(from.created_at),
        // The model asks for one here and not in requests.
        role_arn: from.roles.service.unwrap_or_default(),
        status: match from.status {
            ConnectionStatus::Pending => EnvironmentAccountConnectionStatus::Pending,
            ConnectionStatus::Connected => EnvironmentAccountConnectionStatus::Connected,
            ConnectionStatus::Rejected => EnvironmentAccountConnectionStatus::Rejected,
        },
    }
}

fn summary(from: api::EnvironmentAccountConnection) -> EnvironmentAccountConnectionSummary {
    EnvironmentAccountConnectionSummary {
        arn: from.arn,
        component_role_arn: from.component_role_arn,
        environment_account_id: from.environment_account_id,
        environment_name: from.environment_name,
        id: from.id,
        last_modified_at: from.last_modified_at,
        management_account_id: from.management_account_id,
        requested_at: from.requested_at,
        role_arn: from.role_arn,
        status: from.status,
    }
}
