//! The Job of a run: its name, and what it says so that commands are begun once at most.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource,
    ResourceRequirements, SeccompProfile, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use sha2::{Digest as _, Sha256};

use super::files::{ENTRY, GIVEN, Parcels, WRITTEN};
use super::settings::KubernetesSettings;
use crate::Order;

/// The only container of the pod.
pub(super) const CONTAINER: &str = "run";
/// Labels of all that is made for a run.
pub(super) const DEPLOYMENT: &str = "protium/deployment";
const RESOURCE: &str = "protium/resource";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// An annotation: an ARN is no label.
const ARN: &str = "protium/resource-arn";
/// How long a process that is asked to end is given, in seconds.
const GRACE: i64 = 10;
/// How much longer the Job may take than its pod. The cluster removes the pod of a Job whose time is over, and its log
/// with it; one whose own time is over stays to be read.
const LONGER: Duration = Duration::from_secs(10);
/// The curated images of AWS CodeBuild, as its projects and as a registry name them.
const CODEBUILD: (&str, &str) = ("aws/codebuild/", "public.ecr.aws/codebuild/");

/// The name of the Job of a deployment: always the same.
pub(super) fn name(order: &Order) -> String {
    format!("protium-{}", known_as(&order.deployment_id))
}

/// What all things of a run are labelled with.
pub(super) fn labels(order: &Order) -> BTreeMap<String, String> {
    let labels = [
        (MANAGED_BY, "protium".to_owned()),
        (DEPLOYMENT, known_as(&order.deployment_id)),
        (RESOURCE, known_as(&order.resource_id)),
    ];
    labels.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Selects the things of a run.
pub(super) fn selector(order: &Order) -> String {
    format!("{DEPLOYMENT}={}", known_as(&order.deployment_id))
}

/// Selects the things of the runs that other deployments of the resource have begun.
pub(super) fn others(order: &Order) -> String {
    format!("{RESOURCE}={},{DEPLOYMENT}!={}", known_as(&order.resource_id), known_as(&order.deployment_id))
}

/// Whether the Job is of this deployment.
pub(super) fn is_of(job: &Job, order: &Order) -> bool {
    let labels = job.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(DEPLOYMENT)) == Some(&known_as(&order.deployment_id))
}

/// An id as names and labels take it: itself, or, if it has other characters than theirs, a hash.
fn known_as(id: &str) -> String {
    let taken = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| taken(byte) || byte == b'-';
    let (first, last) = (id.bytes().next(), id.bytes().last());
    match id.len() <= 40 && id.bytes().all(inner) && first.is_some_and(taken) && last.is_some_and(taken) {
        true => id.to_owned(),
        false => hex::encode(&Sha256::digest(id.as_bytes())[..16]),
    }
}

/// The image of a run: that of its manifest, else the operator's.
pub(super) fn image(manifest: Option<&str>, settings: &KubernetesSettings) -> Result<String, String> {
    let image = manifest.or(settings.image.as_deref()).ok_or_else(|| {
        "The template names no image (settings.image), and the server has none for such: name one in the manifest, or \
         give the server a default image for runs on Kubernetes."
            .to_owned()
    })?;
    Ok(match image.strip_prefix(CODEBUILD.0) {
        Some(rest) => format!("{}{rest}", CODEBUILD.1),
        None => image.to_owned(),
    })
}

/// Whether a thing goes when the Job of that id goes.
pub(super) fn owns(uid: &str, thing: &ObjectMeta) -> bool {
    thing.owner_references.iter().flatten().any(|owner| owner.uid == uid)
}

/// What says that a thing goes when the Job goes.
pub(super) fn owner(name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        ..OwnerReference::default()
    }
}

