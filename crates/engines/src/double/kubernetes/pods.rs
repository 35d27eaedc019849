//! The cluster's own part: it makes the pods of Jobs, plays them, counts how they end, and takes away what goes with
//! its owner.

use std::collections::VecDeque;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::World;
use super::objects::{NOW, text};
use super::play::Act;
use crate::double::write_program;

/// A pod, as it is played.
#[derive(Default)]
pub(super) struct Played {
    acts: VecDeque<Act>,
    /// What was printed, and when.
    pub lines: Vec<(Timestamp, String)>,
    /// Whether its node is gone, and its log with it.
    pub unreadable: bool,
}

impl Played {
    fn print(&mut self, lines: Vec<String>) {
        let start: Timestamp = NOW.parse().unwrap_or_default();
        for line in lines {
            // Three at a time, three times a second.
            let after = i64::try_from(self.lines.len() / 3).unwrap_or_default();
            self.lines.push((start + SignedDuration::from_nanos(333_333_333 * after), line));
        }
    }
}

impl World {
    /// Makes the pods that Jobs want.
    pub(super) fn settle(&mut self) {
        for name in self.objects.names("jobs") {
            let Some(job) = self.objects.get("jobs", &name).cloned() else { continue };
            let uid = text(&job["metadata"]["uid"]).to_owned();
            let wants = job["spec"]["suspend"] != true
                && job["metadata"]["deletionTimestamp"].is_null()
                && !is_finished(&job)
                && self.objects.owned("pods", &uid).is_empty();
            if wants {
                self.make_pod(&job);
            }
        }
    }

