//! What provisions a part of a bundle, and where self-managed provisioning keeps its files.

use crate::deployment::{Target, TargetKind};

/// A way of provisioning that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// CloudFormation stacks, made by the server.
    CloudFormation,
    /// Terraform that somebody else applies, who then notifies the end.
    SelfManaged,
    /// Commands that a runner of the server runs.
    Commands,
}

impl Method {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::SelfManaged => "self_managed",
            Self::Commands => "commands",
        }
    }

    /// Reads a name of the store.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::CloudFormation, Self::SelfManaged, Self::Commands].into_iter().find(|method| method.as_str() == text)
    }

    /// What provisions parts whose manifest asks for `engine` (`cloudformation`, `terraform`, `codebuild`);
    /// `None`: nothing that is built.
    pub fn of_part(engine: &str) -> Option<Self> {
        match engine {
            "cloudformation" => Some(Self::CloudFormation),
            "terraform" => Some(Self::SelfManaged),
            "codebuild" => Some(Self::Commands),
            _ => None,
        }
    }

    /// Whether its deployments end when a caller says so.
    pub fn ends_by_notification(self) -> bool {
        match self {
            Self::CloudFormation | Self::Commands => false,
            Self::SelfManaged => true,
        }
    }

    /// Whether what it made is destroyed with what that was made from, not by a name alone.
    pub fn destroys_from_files(self) -> bool {
        match self {
            Self::CloudFormation | Self::SelfManaged => false,
            Self::Commands => true,
        }
    }
}

/// The folder of a target's files in the repository that it is provisioned from.
pub fn folder(target: &Target) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let environment = name(&target.environment);
    match target.kind {
        TargetKind::Environment => format!("{environment}/"),
        TargetKind::ServiceInstance => format!("{environment}/{}-{}/", name(&target.service), name(&target.instance)),
        TargetKind::ServicePipeline => format!("{}/pipeline/", name(&target.service)),
        TargetKind::Component => format!("{environment}/components/{}/", name(&target.component)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn methods_are_read_back() {
        for method in [Method::CloudFormation, Method::SelfManaged, Method::Commands] {
            assert_eq!(Method::parse(method.as_str()), Some(method));
        }
        assert_eq!((Method::parse("terraform"), Method::of_part("cobol")), (None, None));
    }

    #[test]
    fn each_kind_of_target_has_its_folder() {
        let target = |kind, names: [&str; 4]| {
            let [environment, service, instance, component] =
                names.map(|name| (!name.is_empty()).then(|| name.to_owned()));
            let id = Id::from_random([0; 16]);
            Target { kind, id, arn: String::new(), created_at: 0, environment, service, instance, component }
        };
        for (target, expected) in [
            (target(TargetKind::Environment, ["dev", "", "", ""]), "dev/"),
            (target(TargetKind::ServiceInstance, ["dev", "web", "blue", ""]), "dev/web-blue/"),
            (target(TargetKind::ServicePipeline, ["", "web", "", ""]), "web/pipeline/"),
            (target(TargetKind::Component, ["dev", "web", "blue", "db"]), "dev/components/db/"),
        ] {
            assert_eq!(folder(&target), expected);
        }
    }
}
