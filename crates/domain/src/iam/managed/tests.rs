//! What the built-in policies allow, and that they say what AWS's do.

use super::*;
use crate::iam::actions::{self, Access};
use crate::iam::{Attachment, Context, IdentityPolicy, NamedPolicy, Policies, Principal, Request};
use std::sync::Arc;

fn allowed(name: &str) -> Vec<&'static str> {
    let managed = find(name).expect(name);
    let policy = IdentityPolicy::parse(managed.document, Attachment::Managed)
        .unwrap_or_else(|problems| panic!("{name}: {}", crate::iam::summary(&problems)));
    let policies =
        Policies { identity: vec![Arc::new(NamedPolicy { name: name.into(), policy })], ..Policies::default() };
    let (ada, context) = (Principal::user("111122223333", "ada", "AIDAEXAMPLE"), Context::new());
    let asked = |action: &'static str| Request { principal: &ada, action, resource: "*", context: &context };
    let names = actions::all().iter().map(|action| action.name);
    names.filter(|action| policies.decide(&asked(action)).is_allowed()).collect()
}

#[test]
fn each_is_understood_and_allows_something() {
    for policy in ALL {
        assert!(!allowed(policy.name).is_empty(), "{}", policy.name);
        assert!(!policy.description.is_empty() && !policy.in_place_of.starts_with("Protium"));
    }
    assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(find("AdministratorAccess"), None);
}

#[test]
fn an_administrator_may_all_full_access_gives_no_rights_and_provisioning_is_one_thing() {
    let all = || actions::all().iter().map(|action| action.name);
    assert_eq!(allowed("ProtiumAdministratorAccess"), all().collect::<Vec<_>>());
    let ours = [
        "protium:ForceDelete",
        "protium:GetDeploymentLogs",
        "protium:ListEventDeliveries",
        "protium:RedeliverEvents",
        "protium:Redeploy",
    ];
    let full: Vec<_> = all().filter(|name| name.starts_with("proton:") || ours.contains(name)).collect();
    assert_eq!(allowed("ProtiumFullAccess"), full);
    assert_eq!(allowed("ProtiumProvisioningAccess"), ["proton:NotifyResourceDeploymentStatusChange"]);
}

#[test]
fn read_only_is_every_read_of_proton_and_nothing_else() {
    let reads = actions::all().iter().filter(|action| matches!(action.access, Access::Read | Access::List));
    let of_proton: Vec<&str> = reads.map(|action| action.name).filter(|name| name.starts_with("proton:")).collect();
    assert_eq!(allowed("ProtiumReadOnlyAccess"), of_proton);
}

#[test]
fn developers_change_services_only() {
    let writes: Vec<&str> = allowed("ProtiumDeveloperAccess")
        .into_iter()
        .filter(|name| actions::find(name).is_some_and(|action| action.access == Access::Write))
        .collect();
    assert_eq!(
        writes,
        [
            "proton:CancelServiceInstanceDeployment",
            "proton:CancelServicePipelineDeployment",
            "proton:CreateService",
            "proton:DeleteService",
            "proton:UpdateService",
            "proton:UpdateServiceInstance",
            "proton:UpdateServicePipeline",
        ]
    );
}
