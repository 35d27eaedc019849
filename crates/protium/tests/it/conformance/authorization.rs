//! The authorization matrix: what each request is asked about, and what becomes of it with such policies.
//!
//! Which permissions a request needs is found as a caller would find it: what a refusal names is added to the caller's
//! policy, until nothing is refused any more. The matrix is a snapshot, for people to read; a new operation has no row
//! in it.

use super::form::{Form, Ids, forms};
use super::site::Site;
use crate::support::app::{Refused, TestApp, target};
use crate::support::database::TestDb;
use crate::support::service::but;
use protium_api::Operation;
use protium_domain::arn::{self, Resource};
use protium_domain::iam::Policies;
use protium_domain::iam::actions::{self, Action, ENVIRONMENT_TEMPLATE, ResourceType, SERVICE_TEMPLATE};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DENIED: &str = "AccessDeniedException";
/// More permissions than any request needs.
const MANY: usize = 10;
const HEAD: &str = "\
Of each request: the permissions that it needs, and what it is answered by a caller
  allowed        whom policies allow just these
  not mentioned  whom they allow something else
  denied         whom they allow everything, and deny the first
  met, unmet     whom they allow the first under a condition on this key
  account        of another account, with the same policy
  region         who signs for another region, with the same policy
";

/// A permission: an action on a resource.
type Need = (String, String);

fn statement(effect: &str, (action, resource): &Need) -> Value {
    json!({ "Effect": effect, "Action": action, "Resource": resource })
}

fn allow(needs: &[Need]) -> Vec<Value> {
    needs.iter().map(|need| statement("Allow", need)).collect()
}

/// The action and the resource that a refusal names.
fn named(refused: &Refused) -> Option<Need> {
    let (_, rest) = refused.message.split_once(" is not authorized to perform: ")?;
    let (action, rest) = rest.split_once(" on resource: ")?;
    let (resource, _) = rest.split_once(' ')?;
    Some((action.to_owned(), resource.to_owned()))
}

/// The row of the operation in the table of actions.
fn action(operation: &str) -> &'static Action {
    let service = if target(operation).starts_with("AwsProton") { "proton" } else { "protium" };
    actions::find(&format!("{service}:{operation}")).expect("a row")
}

/// A condition on the first permission: its key, the operator, a value that meets it and one that does not.
fn condition(form: &Form) -> (&'static str, &'static str, String, String) {
    let template = |kind: &str, name: &str| format!("arn:aws:proton:*:*:{kind}-template/{name}");
    let action = action(form.operation);
    if action.keys.contains(&ENVIRONMENT_TEMPLATE) {
        let name = form.input["templateName"].as_str().unwrap_or("*");
        return (ENVIRONMENT_TEMPLATE, "ArnLike", template("environment", name), template("environment", "other"));
    }
    if action.keys.contains(&SERVICE_TEMPLATE) {
        let name = form.input["templateName"].as_str().unwrap_or("*");
        return (SERVICE_TEMPLATE, "ArnLike", template("service", name), template("service", "other"));
    }
    if form.input.get("tags").is_some() {
        return ("aws:RequestTag/team", "StringEquals", "blue".to_owned(), "red".to_owned());
    }
    if !action.resources.is_empty()
        && form.input["resourceArn"].as_str().is_some_and(|arn| arn.ends_with("environment/idle"))
    {
        return ("aws:ResourceTag/team", "StringEquals", "red".to_owned(), "blue".to_owned());
    }
    ("aws:RequestedRegion", "StringEquals", "us-east-1".to_owned(), "eu-west-1".to_owned())
}

struct Matrix<'a> {
    site: &'a Site,
}

impl Matrix<'_> {
    /// The code of the answer to a user of `app` with these statements, or `OK`. What it changed is undone.
    async fn answered(&self, app: &TestApp, form: &Form, statements: Vec<Value>) -> Result<(), Refused> {
        let user = app.as_user("ada", statements.into());
        let input = but(form.input.clone(), json!({ "nextToken": null }));
        let answer = user.call(form.operation, input).await;
        let changed = self.site.changed().await;
        if !changed.is_empty() {
            assert!(answer.is_ok(), "{}: {answer:?}, and it changed {changed:?}", form.operation);
            self.site.restore(&changed).await;
        }
        answer.map(drop)
    }

    /// The permissions that the request needs, in the order in which they are asked for.
    async fn needs(&self, app: &TestApp, form: &Form) -> Vec<Need> {
        let mut needs = Vec::new();
        while let Err(refused) = self.answered(app, form, allow_or_nothing(&needs)).await {
            assert_eq!(refused.code, DENIED, "{}: {refused:?}", form.operation);
            let need = named(&refused).unwrap_or_else(|| panic!("{}: {refused:?}", form.operation));
            assert!(needs.len() < MANY && !needs.contains(&need), "{}: {refused:?}", form.operation);
            needs.push(need);
        }
        needs
    }

    async fn row(&self, form: &Form) -> String {
        let app = self.site.of(form.who);
        let needs = self.needs(app, form).await;
        let (first, others) = needs.split_first().unwrap_or_else(|| panic!("{} needs nothing", form.operation));
        let action = action(form.operation);
        assert_eq!(first.0, action.name);
        assert!(is_of(action, &first.1), "{}: {}", first.0, first.1);
        let code = |answer: Result<(), Refused>| answer.map_or_else(|refused| refused.code, |()| "OK".to_owned());
        let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let (key, operator, right, wrong) = condition(form);
        let when = |value: &str| {
            let mut conditional = statement("Allow", first);
            conditional["Condition"] = json!({ operator: { key: value } });
            let mut statements = allow(others);
            statements.push(conditional);
            statements
        };
        let elsewhere = app.in_account("333333333333");
        let mut cells = Vec::new();
        for (app, statements) in [
            (app, allow(&needs)),
            (app, allow(&[("s3:GetObject".to_owned(), "*".to_owned())])),
            (app, vec![everything, statement("Deny", first)]),
            (app, when(&right)),
            (app, when(&wrong)),
            (&elsewhere, allow(&needs)),
            (&app.in_region("eu-west-1"), allow(&needs)),
        ] {
            cells.push(code(self.answered(app, form, statements).await));
        }
        assert_eq!(cells.get(..5).unwrap(), ["OK", DENIED, DENIED, "OK", DENIED], "{}", form.operation);
        let needs: Vec<String> =
            needs.iter().map(|(action, resource)| format!("    {action} on {resource}\n")).collect();
        let names = ["allowed", "not mentioned", "denied"];
        let mut row = format!("\n{}\n{}    ", form.operation, needs.concat());
        for (name, cell) in names.iter().zip(&cells) {
            row.push_str(&format!("{name}: {cell}, "));
        }
        row.push_str(&format!(
            "{key} met: {}, unmet: {}, account: {}, region: {}\n",
            cells[3], cells[4], cells[5], cells[6]
        ));
        row
    }
}

