//! What a Job and its pod say of how a run goes, in words for people.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition};

use super::job::CONTAINER;
use crate::command::remote::RemoteLook;

/// Reasons of a pod or of a Job whose time is over.
const DEADLINE: &str = "DeadlineExceeded";

/// How the Job ended, if it has.
enum Ending<'a> {
    Complete,
    Failed { reason: &'a str, message: &'a str },
}

/// How a run goes, by its Job and its pod.
pub(super) fn look(job: &Job, pod: Option<&Pod>) -> RemoteLook {
    if job.metadata.deletion_timestamp.is_some() {
        return RemoteLook::Runs { note: Some("The run is being stopped.".to_owned()) };
    }
    // A pod that has ended says more, and sooner; it never begins again.
    if let Some(end) = pod.and_then(ended) {
        return end;
    }
    match ending(job) {
        Some(Ending::Complete) => RemoteLook::Ended { succeeded: true, said: None },
        Some(Ending::Failed { reason: DEADLINE, .. }) => match pod.filter(|pod| never_began(pod)).and_then(waits) {
            Some(why) => unbegun(&why),
            None => RemoteLook::TimedOut,
        },
        Some(Ending::Failed { reason, message }) => {
            RemoteLook::Lost(sentence(&format!("its pod is gone: {}", with(reason, Some(message)))))
        }
        None => RemoteLook::Runs { note: pod.and_then(waits) },
    }
}

/// Whether the container has begun, so that there may be a log.
pub(super) fn has_begun(pod: &Pod) -> bool {
    !never_began(pod)
}

/// Whether nothing more will be printed.
pub(super) fn is_over(pod: &Pod) -> bool {
    let state = container(pod).and_then(|container| container.state.as_ref());
    state.is_some_and(|state| state.terminated.is_some()) || matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the cluster took the pod away: its node may be gone, and the log with it.
pub(super) fn is_disrupted(pod: &Pod) -> bool {
    disruption(pod).is_some()
}

/// Whether the Job makes no pod any more, and has none that goes on.
pub(super) fn is_finished(job: &Job) -> bool {
    ending(job).is_some()
}

fn ending(job: &Job) -> Option<Ending<'_>> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().filter(|condition| condition.status == "True").find_map(|condition| {
        match condition.type_.as_str() {
            "Complete" => Some(Ending::Complete),
            "Failed" => Some(Ending::Failed {
                reason: condition.reason.as_deref().unwrap_or_default(),
                message: condition.message.as_deref().unwrap_or_default(),
            }),
            _ => None,
        }
    })
}

/// How the pod ended, if it has.
fn ended(pod: &Pod) -> Option<RemoteLook> {
    let succeeded = match phase(pod) {
        "Succeeded" => true,
        "Failed" => false,
        _ => return None,
    };
    let status = pod.status.as_ref();
    let reason = status.and_then(|status| status.reason.as_deref());
    if !succeeded && reason == Some(DEADLINE) {
        return Some(match waits(pod).filter(|_| never_began(pod)) {
            Some(why) => unbegun(&why),
            None => RemoteLook::TimedOut,
        });
    }
    if !succeeded && let Some(why) = disruption(pod) {
        return Some(RemoteLook::Lost(sentence(&format!("the cluster took its pod away: {why}"))));
    }
    let message = status.and_then(|status| status.message.as_deref());
    let said = terminated(pod).map(end_of).or_else(|| reason.map(|reason| with(reason, message)));
    Some(RemoteLook::Ended { succeeded, said })
}

fn unbegun(why: &str) -> RemoteLook {
    let said = format!("The commands were never begun, and the time of the run is over: {why}");
    RemoteLook::Ended { succeeded: false, said: Some(said) }
}

/// Why the cluster took the pod away, if it did.
fn disruption(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if let Some(condition) = condition(pod, "DisruptionTarget").filter(|condition| condition.status == "True") {
        return Some(with(condition.reason.as_deref().unwrap_or("disruption"), condition.message.as_deref()));
    }
    let reason = status.reason.as_deref().filter(|&reason| reason != DEADLINE)?;
    Some(with(reason, status.message.as_deref()))
}

/// What the pod waits for, if it has not begun.
fn waits(pod: &Pod) -> Option<String> {
    if !never_began(pod) {
        return None;
    }
    let waiting = container(pod).and_then(|container| container.state.as_ref()?.waiting.as_ref());
    if let Some(waiting) = waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        // Those are on the way, and nothing that anybody could help.
        return (!matches!(reason, "" | "ContainerCreating" | "PodInitializing"))
            .then(|| with(reason, waiting.message.as_deref()));
    }
    let scheduled = condition(pod, "PodScheduled").filter(|condition| condition.status == "False")?;
    Some(with(scheduled.reason.as_deref().unwrap_or("Unschedulable"), scheduled.message.as_deref()))
}

