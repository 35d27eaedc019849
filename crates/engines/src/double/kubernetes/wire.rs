//! The double's HTTP: which thing a request is about, what is wrong with it, and the answer.

use std::collections::HashMap;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use k8s_openapi::jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::objects::{merge, text};
use super::play::Trouble;
use super::select::Selector;
use super::watch::{Watch, metadata};
use super::{Call, Shared, TOKEN, World, lock};

/// Most bytes of the values of a Secret.
const SECRET: usize = 1 << 20;

/// A request, read.
struct Asked {
    method: String,
    namespace: String,
    kind: String,
    name: String,
    /// `log`, or nothing.
    part: String,
    query: HashMap<String, String>,
    body: Value,
    media: String,
    accept: String,
    token: String,
}

/// A status, a body, whether anything changed, and how many seconds to wait.
struct Answer {
    status: u16,
    body: String,
    effective: bool,
    wait: Option<u32>,
}

impl Answer {
    fn of(body: &Value, effective: bool) -> Self {
        Self { status: 200, body: body.to_string(), effective, wait: None }
    }

    fn failure(status: u16, reason: &str, message: &str) -> Self {
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                          "reason": reason, "message": message, "code": status});
        Self { status, body: body.to_string(), effective: false, wait: None }
    }

    fn missing(asked: &Asked) -> Self {
        Self::failure(404, "NotFound", &format!("{} \"{}\" not found", asked.kind, asked.name))
    }
}

/// An error closes the connection without an answer.
pub(super) async fn answer(
    request: Request<Incoming>,
    world: Shared,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, String> {
    let asked = read(request).await?;
    let answer = act(&mut lock(&world), &asked)?;
    if answer.status == 200 && asked.watches() {
        let moves = lock(&world).objects.moves.subscribe();
        let watch = Watch {
            kind: asked.kind.clone(),
            selector: asked.selector(),
            version: asked.query("resourceVersion").parse().map_err(|_| "no version".to_owned())?,
            metadata: asked.wants_metadata(),
            moves,
            ended: false,
            world,
        };
        return Ok(Response::new(StreamBody::new(watch.stream()).boxed_unsync()));
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder().status(status);
    if let Some(wait) = answer.wait {
        response = response.header("retry-after", wait.to_string());
    }
    response.body(Full::new(Bytes::from(answer.body)).boxed_unsync()).map_err(|error| error.to_string())
}

async fn read(request: Request<Incoming>) -> Result<Asked, String> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let path = parts.uri.path().trim_start_matches("/apis/batch/v1/").trim_start_matches("/api/v1/");
    let mut path = path.strip_prefix("namespaces/").unwrap_or_default().split('/').map(str::to_owned);
    let mut next = || path.next().unwrap_or_default();
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    Ok(Asked {
        method: parts.method.to_string(),
        namespace: next(),
        kind: next(),
        name: next(),
        part: next(),
        query: pairs.map(|(name, value)| (decoded(name), decoded(value))).collect(),
        body: if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).map_err(|error| error.to_string())?
        },
        media: header("content-type"),
        accept: header("accept"),
        token: header("authorization"),
    })
}

impl Asked {
    /// As permissions name it.
    fn what(&self) -> String {
        let verb = match (self.method.as_str(), self.name.is_empty()) {
            ("POST", _) => "create",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            (_, true) if self.watches() => "watch",
            (_, true) => "list",
            (_, false) => "get",
        };
        let part = if self.part.is_empty() { String::new() } else { format!("/{}", self.part) };
        format!("{verb} {}{part}", self.kind)
    }

    fn watches(&self) -> bool {
        matches!(self.query("watch"), "1" | "true")
    }

    /// Whether metadata alone are asked for.
    fn wants_metadata(&self) -> bool {
        self.accept.contains("as=PartialObjectMetadata")
    }

    fn selector(&self) -> Selector {
        Selector { labels: self.query("labelSelector").to_owned(), fields: self.query("fieldSelector").to_owned() }
    }

    fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

fn act(world: &mut World, asked: &Asked) -> Result<Answer, String> {
    let what = asked.what();
    let trouble = world.trouble_of(&what);
    let undone = match &trouble {
        Trouble::Lost => {
            world.calls.push(Call { what, effective: false });
            return Err("the call is lost".to_owned());
        }
        Trouble::Busy(seconds) => Some(Answer {
            status: 429,
            // The server says so in plain text, before it has looked at what is asked.
            body: "Too many requests, please try again later.".to_owned(),
            effective: false,
            wait: Some(*seconds),
        }),
        Trouble::Unavailable => Some(Answer::failure(503, "ServiceUnavailable", "the server is shutting down")),
        Trouble::Gone => Some(Answer::failure(410, "Expired", "the resource version is too old")),
        Trouble::AnswerLost | Trouble::None => None,
    };
    let answer = undone.or_else(|| world.refuse(asked, &what)).unwrap_or_else(|| world.carry_out(asked, &what));
    world.calls.push(Call { what, effective: answer.effective });
    match trouble {
        Trouble::AnswerLost => Err("the answer is lost".to_owned()),
        _ => Ok(answer),
    }
}

impl World {
    fn trouble_of(&mut self, what: &str) -> Trouble {
        let own = self.troubles.get_mut(what).and_then(std::collections::VecDeque::pop_front);
        let any = own.or_else(|| self.troubles.get_mut("*").and_then(std::collections::VecDeque::pop_front));
        any.unwrap_or(Trouble::None)
    }