/// A user without policies is one that has none for this.
fn allow_or_nothing(needs: &[Need]) -> Vec<Value> {
    if needs.is_empty() { allow(&[("s3:GetObject".to_owned(), "*".to_owned())]) } else { allow(needs) }
}

/// Whether a resource is of a type that the table has for the action.
fn is_of(action: &Action, resource: &str) -> bool {
    match arn::parse(resource) {
        Some((_, resource)) => type_of(&resource).is_some_and(|kind| action.resources.contains(&kind)),
        None if resource.starts_with("arn:aws:iam::") => {
            action.resources.iter().any(|kind| is_identity(resource, *kind))
        }
        None => resource == "*" && (action.resources.is_empty() || action.is_optional),
    }
}

/// Whether an ARN is written as those of users, groups and the like are.
fn is_identity(arn: &str, kind: ResourceType) -> bool {
    let part = |arn: &str| arn.split(':').nth(5).and_then(|name| name.split_once('/')).map(|(kind, _)| kind.to_owned());
    !ResourceType::PROTON.contains(&kind) && part(kind.arn()) == part(arn)
}

fn type_of(resource: &Resource) -> Option<ResourceType> {
    Some(match resource {
        Resource::EnvironmentTemplate(_) => ResourceType::EnvironmentTemplate,
        Resource::ServiceTemplate(_) => ResourceType::ServiceTemplate,
        Resource::Environment(_) => ResourceType::Environment,
        Resource::Service(_) => ResourceType::Service,
        Resource::ServiceInstance { .. } => ResourceType::ServiceInstance,
        Resource::Component(_) => ResourceType::Component,
        Resource::Repository(_) => ResourceType::Repository,
        Resource::EnvironmentAccountConnection(_) => ResourceType::EnvironmentAccountConnection,
        Resource::Deployment(_) => ResourceType::Deployment,
        // Policies do not know them.
        Resource::EnvironmentTemplateVersion(..)
        | Resource::ServiceTemplateVersion(..)
        | Resource::ServicePipeline(_) => return None,
    })
}

/// With names in the place of ids that are others each time.
fn named_ids(mut text: String, ids: &Ids) -> String {
    for (name, id) in ids.connections.iter().chain(&ids.deployments) {
        text = text.replace(id, &format!("<{name}>"));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_decided_by_policies() {
    let db = TestDb::sqlite().await;
    let site = Site::on(&db).await;
    let matrix = Matrix { site: &site };
    let (mut table, mut seen) = (HEAD.to_owned(), BTreeSet::new());
    for form in forms(&site.ids).into_iter().flat_map(|(_, forms)| forms) {
        table.push_str(&matrix.row(&form).await);
        seen.insert(form.operation);
    }
    let all: BTreeSet<&str> = Operation::ALL.iter().map(|operation| operation.name()).collect();
    assert_eq!(seen, all, "each operation needs a form");
    insta::assert_snapshot!("authorization", named_ids(table, &site.ids));
}

/// Whatever it asks for, existing or not: it is refused, and learns nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_policy_is_refused_everything() {
    let db = TestDb::sqlite().await;
    let site = Site::on(&db).await;
    for form in forms(&site.ids).into_iter().flat_map(|(_, forms)| forms) {
        let nobody = site.of(form.who).with_policies("nobody", Policies::default());
        let input = but(form.input.clone(), json!({ "nextToken": null }));
        let refused = nobody.call(form.operation, input.clone()).await.expect_err(form.operation);
        assert_eq!(refused.code, DENIED, "{} {input}", form.operation);
        assert_eq!(site.changed().await, Vec::<String>::new(), "{}", form.operation);
    }
}
