//! What policies cost: GetService of a user with many statements beside one with a single one, and the memory of many
//! keys and policies.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::calls::{PROTIUM, PROTON};
use crate::figure::Figure;
use crate::load::Pool;
use crate::rounds::{Contender, race};
use crate::sign::Key;
use crate::site::{ACCOUNT, Database, SERVICES, Site, service_name};
use crate::{Effort, load, note};

const CONNECTIONS: usize = 16;
/// Of the caller with many.
const STATEMENTS: usize = 20;
/// Users with a key and a policy each.
const USERS: usize = 1000;
/// How many of them call at the same time.
const CLIENTS: usize = 100;

/// The throughput of a user with [`STATEMENTS`] beside that of one with a single one, and of the root user.
pub(crate) async fn throughput(site: &Site, effort: Effort) -> Result<Vec<Figure>> {
    let at = site.address();
    let input = json!({"name": service_name(SERVICES / 2)});
    let one = user(at, "one-statement", &policy(1)).await?;
    let many = user(at, "many-statements", &policy(STATEMENTS)).await?;
    let contenders = vec![
        contender("root user", at, PROTON.key(), &input),
        contender("one statement", at, one.key(), &input),
        contender("many statements", at, many.key(), &input),
    ];
    let name = site.database.name();
    let [_, one, many] = race(&format!("{name}: GetService with policies"), effort, contenders).await?[..] else {
        return Ok(Vec::new());
    };
    let what = format!("GetService with {STATEMENTS} statements, {name}");
    Ok(vec![Figure::share(what, many, "one statement", one, 0.90)])
}

/// What the server's memory grows by while [`CLIENTS`] call with the keys of [`USERS`].
pub(crate) async fn memory() -> Result<Figure> {
    let site = Site::start(Database::Sqlite).await?;
    let at = site.address();
    let root = call_all(at, &[PROTON.key()], Duration::from_secs(3)).await?;
    let base = site.memory("VmRSS")?;
    note(format!("access: creating {USERS} users, each with a key and a policy"));
    let mut users = Vec::new();
    for number in 0..USERS {
        users.push(user(at, &format!("user-{number:04}"), &policy_of(number)).await?);
    }
    let keys: Vec<Key<'_>> = users.iter().map(User::key).collect();
    let all = call_all(at, &keys, Duration::from_secs(10)).await?;
    let grown = site.memory("VmRSS")? - base;
    note(format!(
        "access: {base:.1} MB with the root user at {root:.0} /s, {grown:.1} MB more with all at {all:.0} /s"
    ));
    let what = format!("{USERS} keys, {USERS} policies, {CLIENTS} clients");
    Ok(Figure::bound(what, grown, format!("over {base:.1} MB with one key"), 20.0, "MB"))
}

/// A user's access key.
struct User {
    id: String,
    secret: String,
}

impl User {
    fn key(&self) -> Key<'_> {
        Key { id: &self.id, secret: &self.secret }
    }
}

/// Makes a user with a policy of its own and a key.
async fn user(at: SocketAddr, name: &str, document: &Value) -> Result<User> {
    let name = json!(name);
    PROTIUM.call(at, "CreateUser", &json!({"userName": name})).await?;
    // Attached: what is embedded in a user may not be as long.
    let policy = json!({"policyName": name, "policyDocument": document.to_string()});
    PROTIUM.call(at, "CreatePolicy", &policy).await?;
    PROTIUM.call(at, "AttachPolicy", &json!({"userName": name, "policy": name})).await?;
    let made = PROTIUM.call(at, "CreateAccessKey", &json!({"userName": name})).await?;
    let text = |member: &str| made["accessKey"][member].as_str().map(str::to_owned).context("a key");
    Ok(User { id: text("accessKeyId")?, secret: text("secretAccessKey")? })
}

/// A policy whose last statement is the one that allows to get services; the others have to be looked at.
fn policy(statements: usize) -> Value {
    let other = |number: usize| {
        json!({
            "Effect": "Allow", "Action": ["proton:Get*", "proton:UpdateService"],
            "Resource": format!("arn:aws:proton:*:{ACCOUNT}:service/team-{number}-*"),
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": format!("team-{number}")}},
        })
    };
    let allowing = json!({
        "Effect": "Allow", "Action": "proton:GetService",
        "Resource": format!("arn:aws:proton:*:{ACCOUNT}:service/service-*"),
        "Condition": {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8"]}},
    });
    let others = (1..statements).map(other);
    json!({"Version": "2012-10-17", "Statement": others.chain([allowing]).collect::<Vec<Value>>()})
}

/// A policy as a developer of a team has it, another one for each.
fn policy_of(number: usize) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Read", "Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"},
            {
                "Sid": "Own", "Effect": "Allow",
                "Action": ["proton:CreateService", "proton:UpdateService", "proton:DeleteService", "proton:TagResource"],
                "Resource": format!("arn:aws:proton:*:{ACCOUNT}:service/team-{number}-*"),
                "Condition": {"StringEquals": {"aws:RequestTag/team": format!("team-{number}")}},
            },
            {
                "Sid": "NotProduction", "Effect": "Deny", "Action": "proton:*", "NotResource":
                    [format!("arn:aws:proton:*:{ACCOUNT}:service/*"), "*"],
            },
        ],
    })
}

fn contender<'a>(name: &str, at: SocketAddr, key: Key<'a>, input: &'a Value) -> Contender<'a> {
    Contender::new(name, move |time| async move {
        load::rate(at, PROTON.signed_with(key).pool(at, "GetService", input)?, CONNECTIONS, time).await
    })
}

/// [`CLIENTS`] connections that list services with each of these keys in turn; the rate.
async fn call_all(at: SocketAddr, keys: &[Key<'_>], time: Duration) -> Result<f64> {
    let input = json!({});
    let requests = keys.iter().map(|key| PROTON.signed_with(*key).request(at, "ListServices", &input));
    let pool = Pool { requests: requests.collect::<Result<_>>()?, again: true };
    load::rate(at, pool, CLIENTS, time).await
}
