//! What all ways to assume a role are asked for: which role, under which name, for how long, with what.

use super::fault::Fault;
use super::form::{Form, Violations};
use super::session::Restriction;
use crate::operations::{Caller, circumstances};
use crate::store::{DbResult, Reader, role_get};
use protium_domain::iam::Context;
use protium_domain::role::{Role, SHORTEST_SESSION_S, is_name, parse_arn};
use protium_domain::tag;
use serde_json::{Map, Value, json};

/// The longest ARN, in bytes.
pub(super) const ARN: usize = 2048;
/// The longest session of any role, in seconds.
const LONGEST_S: i64 = 43_200;
/// What names of sessions and roles have, as AWS writes it.
const NAME: &str = "[\\w+=,.@-]*";
/// Parameters that would change what a session is. To ignore them would be to promise it.
const UNSUPPORTED: [&str; 5] = ["ProviderId", "ProvidedContexts", "SerialNumber", "SourceIdentity", "TokenCode"];

/// The shapes of a call that asks for a role, checked.
pub(super) struct Wanted {
    pub(super) role_arn: String,
    /// The account of the role.
    pub(super) account: String,
    pub(super) role: String,
    pub(super) session: String,
    pub(super) duration_s: Option<i64>,
    pub(super) restriction: Restriction,
}

impl Wanted {
    /// Reads a form. What is wrong with parameters of its own, the caller has noted in `violations`.
    pub(super) fn read(form: &Form, mut violations: Violations) -> Result<Self, Fault> {
        if let Some(name) = UNSUPPORTED.iter().find(|name| form.has(name)) {
            return Err(Fault::invalid(format!("{name} is not supported; leave it out")));
        }
        let role_arn = violations.text(form.get("RoleArn"), "roleArn", (20, ARN), None);
        let session =
            violations.text(form.get("RoleSessionName"), "roleSessionName", (2, 64), Some((NAME, is_name_character)));
        let duration_s = form.get("DurationSeconds").map(|text| duration(text, &mut violations));
        let policy = form.get("Policy").map(|text| violations.text(Some(text), "policy", (1, 2048), None).to_owned());
        let policy_arns = list(form, "PolicyArns", ".arn", (20, 2048), 10, &mut violations);
        let keys = list(form, "Tags", ".Key", (1, 128), 50, &mut violations);
        let values = list(form, "Tags", ".Value", (0, 256), 50, &mut violations);
        let transitive = list(form, "TransitiveTagKeys", "", (1, 128), 50, &mut violations);
        violations.check()?;

        let Some((account, role)) = parse_arn(role_arn) else {
            return Err(Fault::invalid(format!("{role_arn} is invalid")));
        };
        if keys.len() != values.len() {
            return Err(Fault::invalid("Each of the Tags must have a Key and a Value"));
        }
        let tags = keys.into_iter().zip(values).collect();
        Ok(Self {
            account: account.to_owned(),
            role: role.to_owned(),
            role_arn: role_arn.to_owned(),
            session: session.to_owned(),
            duration_s: duration_s.flatten(),
            restriction: Restriction { policy, policy_arns, ..with_tags(tags, transitive)? },
        })
    }

    /// What the audit log tells of the call: a JSON object.
    pub(super) fn told(&self) -> Map<String, Value> {
        let Self { role_arn, session, duration_s, restriction, .. } = self;
        let mut told = Map::new();
        told.insert("roleArn".to_owned(), json!(role_arn));
        told.insert("roleSessionName".to_owned(), json!(session));
        told.extend(duration_s.map(|seconds| ("durationSeconds".to_owned(), json!(seconds))));
        told.extend(restriction.policy.as_ref().map(|policy| ("policy".to_owned(), json!(policy))));
        if !restriction.policy_arns.is_empty() {
            told.insert("policyArns".to_owned(), json!(restriction.policy_arns));
        }
        if !restriction.tags.is_empty() {
            let tags: Map<String, Value> =
                restriction.tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            told.insert("tags".to_owned(), Value::Object(tags));
        }
        told
    }

    /// The condition keys of a call for `role` that came in at `now` (milliseconds since 1970), however it proves who
    /// calls.
    pub(super) fn context<'a>(&'a self, caller: &'a Caller, now: i64, role: &'a Role) -> Context<'a> {
        let pairs = |tags: &'a [(String, String)]| tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let context = circumstances(caller, now)
            .with("aws:ResourceAccount", self.account.as_str())
            .with("sts:RoleSessionName", self.session.as_str())
            .with_resource_tags(pairs(&role.tags))
            .with_request_tags(pairs(&self.restriction.tags));
        if self.restriction.transitive.is_empty() {
            return context;
        }
        context.with_all("sts:TransitiveTagKeys", self.restriction.transitive.iter().map(String::as_str))
    }
}

/// The role that is asked for, if there is one of exactly that name: policies are asked about the ARN as it is given.
pub(super) async fn find(rd: &mut Reader, wanted: &Wanted) -> DbResult<Option<Role>> {
    let role = role_get(rd, &wanted.account, &wanted.role).await?;
    Ok(role.filter(|role| role.name == wanted.role))
}

