//! ARNs: the public names of resources, per partition, region and account.

use crate::repository::Provider;
use crate::version::{Version, parse_part};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The account and region that a request works in. Resources of one scope are invisible in others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// The region that the request was signed for, e.g. `us-east-1`.
    pub region: String,
}

/// What an ARN names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    EnvironmentTemplate(String),
    EnvironmentTemplateVersion(String, Version),
    ServiceTemplate(String),
    ServiceTemplateVersion(String, Version),
    Environment(String),
    Service(String),
    ServiceInstance {
        service: String,
        name: String,
    },
    /// The pipeline of the service of that name.
    ServicePipeline(String),
    Component(String),
    /// `provider:owner/name`.
    Repository(String),
    EnvironmentAccountConnection(String),
    Deployment(String),
}

impl fmt::Display for Resource {
    /// The resource part of the ARN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvironmentTemplate(name) => write!(f, "environment-template/{name}"),
            Self::EnvironmentTemplateVersion(name, version) => write!(f, "environment-template/{name}:{version}"),
            Self::ServiceTemplate(name) => write!(f, "service-template/{name}"),
            Self::ServiceTemplateVersion(name, version) => write!(f, "service-template/{name}:{version}"),
            Self::Environment(name) => write!(f, "environment/{name}"),
            Self::Service(name) => write!(f, "service/{name}"),
            Self::ServiceInstance { service, name } => write!(f, "service/{service}/service-instance/{name}"),
            Self::ServicePipeline(service) => write!(f, "service/{service}/pipeline"),
            Self::Component(name) => write!(f, "component/{name}"),
            Self::Repository(name) => write!(f, "repository/{name}"),
            Self::EnvironmentAccountConnection(id) => write!(f, "environment-account-connection/{id}"),
            Self::Deployment(id) => write!(f, "deployment/{id}"),
        }
    }
}

impl Resource {
    fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let owned = || (!name.is_empty() && !name.contains('/')).then(|| name.to_owned());
        match kind {
            "environment-template" => match split_version(name)? {
                (name, Some(version)) => Some(Self::EnvironmentTemplateVersion(name, version)),
                (name, None) => Some(Self::EnvironmentTemplate(name)),
            },
            "service-template" => match split_version(name)? {
                (name, Some(version)) => Some(Self::ServiceTemplateVersion(name, version)),
                (name, None) => Some(Self::ServiceTemplate(name)),
            },
            "environment" => owned().map(Self::Environment),
            "component" => owned().map(Self::Component),
            "repository" => Some(Self::Repository(name.to_owned())),
            "environment-account-connection" => owned().map(Self::EnvironmentAccountConnection),
            "deployment" => owned().map(Self::Deployment),
            "service" => match name.split('/').collect::<Vec<_>>()[..] {
                [service] if !service.is_empty() => Some(Self::Service(service.to_owned())),
                [service, "service-instance", name] => {
                    Some(Self::ServiceInstance { service: service.to_owned(), name: name.to_owned() })
                }
                // Some older clients append the pipeline's id.
                [service, "pipeline"] | [service, "pipeline", _] => Some(Self::ServicePipeline(service.to_owned())),
                _ => None,
            },
            _ => None,
        }
    }
}

/// `name` or `name:major.minor`.
fn split_version(text: &str) -> Option<(String, Option<Version>)> {
    let Some((name, version)) = text.split_once(':') else {
        return Some((text.to_owned(), None));
    };
    let (major, minor) = version.split_once('.')?;
    let version = Version::new(parse_part(major)?, parse_part(minor)?);
    Some((name.to_owned(), Some(version)))
}

impl Scope {
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account: account.into(), region: region.into() }
    }

    /// The ARN of a resource of this scope.
    pub fn arn(&self, resource: &Resource) -> String {
        let partition = partition(&self.region);
        format!("arn:{partition}:proton:{}:{}:{resource}", self.region, self.account)
    }

    pub fn environment(&self, name: &str) -> String {
        self.arn(&Resource::Environment(name.to_owned()))
    }

    pub fn service(&self, name: &str) -> String {
        self.arn(&Resource::Service(name.to_owned()))
    }

    pub fn service_instance(&self, service: &str, name: &str) -> String {
        self.arn(&Resource::ServiceInstance { service: service.to_owned(), name: name.to_owned() })
    }

    pub fn service_pipeline(&self, service: &str) -> String {
        self.arn(&Resource::ServicePipeline(service.to_owned()))
    }

    pub fn repository(&self, provider: Provider, name: &str) -> String {
        self.arn(&Resource::Repository(format!("{}:{name}", provider.in_arn())))
    }

    pub fn component(&self, name: &str) -> String {
        self.arn(&Resource::Component(name.to_owned()))
    }

    pub fn deployment(&self, id: &str) -> String {
        self.arn(&Resource::Deployment(id.to_owned()))
    }
}

/// Reads a Proton ARN; `None` if it is none, or names a kind of resource that does not exist.
pub fn parse(text: &str) -> Option<(Scope, Resource)> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let known_partition = ["aws", "aws-cn", "aws-us-gov"].contains(&partition);
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if arn != "arn" || !known_partition || service != "proton" || region.is_empty() || !is_account {
        return None;
    }
    Some((Scope::new(account, region), Resource::parse(resource)?))
}

/// The account of an ARN of any service, such as an IAM role's.
pub fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| account.len() == 12)
}

/// The partition that a region is in.
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_arn_parses_back() {
        let scope = Scope::new("000000000001", "us-gov-west-1");
        let name = || "n".to_owned();
        for resource in [
            Resource::EnvironmentTemplate(name()),
            Resource::EnvironmentTemplateVersion(name(), Version::new(1, 0)),
            Resource::ServiceTemplate(name()),
            Resource::ServiceTemplateVersion(name(), Version::new(2, 10)),
            Resource::Environment(name()),
            Resource::Service(name()),
            Resource::ServiceInstance { service: name(), name: "i".into() },
            Resource::ServicePipeline(name()),
            Resource::Component(name()),
            Resource::Repository("github:owner/repo".into()),
            Resource::EnvironmentAccountConnection(name()),
            Resource::Deployment(name()),
        ] {
            let arn = scope.arn(&resource);
            assert!(arn.starts_with("arn:aws-us-gov:proton:us-gov-west-1:000000000001:"), "{arn}");
            assert_eq!(parse(&arn), Some((scope.clone(), resource)));
        }
    }

    #[test]
    fn what_is_no_arn_of_ours_is_none() {
        for text in [
            "",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:proton:us-east-1:123:service/x",
            "arn:aws:proton:us-east-1:123456789012:thing/x",
            "arn:aws:proton:us-east-1:123456789012:environment/a/b",
            "arn:aws:proton:us-east-1:123456789012:environment-template/a:x.y",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
