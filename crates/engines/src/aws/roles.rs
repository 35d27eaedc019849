//! Roles assumed through STS: one session for each role and resource, renewed before it ends.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_sts::types::Credentials as StsCredentials;

use super::{Aws, CredentialsFailure, Fault, Refusal, classify, renewal, transient};
use crate::Role;

/// STS takes 2 to 64 of these as a session name.
const SESSION_NAME_LENGTH: usize = 64;

/// Whose session it is. The session name is part of it: it names the resource in the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoleKey {
    region: String,
    role: Role,
}

impl RoleKey {
    pub(super) fn new(region: &str, role: &Role) -> Self {
        Self { region: region.to_owned(), role: role.clone() }
    }
}

#[derive(Debug)]
pub(super) struct Session {
    credentials: Credentials,
    renew_at: SystemTime,
}

impl Aws {
    pub(super) async fn role_credentials(&self, region: &str, role: &Role) -> Result<Credentials, CredentialsFailure> {
        let key = RoleKey::new(region, role);
        let now = SystemTime::now();
        if let Some(session) = self.inner.roles.lock().await.get(&key)
            && now < session.renew_at
        {
            return Ok(session.credentials.clone());
        }
        self.session(region, role).await
    }

    /// A session of a role that begins now: for what can't renew it, and is to have all of its time.
    ///
    /// # Errors
    ///
    /// As [`Self::credentials`].
    pub async fn session(&self, region: &str, role: &Role) -> Result<Credentials, CredentialsFailure> {
        let (key, now) = (RoleKey::new(region, role), SystemTime::now());
        let credentials = self.assume(region, role).await?;
        let renew_at = renewal(&credentials, now);
        let mut sessions = self.inner.roles.lock().await;
        sessions.retain(|_, session| now < session.renew_at);
        sessions.insert(key, Session { credentials: credentials.clone(), renew_at });
        Ok(credentials)
    }

    async fn assume(&self, region: &str, role: &Role) -> Result<Credentials, CredentialsFailure> {
        let own = self.source_credentials().await?;
        let request = self
            .sts(region, own)
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(session_name(&role.session_name))
            .set_external_id(role.external_id.clone());
        match request.send().await {
            Ok(answer) => session_credentials(answer.credentials).ok_or_else(|| {
                CredentialsFailure::Transient(transient(format!("STS answered without credentials for {}", role.arn)))
            }),
            Err(error) => Err(match classify(error) {
                Fault::Transient(transient) => CredentialsFailure::Transient(transient),
                Fault::Refused(refusal) => {
                    if refusal.is_expired() {
                        self.forget(region, None).await;
                    }
                    CredentialsFailure::Refused(refused(role, &refusal))
                }
            }),
        }
    }
}

fn session_credentials(answer: Option<StsCredentials>) -> Option<Credentials> {
    let given = answer?;
    let end = SystemTime::try_from(given.expiration).ok();
    Some(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        end,
        "protium-assume-role",
    ))
}

fn refused(role: &Role, refusal: &Refusal) -> String {
    let Refusal { code, message } = refusal;
    let text = format!("The role {} can't be assumed: {message} ({code}).", role.arn);
    if !code.starts_with("AccessDenied") {
        return text;
    }
    format!(
        "{text} Its trust policy must name the identity that this server runs as where it named \
         proton.amazonaws.com, and must not ask for aws:SourceAccount or aws:SourceArn (use sts:ExternalId instead); \
         the server's identity needs sts:AssumeRole on the role."
    )
}

/// `name` with what STS does not take replaced by `-`, cut to what it takes.
fn session_name(name: &str) -> String {
    let taken = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let mut name: String = name.chars().map(|c| if taken(c) { c } else { '-' }).take(SESSION_NAME_LENGTH).collect();
    while name.len() < 2 {
        name.push('-');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_are_brought_to_what_sts_takes() {
        for (given, sent) in [
            ("environment/prod", "environment-prod"),
            ("service/shop/blue:é", "service-shop-blue--"),
            ("a@b.c+d=e,f_g-h", "a@b.c+d=e,f_g-h"),
            ("x", "x-"),
            ("", "--"),
        ] {
            assert_eq!(session_name(given), sent);
        }
        assert_eq!(session_name(&"n".repeat(90)).len(), 64);
    }

    #[test]
    fn a_denied_role_comes_with_the_remedy() {
        let role =
            Role { arn: "arn:aws:iam::123456789012:role/deploy".into(), session_name: "s".into(), external_id: None };
        let refusal = Refusal { code: "AccessDenied".into(), message: "not authorized".into() };
        let text = refused(&role, &refusal);
        assert!(
            text.contains("not authorized") && text.contains("trust policy") && text.contains("aws:SourceArn"),
            "{text}"
        );
        let refusal = Refusal { code: "InvalidClientTokenId".into(), message: "unknown token".into() };
        assert!(!refused(&role, &refusal).contains("trust policy"));
    }
}
