use crate::on_both;
use crate::support::app::{TestApp, code};
use protium::store::event_list;
use serde_json::{Value, json};

const CONNECTION: &str = "arn:aws:codestar-connections:us-east-1:123456789012:connection/aaaa-bbbb";
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/x";

fn of(provider: &str, name: &str) -> Value {
    json!({ "provider": provider, "name": name })
}

fn input(provider: &str, name: &str) -> Value {
    json!({ "provider": provider, "name": name, "connectionArn": CONNECTION })
}

async fn link(app: &TestApp, name: &str) -> Value {
    app.ok("CreateRepository", input("GITHUB", name)).await["repository"].clone()
}

fn names(answer: &Value) -> Vec<String> {
    let all = answer["repositories"].as_array().unwrap().iter();
    all.map(|one| format!("{} {}", one["provider"].as_str().unwrap(), one["name"].as_str().unwrap())).collect()
}

on_both! {
    a_repository_is_answered_as_it_was_linked, async |db| {
        let app = TestApp::on(db).await;
        let expected = json!({ "repository": {
            "arn": format!("{}:repository/github:owner/env", app.arn_prefix()), "provider": "GITHUB",
            "name": "owner/env", "connectionArn": CONNECTION, "encryptionKey": KEY,
        } });
        let mut input = input("GITHUB", "owner/env");
        input["encryptionKey"] = KEY.into();
        assert_eq!(app.ok("CreateRepository", input).await, expected);
        assert_eq!(app.ok("GetRepository", of("GITHUB", "owner/env")).await, expected);
        let mut summary = expected["repository"].clone();
        summary.as_object_mut().unwrap().remove("encryptionKey");
        assert_eq!(app.ok("ListRepositories", json!({})).await, json!({ "repositories": [summary] }));
    }

    every_provider_has_its_arn, async |db| {
        let app = TestApp::on(db).await;
        for (provider, part) in
            [("GITHUB", "github"), ("GITHUB_ENTERPRISE", "github_enterprise"), ("BITBUCKET", "bitbucket")]
        {
            let linked = app.ok("CreateRepository", input(provider, "o/n")).await["repository"].clone();
            assert_eq!(linked["arn"], format!("{}:repository/{part}:o/n", app.arn_prefix()));
            assert_eq!(linked["provider"], provider);
            assert_eq!(linked.get("encryptionKey"), None);
        }
        let listed = names(&app.ok("ListRepositories", json!({})).await);
        assert_eq!(listed, ["BITBUCKET o/n", "GITHUB o/n", "GITHUB_ENTERPRISE o/n"]);
    }

    any_connection_is_kept_as_it_is, async |db| {
        let app = TestApp::on(db).await;
        for (number, connection) in [
            "arn:aws:codeconnections:eu-west-1:999999999999:connection/unknown",
            "arn:aws-cn:codestar-connections:cn-north-1:999999999999:connection/0",
        ].into_iter().enumerate() {
            let input = json!({ "provider": "BITBUCKET", "name": format!("o/{number}"), "connectionArn": connection });
            assert_eq!(app.ok("CreateRepository", input).await["repository"]["connectionArn"], connection);
        }
    }

    what_has_not_the_shape_of_a_repository_is_refused, async |db| {
        let app = TestApp::on(db).await;
        for (member, wrong) in [
            ("provider", json!("GITLAB")), ("provider", json!("github")), ("provider", Value::Null),
            ("name", json!("no-slash")), ("name", json!("/n")), ("name", json!("o/")), ("name", json!("")),
            ("name", json!(format!("o/{}", "n".repeat(99)))), ("name", Value::Null),
            ("name", json!("o/\u{0}n")), ("name", json!("o\n/n o/n")),
            ("connectionArn", json!("c")), ("connectionArn", json!("")), ("connectionArn", Value::Null),
            ("connectionArn", json!("arn:aws:codeconnections:eu-west-1:99:connection/x")),
            ("connectionArn", json!(format!("{CONNECTION}{}", "x".repeat(200)))),
            ("encryptionKey", json!("k")), ("encryptionKey", json!("arn:aws:kms:us-east-1:0:key/x")),
        ] {
            let mut input = input("GITHUB", "o/n");
            input[member] = wrong.clone();
            let refused = app.call("CreateRepository", input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{member} {wrong}");
            assert!(refused.message.contains(member), "{member} {wrong}: {}", refused.message);
        }
        assert_eq!(app.ok("ListRepositories", json!({})).await, json!({ "repositories": [] }));
    }

    names_of_any_length_and_kind_that_the_shape_allows_are_linked, async |db| {
        let app = TestApp::on(db).await;
        for name in ["o/n", &format!("o/{}", "n".repeat(98)), "group/sub group/näme", "a:b/c"] {
            let linked = link(&app, name).await;
            assert_eq!(linked["name"], name);
            assert_eq!(app.ok("GetRepository", of("GITHUB", name)).await["repository"], linked);
        }
        assert_eq!(names(&app.ok("ListRepositories", json!({})).await).len(), 4);
    }

    what_is_not_linked_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        link(&app, "o/n").await;
        for (app, provider, name, arn) in [
            (&app, "GITHUB", "o/other", "github:o/other"),
            (&app, "BITBUCKET", "o/n", "bitbucket:o/n"),
            (&app, "GITHUB", "O/n", "github:O/n"),
            (&app.in_region("eu-west-3"), "GITHUB", "o/n", "github:o/n"),
            (&app.in_account("999999999999"), "GITHUB", "o/n", "github:o/n"),
        ] {
            let refused = app.call("GetRepository", of(provider, name)).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            let text = format!("The requested repository does not exist: {}:repository/{arn}", app.arn_prefix());
            assert_eq!(refused.message, text);
        }
        for operation in ["GetRepository", "DeleteRepository"] {
            let refused = app.call(operation, of("GITHUB", "o/\u{0}")).await;
            assert_eq!(code(refused), "ValidationException", "{operation}");
        }
    }

    the_same_link_again_answers_what_is_there, async |db| {
        let app = TestApp::on(db).await;
        let (x, y) = (json!({ "key": "x", "value": "1" }), json!({ "key": "y", "value": "2" }));
        let mut first = input("GITHUB", "o/n");
        first["tags"] = json!([x, y]);
        let linked = app.ok("CreateRepository", first.clone()).await;
        first["tags"] = json!([y, x]);
        first["encryptionKey"] = Value::Null;
        assert_eq!(app.ok("CreateRepository", first.clone()).await, linked);
        let untag = json!({ "resourceArn": linked["repository"]["arn"], "tagKeys": ["x"] });
        app.ok("UntagResource", untag).await;
        assert_eq!(app.ok("CreateRepository", first).await, linked, "tags are no modification");
        assert_eq!(names(&app.ok("ListRepositories", json!({})).await), ["GITHUB o/n"]);
    }

    the_same_name_with_other_parameters_is_a_mismatch, async |db| {
        let app = TestApp::on(db).await;
        link(&app, "o/n").await;
        for (member, value) in [
            ("connectionArn", json!("arn:aws:codeconnections:us-east-1:123456789012:connection/other")),
            ("encryptionKey", json!(KEY)),
            ("tags", json!([{ "key": "k", "value": "v" }])),
        ] {
            let mut input = input("GITHUB", "o/n");
            input[member] = value;
            let refused = app.call("CreateRepository", input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{member}");
            assert_eq!(refused.message, "Idempotent parameter mismatch");
        }
        assert_eq!(app.ok("GetRepository", of("GITHUB", "o/n")).await["repository"]["connectionArn"], CONNECTION);
    }

    lists_are_in_the_order_of_names_a_page_at_a_time, async |db| {
        let app = TestApp::on(db).await;
        for name in ["o/b", "o/a-1", "o/a", "Z/z"] {
            link(&app, name).await;
        }
        app.ok("CreateRepository", input("BITBUCKET", "o/a")).await;
        let expected = ["GITHUB Z/z", "BITBUCKET o/a", "GITHUB o/a", "GITHUB o/a-1", "GITHUB o/b"];
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let page = app.ok("ListRepositories", json!({ "maxResults": 1, "nextToken": token })).await;
            assert_eq!(names(&page).len(), 1);
            found.extend(names(&page));
            match page.get("nextToken") {
                Some(next) => token = next.clone(),
                None => break,
            }
        }
        assert_eq!(found, expected);
        assert_eq!(names(&app.ok("ListRepositories", json!({})).await), expected);
        let elsewhere = app.in_region("eu-west-3");
        for (app, input) in [
            (&elsewhere, json!({ "nextToken": token })),
            (&app, json!({ "nextToken": "AAAA" })),
            (&app, json!({ "nextToken": "" })),
            (&app, json!({ "maxResults": 0 })),
            (&app, json!({ "maxResults": 101 })),
        ] {
            assert_eq!(code(app.call("ListRepositories", input).await), "ValidationException");
        }
    }

    a_delete_answers_the_repository_once_and_then_nothing, async |db| {
        let app = TestApp::on(db).await;
        assert_eq!(app.ok("DeleteRepository", of("GITHUB", "o/n")).await, json!({}));
        let linked = link(&app, "o/n").await;
        assert_eq!(app.ok("DeleteRepository", of("BITBUCKET", "o/n")).await, json!({}));
        assert_eq!(app.ok("DeleteRepository", of("GITHUB", "o/n")).await, json!({ "repository": linked }));
        assert_eq!(app.ok("DeleteRepository", of("GITHUB", "o/n")).await, json!({}));
        assert_eq!(code(app.call("GetRepository", of("GITHUB", "o/n")).await), "ResourceNotFoundException");
        let mut other = input("GITHUB", "o/n");
        other["encryptionKey"] = KEY.into();
        app.ok("CreateRepository", other).await;
    }

    tags_of_repositories_are_those_of_users_only, async |db| {
        let app = TestApp::on(db).await;
        let tag = |key: &str| json!({ "key": key, "value": "v" });
        let mut tagged = input("GITHUB", "o/n");
        tagged["tags"] = json!([tag("team")]);
        let arn = app.ok("CreateRepository", tagged.clone()).await["repository"]["arn"].clone();
        let all = async || app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await["tags"].clone();
        assert_eq!(all().await, json!([tag("team")]));
        app.ok("TagResource", json!({ "resourceArn": arn, "tags": [tag("b")] })).await;
        assert_eq!(all().await, json!([tag("b"), tag("team")]));
        app.ok("UntagResource", json!({ "resourceArn": arn, "tagKeys": ["team"] })).await;
        assert_eq!(all().await, json!([tag("b")]));
        app.ok("DeleteRepository", of("GITHUB", "o/n")).await;
        let gone = app.call("ListTagsForResource", json!({ "resourceArn": arn })).await;
        assert_eq!(code(gone), "ResourceNotFoundException");
        link(&app, "o/n").await;
        assert_eq!(all().await, json!([]), "a name made again has not the old tags");
        for (other, expected) in [
            ("github:o/other", "ResourceNotFoundException"),
            ("gitlab:o/n", "ResourceNotFoundException"),
            ("o/n", "ResourceNotFoundException"),
        ] {
            let arn = format!("{}:repository/{other}", app.arn_prefix());
            assert_eq!(code(app.call("ListTagsForResource", json!({ "resourceArn": arn })).await), expected, "{other}");
        }
        for (key, value) in [("aws:x", "v"), ("k", "<v>")] {
            let mut input = input("GITHUB", "o/bad");
            input["tags"] = json!([{ "key": key, "value": value }]);
            assert_eq!(code(app.call("CreateRepository", input).await), "ValidationException", "{key} {value}");
        }
    }

    racing_links_of_one_repository_make_one, async |db| {
        let app = TestApp::on(db).await;
        let links = (0..8).map(|_| app.ok("CreateRepository", input("GITHUB", "o/n")));
        let answers = futures::future::join_all(links).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(names(&app.ok("ListRepositories", json!({})).await), ["GITHUB o/n"]);
        let keys = (0..8).map(|number| {
            let mut input = input("GITHUB", "o/other");
            input["encryptionKey"] = format!("{KEY}{number}").into();
            app.call("CreateRepository", input)
        });
        let answers = futures::future::join_all(keys).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(code(answer), "ValidationException");
        }
    }

    linking_and_unlinking_are_events, async |db| {
        let app = TestApp::on(db).await;
        link(&app, "o/n").await;
        let id = app.only_id("repository").await;
        app.ok("DeleteRepository", of("GITHUB", "o/n")).await;
        let events = event_list(&mut app.store().reader().await.unwrap(), &id).await.unwrap();
        let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!(details, [
            json!({ "provider": "GITHUB", "name": "o/n", "status": "LINKED" }),
            json!({ "provider": "GITHUB", "name": "o/n", "status": "DELETED", "previousStatus": "LINKED" }),
        ]);
    }
}