/// Tags of a session, of which some go on to the next one.
pub(super) fn with_tags(tags: Vec<(String, String)>, transitive: Vec<String>) -> Result<Restriction, Fault> {
    let pairs = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    tag::check(pairs).map_err(|error| Fault::invalid(format!("Tags: {error}")))?;
    for (index, (key, _)) in tags.iter().enumerate() {
        if tags[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(key)) {
            let why = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Fault::new(400, "InvalidInput", why));
        }
    }
    if let Some(key) = transitive.iter().find(|key| !tags.iter().any(|(tag, _)| tag.eq_ignore_ascii_case(key))) {
        let why = "One or more of the specified transitive tag keys were not found in the session tags";
        return Err(Fault::invalid(format!("{why}: {key}")));
    }
    Ok(Restriction { tags, transitive, ..Restriction::default() })
}

fn is_name_character(character: char) -> bool {
    is_name(character.encode_utf8(&mut [0; 4]))
}

fn duration(text: &str, violations: &mut Violations) -> Option<i64> {
    let place = "durationSeconds";
    let seconds: i64 = match text.parse() {
        Ok(seconds) => seconds,
        Err(_) => {
            violations.add(text.chars().take(32).collect::<String>(), place, "Member must be an integer");
            return None;
        }
    };
    if seconds < SHORTEST_SESSION_S {
        let least = format_args!("Member must have value greater than or equal to {SHORTEST_SESSION_S}");
        violations.add(seconds, place, least);
    } else if seconds > LONGEST_S {
        violations.add(seconds, place, format_args!("Member must have value less than or equal to {LONGEST_S}"));
    }
    Some(seconds)
}

fn list(
    form: &Form,
    name: &str,
    rest: &str,
    lengths: (usize, usize),
    most: usize,
    violations: &mut Violations,
) -> Vec<String> {
    let entries = form.list(name, rest);
    let member =
        |number: u32| format!("{}{}.{number}.member{}", name[..1].to_lowercase(), &name[1..], rest.to_lowercase());
    if entries.len() > most {
        let place = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        let constraint = format_args!("Member must have length less than or equal to {most}");
        violations.add(format_args!("[{} members]", entries.len()), &place, constraint);
        return Vec::new();
    }
    let checked =
        entries.iter().map(|(number, value)| violations.text(Some(value), &member(*number), lengths, None).to_owned());
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "RoleArn=arn:aws:iam::111122223333:role/ci&RoleSessionName=build-7";

    fn read(more: &str) -> Result<Wanted, Fault> {
        Wanted::read(&Form::read(&format!("{ROLE}{more}")), Violations::default())
    }

    fn fault(more: &str) -> String {
        read(more).err().expect("it is refused").message.into_owned()
    }

    #[test]
    fn a_call_is_read_with_its_lists() {
        let wanted = read(
            "&DurationSeconds=900&Policy=%7B%7D&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/ProtiumReadOnlyAccess\
             &Tags.member.1.Key=team&Tags.member.1.Value=blue&TransitiveTagKeys.member.1=Team",
        )
        .expect("it is right");
        assert_eq!((wanted.account.as_str(), wanted.role.as_str()), ("111122223333", "ci"));
        assert_eq!((wanted.session.as_str(), wanted.duration_s), ("build-7", Some(900)));
        let Restriction { policy, policy_arns, tags, transitive } = wanted.restriction;
        assert_eq!((policy.as_deref(), policy_arns.len()), (Some("{}"), 1));
        assert_eq!((tags, transitive), (vec![("team".into(), "blue".into())], vec!["Team".to_owned()]));
    }

    #[test]
    fn shapes_are_refused_as_aws_words_it() {
        for (more, why) in [
            (
                "&DurationSeconds=899",
                "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: \
                 Member must have value greater than or equal to 900",
            ),
            (
                "&DurationSeconds=43201",
                "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: \
                 Member must have value less than or equal to 43200",
            ),
            ("&TransitiveTagKeys.member.1=team", "One or more of the specified transitive tag keys were not found"),
            ("&Tags.member.1.Key=team", "Each of the Tags must have a Key and a Value"),
            ("&Tags.member.1.Key=aws:x&Tags.member.1.Value=1", "Tags: tag key 'aws:x' begins with 'aws:'"),
            (
                "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2",
                "Duplicate tag keys found.",
            ),
            ("&SourceIdentity=ada", "SourceIdentity is not supported"),
        ] {
            let told = fault(more);
            assert!(told.starts_with(why), "{told}");
        }
        let wrong = Form::read("RoleArn=arn:aws:iam::1:role&RoleSessionName=a%20b");
        let told = Wanted::read(&wrong, Violations::default()).err().expect("it is refused").message;
        assert!(told.starts_with("2 validation errors detected: ") && told.contains("'roleSessionName'"), "{told}");
        let wrong = Form::read("RoleArn=arn:aws:iam::111122223333:user/ada&RoleSessionName=ab");
        let told = Wanted::read(&wrong, Violations::default()).err().expect("it is refused").message;
        assert_eq!(told, "arn:aws:iam::111122223333:user/ada is invalid");
    }
}
