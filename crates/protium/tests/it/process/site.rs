//! The program in front of the CloudFormation double, with templates to deploy.

use std::time::Duration;

use protium::transaction;
use protium_engines::double::{Behaviour, Double, Takes};
use serde_json::{Value, json};

use super::program::{Program, Start, until};
use crate::support::bundle;
use crate::support::database::TestDb;
use crate::support::double as stories;

/// Long enough to be caught in the middle, short enough to wait for.
pub(super) const A_WHILE: Duration = Duration::from_millis(300);

/// A double in real time, where everything takes a while.
pub(super) async fn double() -> Double {
    let double = Double::start_in_real_time().await.expect("a port");
    double.behave(|_| Behaviour::done().taking(Takes::Time(A_WHILE)));
    double
}

/// The program on a test's database, with its outbound calls going to the double.
pub(super) fn start(db: &TestDb, double: &Double) -> Start {
    Start::on(db).flag("--aws-endpoint-url", &double.url())
}

impl Program {
    /// Registers and publishes version 1.0 of the environment template `env`, provisioned with CloudFormation.
    pub(super) async fn publish_env(&self) {
        self.publish_env_of(&stories::environment(stories::STACK)).await;
    }

    /// Registers and publishes version 1.0 of the environment template `env`, whose bundle has these files.
    pub(super) async fn publish_env_of(&self, files: &[(&str, &str)]) {
        self.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        self.upload("bundles", "env.tar.gz", bundle::pack(files)).await;
        let source = json!({ "s3": { "bucket": "bundles", "key": "env.tar.gz" } });
        self.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "env", "source": source })).await;
        self.registered("env").await;
        let mut publish = stories::version_of("env", "1.0");
        publish["status"] = "PUBLISHED".into();
        self.ok("UpdateEnvironmentTemplateVersion", publish).await;
    }

    /// Waits until version 1.0 is a draft.
    pub(super) async fn registered(&self, template: &str) {
        until("the registration", async || {
            let version = self.ok("GetEnvironmentTemplateVersion", stories::version_of(template, "1.0")).await;
            (version["environmentTemplateVersion"]["status"] == "DRAFT").then_some(())
        })
        .await;
    }

    /// Waits until the deployment of an environment has that status; answers the environment.
    pub(super) async fn environment(&self, name: &str, status: &str) -> Value {
        until(&format!("the environment {name} becoming {status}"), async || {
            let environment = self.ok("GetEnvironment", json!({ "name": name })).await["environment"].clone();
            let found = environment["deploymentStatus"].as_str().expect("a status").to_owned();
            let over = ["FAILED", "SUCCEEDED", "CANCELLED", "DELETE_FAILED"].contains(&found.as_str());
            assert!(found == status || !over, "{environment}\n{}", self.log());
            (found == status).then_some(environment)
        })
        .await
    }

    /// Waits until there is no such environment.
    pub(super) async fn gone(&self, name: &str) {
        until(&format!("the end of the environment {name}"), async || {
            self.call("GetEnvironment", json!({ "name": name })).await.err().map(|refused| refused.code)
        })
        .await;
    }
}

/// Waits until the newest stack is in that status.
pub(super) async fn stack_is(double: &Double, status: &str) {
    until(&format!("a stack in {status}"), async || {
        let created = double.calls().into_iter().rfind(|call| call.action == "CreateStack")?;
        (double.status(&created.parameters["StackName"])? == status).then_some(())
    })
    .await;
}

/// Waits until `action` was called so often.
pub(super) async fn called(double: &Double, action: &str, times: usize) {
    until(&format!("call {times} of {action}"), async || (double.count(action) >= times).then_some(())).await;
}

/// Ends the leases that a killed process had, as the passing of fifteen seconds would, and tells the workers. An
/// embedded database has no other process whose leases could be meant.
pub(super) async fn expire_leases(db: &TestDb) {
    if db.is_shared() {
        transaction!(db.store(), async |tx| -> Result<(), protium::store::DbError> {
            tx.execute("UPDATE job SET lease_until = 0 WHERE lease_until IS NOT NULL", &[]).await?;
            tx.execute("NOTIFY protium_job", &[]).await.map(drop)
        })
        .unwrap();
    }
}

/// Leaves an embedded database to the program, which must be the only one that uses it.
pub(super) fn free(db: &mut TestDb) {
    if !db.is_shared() {
        db.close();
    }
}
