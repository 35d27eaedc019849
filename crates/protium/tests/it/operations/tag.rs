use super::seed;
use crate::on_both;
use crate::support::app::{TestApp, code};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};

/// One of everything that can be tagged: `env` 1.0 and `svc` 2.1, `prod`, `web` and its instance `blue`, and the component `bucket`.
async fn with_resources(app: &TestApp) {
    seed::template(app, TemplateKind::Environment, "env", None).await;
    seed::template_version(app, TemplateKind::Environment, "env", (1, 0)).await;
    seed::template(app, TemplateKind::Service, "svc", None).await;
    seed::template_version(app, TemplateKind::Service, "svc", (2, 1)).await;
    let track = seed::track(app, DeploymentStatus::Succeeded, Some((1, 0))).await;
    let environment = seed::environment(app, "prod", track.clone()).await;
    seed::service(app, "web", ServiceStatus::Active).await;
    let instance = seed::instance(app, "web", "blue", track.clone()).await;
    seed::component(app, "bucket", &environment, Some(&instance), track.clone()).await;
    seed::pipeline(app, "web", track).await;
}

fn arn(app: &TestApp, resource: &str) -> String {
    format!("{}:{resource}", app.arn_prefix())
}

async fn set(app: &TestApp, resource: &str, tags: &[(&str, &str)]) {
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let answer = app.ok("TagResource", json!({ "resourceArn": arn(app, resource), "tags": tags })).await;
    assert_eq!(answer, json!({}));
}

async fn unset(app: &TestApp, resource: &str, keys: &[&str]) {
    let answer = app.ok("UntagResource", json!({ "resourceArn": arn(app, resource), "tagKeys": keys })).await;
    assert_eq!(answer, json!({}));
}

async fn page(
    app: &TestApp,
    resource: &str,
    most: i64,
    token: Option<&str>,
) -> (Vec<(String, String)>, Option<String>) {
    let input = json!({ "resourceArn": arn(app, resource), "maxResults": most, "nextToken": token });
    let answer = app.ok("ListTagsForResource", input).await;
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap().to_owned();
    let tags = answer["tags"].as_array().unwrap().iter().map(|tag| (text(tag, "key"), text(tag, "value"))).collect();
    (tags, answer.get("nextToken").map(|token| token.as_str().unwrap().to_owned()))
}

/// All tags, page by page.
async fn all_tags(app: &TestApp, resource: &str) -> Vec<(String, String)> {
    let (mut all, mut token) = page(app, resource, 100, None).await;
    while let Some(next) = token {
        let (more, after) = page(app, resource, 100, Some(&next)).await;
        all.extend(more);
        token = after;
    }
    all
}

/// The user's tags only.
async fn user_tags(app: &TestApp, resource: &str) -> Vec<(String, String)> {
    let mut tags = all_tags(app, resource).await;
    tags.retain(|(key, _)| !key.starts_with("aws:"));
    tags
}

