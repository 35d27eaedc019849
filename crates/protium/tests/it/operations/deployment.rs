use super::seed::{self, SPEC};
use crate::on_both;
use crate::support::app::{TestApp, code};
use protium::store::{Target, event_list};
use protium_domain::deployment::{Deployment, Purpose, State};
use protium_domain::status::DeploymentStatus::{self, Failed, InProgress, Succeeded};
use protium_domain::status::ServiceStatus;
use protium_domain::track::Seen;
use protium_domain::version::Version;
use serde_json::{Value, json};

async fn environment(app: &TestApp, name: &str) -> Target {
    let track = seed::track(app, Succeeded, Some((1, 0))).await;
    Target::Environment(seed::environment(app, name, track).await)
}

async fn instance(app: &TestApp, service: &str, name: &str) -> Target {
    let track = seed::track(app, Succeeded, Some((1, 0))).await;
    Target::ServiceInstance(seed::instance(app, service, name, track).await)
}

async fn pipeline(app: &TestApp, service: &str) -> Target {
    let track = seed::track(app, Succeeded, Some((1, 0))).await;
    Target::ServicePipeline(seed::pipeline(app, service, track).await)
}

async fn ended(app: &TestApp, target: &Target, at: i64) -> Deployment {
    seed::deployment(app, target, Succeeded, at, |_| {}).await
}

async fn get(app: &TestApp, record: &Deployment) -> Value {
    app.ok("GetDeployment", json!({ "id": record.id.as_str() })).await["deployment"].clone()
}

