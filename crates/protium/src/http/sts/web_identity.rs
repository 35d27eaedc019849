//! `AssumeRoleWithWebIdentity`: whoever has a token of an identity provider that the role's account trusts gets the
//! rights of the role, if its trust policy lets such a one.

use super::form::Violations;
use super::grant::{duration, grant};
use super::session::Restriction;
use super::wanted::{Wanted, find, with_tags};
use super::xml::Xml;
use super::{Answer, Call, Fault};
use crate::auth::Identity;
use crate::oidc::token::{LEEWAY_S, LONGEST};
use crate::oidc::{Presented, TokenError, Verified};
use crate::operations::Caller;
use crate::store::{oidc_provider_get, web_identity_token_use};
use crate::transaction;
use protium_domain::arn::Scope;
use protium_domain::iam::{Context, Policies, Principal, PrincipalKind, Request};
use protium_domain::oidc_provider::{OidcProvider, TokenReuse, TokenUse, identifier};
use protium_domain::role::Role;
use serde_json::Value;
use std::sync::Arc;

pub(super) const OPERATION: &str = "AssumeRoleWithWebIdentity";
/// The claim with the tags of the session.
const TAGS: &str = "https://aws.amazon.com/tags";
/// What region a request is of that is not signed for one.
const REGION: &str = "us-east-1";

pub(super) async fn call(call: &Call<'_>) -> Result<Xml, Fault> {
    let mut violations = Violations::default();
    // A token that is refused for its length is not shown.
    let given = call.form.get("WebIdentityToken").filter(|token| !token.is_empty());
    let token = match given.map(|token| token.len()) {
        Some(length) if !(4..=LONGEST).contains(&length) => {
            let constraint = format!("Member must have a length from 4 to {LONGEST}, not {length}");
            violations.add("***", "webIdentityToken", constraint);
            ""
        }
        _ => violations.text(given, "webIdentityToken", (0, LONGEST), None),
    };
    let wanted = Wanted::read(&call.form, violations)?;
    if let Some(name) = ["Tags", "TransitiveTagKeys"].iter().find(|name| call.form.has(name)) {
        return Err(Fault::invalid(format!("{name}: the tags of the session come in the token's claim {TAGS}")));
    }
    let presented = Presented::read(token)?;
    let mut rd = call.app.store.reader().await?;
    let provider = provider(&mut rd, &wanted.account, presented.issuer()).await?;
    drop(rd);
    let verified = verify(call, &presented, &provider).await?;
    // From here on it is known who asks, and can be recorded.
    let caller = vouched(call, &wanted.account, &provider, &verified);
    let told = wanted.told();
    let answer = granted(call, &caller, wanted, &provider, &verified).await;
    call.recorded(&caller, OPERATION, Some(told), answer).await
}

/// The credentials for whom the provider vouches, if the role trusts it with that one.
async fn granted(
    call: &Call<'_>,
    caller: &Caller,
    mut wanted: Wanted,
    provider: &OidcProvider,
    verified: &Verified,
) -> Result<Answer, Fault> {
    // Whether there is such a role is told to those for whom somebody vouches.
    let role = &find(&mut call.app.store.reader().await?, &wanted).await?.ok_or_else(refused)?;
    let Restriction { policy, policy_arns, .. } = wanted.restriction;
    wanted.restriction = Restriction { policy, policy_arns, ..tags(verified)? };
    check_trust(call, caller, &wanted, role, provider, verified)?;
    let seconds = duration(&wanted, role, false)?;
    use_up(call, &wanted.account, provider, verified).await?;
    let account = wanted.account.clone();
    let granted = grant(call, role, wanted, seconds).await?;
    Ok(granted.answer(|xml, user| {
        xml.text("SubjectFromWebIdentityToken", &verified.subject)
            .element("AssumedRoleUser", user)
            .text("Provider", &provider.arn(&account))
            .text("Audience", &verified.audience)
    }))
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        let code = match &error {
            TokenError::Expired { .. } => "ExpiredTokenException",
            TokenError::Malformed(_)
            | TokenError::Algorithm(_)
            | TokenError::UnknownKey(_)
            | TokenError::Signature
            | TokenError::MissingClaim(_)
            | TokenError::Audience(_)
            | TokenError::NotYet { .. } => "InvalidIdentityToken",
        };
        Self::new(400, code, error.to_string())
    }
}

/// The account's provider with exactly that issuer.
async fn provider(rd: &mut crate::store::Reader, account: &str, issuer: &str) -> Result<OidcProvider, Fault> {
    // No database holds a text with that character.
    let found = match issuer.contains('\0') {
        true => None,
        false => oidc_provider_get(rd, account, issuer).await?,
    };
    let found = found.filter(|provider| provider.url == issuer);
    found.ok_or_else(|| {
        let issuer: String = issuer.chars().take(255).collect();
        let message = format!("No OpenIDConnect provider found in your account for {issuer}");
        Fault::new(400, "InvalidIdentityToken", message)
    })
}

