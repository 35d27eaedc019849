//! `AssumeRoleWithWebIdentity`: tokens of an identity provider of the test's own, good ones and all others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp};
use crate::support::issuer::{Issuer, Mood, SigningKey};
use crate::support::service::but;
use crate::support::sts::{Fault, allow, credentials, element};

const AUDIENCE: &str = "sts.amazonaws.com";
const SUBJECT: &str = "repo:octo/shop:ref:refs/heads/main";
const HOUR_MS: i64 = 60 * 60 * 1000;

/// A provider that the account trusts, and the role `ci` for the repository `octo/shop`.
struct Site {
    app: TestApp,
    issuer: Issuer,
}

impl Site {
    async fn on(db: &crate::support::database::TestDb) -> Self {
        let (app, issuer) = (TestApp::on(db).await, Issuer::start().await);
        let provider = json!({ "url": issuer.url, "clientIds": [AUDIENCE, "another"] });
        app.ok("CreateOidcProvider", provider).await;
        let site = Self { app, issuer };
        site.role("ci", json!({ "StringLike": { site.key("sub"): "repo:octo/shop:*" } })).await;
        site
    }

    fn key(&self, claim: &str) -> String {
        format!("{}:{claim}", self.issuer.identifier())
    }

    fn provider(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", self.issuer.identifier())
    }

    async fn role(&self, name: &str, condition: Value) {
        let trust = allow(&json!({
            "Principal": { "Federated": self.provider() }, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }));
        self.app.ok("CreateRole", json!({ "roleName": name, "trustPolicy": trust.to_string() })).await;
    }

    /// What a good token says.
    fn claims(&self) -> Value {
        let now = self.app.app.clock.now_ms() / 1000;
        json!({
            "iss": self.issuer.url, "sub": SUBJECT, "aud": AUDIENCE, "exp": now + 600, "iat": now, "nbf": now,
            "jti": uuid::Uuid::new_v4().to_string(), "environment": "production", "amr": ["mfa", "pwd"], "run_attempt": 1,
        })
    }

    /// A good token.
    fn token(&self) -> String {
        self.issuer.token(&self.claims())
    }

    async fn exchange(&self, role: &str, token: &str) -> Result<String, Fault> {
        exchange(&self.app, role, token, None).await
    }

    /// How many tokens are noted as used.
    async fn used(&self) -> i64 {
        let mut reader = self.app.store().reader().await.unwrap();
        let sql = "SELECT COUNT(*) FROM web_identity_token";
        reader.query_one(sql, protium::params![]).await.unwrap().int(0).unwrap()
    }

    async fn code(&self, token: &str) -> String {
        self.exchange("ci", token).await.map_or_else(|fault| fault.code, |_| "OK".to_owned())
    }
}

async fn exchange(app: &TestApp, role: &str, token: &str, from: Option<&str>) -> Result<String, Fault> {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", role.as_str()),
        ("RoleSessionName", "build-7"),
        ("WebIdentityToken", token),
    ];
    app.sts(None, from, &form).await
}

/// A token with another header, signed by whoever.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

