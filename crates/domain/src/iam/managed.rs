//! The policies that are built in: Protium's own equivalents of AWS's managed policies for Proton.
//!
//! Each allows what AWS's does, as far as it is about Proton, and what came to Proton's reads after AWS last edited
//! it; the rights on other services are left out, since no request to us asks for them. As with AWS, full access to
//! Proton is not the right to give rights.

/// A policy that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    pub name: &'static str,
    pub description: &'static str,
    /// The managed policy of AWS in whose place it is.
    pub in_place_of: &'static str,
    pub document: &'static str,
}

/// All of them, by name.
pub const ALL: &[ManagedPolicy] = &[
    ManagedPolicy {
        name: "ProtiumAdministratorAccess",
        description: "Everything, users and their rights included.",
        in_place_of: "AdministratorAccess",
        document: include_str!("managed/administrator.json"),
    },
    ManagedPolicy {
        name: "ProtiumDeveloperAccess",
        description: "Services, their instances and pipelines; reads templates and environments, and changes neither.",
        in_place_of: "AWSProtonDeveloperAccess",
        document: include_str!("managed/developer.json"),
    },
    ManagedPolicy {
        name: "ProtiumFullAccess",
        description: "Everything but accounts, users and their rights, and the audit log; passes roles and connections.",
        in_place_of: "AWSProtonFullAccess",
        document: include_str!("managed/full.json"),
    },
    ManagedPolicy {
        name: "ProtiumProvisioningAccess",
        description: "What provisioning by commands or by Terraform reports: the outcome of a deployment.",
        in_place_of: "AWSProtonCodeBuildProvisioningBasicAccess",
        document: include_str!("managed/provisioning.json"),
    },
    ManagedPolicy {
        name: "ProtiumReadOnlyAccess",
        description: "Reads everything but the logs of deployments, and changes nothing.",
        in_place_of: "AWSProtonReadOnlyAccess",
        document: include_str!("managed/read-only.json"),
    },
];

/// The built-in policy of that name.
pub fn find(name: &str) -> Option<&'static ManagedPolicy> {
    ALL.iter().find(|policy| policy.name == name)
}

#[cfg(test)]
mod tests;