async fn verify(call: &Call<'_>, presented: &Presented<'_>, provider: &OidcProvider) -> Result<Verified, Fault> {
    let keys = call.app.issuers.keys(&provider.url, presented.key()).await.map_err(|_| {
        let message = format!("The keys of the identity provider {} can't be fetched; try again later", provider.url);
        Fault::new(400, "IDPCommunicationError", message)
    })?;
    Ok(presented.verify(&keys, &provider.client_ids, call.now)?)
}

/// The tags that the token gives the session.
fn tags(verified: &Verified) -> Result<Restriction, Fault> {
    let Some(claim) = verified.claims.get(TAGS) else { return Ok(Restriction::default()) };
    let wrong = || {
        let message = format!("The claim {TAGS} must have principal_tags, an object of lists with one text each");
        Fault::new(400, "InvalidIdentityToken", message)
    };
    let one = |value: &Value| match value {
        Value::Array(values) => match values.as_slice() {
            [Value::String(text)] => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    let pairs = claim.get("principal_tags").and_then(Value::as_object).ok_or_else(wrong)?;
    let pairs = pairs.iter().map(|(key, value)| Some((key.clone(), one(value)?)));
    let pairs: Vec<(String, String)> = pairs.collect::<Option<_>>().ok_or_else(wrong)?;
    let is_short = |(key, value): &(String, String)| (1..=128).contains(&key.len()) && value.chars().count() <= 256;
    if !pairs.iter().all(is_short) {
        return Err(wrong());
    }
    let transitive = match claim.get("transitive_tag_keys") {
        None => Vec::new(),
        Some(keys) => serde_json::from_value(keys.clone()).map_err(|_| wrong())?,
    };
    with_tags(pairs, transitive)
}

/// Whom a provider vouches for, in an account.
fn vouched(call: &Call<'_>, account: &str, provider: &OidcProvider, verified: &Verified) -> Caller {
    let arn = provider.arn(account);
    let principal = Principal {
        account: account.to_owned(),
        arn: arn.clone(),
        id: format!("{arn}:{}:{}", verified.audience, verified.subject),
        kind: PrincipalKind::Federated { provider: arn },
        tags: Vec::new(),
    };
    Caller {
        identity: Arc::new(Identity { principal, policies: Policies::default() }),
        access_key_id: None,
        scope: Scope::new(account, REGION),
        origin: call.origin.clone(),
    }
}

/// Asks the role's trust policy. Nobody else is asked: the provider vouches for the caller.
fn check_trust(
    call: &Call<'_>,
    caller: &Caller,
    wanted: &Wanted,
    role: &Role,
    provider: &OidcProvider,
    verified: &Verified,
) -> Result<(), Fault> {
    let trust = role.trust().map_err(|_| Fault::internal("a trust policy can't be read"))?;
    let conditions = verified.conditions(identifier(&provider.url));
    let context = context(caller, call.now, wanted, role, &conditions);
    let is_tagging = !wanted.restriction.tags.is_empty();
    for action in ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"].into_iter().take(1 + usize::from(is_tagging)) {
        let principal = &caller.identity.principal;
        if !trust.allows(&Request { principal, action, resource: &wanted.role_arn, context: &context }) {
            return Err(refused());
        }
    }
    Ok(())
}

/// The condition keys of the call.
fn context<'a>(
    caller: &'a Caller,
    now: i64,
    wanted: &'a Wanted,
    role: &'a Role,
    conditions: &'a [(String, Vec<String>)],
) -> Context<'a> {
    let provider = caller.identity.principal.arn.as_str();
    let mut context = wanted.context(caller, now, role).with("aws:FederatedProvider", provider);
    for (key, values) in conditions {
        context = match values.as_slice() {
            [one] => context.with(key.as_str(), one.as_str()),
            all => context.with_all(key.as_str(), all.iter().map(String::as_str)),
        };
    }
    context
}

/// Notes that the token is used, and refuses it if it was before by another one than the provider's rule allows.
async fn use_up(call: &Call<'_>, account: &str, provider: &OidcProvider, verified: &Verified) -> Result<(), Fault> {
    if provider.token_reuse == TokenReuse::Anywhere {
        return Ok(());
    }
    let source = call.origin.source_ip.map(|address| address.to_string()).unwrap_or_default();
    let now = TokenUse { at: call.now, source };
    let expires_at = verified.expires_s.saturating_add(LEEWAY_S).saturating_mul(1000);
    let first = transaction!(call.app.store, async |tx| -> Result<TokenUse, Fault> {
        Ok(web_identity_token_use(tx, account, &verified.sha256, now.clone(), expires_at).await?)
    })?;
    if provider.token_reuse.permits(&first, &now) {
        return Ok(());
    }
    let message = "The token was used before. The identity provider's tokenReuse says who may use one again";
    Err(Fault::new(400, "InvalidIdentityToken", message))
}

fn refused() -> Fault {
    Fault::denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
}
