//! Account connections, environments, errors.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_proton::client::Waiters as _;
use aws_sdk_proton::types::{
    DeploymentStatus, EnvironmentAccountConnectionRequesterAccountType as Requester,
    EnvironmentAccountConnectionStatus as Status,
};
use serde_json::{Value, json};

use crate::teller::{Story, value};

impl Story {
    /// Two of another account, for two environments: one is accepted, one is not.
    pub(crate) async fn connections(&mut self) -> Result<()> {
        let role = format!("arn:aws:iam::{}:role/protium", self.setting.other.account);
        for name in ["shared", "refused"] {
            let request = self.other.create_environment_account_connection().environment_name(name);
            let request = request.management_account_id(&self.setting.account).role_arn(&role);
            let made = request.send().await?.environment_account_connection.context("no connection")?;
            ensure!(*made.status() == Status::Pending, "{made:?}");
            self.is_recent(made.requested_at())?;
            self.connections.push(made.id);
        }
        let one_too_many = self.other.create_environment_account_connection().environment_name("one-too-many");
        let one_too_many = one_too_many.management_account_id(&self.setting.account);
        refused!(one_too_many, is_service_quota_exceeded_exception);
        listed!(
            self, self.proton, list_environment_account_connections => environment_account_connections, 2,
            requested_by = Requester::ManagementAccount, statuses = Status::Pending
        );
        listed!(
            self, self.other, list_environment_account_connections => environment_account_connections, 2,
            requested_by = Requester::EnvironmentAccount
        );
        let [accepted, rejected] = [self.connections[0].clone(), self.connections[1].clone()];
        refused!(self.other.accept_environment_account_connection().id(&accepted), is_access_denied_exception);
        self.proton.accept_environment_account_connection().id(&accepted).send().await?;
        self.proton.reject_environment_account_connection().id(&rejected).send().await?;
        for (id, status) in [(accepted, Status::Connected), (rejected, Status::Rejected)] {
            let now = self.other.get_environment_account_connection().id(id).send().await?;
            ensure!(*now.environment_account_connection().context("no connection")?.status() == status, "{now:?}");
        }
        self.note("an account connection is accepted, another one is rejected");
        Ok(())
    }

    pub(crate) async fn environments(&mut self) -> Result<()> {
        let create = |name: &str, inputs: Value| {
            let request = self.proton.create_environment().name(name).spec(self.environment_spec(name, inputs));
            request.template_name("network").template_major_version("1")
        };
        let with_roles = |name: &str, inputs: Value| {
            create(name, inputs).proton_service_role_arn(&self.role).component_role_arn(&self.role)
        };
        with_roles("alpha", json!({})).send().await?;
        let connection = &self.connections[0];
        create("shared", json!({})).environment_account_connection_id(connection).send().await?;
        with_roles("faulty", json!({ "broken": true })).send().await?;
        let wrong = with_roles("nowhere", json!({})).spec("proton: ServiceSpec");
        let message = refused!(wrong, is_validation_exception);
        ensure!(message.contains("EnvironmentSpec"), "{message}");
        wait!(self, wait_until_environment_deployed, name = "alpha");
        wait!(self, wait_until_environment_deployed, name = "shared");
        wait_fails!(self, wait_until_environment_deployed, name = "faulty");
        let all = listed!(self, self.proton, list_environments => environments, 2);
        ensure!(all.len() == 3, "{all:?}");
        let faulty = self.proton.get_environment().name("faulty").send().await?;
        let faulty = faulty.environment().context("no environment")?;
        ensure!(*faulty.deployment_status() == DeploymentStatus::Failed, "{faulty:?}");
        ensure!(faulty.deployment_status_message().is_some_and(|message| !message.is_empty()), "{faulty:?}");
        self.unknown_member().await?;
        let outputs = listed_whole!(self, list_environment_outputs => outputs, 2, environment_name = "alpha");
        ensure!(value(&outputs, "Bucket")? == format!("{}-alpha", self.setting.prefix), "{outputs:?}");
        ensure!(value(&outputs, "Greeting")? == "hello", "{outputs:?}");
        let stacks = listed_whole!(
            self, list_environment_provisioned_resources => provisioned_resources, 1, environment_name = "alpha"
        );
        ensure!(stacks[0].name().is_some_and(|name| name.starts_with("AWSProton-alpha-")), "{stacks:?}");
        self.note("environments are deployed, one in another account, and one has failed");
        Ok(())
    }

    /// A call with a member in its body that no model has is answered like one without.
    async fn unknown_member(&self) -> Result<()> {
        let request = self.proton.get_environment().name("shared").customize().mutate_request(|request| {
            let body = json!({ "name": "shared", "aMemberOfNoModel": { "a": [1] } }).to_string();
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = body.into();
        });
        let answer = request.send().await?;
        let shared = answer.environment().context("no environment")?;
        ensure!(shared.environment_account_id() == Some(&self.setting.other.account), "{shared:?}");
        self.is_recent(shared.last_deployment_succeeded_at())
    }

    pub(crate) async fn errors(&self) -> Result<()> {
        refused!(self.proton.get_environment().name("nowhere"), is_resource_not_found_exception);
        refused!(self.proton.delete_environment_template().name("network"), is_conflict_exception);
        refused!(self.proton.create_environment_template().name("not a name"), is_validation_exception);
        Ok(())
    }
}
