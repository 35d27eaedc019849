//! Condition keys: how they are written, and which ones can be.
//!
//! Names are compared without regard to case (IAM User Guide, "IAM JSON policy elements: Condition"). A key of `aws:`
//! or of our own services that does not exist can only be a slip, and a slip in a condition opens or shuts what it
//! should not: it is refused. Keys of other services and of identity providers are taken as they are; no request to
//! us has the former, and the latter are in requests for a role.

use super::problem::{Wrong, quote};
use crate::bundle::problem::did_you_mean;

/// The global condition keys (IAM User Guide, "AWS global condition context keys"). What ends in `/` is followed by
/// the key of a tag.
const GLOBAL: &[&str] = &[
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:CurrentTime",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:RequestTag/",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:SignInSessionArn",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSService",
    "aws:VpcSourceIp",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:referer",
    "aws:userid",
    "aws:username",
];

/// The keys of our own services.
const OWN: &[&str] = &[super::actions::ENVIRONMENT_TEMPLATE, super::actions::SERVICE_TEMPLATE];

/// Global keys that have several values.
const MULTIVALUED: &[&str] = &[
    "aws:CalledVia",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceNamesList",
    "aws:ResourceOrgPaths",
    "aws:SourceOrgPaths",
    "aws:TagKeys",
    "aws:VpceOrgPaths",
];

/// A condition key as it was written.
#[derive(Clone, Debug)]
pub(super) struct Key(Box<str>);

impl Key {
    /// Reads `service:name`, or `provider.example/path:claim`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let form = || {
            let message = format!("{} is no condition key", quote(text));
            (message, "write it as service:name, such as aws:SourceIp or proton:ServiceTemplate".to_owned())
        };
        let (service, name) = text.split_once(':').ok_or_else(form)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-_/".contains(c);
        if service.is_empty() || name.is_empty() || !service.chars().all(legal) || text.contains(['$', '{', '}']) {
            return Err(form());
        }
        match service.to_ascii_lowercase().as_str() {
            "aws" => check_known(text, GLOBAL)?,
            "proton" | "protium" => check_known(text, OWN)?,
            _ => {}
        }
        Ok(Self(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether requests have several values of it, so that a condition must say how to go about them.
    pub(super) fn is_multivalued(&self) -> bool {
        MULTIVALUED.iter().any(|key| key.eq_ignore_ascii_case(&self.0))
    }
}

fn check_known(text: &str, known: &[&str]) -> Result<(), Wrong> {
    let (name, tag) = match text.split_once('/') {
        Some((name, tag)) => (text.get(..=name.len()).unwrap_or(name), Some(tag)),
        None => (text, None),
    };
    if tag == Some("") {
        let message = format!("{} names no tag", quote(text));
        return Err((message, "write the tag's key after the slash".to_owned()));
    }
    if known.iter().any(|key| key.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let message = format!("there is no condition key {}", quote(text));
    let remedy = match did_you_mean(name, known.iter().copied()) {
        Some(meant) if meant.ends_with('/') && tag.is_none() => format!("write {meant} and the key of a tag"),
        Some(meant) => format!("did you mean {meant}?"),
        None if known.len() > 5 => "see the list of AWS's global condition keys".to_owned(),
        None => format!("there are {}", known.join(" and ")),
    };
    Err((message, remedy))
}

/// Whether a key of a request is the one that `key` names.
pub(super) fn same(key: &str, other: &str) -> bool {
    key.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_can_be_are_read_in_any_case() {
        for key in [
            "aws:SourceIp",
            "AWS:sourceip",
            "aws:PrincipalTag/cost:center/x",
            "proton:ServiceTemplate",
            "s3:prefix",
            "token.actions.githubusercontent.com:sub",
            "oidc.eks.eu-west-1.amazonaws.com/id/ABC:aud",
        ] {
            assert!(Key::parse(key).is_ok(), "{key}");
        }
    }

    #[test]
    fn keys_that_can_not_be_are_refused_with_what_was_meant() {
        for (key, why) in [
            ("aws:PrincipleTag/x", "did you mean aws:PrincipalTag/?"),
            ("aws:PrincipalTag", "write aws:PrincipalTag/ and the key of a tag"),
            ("aws:RequestTag/", "write the tag's key after the slash"),
            ("aws:SourceIp/x", "did you mean aws:SourceIp?"),
            ("aws:NoSuchThing", "see the list of AWS's global condition keys"),
            ("proton:EnvironmentTemplates", "did you mean proton:EnvironmentTemplate?"),
            ("protium:x", "there are proton:EnvironmentTemplate and proton:ServiceTemplate"),
            ("SourceIp", "write it as service:name"),
            (":x", "write it as service:name"),
            ("s3:", "write it as service:name"),
            ("${aws:username}:x", "write it as service:name"),
        ] {
            let (_, remedy) = Key::parse(key).expect_err(key);
            assert!(remedy.starts_with(why), "{key}: {remedy}");
        }
    }
}
