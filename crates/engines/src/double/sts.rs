//! The double's STS: roles are assumed unless the test denies it; keys carry their account.

use std::time::{Duration, SystemTime};

use super::wire::{Answer, escape};
use super::{Call, World};

/// The account of a key that [`assume_role`] gave out.
pub(super) fn account(key: &str) -> Option<String> {
    let account = key.strip_prefix("ASIA")?.get(..12)?;
    account.bytes().all(|b| b.is_ascii_digit()).then(|| account.to_owned())
}

/// Whether the session behind `key` was ended by the test.
pub(super) fn is_ended(world: &World, key: &str) -> bool {
    let number = key.get(16..).and_then(|n| n.parse::<u32>().ok());
    account(key).is_some() && world.ended_sessions && number.is_some_and(|n| n <= world.sessions)
}

pub(super) fn assume_role(world: &mut World, call: &Call) -> Answer {
    let role = call.get("RoleArn");
    let Some(account) = crate::aws::account_of(role) else {
        return Answer::error(400, "ValidationError", &format!("{role} is invalid"));
    };
    if world.denied_roles.contains(role) {
        let message = format!(
            "User: arn:aws:iam::{}:user/server is not authorized to perform: sts:AssumeRole on resource: {role}",
            call.account
        );
        return Answer::error(403, "AccessDenied", &message);
    }
    world.sessions += 1;
    let end = SystemTime::now() + Duration::from_secs(world.session_seconds);
    let content = format!(
        "<AssumedRoleUser><AssumedRoleId>AROADOUBLE:{0}</AssumedRoleId><Arn>{1}/{0}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>ASIA{account}{2:08}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>{3}</Expiration></Credentials>",
        escape(call.get("RoleSessionName")),
        escape(role),
        world.sessions,
        timestamp(end),
    );
    world.ended_sessions = false;
    Answer::result(&call.action, &content, true)
}

pub(super) fn caller_identity(call: &Call) -> Answer {
    let content = format!(
        "<Arn>arn:aws:iam::{0}:user/server</Arn><UserId>AIDADOUBLE</UserId><Account>{0}</Account>",
        call.account
    );
    Answer::result("GetCallerIdentity", &content, false)
}

/// RFC 3339 in UTC, to the second; the days of the civil calendar from those since 1970.
pub(super) fn timestamp(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let mut left = days;
    let leap = |y: u64| (y.is_multiple_of(4) && !y.is_multiple_of(100)) || y.is_multiple_of(400);
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let mut month = 1;
    for length in [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z", left + 1, rest / 3_600, rest / 60 % 60, rest % 60)
}