/// The Job, held back: it is let go when its Secrets are there.
pub(super) fn job(
    order: &Order,
    settings: &KubernetesSettings,
    image: String,
    parcels: &Parcels,
    time_limit: Duration,
) -> Job {
    let name = name(order);
    let pod = pod(&name, settings, image, parcels, time_limit);
    let metadata = |name: Option<String>| ObjectMeta {
        name,
        labels: Some(labels(order)),
        annotations: Some([(ARN.to_owned(), order.resource_arn.clone())].into()),
        ..ObjectMeta::default()
    };
    let spec = JobSpec {
        suspend: Some(true),
        parallelism: Some(1),
        completions: Some(1),
        // Commands need not be idempotent: what failed, was evicted, or lost its node is not begun again.
        backoff_limit: Some(0),
        pod_replacement_policy: Some("Failed".to_owned()),
        pod_failure_policy: Some(PodFailurePolicy { rules: vec![disrupted()] }),
        active_deadline_seconds: Some(seconds(time_limit + LONGER)),
        ttl_seconds_after_finished: Some(i32::try_from(settings.keep.as_secs()).unwrap_or(i32::MAX)),
        template: PodTemplateSpec { metadata: Some(metadata(None)), spec: Some(pod) },
        ..JobSpec::default()
    };
    Job { metadata: metadata(Some(name)), spec: Some(spec), status: None }
}

/// A pod that the cluster took away is the end of its Job.
fn disrupted() -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: "FailJob".to_owned(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
    }
}

fn pod(job: &str, settings: &KubernetesSettings, image: String, parcels: &Parcels, time_limit: Duration) -> PodSpec {
    let volume = |name: &str| Volume { name: name.to_owned(), ..Volume::default() };
    let given = ProjectedVolumeSource { default_mode: None, sources: Some(parcels.projections(job)) };
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: Some(seconds(time_limit)),
        termination_grace_period_seconds: Some(GRACE),
        service_account_name: settings.service_account.clone(),
        automount_service_account_token: Some(settings.service_account.is_some()),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_user: settings.user,
            run_as_group: settings.user,
            fs_group: settings.user,
            run_as_non_root: settings.user.map(|user| user != 0),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(settings, image)],
        volumes: Some(vec![
            Volume { projected: Some(given), ..volume("given") },
            Volume { empty_dir: Some(EmptyDirVolumeSource::default()), ..volume("written") },
        ]),
        ..PodSpec::default()
    }
}

fn container(settings: &KubernetesSettings, image: String) -> Container {
    let amounts = |amounts: &BTreeMap<String, String>| {
        let all: BTreeMap<_, _> = amounts.iter().map(|(what, much)| (what.clone(), Quantity(much.clone()))).collect();
        (!all.is_empty()).then_some(all)
    };
    let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    let none = Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image),
        command: Some(vec!["sh".to_owned(), format!("{GIVEN}/{ENTRY}")]),
        resources: Some(ResourceRequirements {
            requests: amounts(&settings.requests),
            limits: amounts(&settings.limits),
            ..ResourceRequirements::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            // Without them root could not install what it is wanted for.
            capabilities: settings.user.filter(|&user| user != 0).map(|_| none),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![mount("given", GIVEN, Some(true)), mount("written", WRITTEN, None)]),
        ..Container::default()
    }
}

/// Whole seconds, one at least.
fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Intent;

    #[test]
    fn the_name_of_a_job_is_its_deployments_and_one_that_the_cluster_takes() {
        let named = |id: &str| name(&Order { deployment_id: id.into(), ..Order::of_test(Intent::Apply) });
        let id = "6f1c9ab2-8b6e-4a53-9d7f-0a4c7f1b2e3d";
        assert_eq!(named(id), format!("protium-{id}"));
        for odd in ["", "Ünï", "-a", "a_b", &"x".repeat(80)] {
            let name = named(odd);
            assert!(name.len() == 40 && name != named("a"), "{name}");
            assert_eq!(name, named(odd));
        }
    }

    #[test]
    fn the_image_is_the_manifests_else_the_operators_and_codebuilds_are_found_in_their_registry() {
        let none = KubernetesSettings::default();
        let default = KubernetesSettings { image: Some("debian:13".into()), ..none.clone() };
        assert_eq!(image(Some("node:20"), &default).as_deref(), Ok("node:20"));
        assert_eq!(image(None, &default).as_deref(), Ok("debian:13"));
        assert!(image(None, &none).unwrap_err().contains("settings.image"));
        let curated = image(Some("aws/codebuild/amazonlinux2-x86_64-standard:5.0"), &none);
        assert_eq!(curated.as_deref(), Ok("public.ecr.aws/codebuild/amazonlinux2-x86_64-standard:5.0"));
    }
}
