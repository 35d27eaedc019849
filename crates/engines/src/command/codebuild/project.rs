//! The project that builds run in, and the stack that it is made by.
//!
//! An environment has one, which whoever is deployed to it uses; the pipelines of an account share one. What only a
//! project can say (a VPC, say) is the environment's to say; another resource whose template does gets a project of
//! its own.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

use super::super::remote::{Begin, RemoteRun};
use super::properties::Properties;
use super::{CodeBuildSettings, Stage};
use crate::cloudformation::CloudFormation;
use crate::{Cursor, End, Intent, Order, Outcome, Step, Transient};

/// How long the log of a run is kept by AWS. The server has a copy.
const LOG_DAYS: u32 = 30;
/// How long the source of a run is kept if it is not removed before. S3 counts in days.
const SOURCE_DAYS: u32 = 1;
/// What CodeBuild takes as a time limit, in minutes.
const MINUTES: (u64, u64) = (5, 2_160);
/// How much of the hash of an owner its names have.
const KEY: usize = 16;

/// Where builds run: what a stack made, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) project: String,
    pub(super) bucket: String,
    pub(super) group: String,
}

/// A project as a run needs it.
pub(super) struct Project {
    stack: Order,
    name: String,
    group: String,
    /// The hash of the template that it must be made from; any will do for those whose project it is not.
    template: Option<String>,
    minutes: i32,
}

impl Project {
    /// The message says why there can't be one.
    pub(super) fn of(run: &RemoteRun<'_>, settings: &CodeBuildSettings) -> Result<Self, String> {
        let order = run.order;
        let Some(role) = &order.role else {
            return Err("Runs on AWS CodeBuild need a role. Give the environment a codebuildRoleArn (or its account \
                        connection; pipelines have the account's pipelineCodebuildRoleArn), and deploy again."
                .to_owned());
        };
        let properties = Properties::of(run.commands)?;
        let (owner, is_own) = owner(order, &properties);
        let key = key(&owner);
        let mut stack = stack(order, &owner);
        let template = template(&key, &role.arn, &properties, settings);
        // What others share has nobody's tags: it would change with each of them.
        if owner != order.resource_id {
            stack.tags.clear();
        }
        let hash = hash(&json!([template, stack.tags]));
        stack.files = BTreeMap::from([("project.json".to_owned(), with_hash(template, &hash).to_string())]);
        let minutes = minutes(run.time_limit, &properties);
        Ok(Self { stack, name: project_name(&key), group: group(&key), template: is_own.then_some(hash), minutes })
    }

