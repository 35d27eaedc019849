//! A site with something for every operation, and the way back to it.
//!
//! Beside each table stands a copy of it. What a request changed is the difference, whether a list shows it or not;
//! and what a request that succeeded did is undone by copying back.

use super::form::{Form, ISSUER, Ids, TRUST, Who, allowing, forms};
use crate::support::app::{ACCOUNT, TestApp, target};
use crate::support::bundle::pack;
use crate::support::component::{Workshop, attached, detached};
use crate::support::database::TestDb;
use crate::support::double::{self, text};
use crate::support::events;
use crate::support::receiver::{Receiver, Reply};
use crate::support::self_managed;
use crate::support::service::{INSTANCE, PIPELINE, Shop, but, files, spec};
use protium::params;
use protium::store::{AuditFilter, AuditRecord, DbError, audit_list};
use protium::transaction;
use serde_json::{Value, json};

/// The account that lends its roles to the environments of the site's own.
const LENDS: &str = "222222222222";
/// What the copy of a table is called before its name.
const COPY: &str = "copy_of_";
/// The table of the audit log, to which every request may add.
const AUDIT: &str = "audit";
/// Stands where a token of the next page is to be.
pub(super) const TOKEN: &str = "the token of the next page";

pub(super) struct Site {
    shop: Workshop,
    lends: TestApp,
    pub(super) ids: Ids,
    tables: Vec<String>,
    /// What tells which tables differ from their copies.
    difference: String,
    /// In milliseconds since 1970.
    recorded_since: i64,
}

impl Site {
    pub(super) async fn on(db: &TestDb) -> Self {
        let shop = Workshop::on(db).await;
        let lends = shop.app.in_account(LENDS);
        let (ids, tables, difference) = (Ids::default(), Vec::new(), String::new());
        let mut site = Self { shop, lends, ids, tables, difference, recorded_since: 0 };
        site.accounts().await;
        site.identities().await;
        site.templates().await;
        site.deployed().await;
        site.synced().await;
        site.self_managed().await;
        site.under_way().await;
        site.refused().await;
        site.ids().await;
        site.copy().await;
        site
    }

    /// The application as the root user of the account of a request sees it.
    pub(super) fn of(&self, who: Who) -> &TestApp {
        match who {
            Who::Owner => self.app(),
            Who::Lender => &self.lends,
        }
    }

    fn app(&self) -> &TestApp {
        &self.shop.app
    }

    async fn accounts(&mut self) {
        for id in [LENDS, "333333333333"] {
            self.app().ok("CreateAccount", json!({ "id": id })).await;
        }
        for name in ["ci", "other"] {
            self.app().ok("CreateRole", json!({ "roleName": name, "trustPolicy": TRUST })).await;
        }
        for url in [ISSUER, "https://other.example.com"] {
            self.app().ok("CreateOidcProvider", json!({ "url": url, "clientIds": ["sts.amazonaws.com"] })).await;
        }
        for (environment, act) in [("held", "Accept"), ("ready", "Accept"), ("no", "Reject"), ("fresh", "")] {
            let input = json!({
                "managementAccountId": ACCOUNT, "environmentName": environment,
                "roleArn": "arn:aws:iam::222222222222:role/lent",
                "componentRoleArn": "arn:aws:iam::222222222222:role/components",
            });
            let made = self.lends.ok("CreateEnvironmentAccountConnection", input).await;
            let id = text(&made["environmentAccountConnection"]["id"]).to_owned();
            if !act.is_empty() {
                let operation = format!("{act}EnvironmentAccountConnection");
                self.app().ok(&operation, json!({ "id": id })).await;
            }
            self.ids.connections.insert(environment.to_owned(), id);
        }
    }

