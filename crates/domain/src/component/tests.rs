//! What becomes of attachments, and what manifests and environments allow: tables of cases.

use super::*;
use crate::repository::{Provider, RepositoryBranch};

fn id(byte: u8) -> Id {
    Id::from_random([byte; 16])
}

/// Attached to the instance of that number, with a spec or without.
fn on(instance: u8, spec: Option<&str>) -> Option<Attachment> {
    let spec = spec.map(str::to_owned);
    Some(Attachment { service: "s".into(), instance: format!("i{instance}"), instance_id: id(instance), spec })
}

/// A component that holds one attachment and was deployed with another, if it was.
fn component(attached: Option<Attachment>, deployed: Option<Option<Attachment>>) -> Component {
    let mut track = Track::first(id(9), Component::aim("file".into()), 0);
    if deployed.is_some() {
        track.promote(id(9), Component::aim("file".into()), 0);
        track.outputs = Some("outputs".into());
    }
    Component {
        revision: 0,
        id: id(8),
        name: "c".into(),
        description: None,
        environment: "e".into(),
        environment_id: id(7),
        manifest: "m".into(),
        created_at: 0,
        modified_at: 0,
        track,
        attached,
        deployed_with: deployed.flatten(),
        last_token: None,
        unknown: serde_json::Map::new(),
    }
}

#[test]
fn what_becomes_of_an_attachment_is_decided_by_how_the_deployment_ended() {
    use DeploymentStatus::{Cancelled, Failed, Succeeded};
    for (what, held, deployed, wanted, end, holds, deployed_after) in [
        ("a first attach", on(1, None), None, on(1, None), Succeeded, on(1, None), on(1, None)),
        ("a first attach", on(1, None), None, on(1, None), Failed, on(1, None), None),
        ("a first attach", on(1, None), None, on(1, None), Cancelled, on(1, None), None),
        ("a later attach", on(1, None), Some(None), on(1, None), Succeeded, on(1, None), on(1, None)),
        ("a later attach", on(1, None), Some(None), on(1, None), Failed, on(1, None), None),
        ("a later attach", on(1, None), Some(None), on(1, None), Cancelled, None, None),
        ("a detach", on(1, Some("a")), Some(on(1, Some("a"))), None, Succeeded, None, None),
        ("a detach", on(1, Some("a")), Some(on(1, Some("a"))), None, Failed, None, None),
        ("a detach", on(1, Some("a")), Some(on(1, Some("a"))), None, Cancelled, on(1, Some("a")), on(1, Some("a"))),
        ("a detach before any success", on(1, None), None, None, Failed, None, None),
        ("a detach before any success", on(1, None), None, None, Cancelled, on(1, None), None),
        (
            "another spec",
            on(1, Some("b")),
            Some(on(1, Some("a"))),
            on(1, Some("b")),
            Succeeded,
            on(1, Some("b")),
            on(1, Some("b")),
        ),
        (
            "another spec",
            on(1, Some("b")),
            Some(on(1, Some("a"))),
            on(1, Some("b")),
            Failed,
            on(1, Some("a")),
            on(1, Some("a")),
        ),
        (
            "another spec",
            on(1, Some("b")),
            Some(on(1, Some("a"))),
            on(1, Some("b")),
            Cancelled,
            on(1, Some("a")),
            on(1, Some("a")),
        ),
        ("a detached one", None, Some(None), None, Failed, None, None),
    ] {
        let mut component = component(held, deployed);
        component.settle(end, wanted.as_ref());
        assert_eq!((component.attached, component.deployed_with), (holds, deployed_after), "{what} {end}");
    }
}

#[test]
fn an_instance_sees_a_component_that_is_deployed_for_it() {
    let seen = Some(SeenComponent { id: id(8), outputs: Some("outputs".into()) });
    for (held, deployed, sees) in [
        (None, None, None),
        (on(1, None), None, None),
        (on(1, None), Some(None), None),
        (on(1, None), Some(on(1, Some("spec"))), seen),
        (on(2, None), Some(on(2, None)), None),
        (None, Some(on(1, None)), None),
    ] {
        assert_eq!(component(held.clone(), deployed.clone()).seen_by(&id(1)), sees, "{held:?} {deployed:?}");
    }
}

