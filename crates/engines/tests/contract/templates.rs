//! Templates that are too long to be sent inline, and files that make no template.

use std::collections::BTreeMap;

use protium_engines::cloudformation::TemplateBucket;
use protium_engines::{Order, Outcome, Role};

use crate::site::{Site, apply};

fn long(deployment: &str, bytes: usize) -> Order {
    let template = format!(r#"{{"Description":"{}","Outputs":{{"Name":{{"Value":"long"}}}}}}"#, "x".repeat(bytes));
    Order { files: BTreeMap::from([("cloudformation.yaml".to_owned(), template)]), ..apply(deployment) }
}

async fn with_bucket() -> Site {
    let mut site = Site::new().await;
    site.bucket = Some(TemplateBucket { name: "templates".to_owned(), region: None });
    site
}

fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(message) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_long_template_goes_through_the_bucket_with_the_credentials_of_the_role() {
    let site = with_bucket().await;
    site.double.make_bucket("templates");
    let role =
        Role { arn: "arn:aws:iam::123456789012:role/deploy".into(), session_name: "prod".into(), external_id: None };
    let end = site.run(&Order { role: Some(role), ..long("d1", 60_000) }).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(end.outputs.get("Name").and_then(|v| v.as_str()), Some("long"));
    let calls = site.double.calls();
    let put = calls.iter().find(|call| call.action == "PutObject").expect("it was put");
    assert_eq!(put.account, "123456789012");
    let create = calls.iter().find(|call| call.action == "CreateStack").expect("it was created");
    assert!(!create.parameters.contains_key("TemplateBody"));
    assert!(create.parameters["TemplateURL"].starts_with("https://s3.us-east-1.amazonaws.com/templates/protium/"));
}

#[tokio::test]
async fn templates_with_roles_and_macros_are_created_and_updated() {
    let site = Site::new().await;
    let with_role = |deployment: &str, name: &str| {
        let template = format!(
            r#"{{"Transform":"AWS::Serverless-2016-10-31","Resources":{{"Role":{{"Type":"AWS::IAM::Role","Properties":{{"RoleName":"{name}"}}}}}}}}"#
        );
        Order { files: BTreeMap::from([("cloudformation.yaml".to_owned(), template)]), ..apply(deployment) }
    };
    for (deployment, name, call) in [("d1", "a", "CreateStack"), ("d2", "b", "UpdateStack")] {
        let end = site.run(&with_role(deployment, name)).await;
        assert_eq!(end.outcome, Outcome::Succeeded, "{call}");
        assert_eq!(site.double.effects(call), 1);
    }
}

#[tokio::test]
async fn a_short_template_needs_no_bucket() {
    let site = with_bucket().await;
    let end = site.run(&apply("d1")).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(site.double.count("PutObject"), 0);
}

#[tokio::test]
async fn without_a_bucket_a_long_template_fails_and_names_the_flag() {
    let site = Site::new().await;
    let message = failure(site.run(&long("d1", 60_000)).await.outcome);
    assert!(message.contains("--aws-template-bucket") && message.contains("51200"), "{message}");
    assert_eq!(site.double.count("CreateStack"), 0);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_fails_the_order_by_name() {
    let site = with_bucket().await;
    let message = failure(site.run(&long("d1", 60_000)).await.outcome);
    assert!(message.contains("bucket templates") && message.contains("--aws-template-bucket"), "{message}");
}

#[tokio::test]
async fn a_template_that_no_bucket_helps_fails_with_its_size() {
    let site = with_bucket().await;
    let message = failure(site.run(&long("d1", 1_100_000)).await.outcome);
    assert!(message.contains("1048576"), "{message}");
}

#[tokio::test]
async fn the_main_file_is_the_one_that_is_named_or_the_only_one() {
    let site = Site::new().await;
    let mut order = apply("d1");
    order.files.insert("notes.yaml".to_owned(), "nothing".to_owned());
    let message = failure(site.run(&order).await.outcome);
    assert!(message.contains("cloudformation.yaml, notes.yaml"), "{message}");
    order.main_file = Some("stack.yaml".to_owned());
    let message = failure(site.run(&order).await.outcome);
    assert!(message.contains("stack.yaml") && message.contains("notes.yaml"), "{message}");
    order.main_file = Some("cloudformation.yaml".to_owned());
    assert_eq!(site.run(&order).await.outcome, Outcome::Succeeded);
}