    /// The user `ada` in the group `makers`, who have what there is to have; `eve` and `empty` have nothing.
    async fn identities(&mut self) {
        let (app, document) = (self.shop.app.clone(), allowing("proton:*"));
        for policy in ["free", "held"] {
            app.ok("CreatePolicy", json!({ "policyName": policy, "policyDocument": document })).await;
        }
        for user in ["bob", "eve"] {
            app.ok("CreateUser", json!({ "userName": user })).await;
        }
        app.ok("CreateUser", json!({ "userName": "ada", "permissionsBoundary": "ProtiumFullAccess" })).await;
        for group in ["empty", "makers"] {
            app.ok("CreateGroup", json!({ "groupName": group })).await;
        }
        for user in ["ada", "bob"] {
            app.ok("AddUserToGroup", json!({ "userName": user, "groupName": "makers" })).await;
        }
        for holder in [json!({ "userName": "ada" }), json!({ "groupName": "makers" }), json!({ "roleName": "ci" })] {
            app.ok("AttachPolicy", but(holder.clone(), json!({ "policy": "held" }))).await;
            let inline = json!({ "policyName": "inner", "policyDocument": document });
            app.ok("PutInlinePolicy", but(holder, inline)).await;
        }
        let key = app.ok("CreateAccessKey", json!({ "userName": "ada" })).await;
        self.ids.key = text(&key["accessKey"]["accessKeyId"]).to_owned();
    }

    /// Bundles, drafts, templates without versions, and a higher version of what is deployed.
    async fn templates(&self) {
        let app = self.app();
        let (environment, service) = (double::environment(double::STACK), files(INSTANCE, PIPELINE));
        app.upload("bundles", "env.tar.gz", pack(&environment)).await;
        app.upload("bundles", "svc.tar.gz", pack(&service)).await;
        self.shop.register("drafts", &environment, None).await;
        for template in ["spare", "followed", "refused"] {
            app.ok("CreateEnvironmentTemplate", json!({ "name": template })).await;
        }
        for template in ["spare", "svcdrafts"] {
            app.ok("CreateServiceTemplate", json!({ "name": template })).await;
        }
        self.shop.draft("svcdrafts", &service, None, &["env:1"]).await;
        self.shop.published("svc", &service, Some("1"), &["env:1"]).await;
        let site: &double::Site = &self.shop;
        site.published("env", &environment, Some("1")).await;
    }

    /// Environments, services and components at rest.
    async fn deployed(&self) {
        let app = self.app();
        for name in ["idle", "going"] {
            app.ok("CreateEnvironment", at_1_0(double::create(name))).await;
        }
        let through = json!({
            "protonServiceRoleArn": null, "environmentAccountConnectionId": self.ids.connections["held"],
        });
        app.ok("CreateEnvironment", at_1_0(but(double::create("held"), through))).await;
        self.shop.finish().await;
        for name in ["shop", "piped"] {
            app.ok("CreateService", at_1_0(crate::support::service::create(name, &[("a", 1)]))).await;
        }
        app.ok("CreateService", crate::support::component::create_tool("wide", &[("a", 1), ("b", 2)])).await;
        for name in ["busy", "synced"] {
            app.ok("CreateService", crate::support::service::create_plain(name, &[("a", 1)])).await;
        }
        self.shop.finish().await;
        app.ok("CreateComponent", attached("bucket")).await;
        for name in ["lone", "slow"] {
            app.ok("CreateComponent", detached(name)).await;
        }
        self.shop.finish().await;
        let tags = json!([{ "key": "team", "value": "red" }, { "key": "stage", "value": "test" }]);
        app.ok("TagResource", json!({ "resourceArn": self.arn("environment/idle"), "tags": tags })).await;
    }

    /// Repositories, what follows them, and what is in the way of that.
    async fn synced(&self) {
        let app = self.app();
        for name in ["o/r", "o/spare"] {
            self_managed::link(app, name).await;
        }
        let of = json!({ "repositoryProvider": "GITHUB", "repositoryName": "o/r", "branch": "main" });
        let template = json!({ "templateType": "ENVIRONMENT", "templateName": "followed" });
        app.ok("CreateTemplateSyncConfig", but(of.clone(), template)).await;
        let service = json!({ "serviceName": "synced", "filePath": "ops/proton-ops.yaml" });
        app.ok("CreateServiceSyncConfig", but(of, service)).await;
        let input = json!({ "serviceName": "synced", "name": "a", "deploymentType": "CURRENT_VERSION" });
        app.ok("UpdateServiceInstance", input).await;
        self.shop.finish().await;
    }

