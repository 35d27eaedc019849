//! Two accounts on one server: `lends` requests connections, the site's own account has the environments.

mod cli;
mod list;
mod notification;
mod provisioning;
mod races;
mod recovery;
mod replay;
mod requests;

use crate::support::app::{ACCOUNT, Refused, TestApp};
use crate::support::database::TestDb;
use crate::support::double::{Site, create, text};
use crate::support::service::{Shop, but};
use protium::config::Config;
use serde_json::{Value, json};
use std::ops::Deref;

/// The account that lends its roles.
const LENDS: &str = "222222222222";
const STRANGER: &str = "333333333333";
const LENT: &str = "arn:aws:iam::222222222222:role/lent";

/// A site and the account that lends its roles to it.
struct Two {
    shop: Shop,
    lends: TestApp,
}

impl Deref for Two {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

impl Two {
    /// With the template `env`, whose only version 1.0 is published.
    async fn on(db: &TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    async fn with(db: &TestDb, change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Shop { site: Site::with(db, change).await })
    }

    /// With all that services need, and the environment `prod` in the site's own account.
    async fn with_services(db: &TestDb) -> Self {
        Self::of(Shop::on(db).await)
    }

    fn of(shop: Shop) -> Self {
        let lends = shop.app.in_account(LENDS);
        Self { shop, lends }
    }

    async fn restart(self, db: &mut TestDb) -> Self {
        let Self { shop, lends } = self;
        drop(lends);
        Self::of(shop.restart(db).await)
    }

    /// Requests a connection for the environment; answers it.
    async fn requested(&self, environment: &str) -> Value {
        connection(self.lends.ok("CreateEnvironmentAccountConnection", request(environment)).await)
    }

    /// The id of a connection for the environment that is accepted.
    async fn accepted(&self, environment: &str) -> String {
        let id = text(&self.requested(environment).await["id"]).to_owned();
        self.accept(&id).await.unwrap();
        id
    }

    async fn accept(&self, id: &str) -> Result<Value, Refused> {
        self.app.call("AcceptEnvironmentAccountConnection", json!({ "id": id })).await.map(connection)
    }

    async fn reject(&self, id: &str) -> Result<Value, Refused> {
        self.app.call("RejectEnvironmentAccountConnection", json!({ "id": id })).await.map(connection)
    }

    /// What the account that lends does to its connection.
    async fn forget(&self, id: &str) {
        self.lends.ok("DeleteEnvironmentAccountConnection", json!({ "id": id })).await;
    }

    /// Creates the environment through a connection that is accepted for it; answers the connection's id.
    async fn connected(&self, environment: &str) -> String {
        let id = self.accepted(environment).await;
        self.app.ok("CreateEnvironment", through(environment, &id)).await;
        self.finish().await;
        let made = self.site.get(environment).await;
        assert_eq!(made["deploymentStatus"], "SUCCEEDED", "{made}");
        id
    }

    /// Gives the connection another role.
    async fn lend(&self, id: &str, role: &str) {
        self.lends.ok("UpdateEnvironmentAccountConnection", json!({ "id": id, "roleArn": role })).await;
    }

    /// The role of each call that assumed one, the first one first.
    fn assumed(&self) -> Vec<String> {
        let calls = self.double.calls().into_iter().filter(|call| call.action == "AssumeRole");
        calls.map(|call| call.parameters["RoleArn"].clone()).collect()
    }

    /// The account in which each action that changed a stack was done, the first one first.
    fn worked_in(&self, action: &str) -> Vec<String> {
        let calls = self.double.calls().into_iter().filter(|call| call.action == action && call.effective);
        calls.map(|call| call.account).collect()
    }
}

/// The input of a request for a connection.
fn request(environment: &str) -> Value {
    json!({ "managementAccountId": ACCOUNT, "environmentName": environment, "roleArn": LENT })
}

/// The input of a create on `env` 1 through the connection.
fn through(environment: &str, connection: &str) -> Value {
    but(create(environment), json!({ "protonServiceRoleArn": null, "environmentAccountConnectionId": connection }))
}

fn connection(answer: Value) -> Value {
    answer["environmentAccountConnection"].clone()
}

/// The connection as an account sees it.
async fn get(app: &TestApp, id: &str) -> Value {
    connection(app.ok("GetEnvironmentAccountConnection", json!({ "id": id })).await)
}