    /// Who may not ask so.
    fn refuse(&self, asked: &Asked, what: &str) -> Option<Answer> {
        if asked.token != format!("Bearer {TOKEN}") {
            return Some(Answer::failure(401, "Unauthorized", "Unauthorized"));
        }
        if self.denied.contains(what) {
            let (verb, resource) = what.split_once(' ').unwrap_or_default();
            let message = format!(
                "{} is forbidden: User \"tests\" cannot {verb} resource \"{resource}\" in API group \"\" in the namespace \
                 \"{}\"",
                asked.kind, asked.namespace
            );
            return Some(Answer::failure(403, "Forbidden", &message));
        }
        if asked.media.contains("apply-patch") {
            return Some(Answer::failure(400, "BadRequest", "the double does not apply"));
        }
        let elsewhere = asked.namespace != self.namespace;
        (elsewhere && asked.method == "POST")
            .then(|| Answer::failure(404, "NotFound", &format!("namespaces \"{}\" not found", asked.namespace)))
    }

    fn carry_out(&mut self, asked: &Asked, what: &str) -> Answer {
        match what {
            "create jobs" | "create secrets" => self.create(asked),
            "patch jobs" => self.patch(asked),
            "delete jobs" => self.delete(asked),
            "get jobs" => {
                self.collect(&asked.name);
                self.get(asked)
            }
            "get secrets" => self.get(asked),
            "list pods" => {
                // Who wants those of all runs does not look at one.
                if asked.query("labelSelector").contains('=') {
                    self.advance();
                }
                self.list(asked)
            }
            "watch pods" if asked.query("resourceVersion").parse::<u64>().is_err() => {
                Answer::failure(400, "BadRequest", "the double wants the version of a list")
            }
            "watch pods" => Answer::of(&Value::Null, false),
            "list jobs" => {
                self.objects.names("jobs").iter().for_each(|name| self.collect(name));
                let answer = self.list(asked);
                self.end_deleted();
                answer
            }
            "list events" => self.list(asked),
            "get pods/log" => self.log(asked),
            "deletecollection secrets" => self.delete_all(asked),
            _ => Answer::failure(405, "MethodNotAllowed", &format!("the double does not {what}")),
        }
    }

    fn get(&self, asked: &Asked) -> Answer {
        let thing = self.objects.get(&asked.kind, &asked.name);
        thing.map_or_else(|| Answer::missing(asked), |thing| Answer::of(thing, false))
    }

    fn create(&mut self, asked: &Asked) -> Answer {
        if let Some(wrong) = self.schemas.refuse(&asked.kind, &asked.body).or_else(|| unsound(&asked.kind, &asked.body))
        {
            return Answer::failure(422, "Invalid", &wrong);
        }
        let name = text(&asked.body["metadata"]["name"]);
        if self.objects.get(&asked.kind, name).is_some() {
            return Answer::failure(409, "AlreadyExists", &format!("{} \"{name}\" already exists", asked.kind));
        }
        let mut thing = asked.body.clone();
        thing["metadata"]["namespace"] = asked.namespace.clone().into();
        let made = self.objects.put(&asked.kind, thing);
        self.settle();
        Answer { status: 201, ..Answer::of(&made, true) }
    }

    fn patch(&mut self, asked: &Asked) -> Answer {
        let Some(job) = self.objects.get("jobs", &asked.name) else { return Answer::missing(asked) };
        for precondition in ["uid", "resourceVersion"] {
            let wanted = &asked.body["metadata"][precondition];
            if !wanted.is_null() && *wanted != job["metadata"][precondition] {
                let message = format!("the {precondition} is {}, not {wanted}", job["metadata"][precondition]);
                return Answer::failure(409, "Conflict", &message);
            }
        }
        let mut changed = job.clone();
        merge(&mut changed, &asked.body);
        let effective = changed != *job;
        if changed["spec"]["template"] != job["spec"]["template"] {
            return Answer::failure(422, "Invalid", "spec.template: field is immutable");
        }
        if let Some(wrong) = self.schemas.refuse("jobs", &changed) {
            return Answer::failure(422, "Invalid", &wrong);
        }
        let changed = if effective { self.objects.put("jobs", changed) } else { changed };
        self.settle();
        Answer::of(&changed, effective)
    }