    fn make_pod(&mut self, job: &Value) {
        let (name, template) = (text(&job["metadata"]["name"]), &job["spec"]["template"]);
        let refusal = self.quota.clone().or_else(|| self.restricted.then(|| violation(&template["spec"])).flatten());
        if let Some(message) = refusal {
            let event = json!({
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{name}.1")},
                "involvedObject": {"kind": "Job", "name": name}, "reason": "FailedCreate", "message": message});
            self.objects.put("events", event);
            return;
        }
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"],
                             "status": {"phase": "Pending"}});
        let pod_name = format!("{name}-{}", failures(job));
        pod["metadata"]["name"] = pod_name.clone().into();
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": true,
            "blockOwnerDeletion": true}]);
        self.objects.put("pods", pod);
        let acts = (self.script)().into();
        self.played.insert(pod_name, Played { acts, ..Played::default() });
    }

    /// Ends the pods that are being deleted.
    pub(super) fn end_deleted(&mut self) {
        let is_deleted = |pod: &&Value| !pod["metadata"]["deletionTimestamp"].is_null();
        let deleted = self.objects.all("pods").filter(is_deleted).map(|pod| text(&pod["metadata"]["name"]).to_owned());
        for name in deleted.collect::<Vec<_>>() {
            self.objects.remove("pods", &name);
        }
    }

    /// Lets every pod take its next act.
    pub(super) fn advance(&mut self) {
        self.end_deleted();
        for name in self.objects.names("pods") {
            let Some(pod) = self.objects.get("pods", &name).cloned() else { continue };
            if matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed") {
                continue;
            }
            let act = self.played.get_mut(&name).and_then(|played| played.acts.pop_front());
            if let Some(act) = act {
                self.act(&name, &pod, act);
            }
        }
        self.settle();
    }

    /// Lets every pod take an act that is none of its own.
    pub(super) fn happens(&mut self, act: &Act) {
        for name in self.objects.names("pods") {
            if let Some(pod) = self.objects.get("pods", &name).cloned() {
                self.act(&name, &pod, act.clone());
            }
        }
    }

    fn act(&mut self, name: &str, pod: &Value, act: Act) {
        match act {
            Act::Unscheduled(why) => self.status(
                name,
                json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}]}),
            ),
            Act::Waits(reason, message) => {
                self.status(name, container("Pending", json!({"waiting": {"reason": reason, "message": message}})));
            }
            Act::Prints(lines) => {
                self.begin(name);
                self.printed(name, lines);
            }
            Act::Runs => match self.mounted(pod) {
                Some(Ok((status, lines))) => {
                    self.begin(name);
                    self.printed(name, lines);
                    self.end(name, pod, status, if status == 0 { "Completed" } else { "Error" });
                }
                // A volume waits for what it shows.
                None => self.again(name, Act::Runs),
                Some(Err(error)) => {
                    self.again(name, Act::Runs);
                    let waiting = json!({"reason": "CreateContainerConfigError", "message": error.to_string()});
                    self.status(name, container("Pending", json!({"waiting": waiting})));
                }
            },
            Act::Ends(status) => self.end(name, pod, status, if status == 0 { "Completed" } else { "Error" }),
            Act::RunsOutOfMemory => self.end(name, pod, 137, "OOMKilled"),
            Act::IsEvicted => {
                let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet",
                                       "message": "The node was low on resource: memory."});
                self.objects.change("pods", name, |pod| {
                    pod["status"]["phase"] = "Failed".into();
                    pod["status"]["reason"] = "Evicted".into();
                    pod["status"]["message"] = "The node was low on resource: memory.".into();
                    pod["status"]["conditions"] = json!([condition]);
                });
                if let Some(played) = self.played.get_mut(name) {
                    played.unreadable = true;
                }
                self.failed(pod, true);
            }
            Act::IsOverdue => {
                self.objects.change("pods", name, |pod| {
                    pod["status"]["phase"] = "Failed".into();
                    pod["status"]["reason"] = "DeadlineExceeded".into();
                });
                self.failed(pod, false);
            }
            Act::Vanishes => {
                self.objects.remove("pods", name);
                self.failed(pod, false);
            }
        }
    }

    fn again(&mut self, name: &str, act: Act) {
        if let Some(played) = self.played.get_mut(name) {
            played.acts.push_front(act);
        }
    }

    fn begin(&mut self, name: &str) {
        let is_new = |pod: &Value| text(&pod["status"]["phase"]) != "Running";
        if self.objects.get("pods", name).is_some_and(is_new) {
            self.begun += 1;
            self.status(name, container("Running", json!({"running": {"startedAt": NOW}})));
        }
    }

    fn printed(&mut self, name: &str, lines: Vec<String>) {
        if let Some(played) = self.played.get_mut(name) {
            played.print(lines);
        }
    }

    fn status(&mut self, name: &str, status: Value) {
        self.objects.change("pods", name, |pod| pod["status"] = status);
    }

    fn end(&mut self, name: &str, pod: &Value, status: i32, reason: &str) {
        let phase = if status == 0 { "Succeeded" } else { "Failed" };
        let state = json!({"terminated": {"exitCode": status, "reason": reason, "finishedAt": NOW}});
        self.status(name, container(phase, state));
        if status == 0 {
            self.finish(owner(pod), "Complete", "CompletionsReached", "Reached expected number of succeeded pods");
        } else {
            self.failed(pod, false);
        }
    }

    /// Counts a pod that failed. Jobs begin another until they have had enough.
    fn failed(&mut self, pod: &Value, disrupted: bool) {
        let name = owner(pod).to_owned();
        self.objects.change("jobs", &name, |job| job["status"]["failed"] = (failures(job) + 1).into());
        let Some(job) = self.objects.get("jobs", &name) else { return };
        let gives_up = job["spec"]["podFailurePolicy"]["rules"].as_array().is_some_and(|rules| {
            rules
                .iter()
                .any(|rule| rule["action"] == "FailJob" && rule["onPodConditions"][0]["type"] == "DisruptionTarget")
        });
        if disrupted && gives_up {
            self.finish(&name, "Failed", "PodFailurePolicy", "The pod was disrupted");
        } else if failures(job) > job["spec"]["backoffLimit"].as_u64().unwrap_or(6) {
            self.finish(&name, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        }
    }

    fn finish(&mut self, job: &str, kind: &str, reason: &str, message: &str) {
        let condition = json!({"type": kind, "status": "True", "reason": reason, "message": message});
        self.objects.change("jobs", job, |job| job["status"]["conditions"] = json!([condition]));
    }

    /// Begins the deletion of a Job: with `Foreground` it stays until all that it owns is gone.
    pub(super) fn delete_job(&mut self, name: &str, policy: &str) {
        if policy != "Foreground" {
            self.remove_job(name);
            return;
        }
        let Some(uid) = self.objects.get("jobs", name).map(|job| text(&job["metadata"]["uid"]).to_owned()) else {
            return;
        };
        self.objects.change("jobs", name, |job| job["metadata"]["deletionTimestamp"] = NOW.into());
        for pod in self.objects.owned("pods", &uid) {
            self.objects.change("pods", &pod, |pod| pod["metadata"]["deletionTimestamp"] = NOW.into());
        }
    }

    /// What somebody sees who looks at a Job: one that is being deleted goes when its pods are gone.
    pub(super) fn collect(&mut self, name: &str) {
        let Some(job) = self.objects.get("jobs", name) else { return };
        let uid = text(&job["metadata"]["uid"]).to_owned();
        if !job["metadata"]["deletionTimestamp"].is_null() && self.objects.owned("pods", &uid).is_empty() {
            self.remove_job(name);
        }
    }

    /// Removes the Jobs that have ended and say for how long they stay.
    pub(super) fn expire(&mut self) {
        for name in self.objects.names("jobs") {
            let ends = |job: &Value| is_finished(job) && job["spec"]["ttlSecondsAfterFinished"].is_u64();
            if self.objects.get("jobs", &name).is_some_and(ends) {
                self.remove_job(&name);
            }
        }
    }

    /// Removes a Job and what it owns.
    pub(super) fn remove_job(&mut self, name: &str) {
        let Some(job) = self.objects.remove("jobs", name) else { return };
        for kind in ["pods", "secrets"] {
            for owned in self.objects.owned(kind, text(&job["metadata"]["uid"])) {
                self.objects.remove(kind, &owned);
            }
        }
    }

    /// Runs the command of the pod's container with what is mounted there, in folders in the place of its own. `None`
    /// while something is not there yet.
    fn mounted(&self, pod: &Value) -> Option<io::Result<(i32, Vec<String>)>> {
        let mut secrets = Vec::new();
        for source in pod["spec"]["volumes"][0]["projected"]["sources"].as_array()? {
            let secret = self.objects.get("secrets", text(&source["secret"]["name"]))?;
            secrets.push((serde_json::from_value(secret.clone()).ok()?, &source["secret"]["items"]));
        }
        Some(run(&pod["spec"]["containers"][0], &secrets))
    }
}

