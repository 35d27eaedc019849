//! `AssumeRole`, and what the credentials are good for that it answers.

use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp, code, message as message_of};
use crate::support::sts::{Fault, Key, allow, credentials, element};
use http::StatusCode;
use protium::store::{Call, DbError, DbErrorKind, HeldAs, Holder, inline_put, policy_attach};
use protium::transaction;
use protium_domain::iam::holder::HolderKind;
use serde_json::{Value, json};
use std::sync::Arc;

const OTHER: &str = "222222222222";
const HOUR_MS: i64 = 60 * 60 * 1000;
/// So long a role is believed that another process may have changed.
const BELIEVED_MS: i64 = 5_000;

/// What is answered while the database can't be asked who somebody is.
const NOT_NOW: &[u8] = b"the database can't be reached; try again\n";

/// A trust policy for a principal of AWS.
fn trusts(principal: &str, actions: &[&str]) -> String {
    allow(&json!({ "Principal": { "AWS": principal }, "Action": actions })).to_string()
}

fn arn(account: &str, role: &str) -> String {
    format!("arn:aws:iam::{account}:role/{role}")
}

async fn role(app: &TestApp, name: &str, trust: &str) {
    app.ok("CreateRole", json!({ "roleName": name, "trustPolicy": trust, "maxSessionDuration": 7200 })).await;
}

/// A user who may assume every role, of which `ci` trusts the whole account.
async fn site(app: &TestApp) -> Key {
    role(app, "ci", &trusts(ACCOUNT, &["sts:AssumeRole", "sts:TagSession"])).await;
    app.user(ACCOUNT, "ada", &allow(&json!({ "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*" })))
}

async fn assume(app: &TestApp, key: &Key, role_arn: &str, more: &[(&str, &str)]) -> Result<String, Fault> {
    let form = [("Action", "AssumeRole"), ("RoleArn", role_arn), ("RoleSessionName", "build-7")];
    let form: Vec<(&str, &str)> = form.iter().chain(more).copied().collect();
    app.sts(Some(key), None, &form).await
}

async fn session(app: &TestApp) -> Key {
    let ada = site(app).await;
    credentials(&assume(app, &ada, &arn(ACCOUNT, "ci"), &[]).await.unwrap())
}

/// Gives a role a policy: one that is built in, or, embedded in it, a document.
async fn give(app: &TestApp, role: &str, policy: Result<&str, Value>) {
    let made = app.ok("GetRole", json!({ "roleName": role })).await;
    let id = made["role"]["roleId"].as_str().unwrap().to_owned();
    let holder = Holder { account: app.scope().account, kind: HolderKind::Role, id, name: role.to_owned() };
    transaction!(app.store(), async |tx| -> Result<(), DbError> {
        match &policy {
            Ok(name) => policy_attach(tx, &holder, name, HeldAs::Policy).await,
            Err(document) => inline_put(tx, &holder, "own", &document.to_string()).await,
        }
    })
    .unwrap();
    app.app.keys.doubt();
}

/// The code of a call of the API, or `OK`.
async fn code_of(app: &TestApp, key: &Key) -> String {
    let (status, body) = app.get_mine(&app.signer_of(key, "proton")).await;
    match status {
        StatusCode::OK => "OK".to_owned(),
        _ => body["__type"].as_str().unwrap().rsplit_once('#').unwrap().1.to_owned(),
    }
}