/// The managed tags only, without their prefix, and with the resource parts of ARNs.
async fn managed_tags(app: &TestApp, resource: &str) -> Vec<(String, String)> {
    let tags = all_tags(app, resource).await;
    let prefix = format!("{}:", app.arn_prefix());
    let short = |value: String| value.strip_prefix(&prefix).map(str::to_owned).unwrap_or(value);
    let managed =
        tags.into_iter().filter_map(|(key, value)| Some((key.strip_prefix("aws:proton:")?.to_owned(), short(value))));
    managed.collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const TAGGABLE: [&str; 8] = [
    "environment-template/env",
    "environment-template/env:1.0",
    "service-template/svc",
    "service-template/svc:2.1",
    "environment/prod",
    "service/web",
    "service/web/service-instance/blue",
    "component/bucket",
];

on_both! {
    each_kind_of_resource_keeps_its_own_tags, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        for resource in TAGGABLE {
            set(&app, resource, &[("name", resource), ("team", "a")]).await;
        }
        for resource in TAGGABLE {
            assert_eq!(user_tags(&app, resource).await, pairs(&[("name", resource), ("team", "a")]), "{resource}");
            unset(&app, resource, &["name"]).await;
        }
        for resource in TAGGABLE {
            assert_eq!(user_tags(&app, resource).await, pairs(&[("team", "a")]), "{resource}");
        }
    }

    setting_replaces_values_and_both_changes_may_be_repeated, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        for _ in 0..2 {
            set(&app, "environment/prod", &[("a", "1"), ("b", "")]).await;
            assert_eq!(user_tags(&app, "environment/prod").await, pairs(&[("a", "1"), ("b", "")]));
        }
        set(&app, "environment/prod", &[("a", "2"), ("A", "3")]).await;
        assert_eq!(user_tags(&app, "environment/prod").await, pairs(&[("A", "3"), ("a", "2"), ("b", "")]));
        for _ in 0..2 {
            unset(&app, "environment/prod", &["a", "never-set"]).await;
            assert_eq!(user_tags(&app, "environment/prod").await, pairs(&[("A", "3"), ("b", "")]));
        }
        set(&app, "environment/prod", &[]).await;
        unset(&app, "environment/prod", &[]).await;
        assert_eq!(user_tags(&app, "environment/prod").await, pairs(&[("A", "3"), ("b", "")]));
    }

    managed_tags_name_what_a_resource_belongs_to, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let account = app.scope().account;
        for (resource, expected) in [
            ("environment-template/env", vec![("template", "environment-template/env")]),
            ("environment-template/env:1.0", vec![("template", "environment-template/env")]),
            ("service-template/svc", vec![("template", "service-template/svc")]),
            ("service-template/svc:2.1", vec![("template", "service-template/svc")]),
            (
                "environment/prod",
                vec![("environment", "environment/prod"), ("template", "environment-template/env")],
            ),
            ("service/web", vec![("service", "service/web"), ("template", "service-template/svc")]),
            (
                "service/web/service-instance/blue",
                vec![
                    ("environment", "environment/prod"),
                    ("service", "service/web"),
                    ("service-instance", "service/web/service-instance/blue"),
                    ("template", "service-template/svc"),
                ],
            ),
            (
                "component/bucket",
                vec![
                    ("component", "component/bucket"),
                    ("environment", "environment/prod"),
                    ("service", "service/web"),
                    ("service-instance", "service/web/service-instance/blue"),
                ],
            ),
        ] {
            let mut all = vec![("account", account.as_str())];
            all.extend(expected);
            assert_eq!(managed_tags(&app, resource).await, pairs(&all), "{resource}");
        }
    }

    managed_and_user_tags_are_listed_together_in_pages_by_key, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        set(&app, "environment/prod", &[("zone", "1"), ("Team", "a"), ("axe", "b"), ("aa", "c")]).await;
        let (mut keys, mut token) = (Vec::new(), None);
        loop {
            let (tags, next) = page(&app, "environment/prod", 2, token.as_deref()).await;
            assert!(tags.len() == 2 || next.is_none());
            keys.extend(tags.into_iter().map(|(key, _)| key));
            let Some(next) = next else { break };
            token = Some(next);
        }
        let expected = [
            "Team", "aa", "aws:proton:account", "aws:proton:environment", "aws:proton:template", "axe", "zone",
        ];
        assert_eq!(keys, expected);
    }

    an_answer_holds_no_more_tags_than_the_model_allows, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let keys: Vec<String> = (0..50).map(|number| format!("k{number:02}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        set(&app, "service/web", &tags).await;
        let (first, token) = page(&app, "service/web", 100, None).await;
        let (rest, end) = page(&app, "service/web", 100, token.as_deref()).await;
        assert_eq!((first.len(), rest.len(), end), (50, 3, None));
    }

    a_token_belongs_to_one_resource, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let (_, token) = page(&app, "environment/prod", 1, None).await;
        for (resource, token) in [("service/web", token.as_deref()), ("environment/prod", Some("bm8="))] {
            let input = json!({ "resourceArn": arn(&app, resource), "nextToken": token });
            assert_eq!(code(app.call("ListTagsForResource", input).await), "ValidationException", "{resource}");
        }
    }

    at_most_fifty_tags_fit_on_a_resource, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        set(&app, "service/web", &tags[..49]).await;
        let more = json!([{ "key": "x", "value": "1" }, { "key": "y", "value": "1" }]);
        let refused = app.call("TagResource", json!({ "resourceArn": arn(&app, "service/web"), "tags": more })).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("51") && refused.message.contains("50"), "{}", refused.message);
        assert_eq!(user_tags(&app, "service/web").await.len(), 49, "nothing of the request is stored");
        set(&app, "service/web", &tags[48..]).await;
        set(&app, "service/web", &tags).await;
        assert_eq!(user_tags(&app, "service/web").await.len(), 50);
    }

    of_many_at_once_one_gets_the_last_place, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let keys: Vec<String> = (0..49).map(|number| format!("k{number}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        set(&app, "service/web", &tags).await;
        let arn = arn(&app, "service/web");
        let racers = (0..8).map(|number| {
            let tags = json!([{ "key": format!("last{number}"), "value": "v" }]);
            app.call("TagResource", json!({ "resourceArn": arn, "tags": tags }))
        });
        let answers = futures::future::join_all(racers).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for refused in lost {
            assert_eq!(code(refused), "ValidationException");
        }
        assert_eq!(user_tags(&app, "service/web").await.len(), 50);
    }

    reserved_duplicate_and_illegal_keys_are_refused, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let arn = arn(&app, "environment/prod");
        for tags in [
            json!([{ "key": "aws:x", "value": "1" }]),
            json!([{ "key": "AWS:proton:account", "value": "1" }]),
            json!([{ "key": "a", "value": "1" }, { "key": "a", "value": "2" }]),
            json!([{ "key": "a*", "value": "1" }]),
            json!([{ "key": "a", "value": "<1>" }]),
            json!([{ "key": "", "value": "1" }]),
            json!([{ "key": "k".repeat(129), "value": "1" }]),
            json!([{ "key": "a", "value": "v".repeat(257) }]),
        ] {
            let refused = app.call("TagResource", json!({ "resourceArn": arn, "tags": tags })).await;
            assert_eq!(code(refused), "ValidationException", "{tags}");
        }
        for key in ["aws:proton:account", "Aws:x"] {
            let refused = app.call("UntagResource", json!({ "resourceArn": arn, "tagKeys": [key] })).await;
            assert_eq!(code(refused), "ValidationException", "{key}");
        }
        assert_eq!(user_tags(&app, "environment/prod").await, []);
        assert_eq!(managed_tags(&app, "environment/prod").await.len(), 3);
    }

    what_is_not_there_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let here = app.arn_prefix();
        let mut arns: Vec<String> = [
            "environment-template/svc",
            "environment-template/env:1.1",
            "environment-template/env:1",
            "service-template/svc:2",
            "service-template/svc:9",
            "environment/other",
            "service/prod",
            "service/web/service-instance/green",
            "component/c",
            "repository/github:owner/name",
            "environment-account-connection/c",
        ]
        .map(|resource| format!("{here}:{resource}"))
        .into();
        let scope = app.scope();
        arns.push(format!("arn:aws:proton:{}:999999999999:environment/prod", scope.region));
        arns.push(format!("arn:aws:proton:ap-south-1:{}:environment/prod", scope.account));
        arns.push(format!("arn:aws-cn:proton:{}:{}:environment/prod", scope.region, scope.account));
        for arn in arns {
            refused_by_all(&app, &arn, "ResourceNotFoundException").await;
        }
    }

    what_can_not_be_tagged_is_refused_and_what_can_is_named, async |db| {
        let app = TestApp::on(db).await;
        with_resources(&app).await;
        let here = app.arn_prefix();
        for arn in [
            format!("{here}:deployment/00000000-0000-4000-8000-000000000000"),
            format!("{here}:service/web/pipeline"),
            format!("{here}:service/web/pipeline/00000000-0000-4000-8000-000000000000"),
            format!("{here}:thing/x"),
            format!("{here}:environment-template/env:x.y"),
            "arn:aws:iam::123456789012:role/r".to_owned(),
            "arn:aws:s3:us-east-1:123456789012:environment/prod".to_owned(),
        ] {
            let message = refused_by_all(&app, &arn, "ValidationException").await;
            assert!(message.contains(&arn) && message.contains("environment or service template"), "{message}");
        }
        refused_by_all(&app, "environment/prod", "ValidationException").await;
        refused_by_all(&app, "", "ValidationException").await;
    }
}

/// Calls all three operations on `arn`; the message of the last.
async fn refused_by_all(app: &TestApp, arn: &str, expected: &str) -> String {
    let tags = json!([{ "key": "a", "value": "1" }]);
    for (operation, input) in [
        ("TagResource", json!({ "resourceArn": arn, "tags": tags })),
        ("UntagResource", json!({ "resourceArn": arn, "tagKeys": ["a"] })),
    ] {
        assert_eq!(code(app.call(operation, input).await), expected, "{operation} {arn}");
    }
    let refused = app.call("ListTagsForResource", json!({ "resourceArn": arn })).await.unwrap_err();
    assert_eq!(refused.code, expected, "{arn}");
    refused.message
}