async fn listed(app: &TestApp, filters: Value) -> Vec<String> {
    let answer = app.ok("ListDeployments", filters).await;
    assert_eq!(answer.get("nextToken"), None);
    answer["deployments"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn ids(records: &[&Deployment]) -> Vec<String> {
    records.iter().map(|record| record.id.to_string()).collect()
}

/// A deployment of each kind of target, the oldest first: environments `prod` and `dev`, two instances of
/// `web` and one of `api` in `prod`, and the pipeline of `web`.
struct All {
    prod: Deployment,
    dev: Deployment,
    blue: Deployment,
    green: Deployment,
    api: Deployment,
    pipeline: Deployment,
}

impl All {
    async fn seed(app: &TestApp) -> Self {
        Self {
            prod: ended(app, &environment(app, "prod").await, 1).await,
            dev: ended(app, &environment(app, "dev").await, 2).await,
            blue: ended(app, &instance(app, "web", "blue").await, 3).await,
            green: ended(app, &instance(app, "web", "green").await, 4).await,
            api: ended(app, &instance(app, "api", "blue").await, 5).await,
            pipeline: ended(app, &pipeline(app, "web").await, 6).await,
        }
    }
}

on_both! {
    a_record_shows_its_target_its_times_and_its_states, async |db| {
        let app = TestApp::on(db).await;
        let target = environment(&app, "prod").await;
        let before = target.state().unwrap();
        let (attempted, succeeded) = (seed::id(), seed::id());
        let record = seed::deployment(&app, &target, Failed, 2500, |record| {
            record.message = Some("the stack failed".into());
            record.initial = Some(before);
            record.goal.version = Version::new(2, 3);
            record.modified_at = 4000;
            record.completed_at = Some(4000);
            record.last_attempted = Some(attempted.clone());
            record.last_succeeded = Some(succeeded.clone());
        }).await;
        let state = |major: &str, minor: &str| json!({ "environment": {
            "spec": SPEC, "templateName": "env", "templateMajorVersion": major, "templateMinorVersion": minor,
        }});
        assert_eq!(get(&app, &record).await, json!({
            "arn": format!("{}:deployment/{}", app.arn_prefix(), record.id),
            "id": record.id.as_str(),
            "targetArn": format!("{}:environment/prod", app.arn_prefix()),
            "targetResourceType": "ENVIRONMENT",
            "targetResourceCreatedAt": 1,
            "environmentName": "prod",
            "deploymentStatus": "FAILED",
            "deploymentStatusMessage": "the stack failed",
            "createdAt": 2.5,
            "lastModifiedAt": 4,
            "completedAt": 4,
            "initialState": state("1", "0"),
            "targetState": state("2", "3"),
            "lastAttemptedDeploymentId": attempted.as_str(),
            "lastSucceededDeploymentId": succeeded.as_str(),
        }));
    }

    a_first_deployment_under_way_has_neither_an_initial_state_nor_an_end, async |db| {
        let app = TestApp::on(db).await;
        let record = seed::deployment(&app, &environment(&app, "prod").await, InProgress, 1, |_| {}).await;
        let shown = get(&app, &record).await;
        for absent in ["initialState", "completedAt", "deploymentStatusMessage", "serviceName", "componentName"] {
            assert_eq!(shown.get(absent), None, "{absent}");
        }
        assert_eq!(shown["deploymentStatus"], "IN_PROGRESS");
        assert_eq!(shown["targetState"]["environment"]["spec"], SPEC);
    }

    a_deletion_asks_for_no_state, async |db| {
        let app = TestApp::on(db).await;
        let target = environment(&app, "prod").await;
        let before = target.state().unwrap();
        let record = seed::deployment(&app, &target, DeploymentStatus::DeleteComplete, 1, |record| {
            record.purpose = Purpose::Destroy;
            record.initial = Some(before);
        }).await;
        let shown = get(&app, &record).await;
        assert_eq!(shown["initialState"]["environment"]["templateMajorVersion"], "1");
        assert_eq!(shown.get("targetState"), None);
    }

    the_state_of_an_instance_names_the_deployments_it_was_made_with, async |db| {
        let app = TestApp::on(db).await;
        let (environment, component, pipeline) = (seed::id(), seed::id(), seed::id());
        let record = seed::deployment(&app, &instance(&app, "web", "blue").await, Succeeded, 1, |record| {
            let goal = &mut record.goal;
            goal.seen.environment_deployment = Some(environment.clone());
            goal.seen.component_deployments = vec![component.clone()];
            goal.seen.pipeline_deployment = Some(pipeline.clone());
            record.initial = Some(State { seen: Seen::default(), ..goal.clone() });
        }).await;
        let shown = get(&app, &record).await;
        let plain = json!({
            "spec": SPEC, "templateName": "svc", "templateMajorVersion": "1", "templateMinorVersion": "0",
        });
        assert_eq!(shown["initialState"], json!({ "serviceInstance": plain }));
        let mut full = plain;
        full["lastSuccessfulEnvironmentDeploymentId"] = environment.as_str().into();
        full["lastSuccessfulComponentDeploymentIds"] = json!([component.as_str()]);
        full["lastSuccessfulServicePipelineDeploymentId"] = pipeline.as_str().into();
        assert_eq!(shown["targetState"], json!({ "serviceInstance": full }));
        assert_eq!(shown["serviceName"], "web");
        assert_eq!(shown["serviceInstanceName"], "blue");
        assert_eq!(shown["environmentName"], "prod");
        assert_eq!(shown["targetResourceType"], "SERVICE_INSTANCE");
    }

    a_pipeline_is_deployed_outside_of_any_environment, async |db| {
        let app = TestApp::on(db).await;
        let record = ended(&app, &pipeline(&app, "web").await, 1).await;
        let shown = get(&app, &record).await;
        assert_eq!(shown.get("environmentName"), None);
        assert_eq!(shown["serviceName"], "web");
        assert_eq!(shown["targetResourceType"], "SERVICE_PIPELINE");
        assert_eq!(shown["targetArn"], format!("{}:service/web/pipeline", app.arn_prefix()));
        assert_eq!(shown["targetState"]["servicePipeline"]["templateName"], "svc");
    }

    get_finds_only_what_has_the_names_that_are_given, async |db| {
        let app = TestApp::on(db).await;
        let All { prod, blue, pipeline, .. } = All::seed(&app).await;
        for (record, names, found) in [
            (&prod, json!({ "environmentName": "prod" }), true),
            (&prod, json!({ "environmentName": "dev" }), false),
            (&prod, json!({ "serviceName": "web" }), false),
            (&prod, json!({ "componentName": "prod" }), false),
            (&blue, json!({ "serviceName": "web" }), true),
            (&blue, json!({ "environmentName": "prod", "serviceName": "web", "serviceInstanceName": "blue" }), true),
            (&blue, json!({ "environmentName": "dev", "serviceName": "web", "serviceInstanceName": "blue" }), false),
            (&blue, json!({ "serviceName": "web", "serviceInstanceName": "green" }), false),
            (&pipeline, json!({ "serviceName": "web" }), true),
            (&pipeline, json!({ "serviceName": "web", "serviceInstanceName": "blue" }), false),
            (&pipeline, json!({ "environmentName": "prod" }), false),
        ] {
            let mut input = names.clone();
            input["id"] = record.id.as_str().into();
            match app.call("GetDeployment", input).await {
                Ok(shown) => assert!(found && shown["deployment"]["id"] == record.id.as_str(), "{names}"),
                Err(refused) => assert!(!found && refused.code == "ResourceNotFoundException", "{names} {}", refused.message),
            }
        }
        let unknown = json!({ "id": seed::id().as_str() });
        assert_eq!(code(app.call("GetDeployment", unknown).await), "ResourceNotFoundException");
        let elsewhere = app.in_region("eu-west-3");
        let foreign = json!({ "id": prod.id.as_str() });
        assert_eq!(code(elsewhere.call("GetDeployment", foreign).await), "ResourceNotFoundException");
    }

    an_instance_is_named_together_with_its_service, async |db| {
        let app = TestApp::on(db).await;
        let record = ended(&app, &instance(&app, "web", "blue").await, 1).await;
        let input = json!({ "id": record.id.as_str(), "serviceInstanceName": "blue" });
        assert_eq!(code(app.call("GetDeployment", input).await), "ValidationException");
        let input = json!({ "serviceInstanceName": "blue" });
        assert_eq!(code(app.call("ListDeployments", input).await), "ValidationException");
    }

    the_list_is_narrowed_by_names_and_begins_with_the_newest, async |db| {
        let app = TestApp::on(db).await;
        let All { prod, dev, blue, green, api, pipeline } = All::seed(&app).await;
        for (filters, expected) in [
            (json!({}), vec![&pipeline, &api, &green, &blue, &dev, &prod]),
            (json!({ "environmentName": "prod" }), vec![&prod]),
            (json!({ "environmentName": "dev" }), vec![&dev]),
            (json!({ "serviceName": "web" }), vec![&pipeline, &green, &blue]),
            (json!({ "serviceName": "web", "environmentName": "prod" }), vec![&green, &blue]),
            (json!({ "serviceName": "web", "environmentName": "dev" }), vec![]),
            (json!({ "serviceName": "web", "serviceInstanceName": "blue" }), vec![&blue]),
            (json!({ "serviceName": "api", "serviceInstanceName": "blue" }), vec![&api]),
            (json!({ "componentName": "blue" }), vec![]),
            (json!({ "serviceName": "never" }), vec![]),
        ] {
            assert_eq!(listed(&app, filters.clone()).await, ids(&expected), "{filters}");
        }
        assert_eq!(listed(&app.in_region("eu-west-3"), json!({})).await, [""; 0]);
        for filters in [
            json!({ "componentName": "c", "serviceName": "web" }),
            json!({ "componentName": "c", "serviceName": "web", "serviceInstanceName": "blue" }),
        ] {
            assert_eq!(code(app.call("ListDeployments", filters).await), "ValidationException");
        }
    }

    the_list_shows_neither_states_nor_messages, async |db| {
        let app = TestApp::on(db).await;
        let target = environment(&app, "prod").await;
        seed::deployment(&app, &target, Failed, 1, |record| record.message = Some("secret".into())).await;
        let answer = app.ok("ListDeployments", json!({})).await;
        let shown = &answer["deployments"][0];
        assert_eq!(shown["deploymentStatus"], "FAILED");
        for absent in ["initialState", "targetState", "deploymentStatusMessage"] {
            assert_eq!(shown.get(absent), None, "{absent}");
        }
    }

    pages_continue_between_records_of_the_same_time, async |db| {
        let app = TestApp::on(db).await;
        let target = environment(&app, "prod").await;
        let mut expected = Vec::new();
        for at in [9, 7, 7, 7, 2] {
            expected.push((at, ended(&app, &target, at).await.id.to_string()));
        }
        expected.sort();
        let expected: Vec<String> = expected.into_iter().rev().map(|(_, id)| id).collect();
        let (mut seen, mut token) = (Vec::new(), Value::Null);
        loop {
            let input = json!({ "environmentName": "prod", "maxResults": 2, "nextToken": token });
            let answer = app.ok("ListDeployments", input).await;
            let page = answer["deployments"].as_array().unwrap();
            seen.extend(page.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            let Some(next) = answer.get("nextToken") else { break };
            assert_eq!(page.len(), 2);
            token = next.clone();
        }
        assert_eq!(seen, expected);
        let other = json!({ "environmentName": "dev", "nextToken": token });
        assert_eq!(code(app.call("ListDeployments", other).await), "ValidationException");
    }

    a_deleted_record_is_shown_once_more_and_then_gone, async |db| {
        let app = TestApp::on(db).await;
        let record = ended(&app, &environment(&app, "prod").await, 1).await;
        let shown = get(&app, &record).await;
        let input = json!({ "id": record.id.as_str() });
        assert_eq!(app.ok("DeleteDeployment", input.clone()).await, json!({ "deployment": shown }));
        assert_eq!(app.ok("DeleteDeployment", input.clone()).await, json!({}));
        assert_eq!(code(app.call("GetDeployment", input).await), "ResourceNotFoundException");
        assert_eq!(listed(&app, json!({})).await, [""; 0]);
        let mut reader = app.store().reader().await.unwrap();
        let events = event_list(&mut reader, record.id.as_str()).await.unwrap();
        assert!(events.last().unwrap().detail.contains("DELETED"), "{events:?}");
    }

    a_record_of_another_region_is_not_deleted, async |db| {
        let app = TestApp::on(db).await;
        let record = ended(&app, &environment(&app, "prod").await, 1).await;
        let elsewhere = app.in_region("eu-west-3");
        assert_eq!(elsewhere.ok("DeleteDeployment", json!({ "id": record.id.as_str() })).await, json!({}));
        get(&app, &record).await;
    }

    a_record_under_way_is_not_deleted, async |db| {
        let app = TestApp::on(db).await;
        for status in [InProgress, DeploymentStatus::Cancelling, DeploymentStatus::DeleteInProgress] {
            let target = environment(&app, &status.as_str().to_ascii_lowercase()).await;
            let record = seed::deployment(&app, &target, status, 1, |_| {}).await;
            let refused = app.call("DeleteDeployment", json!({ "id": record.id.as_str() })).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(status.as_str()), "{}", refused.message);
            get(&app, &record).await;
        }
    }

    deleting_a_record_clears_only_what_points_at_it, async |db| {
        let app = TestApp::on(db).await;
        let target = environment(&app, "prod").await;
        let track = target.track();
        let (attempted, succeeded) = (track.attempted_deployment.clone(), track.succeeded_deployment.clone());
        let (attempted, succeeded) = (attempted.unwrap(), succeeded.unwrap());
        let before = app.ok("GetEnvironment", json!({ "name": "prod" })).await["environment"].clone();
        for record in [&attempted, &succeeded] {
            seed::deployment(&app, &target, Succeeded, 1, |row| row.id = record.clone()).await;
        }
        let unrelated = ended(&app, &target, 1).await;
        let environment = async |deleted: &str| {
            app.ok("DeleteDeployment", json!({ "id": deleted })).await;
            app.ok("GetEnvironment", json!({ "name": "prod" })).await["environment"].clone()
        };
        assert_eq!(environment(unrelated.id.as_str()).await, before);
        let mut expected = before;
        let members = expected.as_object_mut().unwrap();
        assert_eq!(members.remove("lastAttemptedDeploymentId"), Some(attempted.as_str().into()));
        assert_eq!(environment(attempted.as_str()).await, expected);
        let members = expected.as_object_mut().unwrap();
        assert_eq!(members.remove("lastSucceededDeploymentId"), Some(succeeded.as_str().into()));
        assert_eq!(environment(succeeded.as_str()).await, expected, "what is deployed stays");
    }

    instances_and_pipelines_forget_deleted_records_too, async |db| {
        let app = TestApp::on(db).await;
        seed::service(&app, "web", ServiceStatus::Active).await;
        for target in [instance(&app, "web", "blue").await, pipeline(&app, "web").await] {
            let attempted = target.track().attempted_deployment.clone().unwrap();
            seed::deployment(&app, &target, Failed, 1, |row| row.id = attempted.clone()).await;
            app.ok("DeleteDeployment", json!({ "id": attempted.as_str() })).await;
        }
        let named = json!({ "serviceName": "web", "name": "blue" });
        let instance = app.ok("GetServiceInstance", named).await["serviceInstance"].clone();
        let pipeline = app.ok("GetService", json!({ "name": "web" })).await["service"]["pipeline"].clone();
        for shown in [instance, pipeline] {
            assert_eq!(shown.get("lastAttemptedDeploymentId"), None);
            assert!(shown["lastSucceededDeploymentId"].is_string());
        }
    }

    a_record_outlives_its_target, async |db| {
        let app = TestApp::on(db).await;
        let first = environment(&app, "prod").await;
        let record = ended(&app, &first, 1).await;
        let Target::Environment(gone) = &first else { unreachable!("an environment") };
        protium::transaction!(app.store(), async |tx| -> Result<(), protium::store::DbError> {
            protium::store::environment_delete(tx, gone, 2).await
        }).unwrap();
        assert_eq!(listed(&app, json!({ "environmentName": "prod" })).await, ids(&[&record]));
        // A namesake is another target.
        environment(&app, "prod").await;
        let before = app.ok("GetEnvironment", json!({ "name": "prod" })).await;
        app.ok("DeleteDeployment", json!({ "id": record.id.as_str() })).await;
        assert_eq!(app.ok("GetEnvironment", json!({ "name": "prod" })).await, before);
    }
}