    fn delete(&mut self, asked: &Asked) -> Answer {
        if let Some(wrong) = self.schemas.refuse("options", &asked.body) {
            return Answer::failure(400, "BadRequest", &wrong);
        }
        let Some(job) = self.objects.get("jobs", &asked.name) else { return Answer::missing(asked) };
        let wanted = &asked.body["preconditions"]["uid"];
        if !wanted.is_null() && *wanted != job["metadata"]["uid"] {
            return Answer::failure(409, "Conflict", "the UID in the precondition is another one");
        }
        let effective = job["metadata"]["deletionTimestamp"].is_null();
        // Without a policy the pods of a Job stay: they would be orphans.
        let policy = text(&asked.body["propagationPolicy"]).to_owned();
        if policy.is_empty() {
            return Answer::failure(400, "BadRequest", "the double wants a propagationPolicy");
        }
        self.delete_job(&asked.name, &policy);
        Answer::of(&json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}), effective)
    }

    fn delete_all(&mut self, asked: &Asked) -> Answer {
        if let Some(wrong) = self.schemas.refuse("options", &asked.body) {
            return Answer::failure(400, "BadRequest", &wrong);
        }
        let names: Vec<String> =
            self.selected(asked).iter().map(|thing| text(&thing["metadata"]["name"]).to_owned()).collect();
        for name in &names {
            self.objects.remove(&asked.kind, name);
        }
        let success = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        Answer::of(&success, !names.is_empty())
    }

    fn list(&self, asked: &Asked) -> Answer {
        let items = self.selected(asked);
        // A page's token is where the next one begins.
        let from = asked.query("continue").parse().unwrap_or(0).min(items.len());
        let to = asked.query("limit").parse().map_or(items.len(), |limit: usize| items.len().min(from + limit));
        let next = if to < items.len() { to.to_string() } else { String::new() };
        let items: Vec<Value> = items[from..to]
            .iter()
            .map(|&thing| if asked.wants_metadata() { metadata(thing) } else { thing.clone() })
            .collect();
        let meta = json!({"continue": next, "resourceVersion": self.objects.version().to_string()});
        Answer::of(&json!({"kind": "List", "apiVersion": "v1", "metadata": meta, "items": items}), false)
    }

    fn selected(&self, asked: &Asked) -> Vec<&Value> {
        let selector = asked.selector();
        self.objects.all(&asked.kind).filter(|thing| selector.holds(thing)).collect()
    }

    fn log(&self, asked: &Asked) -> Answer {
        let (Some(pod), Some(played)) = (self.objects.get("pods", &asked.name), self.played.get(&asked.name)) else {
            return Answer::missing(asked);
        };
        if asked.query("container") != text(&pod["spec"]["containers"][0]["name"]) {
            return Answer::failure(400, "BadRequest", "there is no such container");
        }
        if played.unreadable {
            return Answer::failure(500, "InternalError", "dial tcp: no route to host");
        }
        if !matches!(text(&pod["status"]["phase"]), "Running" | "Succeeded" | "Failed") {
            return Answer::failure(400, "BadRequest", "the container is waiting to start: ContainerCreating");
        }
        // Nodes know whole seconds only.
        let since = asked.query("sinceTime").parse::<Timestamp>().map_or(i64::MIN, Timestamp::as_second);
        let lines: Vec<_> = played.lines.iter().filter(|(at, _)| at.as_second() >= since).collect();
        let last = asked.query("tailLines").parse().unwrap_or(lines.len()).min(lines.len());
        let timed = asked.query("timestamps") == "true";
        let text =
            |(at, line): &&(Timestamp, String)| if timed { format!("{at} {line}\n") } else { format!("{line}\n") };
        Answer {
            status: 200,
            body: lines[lines.len() - last..].iter().map(text).collect(),
            effective: false,
            wait: None,
        }
    }
}

/// What the server refuses beyond the shape of things.
fn unsound(kind: &str, thing: &Value) -> Option<String> {
    let name = text(&thing["metadata"]["name"]);
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(known) {
        return Some(format!("metadata.name: Invalid value: \"{name}\""));
    }
    if kind == "secrets" {
        let size: usize = thing["data"].as_object()?.values().map(|value| text(value).len() / 4 * 3).sum();
        return (size > SECRET).then(|| "data: Too long: may not be more than 1048576 bytes".to_owned());
    }
    let pod = &thing["spec"]["template"]["spec"];
    if !thing["spec"]["podFailurePolicy"].is_null() && pod["restartPolicy"] != "Never" {
        return Some(
            "spec.template.spec.restartPolicy: only \"Never\" is supported with a podFailurePolicy".to_owned(),
        );
    }
    let replaced = &thing["spec"]["podReplacementPolicy"];
    if !(thing["spec"]["podFailurePolicy"].is_null() || replaced.is_null() || replaced == "Failed") {
        return Some("spec.podReplacementPolicy: only \"Failed\" is supported with a podFailurePolicy".to_owned());
    }
    let items = pod["volumes"][0]["projected"]["sources"].as_array().into_iter().flatten();
    let mut paths: Vec<&str> = items
        .flat_map(|source| source["secret"]["items"].as_array().into_iter().flatten())
        .map(|item| text(&item["path"]))
        .collect();
    let count = paths.len();
    paths.sort_unstable();
    paths.dedup();
    (paths.len() < count).then(|| "spec.template.spec.volumes[0].projected: conflicting paths".to_owned())
}