    /// The next step to have it.
    pub(super) async fn step(
        &self,
        stacks: &CloudFormation,
        run: &RemoteRun<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Begin, Transient> {
        let order = Order { time_limit: run.time_limit, ..self.stack.clone() };
        let current = |outputs: &[(String, String)]| {
            let made_from = output(outputs, "Template");
            made_from.is_some_and(|hash| self.template.as_ref().is_none_or(|wanted| wanted == hash))
        };
        Ok(match stacks.share(&order, cursor, &current).await? {
            Step::Wait { cursor, after, note } => Begin::Not {
                state: Stage::Project { cursor }.state(),
                after,
                note: Some(match note {
                    Some(note) => format!("The build project is prepared. {note}"),
                    None => "The build project is prepared.".to_owned(),
                }),
            },
            Step::Ended(End { outcome: Outcome::Succeeded, outputs, .. }) => match outputs.get("Bucket") {
                Some(Value::String(bucket)) => self.ready(bucket),
                _ => Begin::Refused(format!(
                    "The stack {} has no output Bucket: somebody else has changed it. Delete it, and deploy again.",
                    order.physical_name
                )),
            },
            Step::Ended(End { outcome: Outcome::Failed(why), .. }) => Begin::Refused(super::builds::remedy(format!(
                "The build project can't be made (stack {}): {why}",
                order.physical_name
            ))),
            Step::Ended(End { outcome: Outcome::Cancelled, .. }) => {
                Begin::Refused("Making the build project was cancelled. Deploy again.".to_owned())
            }
        })
    }

    fn ready(&self, bucket: &str) -> Begin {
        let place = Place { project: self.name.clone(), bucket: bucket.to_owned(), group: self.group.clone() };
        Begin::Not {
            state: Stage::Start { place, minutes: self.minutes }.state(),
            after: Duration::ZERO,
            note: Some("The build is to be started.".to_owned()),
        }
    }
}

/// The order for the stack that goes when its resource does.
pub(super) fn own(order: &Order) -> Order {
    stack(order, &order.resource_id)
}

/// The projects that builds of the order's resource may be in: today's template may say another one than that of an
/// earlier deployment.
pub(super) fn all(order: &Order) -> [String; 2] {
    [shared(order), order.resource_id.clone()].map(|owner| project_name(&key(&owner)))
}

/// The bucket that a stack has.
pub(super) fn bucket(outputs: &[(String, String)]) -> Option<&str> {
    output(outputs, "Bucket")
}

fn output<'a>(outputs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    outputs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Whose project a run uses, and whether that is for it to say how the project is.
fn owner(order: &Order, properties: &Properties) -> (String, bool) {
    if properties.need_a_project() {
        return (order.resource_id.clone(), true);
    }
    (shared(order), order.environment_id.as_ref().is_none_or(|environment| *environment == order.resource_id))
}

/// Whose project a run uses that needs none of its own.
fn shared(order: &Order) -> String {
    order.environment_id.clone().unwrap_or_else(|| pipelines(&order.resource_arn))
}

/// All pipelines of an account of the server, in a region: the first five parts of their ARNs.
fn pipelines(arn: &str) -> String {
    let account: Vec<&str> = arn.split(':').take(5).collect();
    format!("{}:pipelines", account.join(":"))
}

fn key(owner: &str) -> String {
    hex::encode(Sha256::digest(owner.as_bytes())).chars().take(KEY).collect()
}

fn project_name(key: &str) -> String {
    format!("AWSProton-CodeBuild-{key}")
}

fn group(key: &str) -> String {
    format!("/aws/codebuild/AWSProton-Shell-{key}")
}

fn stack(order: &Order, owner: &str) -> Order {
    Order {
        resource_id: owner.to_owned(),
        intent: Intent::Apply,
        physical_name: project_name(&key(owner)),
        physical_id: None,
        files: BTreeMap::new(),
        main_file: None,
        bundle: BTreeMap::new(),
        commands: None,
        notify_url: None,
        ..order.clone()
    }
}

fn minutes(time_limit: Duration, properties: &Properties) -> i32 {
    let wanted = time_limit.as_secs().div_ceil(60).clamp(MINUTES.0, MINUTES.1);
    let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
    properties.minutes.map_or(wanted, |minutes| minutes.min(wanted))
}

fn hash(value: &Value) -> String {
    hex::encode(Sha256::digest(value.to_string().as_bytes()))
}

fn with_hash(mut template: Value, hash: &str) -> Value {
    template["Outputs"]["Template"] = json!({ "Value": hash });
    template
}

/// The template of the stack.
fn template(key: &str, role: &str, properties: &Properties, settings: &CodeBuildSettings) -> Value {
    let mut project = json!({
        "Name": project_name(key),
        "Description": "Runs the commands of templates. Made by Protium, which starts its builds.",
        "ServiceRole": role,
        "Source": {"Type": "NO_SOURCE", "BuildSpec": super::builds::buildspec(&[])},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {
            "Type": super::builds::kind(&settings.image),
            "ComputeType": settings.compute_type,
            "Image": settings.image,
        },
        "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": {"Ref": "Log"}}},
    });
    properties.lay_over(&mut project);
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Where the commands of templates of AWS Proton run. Made by Protium.",
        "Resources": {
            "Log": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": group(key), "RetentionInDays": LOG_DAYS},
            },
            "Sources": {"Type": "AWS::S3::Bucket", "Properties": sources()},
            "Project": {"Type": "AWS::CodeBuild::Project", "Properties": project},
        },
        "Outputs": {"Bucket": {"Value": {"Ref": "Sources"}}},
    })
}

/// The bucket: for nobody else, encrypted, and empty by itself.
fn sources() -> Value {
    json!({
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}],
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "BlockPublicPolicy": true,
            "IgnorePublicAcls": true,
            "RestrictPublicBuckets": true,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {
            "Rules": [{
                "Id": "expire",
                "Status": "Enabled",
                "ExpirationInDays": SOURCE_DAYS,
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": SOURCE_DAYS},
            }],
        },
    })
}