/// Runs a container whose first mount has the items of Secrets, and whose second can be written.
fn run(container: &Value, secrets: &[(Secret, &Value)]) -> io::Result<(i32, Vec<String>)> {
    let root = tempfile::tempdir()?;
    let mounts = [0, 1].map(|index| text(&container["volumeMounts"][index]["mountPath"]).to_owned());
    let folders = ["given", "written"].map(|name| root.path().join(name));
    folders.iter().try_for_each(fs::create_dir)?;
    let here = |text: &str| {
        let given = text.replace(&mounts[0], &folders[0].to_string_lossy());
        given.replace(&format!("{}/", mounts[1]), &format!("{}/", folders[1].display()))
    };
    let command: Vec<String> =
        container["command"].as_array().into_iter().flatten().map(|word| here(text(word))).collect();
    for (secret, items) in secrets {
        for item in items.as_array().into_iter().flatten() {
            let bytes = secret.data.as_ref().and_then(|data| data.get(text(&item["key"])));
            let bytes =
                bytes.ok_or_else(|| io::Error::other(format!("references non-existent key {}", item["key"])))?;
            show(&folders[0].join(text(&item["path"])), &bytes.0, item, |path, text| {
                // Only what is run first knows where it is.
                command.iter().any(|word| Path::new(word) == path).then(|| here(text))
            })?;
        }
    }
    let printed = File::create(root.path().join("printed"))?;
    let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let mut run = Command::new(program);
    run.args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").stderr(printed.try_clone()?);
    let status = run.stdout(printed).status()?.code().unwrap_or(137);
    let printed = fs::read(root.path().join("printed"))?;
    Ok((status, String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect()))
}

fn show(path: &Path, bytes: &[u8], item: &Value, here: impl Fn(&Path, &str) -> Option<String>) -> io::Result<()> {
    let changed = std::str::from_utf8(bytes).ok().and_then(|text| here(path, text));
    write_program(path, changed.as_deref().map_or(bytes, str::as_bytes))?;
    let mode = item["mode"].as_u64().and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644);
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Why the pod security standard "restricted" does not allow a pod, if it does not.
fn violation(spec: &Value) -> Option<String> {
    let (of_pod, of_container) = (&spec["securityContext"], &spec["containers"][0]["securityContext"]);
    let wrong = [
        (of_container["allowPrivilegeEscalation"] != false, "allowPrivilegeEscalation != false"),
        (of_container["capabilities"] != json!({"drop": ["ALL"]}), "unrestricted capabilities"),
        (of_pod["runAsNonRoot"] != true, "runAsNonRoot != true"),
        (of_pod["runAsUser"] == 0, "runAsUser=0"),
        (of_pod["seccompProfile"]["type"] != "RuntimeDefault", "seccompProfile"),
    ];
    let wrong: Vec<&str> = wrong.into_iter().filter_map(|(is_wrong, why)| is_wrong.then_some(why)).collect();
    (!wrong.is_empty()).then(|| {
        format!("Error creating: pods is forbidden: violates PodSecurity \"restricted:latest\": {}", wrong.join(", "))
    })
}

fn container(phase: &str, state: Value) -> Value {
    json!({"phase": phase, "containerStatuses": [{
        "name": "run", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]})
}

fn owner(pod: &Value) -> &str {
    text(&pod["metadata"]["ownerReferences"][0]["name"])
}

fn failures(job: &Value) -> u64 {
    job["status"]["failed"].as_u64().unwrap_or_default()
}

fn is_finished(job: &Value) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Complete" || c["type"] == "Failed"))
}