fn never_began(pod: &Pod) -> bool {
    let state = container(pod).and_then(|container| container.state.as_ref());
    !state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

fn end_of(end: &ContainerStateTerminated) -> String {
    match end.reason.as_deref() {
        Some("OOMKilled") => format!(
            "The container was killed with status {} since it used more memory than it may (OOMKilled).",
            end.exit_code
        ),
        None | Some("Error" | "Completed") => format!("The container ended with status {}.", end.exit_code),
        Some(reason) => {
            format!("The container ended with status {}: {}", end.exit_code, with(reason, end.message.as_deref()))
        }
    }
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    container(pod)?.state.as_ref()?.terminated.as_ref()
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let all = pod.status.as_ref()?.container_statuses.as_deref()?;
    all.iter().find(|status| status.name == CONTAINER)
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let all = pod.status.as_ref()?.conditions.as_deref()?;
    all.iter().find(|condition| condition.type_ == kind)
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn with(reason: &str, message: Option<&str>) -> String {
    match message.filter(|message| !message.is_empty()) {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    }
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(job: Value, pod: Value) -> RemoteLook {
        let job = serde_json::from_value(json!({"metadata": {}, "status": job})).unwrap();
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "status": pod})).unwrap();
        look(&job, Some(&pod))
    }

    fn state(phase: &str, state: Value) -> Value {
        json!({"phase": phase, "containerStatuses": [{
            "name": "run", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]})
    }

    #[test]
    fn every_state_of_a_pod_is_told_in_its_own_words() {
        let pulling = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image: i"}});
        let failed_deadline = json!({"phase": "Failed", "reason": "DeadlineExceeded"});
        let mut unbegun = state("Failed", pulling.clone());
        unbegun["reason"] = "DeadlineExceeded".into();
        let unschedulable = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]});
        let preempted = json!({"phase": "Failed", "conditions": [
            {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "for x"}]});
        let runs = |note: Option<&str>| RemoteLook::Runs { note: note.map(str::to_owned) };
        let ended = |succeeded, said: &str| RemoteLook::Ended { succeeded, said: Some(said.to_owned()) };
        let terminated = |code: i32, reason: &str| json!({"terminated": {"exitCode": code, "reason": reason}});
        for (pod, expected) in [
            (json!({"phase": "Pending"}), runs(None)),
            (state("Pending", json!({"waiting": {"reason": "ContainerCreating"}})), runs(None)),
            (state("Pending", pulling), runs(Some("ImagePullBackOff: no such image: i"))),
            (unschedulable, runs(Some("Unschedulable: 0/3 nodes"))),
            (state("Running", json!({"running": {}})), runs(None)),
            (state("Succeeded", terminated(0, "Completed")), ended(true, "The container ended with status 0.")),
            (state("Failed", terminated(3, "Error")), ended(false, "The container ended with status 3.")),
            (
                state("Failed", terminated(137, "OOMKilled")),
                ended(
                    false,
                    "The container was killed with status 137 since it used more memory than it may (OOMKilled).",
                ),
            ),
            (
                state("Failed", terminated(128, "StartError")),
                ended(false, "The container ended with status 128: StartError"),
            ),
            (failed_deadline, RemoteLook::TimedOut),
            (
                unbegun,
                ended(
                    false,
                    "The commands were never begun, and the time of the run is over: ImagePullBackOff: no such image: i",
                ),
            ),
            (
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
                RemoteLook::Lost("the cluster took its pod away: Evicted: low on memory.".into()),
            ),
            (preempted, RemoteLook::Lost("the cluster took its pod away: PreemptionByScheduler: for x.".into())),
        ] {
            assert_eq!(said(json!({}), pod.clone()), expected, "{pod}");
        }
    }

    #[test]
    fn a_job_says_how_it_ended_when_its_pod_is_gone() {
        let job = |kind: &str, reason: &str| -> Job {
            let condition = json!({"type": kind, "status": "True", "reason": reason, "message": "why"});
            serde_json::from_value(json!({"metadata": {}, "status": {"conditions": [condition]}})).unwrap()
        };
        assert_eq!(look(&job("Complete", ""), None), RemoteLook::Ended { succeeded: true, said: None });
        assert_eq!(look(&job("Failed", "DeadlineExceeded"), None), RemoteLook::TimedOut);
        let lost = RemoteLook::Lost("its pod is gone: BackoffLimitExceeded: why.".into());
        assert_eq!(look(&job("Failed", "BackoffLimitExceeded"), None), lost);
        assert_eq!(look(&job("Suspended", ""), None), RemoteLook::Runs { note: None });
    }
}
