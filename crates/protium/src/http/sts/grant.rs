//! Credentials of a session: made here, once it is decided that somebody gets them.

use super::fault::Fault;
use super::session::Session;
use super::wanted::Wanted;
use super::xml::Xml;
use super::{Answer, Call};
use crate::auth::{new_secret, new_stable_id};
use crate::http::sessions::{PolicyOf, session_policies};
use protium_domain::iam::summary;
use protium_domain::role::{DEFAULT_SESSION_S, Role};

/// What is answered of a new session: its credentials, and who it is.
pub(super) struct Granted {
    access_key_id: String,
    credentials: Xml,
    user: Xml,
    /// How much of the room for policies and tags is taken, in percent.
    packed: Option<usize>,
}

impl Granted {
    /// The answer; `more` writes who the session is, and what else this way of asking for one answers.
    pub(super) fn answer(self, more: impl FnOnce(Xml, Xml) -> Xml) -> Answer {
        let xml = more(Xml::default().element("Credentials", self.credentials), self.user);
        let xml = match self.packed {
            Some(percent) => xml.text("PackedPolicySize", &percent.to_string()),
            None => xml,
        };
        Answer { xml, access_key_id: self.access_key_id }
    }
}

/// How long a session is to live, in seconds. One that another role's session asks for lives an hour at most.
pub(super) fn duration(wanted: &Wanted, role: &Role, is_chained: bool) -> Result<i64, Fault> {
    let seconds = wanted.duration_s.unwrap_or(DEFAULT_SESSION_S);
    if is_chained && seconds > DEFAULT_SESSION_S {
        return Err(Fault::invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if seconds > role.max_session_s {
        return Err(Fault::invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    Ok(seconds)
}

/// Makes a session of `role`.
pub(super) async fn grant(call: &Call<'_>, role: &Role, wanted: Wanted, seconds: i64) -> Result<Granted, Fault> {
    let Wanted { account, session: name, restriction, .. } = wanted;
    let packed = restriction.packed_percent()?;
    let mut rd = call.app.store.reader().await?;
    for (policy, found) in session_policies(call.app, &mut rd, &account, &restriction).await? {
        match (policy, found) {
            (_, Some(Ok(_))) => {}
            (PolicyOf::Call, Some(Err(problems))) => {
                let message = format!("Syntax errors in policy. {}", summary(&problems));
                return Err(Fault::new(400, "MalformedPolicyDocument", message));
            }
            (PolicyOf::Arn(arn), Some(Err(_)) | None) => {
                return Err(Fault::invalid(format!("PolicyArns: the policy {arn} does not exist")));
            }
            (PolicyOf::Call, None) => {}
        }
    }
    let session = Session {
        access_key_id: new_stable_id("ASIA"),
        secret: new_secret().map_err(Fault::internal)?,
        account,
        role_id: role.id.clone(),
        name,
        issued_at: call.now,
        expires_at: call.now.saturating_add(seconds * 1000),
        restriction,
    };
    let token = session.seal(call.app.store.master_key())?;
    let expiration = jiff::Timestamp::from_second(session.expires_at.div_euclid(1000)).map_err(Fault::internal)?;
    Ok(Granted {
        access_key_id: session.access_key_id.clone(),
        credentials: Xml::default()
            .text("AccessKeyId", &session.access_key_id)
            .text("SecretAccessKey", &session.secret)
            .text("SessionToken", &token)
            .text("Expiration", &expiration.to_string()),
        user: Xml::default()
            .text("AssumedRoleId", &format!("{}:{}", role.id, session.name))
            .text("Arn", &role.session_arn(&session.account, &session.name)),
        packed,
    })
}