    /// The environments `dev`, deployed, and `wait`, which waits to hear of its deployment.
    async fn self_managed(&self) {
        let shop: &Shop = &self.shop;
        self_managed::field(&shop.site).await;
        self_managed::deployed(&shop.site, "dev", &[("Vpc", "vpc-1")]).await;
        self_managed::waiting(&shop.site, "wait").await;
    }

    /// Deployments that no worker has taken yet.
    async fn under_way(&self) {
        let app = self.app();
        app.ok("UpdateEnvironment", double::resize("going", "small")).await;
        let instance = json!({ "serviceName": "busy", "name": "a", "deploymentType": "CURRENT_VERSION" });
        app.ok("UpdateServiceInstance", instance).await;
        let pipeline = json!({
            "serviceName": "piped", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 1)]),
        });
        app.ok("UpdateServicePipeline", pipeline).await;
        app.ok("UpdateComponent", json!({ "name": "slow", "deploymentType": "CURRENT_VERSION" })).await;
    }

    /// Events that the receiver `hook` refuses for good.
    async fn refused(&self) {
        let (app, receiver) = (self.app(), Receiver::start().await);
        receiver.answer(|_| Reply::Status(410));
        let mut dispatcher = events::dispatcher_to(app, "hook", &receiver).await;
        for template in ["refused", "spare"] {
            app.ok("DeleteEnvironmentTemplate", json!({ "name": template })).await;
            app.ok("CreateEnvironmentTemplate", json!({ "name": template })).await;
        }
        events::until(&mut dispatcher, "all are refused", async || {
            app.ok("ListEventDeliveries", json!({ "state": "DEAD" })).await["deliveries"].as_array().unwrap().len() == 4
        })
        .await;
    }

    async fn ids(&mut self) {
        let spare = json!({ "resourceArn": self.arn("environment-template/spare") });
        let dead = self.app().ok("ListEventDeliveries", spare).await;
        self.ids.event = text(&dead["deliveries"][0]["eventId"]).to_owned();
        self.ids.prefix = self.app().arn_prefix();
        let blockers = json!({ "serviceName": "synced", "serviceInstanceName": "a" });
        let summary = self.app().ok("GetServiceSyncBlockerSummary", blockers).await;
        self.ids.blocker = text(&summary["serviceSyncBlockerSummary"]["latestBlockers"][0]["id"]).to_owned();
        for (of, input) in [
            ("environment", json!({ "environmentName": "idle" })),
            ("waiting", json!({ "environmentName": "wait" })),
            ("instance", json!({ "serviceName": "shop", "serviceInstanceName": "a" })),
            ("component", json!({ "componentName": "lone" })),
        ] {
            let found = self.app().ok("ListDeployments", input).await;
            self.ids.deployments.insert(of.to_owned(), text(&found["deployments"][0]["id"]).to_owned());
        }
        let pipeline = self.app().ok("GetService", json!({ "name": "shop" })).await["service"]["pipeline"].clone();
        let id = text(&pipeline["lastSucceededDeploymentId"]).to_owned();
        self.ids.deployments.insert("pipeline".to_owned(), id);
    }

    pub(super) fn arn(&self, resource: &str) -> String {
        format!("{}:{resource}", self.app().arn_prefix())
    }

    /// Makes the copies.
    async fn copy(&mut self) {
        let names = if self.app().store().db().is_embedded() {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
        } else {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        };
        let mut reader = self.app().store().reader().await.unwrap();
        let rows = reader.query(names, params![]).await.unwrap();
        drop(reader);
        self.tables = rows.into_iter().map(|mut row| row.text(0).unwrap()).filter(|table| table != AUDIT).collect();
        // What is recorded from here on is newer than all that is there.
        self.app().pass(2);
        self.recorded_since = self.app().app.clock.now_ms();
        assert!(self.tables.len() > 20, "{:?}", self.tables);
        let parts = self.tables.iter().map(|table| {
            format!(
                "SELECT CAST('{table}' AS TEXT) WHERE EXISTS (SELECT * FROM {table} EXCEPT SELECT * FROM {COPY}{table})
                 OR EXISTS (SELECT * FROM {COPY}{table} EXCEPT SELECT * FROM {table})"
            )
        });
        self.difference = parts.collect::<Vec<_>>().join(" UNION ALL ");
        let tables = &self.tables;
        transaction!(self.app().store(), async |tx| -> Result<(), DbError> {
            for table in tables {
                tx.execute(&format!("CREATE TABLE {COPY}{table} AS SELECT * FROM {table}"), params![]).await?;
            }
            Ok(())
        })
        .unwrap();
    }

    /// The tables that are not as they were.
    pub(super) async fn changed(&self) -> Vec<String> {
        let mut reader = self.app().store().reader().await.unwrap();
        let rows = reader.query(&self.difference, params![]).await.unwrap();
        rows.into_iter().map(|mut row| row.text(0).unwrap()).collect()
    }

    /// Takes the records of what was asked since the site was made out of the audit log.
    pub(super) async fn records(&self) -> Vec<AuditRecord> {
        let filter = AuditFilter { from: Some(self.recorded_since), ..AuditFilter::default() };
        let mut records = Vec::new();
        for account in [ACCOUNT, LENDS] {
            let mut reader = self.app().store().reader().await.unwrap();
            records.extend(audit_list(&mut reader, account, &filter, None, 100).await.unwrap());
        }
        transaction!(self.app().store(), async |tx| -> Result<(), DbError> {
            for record in &records {
                tx.execute("DELETE FROM audit WHERE request_id = $1", params![&record.request_id]).await?;
            }
            Ok(())
        })
        .unwrap();
        records
    }

    /// Makes these tables what they were.
    pub(super) async fn restore(&self, tables: &[String]) {
        transaction!(self.app().store(), async |tx| -> Result<(), DbError> {
            for table in tables {
                tx.execute(&format!("DELETE FROM {table}"), params![]).await?;
                tx.execute(&format!("INSERT INTO {table} SELECT * FROM {COPY}{table}"), params![]).await?;
            }
            Ok(())
        })
        .unwrap();
    }

    /// One request, signed by who is to send it: the status and the body of the answer.
    pub(super) async fn send(&self, who: Who, operation: &str, body: &[u8]) -> (bool, Vec<u8>) {
        let request = http::Request::post("http://127.0.0.1/")
            .header("host", "127.0.0.1")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target(operation))
            .body(body.to_vec())
            .unwrap();
        let (status, body) = self.of(who).send("proton", request).await;
        (status.is_success(), body)
    }

    /// The form with a token of the next page, if it is to have one.
    pub(super) async fn with_token(&self, form: &Form) -> Value {
        let mut input = form.input.clone();
        if input.get("nextToken") == Some(&json!(TOKEN)) {
            let first = but(input.clone(), json!({ "nextToken": null, "maxResults": 1 }));
            let (is_ok, body) = self.send(form.who, form.operation, first.to_string().as_bytes()).await;
            assert!(is_ok, "{}: {}", form.operation, String::from_utf8_lossy(&body));
            let answer: Value = serde_json::from_slice(&body).unwrap();
            input["nextToken"] =
                answer.get("nextToken").unwrap_or_else(|| panic!("{}: {answer}", form.operation)).clone();
        }
        input
    }

    /// What every operation that only reads answers, without what pages it.
    pub(super) async fn shown(&self) -> Vec<(String, Value)> {
        let mut shown = Vec::new();
        // The audit log has more to show after each request.
        let reading = |form: &Form| {
            form.operation != "ListAuditRecords"
                && ["Get", "List", "Simulate"].iter().any(|verb| form.operation.starts_with(verb))
        };
        for form in forms(&self.ids).into_iter().flat_map(|(_, forms)| forms).filter(reading) {
            let input = but(form.input.clone(), json!({ "nextToken": null, "maxResults": null }));
            let (is_ok, body) = self.send(form.who, form.operation, input.to_string().as_bytes()).await;
            assert!(is_ok, "{} {input}: {}", form.operation, String::from_utf8_lossy(&body));
            shown.push((format!("{} {input}", form.operation), serde_json::from_slice(&body).unwrap()));
        }
        shown
    }
}

/// With the version 1.0, which is not the newest.
fn at_1_0(create: Value) -> Value {
    but(create, json!({ "templateMinorVersion": "0" }))
}