#[test]
fn the_service_spec_that_is_shown_is_the_one_that_is_deployed() {
    let deployed = Some(on(1, Some("a")));
    assert_eq!(component(on(1, Some("b")), deployed.clone()).service_spec(), Some(&"a".to_owned()));
    assert_eq!(component(on(1, Some("b")), None).service_spec(), None, "nothing is deployed");
    assert_eq!(component(on(2, Some("b")), deployed.clone()).service_spec(), None, "it was another instance's");
    assert_eq!(component(None, deployed).service_spec(), None, "detached");
}

#[test]
fn only_what_a_service_instance_may_use_is_kept_from_deletion() {
    assert!(component(None, Some(None)).check_delete().is_ok());
    assert!(component(on(1, None), None).check_delete().is_ok(), "it never succeeded");
    assert!(matches!(component(on(1, None), Some(on(1, None))).check_delete(), Err(Refused::Conflict(_))));
    assert!(component(on(1, None), Some(None)).check_delete().is_err(), "its attachment failed");
}

#[test]
fn service_and_instance_come_together() {
    assert_eq!(asked(None, None), Ok(Asked::Keep));
    assert_eq!(asked(Some(""), Some("")), Ok(Asked::Detach));
    assert_eq!(asked(Some("s"), Some("i")), Ok(Asked::Attach { service: "s", instance: "i" }));
    for (service, instance) in
        [(Some("s"), None), (None, Some("i")), (Some("s"), Some("")), (Some(""), Some("i")), (Some(""), None)]
    {
        assert!(matches!(asked(service, instance), Err(Refused::Invalid(_))), "{service:?} {instance:?}");
    }
}

fn manifest(entry: &str) -> String {
    format!("infrastructure:\n  templates:\n    - {entry}\n")
}

#[test]
fn a_manifest_names_one_file_of_cloudformation_or_terraform() {
    let cloudformation = manifest("{ file: c.yaml, rendering_engine: jinja, template_language: cloudformation }");
    assert_eq!(read_manifest(&cloudformation), Ok((EngineKind::CloudFormation, "c.yaml".into())));
    let terraform = manifest("{ file: main.tf, rendering_engine: hcl, template_language: terraform }");
    assert_eq!(read_manifest(&terraform), Ok((EngineKind::Terraform, "main.tf".into())));
    for (text, says) in [
        ("a: [}".to_owned(), "manifest:1"),
        (manifest("{ file: \"*\", rendering_engine: hcl, template_language: terraform }"), "has one template file"),
        (
            manifest(
                "{ rendering_engine: codebuild, settings: { image: i, runtimes: { nodejs: 16 }, provision: [a], deprovision: [b] } }",
            ),
            "not supported for components",
        ),
        (
            format!(
                "{cloudformation}    - {{ file: d.yaml, rendering_engine: jinja, template_language: cloudformation }}\n"
            ),
            "more than one entry",
        ),
    ] {
        let refused = read_manifest(&text).expect_err("it must be refused").to_string();
        assert!(refused.contains(says) && refused.contains(" — "), "{refused}");
    }
}

#[test]
fn the_environment_decides_the_engine_and_needs_a_role_where_it_is_ours() {
    let role = || Some("arn:aws:iam::123456789012:role/r".to_owned());
    let ours = Access { service_role: role(), component_role: role(), ..Access::default() };
    let without_role = Access { service_role: role(), ..Access::default() };
    let repository = RepositoryBranch { provider: Provider::Github, name: "o/r".into(), branch: "main".into() };
    let self_managed = Access { repository: Some(repository), ..Access::default() };
    for (engine, access, says) in [
        (EngineKind::CloudFormation, &ours, None),
        (EngineKind::CloudFormation, &without_role, Some("componentRoleArn")),
        (EngineKind::CloudFormation, &self_managed, Some("terraform")),
        (EngineKind::Terraform, &ours, Some("terraform")),
        (EngineKind::Terraform, &without_role, Some("terraform")),
        (EngineKind::Terraform, &self_managed, None),
    ] {
        let answer = check_provisioning(engine, "e", access, &access.roles(None));
        match (answer, says) {
            (Ok(()), None) => {}
            (Err(Refused::Invalid(why)), Some(says)) => assert!(why.contains(says), "{why}"),
            (answer, says) => panic!("{engine:?} {access:?}: {answer:?}, not {says:?}"),
        }
    }
}