on_both! {
    a_token_is_exchanged_for_a_session_of_the_role, async |db| {
        let site = Site::on(db).await;
        let answer = site.exchange("ci", &site.token()).await.unwrap();
        let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/build-7");
        for (name, value) in [
            ("Arn", arn.as_str()), ("SubjectFromWebIdentityToken", SUBJECT), ("Audience", AUDIENCE),
            ("Provider", &site.provider()),
        ] {
            assert_eq!(element(&answer, name), value);
        }
        assert_eq!(site.app.who(&credentials(&answer)).await.unwrap(), arn);
        // It lives on when the token has expired.
        site.app.pass(HOUR_MS / 2);
        assert_eq!(site.app.who(&credentials(&answer)).await.unwrap(), arn);
    }

    tokens_may_be_signed_in_each_of_these_ways, async |db| {
        let site = Site::on(db).await;
        let ways = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
        let keys: Vec<SigningKey> = ways.iter().map(|way| SigningKey::new(&format!("{way:?}"), *way)).collect();
        site.issuer.rotate(keys.clone());
        for key in &keys {
            let token = key.sign(&site.claims());
            assert_eq!(site.code(&token).await, "OK", "{:?}", key.algorithm);
        }
        // A key is for the one way that its set says.
        let public = keys[0].public();
        assert_eq!((public["kid"].as_str(), public["alg"].as_str()), (Some("RS256"), Some("RS256")));
        let crossed = keys[0].clone().by(Algorithm::PS256);
        assert_eq!(site.code(&crossed.sign(&site.claims())).await, "InvalidIdentityToken");
    }

    what_can_not_be_believed_is_refused_and_changes_nothing, async |db| {
        let site = Site::on(db).await;
        let stranger = Issuer::start().await;
        let now = site.app.app.clock.now_ms() / 1000;
        let with = |change: Value| site.issuer.token(&but(site.claims(), change));
        let good = site.token();
        let parts: Vec<&str> = good.split('.').collect();
        let header = json!({ "alg": "ES256", "kid": "one" });
        let public = site.issuer.asked();
        assert!(public.is_empty());
        let own = SigningKey::new("one", Algorithm::ES256);
        let cases = [
            ("expired", with(json!({ "exp": now - 61 })), "ExpiredTokenException", "Token expired: current date/time"),
            ("of a foreign issuer", stranger.token(&but(site.claims(), json!({ "iss": stranger.url }))),
             "InvalidIdentityToken", "No OpenIDConnect provider found in your account for http://127.0.0.1:"),
            ("of almost the issuer", with(json!({ "iss": format!("{}/", site.issuer.url) })),
             "InvalidIdentityToken", "No OpenIDConnect provider found"),
            ("of an issuer that no database holds", with(json!({ "iss": format!("{}\0", site.issuer.url) })),
             "InvalidIdentityToken", "No OpenIDConnect provider found"),
            ("of a foreign key", stranger.token(&site.claims()), "InvalidIdentityToken", "signature"),
            ("of a foreign key with the same id", own.sign(&site.claims()), "InvalidIdentityToken", "signature"),
            ("for others", with(json!({ "aud": "someone" })), "InvalidIdentityToken", "Incorrect token audience"),
            ("for a list of others", with(json!({ "aud": ["a", "b"] })), "InvalidIdentityToken", "'a, b'"),
            ("for another party", with(json!({ "azp": "someone" })), "InvalidIdentityToken", "'someone'"),
            ("not signed", forged(&json!({ "alg": "none", "kid": "one" }), &site.claims(), ""),
             "InvalidIdentityToken", "'none'"),
            ("signed by None", forged(&json!({ "alg": "None", "kid": "one" }), &site.claims(), "AAAA"),
             "InvalidIdentityToken", "'None'"),
            ("signed with a secret", forged(&json!({ "alg": "HS256", "kid": "one" }), &site.claims(), "AAAA"),
             "InvalidIdentityToken", "'HS256'"),
            ("with a header that must be understood",
             forged(&but(header.clone(), json!({ "crit": ["b64"] })), &site.claims(), parts[2]),
             "InvalidIdentityToken", "crit"),
            ("of an unknown key", SigningKey::new("two", Algorithm::ES256).sign(&site.claims()),
             "InvalidIdentityToken", "'two'"),
            ("altered", forged(&header, &site.claims(), parts[2]), "InvalidIdentityToken", "signature"),
            ("not valid yet", with(json!({ "nbf": now + 3600 })), "InvalidIdentityToken", "not valid before"),
            ("issued in the future", with(json!({ "iat": now + 3600 })), "InvalidIdentityToken", "not valid before"),
            ("without an end", with(json!({ "exp": null })), "InvalidIdentityToken", "Missing a required claim: exp"),
            ("without a beginning", with(json!({ "iat": null })), "InvalidIdentityToken", "claim: iat"),
            ("without a subject", with(json!({ "sub": null })), "InvalidIdentityToken", "claim: sub"),
            ("without an audience", with(json!({ "aud": null })), "InvalidIdentityToken", "claim: aud"),
            ("that never ends", with(json!({ "exp": "never" })), "InvalidIdentityToken", "no number"),
            ("an access token", "ghp_0123456789".to_owned(), "InvalidIdentityToken", "not a valid JWT"),
            ("of five parts", format!("{good}.a.b"), "InvalidIdentityToken", "not a valid JWT"),
            ("of nonsense", "!.!.!".to_owned(), "InvalidIdentityToken", "base64url"),
            ("too long", format!("{good}{}", "A".repeat(20_000)), "ValidationError", "'webIdentityToken'"),
            ("empty", String::new(), "ValidationError", "Member must not be null"),
        ];
        for (what, token, code, why) in cases {
            let fault = site.exchange("ci", &token).await.expect_err(what);
            assert_eq!((fault.status, fault.code.as_str()), (400, code), "{what}: {}", fault.message);
            assert!(fault.message.contains(why), "{what}: {}", fault.message);
            assert!(token.len() < 32 || !fault.message.contains(&token), "{what}: {}", fault.message);
        }
        // Who is not vouched for does not learn which roles there are.
        let fault = site.exchange("nowhere", &with(json!({ "aud": "someone" }))).await.unwrap_err();
        assert_eq!(fault.code, "InvalidIdentityToken");
        assert_eq!(site.used().await, 0, "none of them counts as used");
        assert!(stranger.asked().is_empty(), "who is not registered is asked for nothing");
        assert_eq!(site.code(&good).await, "OK");
    }

    clocks_may_be_a_minute_apart, async |db| {
        let site = Site::on(db).await;
        let now = site.app.app.clock.now_ms() / 1000;
        for change in [json!({ "exp": now - 30 }), json!({ "nbf": now + 30, "iat": now + 30 })] {
            assert_eq!(site.code(&site.issuer.token(&but(site.claims(), change))).await, "OK");
        }
    }

    the_trust_policy_decides_by_what_the_token_says, async |db| {
        let site = Site::on(db).await;
        let key = |claim: &str| site.key(claim);
        for (role, condition, is_allowed) in [
            ("sub", json!({ "StringEquals": { key("sub"): SUBJECT } }), true),
            ("other-sub", json!({ "StringEquals": { key("sub"): "repo:octo/other:ref:refs/heads/main" } }), false),
            ("aud", json!({ "StringEquals": { key("aud"): AUDIENCE } }), true),
            ("other-aud", json!({ "StringEquals": { key("aud"): "another" } }), false),
            ("amr", json!({ "ForAnyValue:StringEquals": { key("amr"): "mfa" } }), true),
            ("other-amr", json!({ "ForAnyValue:StringEquals": { key("amr"): "sms" } }), false),
            ("claim", json!({ "StringEquals": { key("environment"): "production" } }), true),
            ("other-claim", json!({ "StringEquals": { key("environment"): "test" } }), false),
            ("number", json!({ "NumericEquals": { key("run_attempt"): "1" } }), true),
            ("absent", json!({ "StringEquals": { key("nothing"): "x" } }), false),
            ("name", json!({ "StringLike": { "sts:RoleSessionName": "build-*" } }), true),
            ("other-name", json!({ "StringLike": { "sts:RoleSessionName": "test-*" } }), false),
        ] {
            site.role(role, condition).await;
            let answer = site.exchange(role, &site.token()).await;
            assert_eq!(answer.is_ok(), is_allowed, "{role}: {answer:?}");
            if let Err(fault) = answer {
                assert_eq!((fault.status, fault.code.as_str()), (403, "AccessDenied"));
                assert_eq!(fault.message, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
            }
        }
        // A role that does not exist is not told from one that may not be assumed.
        assert_eq!(site.exchange("nowhere", &site.token()).await.unwrap_err().code, "AccessDenied");
        // One that trusts users does not trust tokens.
        let trust = allow(&json!({ "Principal": { "AWS": ACCOUNT }, "Action": "sts:*" })).to_string();
        site.app.ok("CreateRole", json!({ "roleName": "users", "trustPolicy": trust })).await;
        assert_eq!(site.exchange("users", &site.token()).await.unwrap_err().code, "AccessDenied");
    }

    a_token_that_was_used_is_used_again_from_the_same_address_only, async |db| {
        let site = Site::on(db).await;
        let other = TestApp::on(db).await;
        let (token, fresh) = (site.token(), site.token());
        let (here, there) = (Some("203.0.113.7"), Some("198.51.100.1"));
        exchange(&site.app, "ci", &token, here).await.unwrap();
        // An answer may be lost, and files are read by every process of a machine.
        exchange(&site.app, "ci", &token, here).await.unwrap();
        exchange(&other, "ci", &token, here).await.unwrap();
        for process in [&site.app, &other] {
            for from in [there, None] {
                let fault = exchange(process, "ci", &token, from).await.unwrap_err();
                assert_eq!((fault.status, fault.code.as_str()), (400, "InvalidIdentityToken"));
                assert!(fault.message.starts_with("The token was used before."), "{}", fault.message);
            }
        }
        exchange(&other, "ci", &fresh, there).await.unwrap();
        // Whatever stands in the place of its signature, it is the same token.
        let forged = format!("{}.AAAA", token.rsplit_once('.').unwrap().0);
        assert_eq!(exchange(&site.app, "ci", &forged, there).await.unwrap_err().code, "InvalidIdentityToken");
    }

    the_provider_says_who_may_use_a_token_again, async |db| {
        let site = Site::on(db).await;
        let (here, there) = (Some("203.0.113.7"), Some("198.51.100.1"));
        let url = &site.issuer.url;
        site.app.ok("UpdateOidcProvider", json!({ "url": url, "tokenReuse": "ONCE" })).await;
        let token = site.issuer.token(&but(site.claims(), json!({
            "exp": site.app.app.clock.now_ms() / 1000 + 3600,
        })));
        exchange(&site.app, "ci", &token, here).await.unwrap();
        site.app.pass(4 * 60 * 1000);
        exchange(&site.app, "ci", &token, here).await.unwrap();
        site.app.pass(2 * 60 * 1000);
        assert_eq!(exchange(&site.app, "ci", &token, here).await.unwrap_err().code, "InvalidIdentityToken");
        site.app.ok("UpdateOidcProvider", json!({ "url": url, "tokenReuse": "ANYWHERE" })).await;
        exchange(&site.app, "ci", &token, there).await.unwrap();
    }

    of_two_who_use_a_token_at_once_one_gets_an_answer, async |db| {
        let site = Site::on(db).await;
        let token = site.token();
        let other = TestApp::on(db).await;
        let (one, two) = tokio::join!(
            exchange(&site.app, "ci", &token, Some("203.0.113.7")),
            exchange(&other, "ci", &token, Some("198.51.100.1")),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }

    used_tokens_are_forgotten_when_they_have_expired, async |db| {
        let site = Site::on(db).await;
        site.exchange("ci", &site.token()).await.unwrap();
        site.app.enqueue(&protium_domain::job::Job::ExpireTokens).await;
        site.app.work().await;
        assert_eq!(site.used().await, 1);
        site.app.pass(2 * HOUR_MS);
        site.app.work().await;
        assert_eq!(site.used().await, 0);
    }

    a_new_key_is_asked_for_and_not_for_each_token, async |db| {
        let site = Site::on(db).await;
        assert_eq!(site.code(&site.token()).await, "OK");
        assert_eq!(site.issuer.asked(), ["/.well-known/openid-configuration", "/keys"]);
        let old = site.issuer.token(&site.claims());
        let new = SigningKey::new("two", Algorithm::ES256);
        site.issuer.rotate(vec![new.clone()]);
        for _ in 0..5 {
            assert_eq!(site.code(&new.sign(&site.claims())).await, "InvalidIdentityToken");
        }
        assert!(site.issuer.asked().is_empty());
        site.app.pass(30_000);
        assert_eq!(site.code(&new.sign(&site.claims())).await, "OK");
        assert_eq!(site.issuer.asked().len(), 2);
        // The one that is gone is believed no longer.
        assert_eq!(site.code(&old).await, "InvalidIdentityToken");
        assert!(site.issuer.asked().is_empty());
    }

    a_provider_that_is_down_is_asked_again_and_its_keys_are_kept, async |db| {
        let site = Site::on(db).await;
        site.issuer.be(Mood::Down);
        for _ in 0..3 {
            let fault = site.exchange("ci", &site.token()).await.unwrap_err();
            assert_eq!((fault.status, fault.code.as_str()), (400, "IDPCommunicationError"));
            assert!(fault.message.contains(&site.issuer.url), "{}", fault.message);
        }
        assert_eq!(site.issuer.asked().len(), 1, "it is not asked for each token");
        site.issuer.be(Mood::Well);
        site.app.pass(5_000);
        assert_eq!(site.code(&site.token()).await, "OK");
        site.issuer.be(Mood::Down);
        site.app.pass(2 * HOUR_MS);
        assert_eq!(site.code(&site.token()).await, "OK");
        site.app.pass(24 * HOUR_MS);
        assert_eq!(site.code(&site.token()).await, "IDPCommunicationError");
    }

    answers_that_are_none_are_taken_for_none, async |db| {
        let site = Site::on(db).await;
        for mood in [Mood::Huge, Mood::Redirecting, Mood::Posing, Mood::Luring] {
            site.issuer.be(mood);
            site.app.pass(5_000);
            assert_eq!(site.code(&site.token()).await, "IDPCommunicationError", "{mood:?}");
            assert!(!site.issuer.asked().iter().any(|path| path == "/elsewhere"), "{mood:?}");
        }
    }

    tags_of_the_session_come_in_the_token_if_the_role_lets_them, async |db| {
        let site = Site::on(db).await;
        let tagged = |tags: Value| site.issuer.token(&but(site.claims(), json!({ "https://aws.amazon.com/tags": tags })));
        let good = json!({ "principal_tags": { "team": ["blue"] }, "transitive_tag_keys": ["team"] });
        assert_eq!(site.code(&tagged(good.clone())).await, "AccessDenied");
        let trust = allow(&json!({
            "Principal": { "Federated": site.provider() },
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
            "Condition": { "StringEqualsIfExists": { "aws:RequestTag/team": "blue" } },
        }));
        site.app.ok("UpdateRole", json!({ "roleName": "ci", "trustPolicy": trust.to_string() })).await;
        let answer = site.exchange("ci", &tagged(good)).await.unwrap();
        assert!(answer.contains("<PackedPolicySize>"), "{answer}");
        let red = json!({ "principal_tags": { "team": ["red"] } });
        assert_eq!(site.code(&tagged(red)).await, "AccessDenied");
        for wrong in [json!("team"), json!({ "principal_tags": { "team": "blue" } }), json!({ "principal_tags": { "": ["x"] } })] {
            assert_eq!(site.code(&tagged(wrong)).await, "InvalidIdentityToken");
        }
    }

    a_provider_that_is_removed_vouches_for_nobody, async |db| {
        let site = Site::on(db).await;
        assert_eq!(site.code(&site.token()).await, "OK");
        site.app.ok("DeleteOidcProvider", json!({ "url": site.issuer.url })).await;
        assert_eq!(site.code(&site.token()).await, "InvalidIdentityToken");
    }
}