on_both! {
    a_session_is_known_as_its_role_and_by_its_name, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        let answer = assume(&app, &ada, &arn(ACCOUNT, "ci"), &[]).await.unwrap();
        let made = app.ok("GetRole", json!({ "roleName": "ci" })).await;
        let id = format!("{}:build-7", made["role"]["roleId"].as_str().unwrap());
        let session_arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/build-7");
        assert_eq!((element(&answer, "AssumedRoleId"), element(&answer, "Arn")), (id.clone(), session_arn.clone()));
        let expires: jiff::Timestamp = element(&answer, "Expiration").parse().unwrap();
        let left = expires.as_millisecond() - app.app.clock.now_ms();
        assert!((HOUR_MS - 60_000..=HOUR_MS).contains(&left), "{left}");
        assert!(!answer.contains("PackedPolicySize"), "{answer}");
        let key = credentials(&answer);
        assert!(key.id.starts_with("ASIA") && key.id.len() == 20 && key.secret.len() == 40, "{key:?}");
        let who = app.sts(Some(&key), None, &[("Action", "GetCallerIdentity")]).await.unwrap();
        assert_eq!(
            ["Account", "Arn", "UserId"].map(|name| element(&who, name)), [ACCOUNT.to_owned(), session_arn, id]
        );
    }

    every_process_knows_the_sessions_of_the_others, async |db| {
        let (here, there) = (TestApp::on(db).await, TestApp::on(db).await);
        let key = session(&here).await;
        assert!(there.who(&key).await.unwrap().ends_with("assumed-role/ci/build-7"));
    }

    a_session_ends_and_says_so_in_the_words_of_each_service, async |db| {
        let app = TestApp::on(db).await;
        let key = session(&app).await;
        assert!(app.who(&key).await.is_ok());
        app.pass(HOUR_MS);
        let fault = app.who(&key).await.unwrap_err();
        assert_eq!((fault.status, fault.code.as_str()), (403, "ExpiredToken"));
        assert_eq!(fault.message, "The security token included in the request is expired");
        assert_eq!(code_of(&app, &key).await, "ExpiredTokenException");
        let list = http::Request::get("http://127.0.0.1/").header("host", "127.0.0.1").body(Vec::new()).unwrap();
        let (status, body) = app.exchange(app.signer_of(&key, "s3").sign(list)).await;
        assert_eq!((status.as_u16(), element(&String::from_utf8(body).unwrap(), "Code")), (400, "ExpiredToken".to_owned()));
        // Another process, which never knew it while it lived.
        let other = TestApp::on(db).await;
        other.pass(HOUR_MS);
        assert_eq!(other.who(&key).await.unwrap_err().code, "ExpiredToken");
    }

    a_key_works_with_its_own_token_only, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        let make = async || credentials(&assume(&app, &ada, &arn(ACCOUNT, "ci"), &[]).await.unwrap());
        let (one, two) = (make().await, make().await);
        let mut altered = one.clone().token.unwrap();
        let last = altered.pop().unwrap();
        altered.push(if last == 'A' { 'B' } else { 'A' });
        for token in [None, two.token.clone(), Some(altered), Some("x".to_owned()), Some(String::new())] {
            let wrong = Key { token, ..one.clone() };
            // Before the session was ever seen, and after.
            for _ in 0..2 {
                assert_eq!(app.who(&wrong).await.unwrap_err().code, "InvalidClientTokenId", "{wrong:?}");
                assert_eq!(code_of(&app, &wrong).await, "UnrecognizedClientException");
                app.who(&one).await.unwrap();
            }
            app.app.keys.replace([]);
            let key = app.user(ACCOUNT, "ada", &allow(&json!({ "Action": "sts:AssumeRole", "Resource": "*" })));
            assert_eq!(key.id, ada.id);
        }
        let wrong = Key { secret: two.secret.clone(), ..one.clone() };
        assert_eq!(app.who(&wrong).await.unwrap_err().code, "SignatureDoesNotMatch");
    }

    who_can_not_be_looked_up_is_asked_to_try_again_and_not_believed_on, async |db| {
        let app = TestApp::on(db).await;
        let session = session(&app).await;
        app.ok("CreateUser", json!({ "userName": "eve" })).await;
        let made = app.ok("CreateAccessKey", json!({ "userName": "eve" })).await["accessKey"].clone();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        let key = Key { id: text("accessKeyId"), secret: text("secretAccessKey"), token: None };
        for (key, table) in [(&key, "FROM access_key"), (&session, "FROM role")] {
            app.who(key).await.unwrap();
            app.app.store.db().set_probe(Some(Arc::new(move |call| match call {
                Call::Statement(sql) if sql.contains(table) => Err(DbError::new(DbErrorKind::Unavailable, "away")),
                _ => Ok(()),
            })));
            app.who(key).await.expect("so long nothing is looked up");
            app.pass(BELIEVED_MS);
            let who = http::Request::post("http://127.0.0.1/").header("host", "127.0.0.1");
            let who = who.header("content-type", "application/x-www-form-urlencoded");
            let who = who.body(b"Action=GetCallerIdentity&Version=2011-06-15".to_vec()).unwrap();
            let (status, body) = app.exchange(app.signer_of(key, "sts").sign(who)).await;
            assert_eq!((status, body.as_slice()), (StatusCode::SERVICE_UNAVAILABLE, NOT_NOW), "{table}");
            app.app.store.db().set_probe(None);
            app.who(key).await.unwrap();
        }
    }

    a_deleted_role_has_no_sessions, async |db| {
        let (here, there) = (TestApp::on(db).await, TestApp::on(db).await);
        let key = session(&here).await;
        assert!(here.who(&key).await.is_ok() && there.who(&key).await.is_ok());
        here.ok("DeleteRole", json!({ "roleName": "ci" })).await;
        assert_eq!(here.who(&key).await.unwrap_err().code, "InvalidClientTokenId");
        there.pass(BELIEVED_MS);
        assert_eq!(there.who(&key).await.unwrap_err().code, "InvalidClientTokenId");
        // Another role is not the one that was.
        role(&here, "ci", &trusts(ACCOUNT, &["sts:AssumeRole"])).await;
        assert_eq!(here.who(&key).await.unwrap_err().code, "InvalidClientTokenId");
    }

    both_sides_must_allow_it, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        let nobody = app.user(ACCOUNT, "bob", &allow(&json!({ "Action": "proton:*", "Resource": "*" })));
        let narrow = json!({ "Action": "sts:AssumeRole", "Resource": arn(ACCOUNT, "other") });
        let elsewhere = app.user(ACCOUNT, "eve", &allow(&narrow));
        app.ok("CreateUser", json!({ "userName": "carol" })).await;
        role(&app, "closed", &trusts(&format!("arn:aws:iam::{ACCOUNT}:user/carol"), &["sts:AssumeRole"])).await;
        let message = |user: &str, role: &str| format!(
            "User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: sts:AssumeRole on resource: {}",
            arn(ACCOUNT, role)
        );
        for (key, user, role) in [
            (&nobody, "bob", "ci"), (&elsewhere, "eve", "ci"), (&ada, "ada", "closed"), (&ada, "ada", "nowhere"),
            // Written otherwise, it would pass a policy that denies the role.
            (&ada, "ada", "CI"),
        ] {
            let fault = assume(&app, key, &arn(ACCOUNT, role), &[]).await.unwrap_err();
            assert_eq!((fault.status, fault.code.as_str()), (403, "AccessDenied"));
            assert_eq!(fault.message, message(user, role));
        }
        let root = Key {
            id: format!("AKIA{ACCOUNT}TEST"), secret: "a secret of sixteen characters or more".into(), token: None,
        };
        let fault = assume(&app, &root, &arn(ACCOUNT, "ci"), &[]).await.unwrap_err();
        assert_eq!(fault.message, "Roles may not be assumed by root accounts.");
    }

    whoever_has_the_name_of_a_trusted_user_or_role_later_is_not_trusted, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateAccount", json!({ "id": OTHER })).await;
        let other = app.in_account(OTHER);
        let may = allow(&json!({ "Action": "sts:AssumeRole", "Resource": "*" })).to_string();
        // The key of a user that is made anew each time.
        let user = async || {
            app.ok("CreateUser", json!({ "userName": "ada" })).await;
            app.ok("PutInlinePolicy", json!({ "userName": "ada", "policyName": "p", "policyDocument": may })).await;
            let key = app.ok("CreateAccessKey", json!({ "userName": "ada" })).await["accessKey"].clone();
            let text = |name: &str| key[name].as_str().unwrap().to_owned();
            Key { id: text("accessKeyId"), secret: text("secretAccessKey"), token: None }
        };
        let user_arn = format!("arn:aws:iam::{ACCOUNT}:user/ada");
        let trust = trusts(&user_arn, &["sts:AssumeRole"]);
        let input = json!({ "roleName": "guest", "trustPolicy": trust });
        let why = message_of(other.call("CreateRole", input.clone()).await);
        assert_eq!(why, format!("trustPolicy: there is no user {user_arn}: create it before, or take it out of the principals"));
        let first = user().await;
        let capitals = trusts(&format!("arn:aws:iam::{ACCOUNT}:user/Ada"), &["sts:AssumeRole"]);
        let misspelt = json!({ "roleName": "guest", "trustPolicy": capitals });
        assert_eq!(code(other.call("CreateRole", misspelt).await), "ValidationException");
        other.ok("CreateRole", input).await;
        let guest = arn(OTHER, "guest");
        let step = credentials(&assume(&app, &first, &guest, &[]).await.unwrap());
        // A role behind it, which trusts the role before.
        give(&other, "guest", Err(serde_json::from_str(&may).unwrap())).await;
        let chained = json!({ "roleName": "behind", "trustPolicy": trusts(&guest, &["sts:AssumeRole"]) });
        app.ok("CreateRole", chained).await;
        assume(&app, &step, &arn(ACCOUNT, "behind"), &[]).await.unwrap();

        app.ok("DeleteAccessKey", json!({ "userName": "ada", "accessKeyId": first.id })).await;
        app.ok("DeleteInlinePolicy", json!({ "userName": "ada", "policyName": "p" })).await;
        app.ok("DeleteUser", json!({ "userName": "ada" })).await;
        let second = user().await;
        assert_eq!(assume(&app, &second, &guest, &[]).await.unwrap_err().code, "AccessDenied");
        // Whoever changes something else of the role does not trust anew; whoever says it again does.
        other.ok("UpdateRole", json!({ "roleName": "guest", "description": "of others" })).await;
        assert_eq!(assume(&app, &second, &guest, &[]).await.unwrap_err().code, "AccessDenied");
        other.ok("UpdateRole", json!({ "roleName": "guest", "trustPolicy": trust })).await;
        assume(&app, &second, &guest, &[]).await.unwrap();

        other.ok("DeleteInlinePolicy", json!({ "roleName": "guest", "policyName": "own" })).await;
        other.ok("DeleteRole", json!({ "roleName": "guest" })).await;
        role(&other, "guest", &trust).await;
        give(&other, "guest", Err(serde_json::from_str(&may).unwrap())).await;
        let step = credentials(&assume(&app, &second, &guest, &[]).await.unwrap());
        assert_eq!(assume(&app, &step, &arn(ACCOUNT, "behind"), &[]).await.unwrap_err().code, "AccessDenied");
        let gone = json!({ "roleName": "behind", "trustPolicy": trusts(&arn(OTHER, "never"), &["sts:AssumeRole"]) });
        assert_eq!(code(app.call("UpdateRole", gone).await), "ValidationException");
    }

    the_role_of_another_account_is_assumed_if_it_trusts, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateAccount", json!({ "id": OTHER })).await;
        let other = app.in_account(OTHER);
        let condition = json!({ "StringEquals": { "sts:ExternalId": "contract-9" } });
        let trust = allow(&json!({
            "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "sts:AssumeRole",
            "Condition": condition,
        }));
        role(&other, "guest", &trust.to_string()).await;
        let ada = site(&app).await;
        let guest = arn(OTHER, "guest");
        for more in [&[][..], &[("ExternalId", "contract-8")]] {
            assert_eq!(assume(&app, &ada, &guest, more).await.unwrap_err().code, "AccessDenied");
        }
        let key = credentials(&assume(&app, &ada, &guest, &[("ExternalId", "contract-9")]).await.unwrap());
        for account in [&app, &other] {
            let done = json!({ "operation": "AssumeRole", "outcome": "SUCCEEDED" });
            let records = account.ok("ListAuditRecords", done).await["auditRecords"].as_array().unwrap().clone();
            let [record] = records.as_slice() else { panic!("one in each account: {records:?}") };
            assert_eq!(record["principalArn"], json!(format!("arn:aws:iam::{ACCOUNT}:user/ada")));
            let told: Value = serde_json::from_str(record["requestParameters"].as_str().unwrap()).unwrap();
            assert_eq!(told, json!({ "roleArn": guest, "roleSessionName": "build-7", "issuedAccessKeyId": key.id }));
        }
        assert_eq!(app.who(&key).await.unwrap(), format!("arn:aws:sts::{OTHER}:assumed-role/guest/build-7"));
    }

    the_session_lives_as_long_as_its_role_lets_it, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        let ci = arn(ACCOUNT, "ci");
        let longest = credentials(&assume(&app, &ada, &ci, &[("DurationSeconds", "7200")]).await.unwrap());
        app.pass(2 * HOUR_MS - 1_000);
        assert!(app.who(&longest).await.is_ok());
        let fault = assume(&app, &ada, &ci, &[("DurationSeconds", "7201")]).await.unwrap_err();
        assert_eq!((fault.status, fault.code.as_str()), (400, "ValidationError"));
        assert_eq!(fault.message, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
        for seconds in ["899", "43201", "an hour"] {
            let fault = assume(&app, &ada, &ci, &[("DurationSeconds", seconds)]).await.unwrap_err();
            assert!(fault.message.starts_with(&format!(
                "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: "
            )), "{}", fault.message);
        }
    }

    tags_are_allowed_apart_and_carried_on_if_they_are_to_be, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        let ci = arn(ACCOUNT, "ci");
        role(&app, "plain", &trusts(ACCOUNT, &["sts:AssumeRole"])).await;
        let tags = [
            ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue"),
            ("Tags.member.2.Key", "stage"), ("Tags.member.2.Value", "test"),
            ("TransitiveTagKeys.member.1", "team"),
        ];
        let fault = assume(&app, &ada, &arn(ACCOUNT, "plain"), &tags).await.unwrap_err();
        assert!(fault.message.contains("sts:TagSession"), "{}", fault.message);
        let answer = assume(&app, &ada, &ci, &tags).await.unwrap();
        let percent: u32 = element(&answer, "PackedPolicySize").parse().unwrap();
        assert!((1..10).contains(&percent), "{percent}");
        let fault = assume(&app, &ada, &ci, &[("TransitiveTagKeys.member.1", "team")]).await.unwrap_err();
        assert!(fault.message.starts_with("One or more of the specified transitive tag keys were not found"));
    }

    what_restricts_a_session_is_read_before_it_begins, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        let ci = arn(ACCOUNT, "ci");
        let reads = allow(&json!({ "Action": "proton:Get*", "Resource": "*" })).to_string();
        let answer = assume(&app, &ada, &ci, &[
            ("Policy", &reads), ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ProtiumReadOnlyAccess"),
        ]).await.unwrap();
        assert!(answer.contains("<PackedPolicySize>"), "{answer}");
        for (name, value, code, why) in [
            ("Policy", "{", "MalformedPolicyDocument", "Syntax errors in policy. "),
            ("Policy", r#"{"Version":"2012-10-17","Statement":{"Effect":"Maybe"}}"#, "MalformedPolicyDocument", "Maybe"),
            ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/None", "ValidationError", "does not exist"),
            ("PolicyArns.member.1.arn", "short", "ValidationError", "'policyArns.1.member.arn'"),
            ("ExternalId", "a\0b", "MalformedInput", "U+0000"),
            ("SerialNumber", "123", "ValidationError", "SerialNumber is not supported"),
        ] {
            let fault = assume(&app, &ada, &ci, &[(name, value)]).await.unwrap_err();
            assert_eq!((fault.status, fault.code.as_str()), (400, code), "{name} {value}");
            assert!(fault.message.contains(why), "{}", fault.message);
        }
    }

    a_session_may_do_what_its_role_may_and_its_own_policies_let_it, async |db| {
        let (app, other) = (TestApp::on(db).await, TestApp::on(db).await);
        let ada = site(&app).await;
        let ci = arn(ACCOUNT, "ci");
        let make = async |more: &[(&str, &str)]| credentials(&assume(&app, &ada, &ci, more).await.unwrap());
        let plain = make(&[]).await;
        assert_eq!(code_of(&app, &plain).await, "AccessDeniedException");
        assert_eq!(code_of(&other, &plain).await, "AccessDeniedException");
        give(&app, "ci", Ok("ProtiumReadOnlyAccess")).await;
        // It is allowed, and there is none.
        assert_eq!(code_of(&app, &plain).await, "ResourceNotFoundException");
        other.pass(BELIEVED_MS);
        assert_eq!(code_of(&other, &plain).await, "ResourceNotFoundException");
        let nothing = allow(&json!({ "Action": "s3:*", "Resource": "*" })).to_string();
        let full = "arn:aws:iam::aws:policy/ProtiumFullAccess";
        for (more, code) in [
            (&[("Policy", nothing.as_str())][..], "AccessDeniedException"),
            (&[("PolicyArns.member.1.arn", full)], "ResourceNotFoundException"),
            (&[("Policy", nothing.as_str()), ("PolicyArns.member.1.arn", full)], "ResourceNotFoundException"),
        ] {
            assert_eq!(code_of(&app, &make(more).await).await, code, "{more:?}");
        }
        // What its own policies allow is nothing more than what the role's do.
        role(&app, "bare", &trusts(ACCOUNT, &["sts:AssumeRole"])).await;
        let bare = assume(&app, &ada, &arn(ACCOUNT, "bare"), &[("PolicyArns.member.1.arn", full)]).await.unwrap();
        assert_eq!(code_of(&app, &credentials(&bare)).await, "AccessDeniedException");
    }

    a_session_whose_own_policy_is_gone_may_do_nothing, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        give(&app, "ci", Ok("ProtiumReadOnlyAccess")).await;
        for (name, effect) in [("base", "Allow"), ("never", "Deny")] {
            let action = if effect == "Allow" { "proton:*" } else { "proton:Delete*" };
            let statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
            let document = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
            app.ok("CreatePolicy", json!({ "policyName": name, "policyDocument": document })).await;
        }
        let own = |name: &str| format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
        let (base, never) = (own("base"), own("never"));
        let both = [("PolicyArns.member.1.arn", base.as_str()), ("PolicyArns.member.2.arn", &never)];
        let key = credentials(&assume(&app, &ada, &arn(ACCOUNT, "ci"), &both).await.unwrap());
        assert_eq!(code_of(&app, &key).await, "ResourceNotFoundException");
        app.ok("DeletePolicy", json!({ "policy": "never" })).await;
        assert_eq!(code_of(&app, &key).await, "AccessDeniedException", "what it denied is not known any more");
    }

    sessions_that_began_before_a_time_are_revoked_as_in_iam, async |db| {
        let app = TestApp::on(db).await;
        let key = session(&app).await;
        give(&app, "ci", Ok("ProtiumReadOnlyAccess")).await;
        assert_eq!(code_of(&app, &key).await, "ResourceNotFoundException");
        let at = jiff::Timestamp::from_second(app.app.clock.now_ms() / 1000 + 1).unwrap().to_string();
        let older = json!({ "DateLessThan": { "aws:TokenIssueTime": at } });
        let revoked = json!({ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older });
        give(&app, "ci", Err(json!({ "Version": "2012-10-17", "Statement": revoked }))).await;
        assert_eq!(code_of(&app, &key).await, "AccessDeniedException");
        app.pass(2_000);
        let ada = app.user(ACCOUNT, "ada", &allow(&json!({ "Action": "sts:AssumeRole", "Resource": "*" })));
        let next = credentials(&assume(&app, &ada, &arn(ACCOUNT, "ci"), &[]).await.unwrap());
        assert_eq!(code_of(&app, &next).await, "ResourceNotFoundException");
    }

    a_session_assumes_another_role_for_an_hour_and_hands_its_tags_on, async |db| {
        let app = TestApp::on(db).await;
        let ada = site(&app).await;
        give(&app, "ci", Err(allow(&json!({ "Action": "sts:*", "Resource": "*" })))).await;
        let is_blue = json!({ "StringEquals": { "aws:PrincipalTag/team": "blue" } });
        let trust = allow(&json!({
            "Principal": { "AWS": arn(ACCOUNT, "ci") }, "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": is_blue,
        }));
        for name in ["next", "last"] {
            role(&app, name, &trust.to_string().replace("role/ci", if name == "next" { "role/ci" } else { "role/next" })).await;
        }
        give(&app, "next", Err(allow(&json!({ "Action": "sts:*", "Resource": "*" })))).await;
        let (ci, next, last) = (arn(ACCOUNT, "ci"), arn(ACCOUNT, "next"), arn(ACCOUNT, "last"));
        let plain = credentials(&assume(&app, &ada, &ci, &[]).await.unwrap());
        assert_eq!(assume(&app, &plain, &next, &[]).await.unwrap_err().code, "AccessDenied");
        let tags = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue"), ("TransitiveTagKeys.member.1", "Team")];
        let blue = credentials(&assume(&app, &ada, &ci, &tags).await.unwrap());
        let long = assume(&app, &blue, &next, &[("DurationSeconds", "3601")]).await.unwrap_err();
        assert!(long.message.contains("exceeds the 1 hour session limit for roles assumed by role chaining"));
        let red = [("Tags.member.1.Key", "TEAM"), ("Tags.member.1.Value", "red")];
        let fault = assume(&app, &blue, &next, &red).await.unwrap_err();
        assert!(fault.message.contains("conflicts with a transitive tag key"), "{}", fault.message);
        let chained = credentials(&assume(&app, &blue, &next, &[]).await.unwrap());
        // The tag has come along, and goes on from there.
        let end = assume(&app, &chained, &last, &[]).await.unwrap();
        assert_eq!(element(&end, "Arn"), format!("arn:aws:sts::{ACCOUNT}:assumed-role/last/build-7"));
    }

    a_role_that_holds_policies_is_not_deleted, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        give(&app, "ci", Ok("ProtiumReadOnlyAccess")).await;
        let refused = app.call("DeleteRole", json!({ "roleName": "ci" })).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert_eq!(refused.message, "Cannot delete entity, must detach all policies first: ProtiumReadOnlyAccess");
        role(&app, "own", &trusts(ACCOUNT, &["sts:AssumeRole"])).await;
        give(&app, "own", Err(allow(&json!({ "Action": "proton:*", "Resource": "*" })))).await;
        let refused = app.call("DeleteRole", json!({ "roleName": "own" })).await.unwrap_err();
        assert_eq!(refused.message, "Cannot delete entity, must delete policies first: own");
    }
}
