//! Environment account connections, and the environments that are made through them.

use super::*;
use crate::on_both;
use crate::support::app::ACCOUNT;

on_both! {
    connections_in_any_order, async |db| { hold(db, pairs()).await; }
}

const ROLE: &str = "arn:aws:iam::222222222222:role/lent";
const ACCEPT: &str = "AcceptEnvironmentAccountConnection";

/// A connection for `prod` that is not answered yet; its id.
fn pending(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        template(ground).await;
        requested(ground).await
    })
}

async fn requested(ground: &Ground) -> Value {
    let input = json!({ "managementAccountId": ACCOUNT, "environmentName": "prod", "roleArn": ROLE });
    let made = ground.lends.ok("CreateEnvironmentAccountConnection", input).await;
    made["environmentAccountConnection"]["id"].clone()
}

/// One that is accepted.
fn accepted(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        let id = pending(ground).await;
        ground.app.ok(ACCEPT, of(&id)).await;
        id
    })
}

fn of(id: &Value) -> Value {
    json!({ "id": id })
}

fn through(id: &Value) -> Value {
    but(create("prod"), json!({ "protonServiceRoleArn": null, "environmentAccountConnectionId": id }))
}

pub(super) fn pairs() -> Vec<Pair> {
    const REJECT: &str = "RejectEnvironmentAccountConnection";
    const DELETE: &str = "DeleteEnvironmentAccountConnection";
    const UPDATE: &str = "UpdateEnvironmentAccountConnection";
    vec![
        pair("two acceptances", pending, |_, id| ask(ACCEPT, of(id)), |_, id| ask(ACCEPT, of(id))),
        pair("an acceptance and a rejection", pending, |_, id| ask(ACCEPT, of(id)), |_, id| ask(REJECT, of(id))),
        pair("an acceptance and a deletion", pending, |_, id| ask(ACCEPT, of(id)), |_, id| lender(DELETE, of(id))),
        pair("a rejection and a deletion", pending, |_, id| ask(REJECT, of(id)), |_, id| lender(DELETE, of(id))),
        pair("two deletions", accepted, |_, id| lender(DELETE, of(id)), |_, id| lender(DELETE, of(id))),
        pair(
            "two connections of one environment",
            |ground| {
                Box::pin(async {
                    let one = pending(ground).await;
                    json!([one, requested(ground).await])
                })
            },
            |_, ids| ask(ACCEPT, of(&ids[0])),
            |_, ids| ask(ACCEPT, of(&ids[1])),
        ),
        pair(
            "an acceptance and an environment through it",
            pending,
            |_, id| ask(ACCEPT, of(id)),
            |_, id| ask("CreateEnvironment", through(id)),
        ),
        pair(
            "a rejection and an environment through it",
            accepted,
            |_, id| ask(REJECT, of(id)),
            |_, id| ask("CreateEnvironment", through(id)),
        ),
        pair(
            "a deletion and an environment through it",
            accepted,
            |_, id| lender(DELETE, of(id)),
            |_, id| ask("CreateEnvironment", through(id)),
        ),
        pair(
            "another role and an environment through it",
            accepted,
            |_, id| lender(UPDATE, but(of(id), json!({ "roleArn": "arn:aws:iam::222222222222:role/next" }))),
            |_, id| ask("CreateEnvironment", through(id)),
        ),
        pair(
            "another role and a deletion",
            accepted,
            |_, id| lender(UPDATE, but(of(id), json!({ "roleArn": "arn:aws:iam::222222222222:role/next" }))),
            |_, id| lender(DELETE, of(id)),
        ),
        pair(
            "a deletion of one that is used and the acceptance of another",
            |ground| {
                Box::pin(async {
                    let used = accepted(ground).await;
                    ground.app.ok("CreateEnvironment", through(&used)).await;
                    ground.finish().await;
                    json!([used, requested(ground).await])
                })
            },
            |_, ids| lender(DELETE, of(&ids[0])),
            |_, ids| ask(ACCEPT, of(&ids[1])),
        ),
    ]
}
