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
    /// Terraform that a runner of the server runs.
    Terraform,
}

impl Method {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::SelfManaged => "self_managed",
            Self::Commands => "commands",
            Self::Terraform => "terraform",
        }
    }

    /// Reads a name of the store.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::CloudFormation, Self::SelfManaged, Self::Commands, Self::Terraform];
        all.into_iter().find(|method| method.as_str() == text)
    }

    /// What provisions parts whose manifest asks for `engine` (`cloudformation`, `terraform`, `codebuild`);
    /// `None`: nothing that is built.
    ///
    /// Terraform is self-managed where there is a `repository` to provision from, and else run by the server. What
    /// exists stays with what made it `before`, whatever became of the repository: nobody else has its state.
    pub fn of_part(engine: &str, repository: bool, before: Option<Self>) -> Option<Self> {
        match (engine, before) {
            ("cloudformation", _) => Some(Self::CloudFormation),
            ("codebuild", _) => Some(Self::Commands),
            ("terraform", Some(before @ (Self::SelfManaged | Self::Terraform))) => Some(before),
            ("terraform", _) if repository => Some(Self::SelfManaged),
            ("terraform", _) => Some(Self::Terraform),
            _ => None,
        }
    }

    /// What manifests ask for by it, as [`Method::of_part`] takes it.
    pub fn engine(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::Commands => "codebuild",
            Self::SelfManaged | Self::Terraform => "terraform",
        }
    }

    /// How the API calls what it makes in lists of provisioned resources; it has no name for commands.
    pub fn listed_as(self) -> &'static str {
        match self {
            Self::CloudFormation | Self::Commands => "CLOUDFORMATION",
            Self::SelfManaged | Self::Terraform => "TERRAFORM",
        }
    }

    /// Whether its deployments end when a caller says so.
    pub fn ends_by_notification(self) -> bool {
        match self {
            Self::CloudFormation | Self::Commands | Self::Terraform => false,
            Self::SelfManaged => true,
        }
    }

    /// Whether what it made is destroyed with what that was made from, not by a name alone.
    pub fn destroys_from_files(self) -> bool {
        match self {
            Self::CloudFormation | Self::SelfManaged => false,
            Self::Commands | Self::Terraform => true,
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
        for method in [Method::CloudFormation, Method::SelfManaged, Method::Commands, Method::Terraform] {
            assert_eq!(Method::parse(method.as_str()), Some(method));
            assert_eq!(Method::of_part(method.engine(), false, Some(method)), Some(method));
        }
        assert_eq!(Method::parse("cobol"), None);
    }

    #[test]
    fn terraform_is_run_here_without_a_repository_and_what_exists_stays_with_what_made_it() {
        use Method::{CloudFormation, Commands, SelfManaged, Terraform};
        for (engine, repository, before, expected) in [
            ("cloudformation", false, None, Some(CloudFormation)),
            ("codebuild", true, None, Some(Commands)),
            ("terraform", true, None, Some(SelfManaged)),
            ("terraform", false, None, Some(Terraform)),
            ("terraform", true, Some(Terraform), Some(Terraform)),
            ("terraform", false, Some(SelfManaged), Some(SelfManaged)),
            ("terraform", false, Some(CloudFormation), Some(Terraform)),
            ("cloudformation", false, Some(Terraform), Some(CloudFormation)),
            ("cobol", false, None, None),
        ] {
            assert_eq!(Method::of_part(engine, repository, before), expected, "{engine} {repository} {before:?}");
        }
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
