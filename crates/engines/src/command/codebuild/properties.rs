//! What a template lays over the build project: some of it each build can say for itself, the rest only a project.

use serde_json::{Map, Value};

use crate::Commands;

/// What is Protium's to say, and why a template can't.
const KEPT: [(&str, &str); 5] = [
    ("Name", "builds are found by it"),
    ("ServiceRole", "it is the role of the environment: set codebuildRoleArn"),
    ("Source", "it is the bundle"),
    ("Artifacts", "outputs are in proton-outputs.json"),
    ("LogsConfig", "the server reads the log where it has it written"),
];
/// The members of `Environment` that each build can say for itself.
const OF_BUILDS: [&str; 8] = [
    "Type",
    "Image",
    "ComputeType",
    "PrivilegedMode",
    "Certificate",
    "ImagePullCredentialsType",
    "RegistryCredential",
    "EnvironmentVariables",
];

/// `project_properties`, sorted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Properties {
    /// The time limit, in minutes.
    pub(super) minutes: Option<i32>,
    /// How long a build may wait for a machine, in minutes.
    pub(super) queued_minutes: Option<i32>,
    /// The members of `Environment` that are each build's.
    pub(super) environment: Map<String, Value>,
    /// What only a project has.
    project: Map<String, Value>,
}

impl Properties {
    /// The message names the property that is wrong.
    pub(super) fn of(commands: &Commands) -> Result<Self, String> {
        let given = match &commands.project_properties {
            Value::Null => return Ok(Self::default()),
            Value::Object(given) => given,
            other => return Err(format!("project_properties is {other}, not a mapping of properties of a project.")),
        };
        let mut properties = Self::default();
        for (name, value) in given {
            if let Some((_, why)) = KEPT.iter().find(|(kept, _)| kept == name) {
                return Err(format!("project_properties.{name} can't be set: {why}. Remove it from the manifest."));
            }
            match name.as_str() {
                "TimeoutInMinutes" => properties.minutes = Some(minutes(name, value, 2_160)?),
                "QueuedTimeoutInMinutes" => properties.queued_minutes = Some(minutes(name, value, 480)?),
                "Environment" => properties.environment(value)?,
                _ => {
                    properties.project.insert(name.clone(), lists(value));
                }
            }
        }
        Ok(properties)
    }

    fn environment(&mut self, value: &Value) -> Result<(), String> {
        let Value::Object(members) = value else {
            return Err(format!("project_properties.Environment is {value}, not a mapping."));
        };
        let mut rest = Map::new();
        for (name, value) in members {
            let member = lists(value);
            check(name, &member)?;
            let target = if OF_BUILDS.contains(&name.as_str()) { &mut self.environment } else { &mut rest };
            target.insert(name.clone(), member);
        }
        if !rest.is_empty() {
            self.project.insert("Environment".to_owned(), Value::Object(rest));
        }
        Ok(())
    }

    /// Whether builds of another project will not do.
    pub(super) fn need_a_project(&self) -> bool {
        !self.project.is_empty()
    }

    /// A text of `Environment`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.environment.get(name).and_then(Value::as_str)
    }

    /// Lays what only a project has over `project`.
    pub(super) fn lay_over(&self, project: &mut Value) {
        for (name, value) in &self.project {
            match (project.get_mut(name), value) {
                (Some(Value::Object(below)), Value::Object(above)) => {
                    below.extend(above.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                _ => project[name.as_str()] = value.clone(),
            }
        }
    }
}

/// What each build says has to be of the right type; what goes into the stack, CloudFormation looks at.
fn check(name: &str, value: &Value) -> Result<(), String> {
    let (fits, wanted) = match name {
        "PrivilegedMode" => (truth(value).is_some(), "true or false"),
        "EnvironmentVariables" => {
            let one = |one: &Value| one["Name"].is_string() && one["Value"].is_string();
            (value.as_array().is_some_and(|list| list.iter().all(one)), "a list of Name and Value")
        }
        "RegistryCredential" => (value["Credential"].is_string(), "a mapping with Credential and CredentialProvider"),
        "Type" | "Image" | "ComputeType" | "Certificate" | "ImagePullCredentialsType" => (value.is_string(), "text"),
        _ => (true, ""),
    };
    match fits {
        true => Ok(()),
        false => Err(format!("project_properties.Environment.{name} is {value}, not {wanted}.")),
    }
}

/// Rendered values are texts.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn minutes(name: &str, value: &Value, most: i32) -> Result<i32, String> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| i32::try_from(number).ok()).filter(|minutes| (5..=most).contains(minutes));
    number.ok_or_else(|| format!("project_properties.{name} is {value}, not a number of minutes from 5 to {most}."))
}

/// A list that was rendered is its text, as in `Subnets: "{{ environment.inputs.subnets }}"`: it becomes a list again.
fn lists(value: &Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            let list = [text.clone(), text.replace('\'', "\"")];
            let list = list.iter().find_map(|text| serde_json::from_str::<Vec<Value>>(text).ok());
            list.map_or_else(|| value.clone(), Value::Array)
        }
        Value::Array(items) => Value::Array(items.iter().map(lists).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), lists(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(properties: Value) -> Result<Properties, String> {
        let commands = json!({"provision": ["true"], "project_properties": properties});
        Properties::of(&serde_json::from_value(commands).unwrap())
    }

    #[test]
    fn what_builds_can_say_is_kept_from_the_project() {
        let given = of(json!({
            "TimeoutInMinutes": "30",
            "Environment": {"ComputeType": "BUILD_GENERAL1_LARGE", "PrivilegedMode": "True"},
        }));
        let given = given.unwrap();
        assert_eq!(given.minutes, Some(30));
        assert_eq!(given.text("ComputeType"), Some("BUILD_GENERAL1_LARGE"));
        assert_eq!(given.environment.get("PrivilegedMode").and_then(truth), Some(true));
        assert!(!given.need_a_project());
    }

    #[test]
    fn lists_that_were_rendered_are_lists_in_the_project() {
        let vpc = json!({"VpcId": "vpc-1", "Subnets": "['subnet-1', 'subnet-2']", "SecurityGroupIds": ["sg-1"]});
        let given = of(json!({"VpcConfig": vpc, "Environment": {"Fleet": {"FleetArn": "arn"}}})).unwrap();
        let mut project = json!({"Environment": {"Image": "i"}});
        given.lay_over(&mut project);
        assert!(given.need_a_project());
        let expected = json!({
            "Environment": {"Image": "i", "Fleet": {"FleetArn": "arn"}},
            "VpcConfig": {"VpcId": "vpc-1", "Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        });
        assert_eq!(project, expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (given, said) in [
            (json!("x"), "project_properties is \"x\""),
            (json!({"Name": "mine"}), "project_properties.Name can't be set: builds are found by it"),
            (json!({"ServiceRole": "r"}), "set codebuildRoleArn"),
            (json!({"TimeoutInMinutes": 3}), "project_properties.TimeoutInMinutes is 3, not a number of minutes"),
            (json!({"QueuedTimeoutInMinutes": "soon"}), "QueuedTimeoutInMinutes is \"soon\""),
            (json!({"Environment": []}), "project_properties.Environment is [], not a mapping"),
            (json!({"Environment": {"Image": 7}}), "project_properties.Environment.Image is 7, not text"),
            (json!({"Environment": {"EnvironmentVariables": [{"Name": "A"}]}}), "not a list of Name and Value"),
        ] {
            let message = of(given).unwrap_err();
            assert!(message.contains(said), "{message}");
        }
    }
}
