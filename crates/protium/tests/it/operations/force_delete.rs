use crate::on_both;
use crate::support::app::{Refused, TestApp, code};
use crate::support::double::{Site, create as create_environment};
use crate::support::service::*;
use crate::support::under_way::assert_all_have_jobs;
use protium::jobs;
use protium::store::job_next_due;
use protium_engines::double::{Behaviour, Takes};
use serde_json::{Value, json};

pub async fn force(app: &TestApp, resource: &str, infrastructure: &str) -> Result<Value, Refused> {
    let arn = format!("{}:{resource}", app.arn_prefix());
    let answer = app.call("ForceDelete", json!({ "resourceArn": arn, "infrastructure": infrastructure })).await;
    assert_all_have_jobs(app).await;
    answer
}

/// The names of what an answer says that it left.
fn retained(answer: &Value) -> Vec<String> {
    let names = answer["retained"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
    names.collect()
}

on_both! {
    an_environment_goes_with_its_infrastructure, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let answer = force(&site.app, "environment/prod", "DELETE").await.unwrap();
        assert_eq!((&answer["status"], &answer["retained"]), (&json!("DELETE_IN_PROGRESS"), &json!([])));
        assert_eq!(site.status("prod").await.0, "DELETE_IN_PROGRESS");
        assert_eq!(site.get("prod").await["lastAttemptedDeploymentId"], answer["deploymentIds"][0]);
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!((site.double.stack_count(), site.effects()), (0, [1, 0, 1]));
    }

    an_environment_goes_at_once_and_what_stays_is_named, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let stack = site.stacks()[0].clone();
        let answer = force(&site.app, "environment/prod", "RETAIN").await.unwrap();
        assert_eq!(answer["status"], "DELETED");
        assert_eq!(retained(&answer), [stack.as_str()]);
        let stays = &answer["retained"][0];
        assert_eq!((&stays["provisioningEngine"], &stays["resourceArn"]), (&json!("CLOUDFORMATION"), &answer["resourceArn"]));
        assert!(stays["identifier"].as_str().unwrap().contains(&stack), "{stays}");
        assert!(site.is_gone("prod").await);
        let record = site.records("prod").await[0].clone();
        assert_eq!((&record["id"], &record["deploymentStatus"]), (&answer["deploymentIds"][0], &json!("DELETE_COMPLETE")));
        let message = record["deploymentStatusMessage"].as_str().unwrap();
        assert!(message.contains("without its infrastructure") && message.contains(&stack), "{message}");
        site.finish().await;
        assert_eq!((site.double.stack_count(), site.effects()), (1, [1, 0, 0]));
        // The name is free, and another incarnation does not touch what the first one left.
        site.deployed("prod").await;
        assert_ne!(site.stacks()[1], stack);
        let tags = site.app.ok("ListTagsForResource", json!({ "resourceArn": answer["resourceArn"] })).await;
        assert!(!tags["tags"].as_array().unwrap().is_empty());
    }

    a_worker_in_the_middle_of_a_step_settles_nothing, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create_environment("prod")).await;
        let claimed = site.app.claim().await.expect("the job of the create");
        let leased = site.app.store().reader().await.unwrap().now_ms().await.unwrap();
        let answer = force(&site.app, "environment/prod", "DELETE").await.unwrap();
        // What was begun may still run for as long as its lease lasts: nothing else works on the stack before.
        let due = job_next_due(&mut site.app.store().reader().await.unwrap()).await.unwrap().unwrap();
        assert!(due >= leased + 14_000, "{due} after {leased}");
        jobs::run(&site.app.app, &claimed).await.expect_err("the lease is lost");
        assert_eq!(site.status("prod").await.0, "DELETE_IN_PROGRESS");
        let records = site.records("prod").await;
        assert_eq!((&records[0]["id"], &records[0]["deploymentStatus"]), (&answer["deploymentIds"][0], &json!("DELETE_IN_PROGRESS")));
        assert_eq!(records[1]["deploymentStatus"], "FAILED");
        assert!(records[1]["deploymentStatusMessage"].as_str().unwrap().starts_with("Given up: force-deleted."), "{}", records[1]);
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.stack_count(), 0);
    }

    what_a_create_that_is_given_up_may_have_made_is_named, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|_| Behaviour::done().taking(Takes::Time(HANGS)));
        site.app.ok("CreateEnvironment", create_environment("prod")).await;
        site.app.work().await;
        let answer = force(&site.app, "environment/prod", "RETAIN").await.unwrap();
        assert_eq!(retained(&answer), site.stacks());
        assert!(site.is_gone("prod").await);
        let records = site.records("prod").await;
        assert!(records[1]["deploymentStatusMessage"].as_str().unwrap().contains("is being created"), "{}", records[1]);
        assert!(records[0]["deploymentStatusMessage"].as_str().unwrap().contains("if it was made"), "{}", records[0]);
    }

    what_was_never_provisioned_leaves_nothing, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create_environment("prod")).await;
        let answer = force(&site.app, "environment/prod", "RETAIN").await.unwrap();
        assert_eq!((&answer["status"], &answer["retained"]), (&json!("DELETED"), &json!([])));
        site.finish().await;
        assert_eq!(site.double.calls(), []);
    }

    a_delete_that_hangs_is_begun_again_or_left, async |db| {
        let site = Site::on(db).await;
        for (name, infrastructure) in [("one", "DELETE"), ("two", "RETAIN")] {
            site.double.behave(|_| Behaviour::done());
            site.deployed(name).await;
            site.double.behave(|_| Behaviour::done().taking(Takes::Time(HANGS)));
            site.delete(name).await.unwrap();
            site.app.work().await;
            assert_eq!(site.status(name).await.0, "DELETE_IN_PROGRESS");
            let first = site.records(name).await[0]["id"].clone();
            let answer = force(&site.app, &format!("environment/{name}"), infrastructure).await.unwrap();
            assert_ne!(answer["deploymentIds"][0], first);
            let record = &site.records(name).await[1];
            assert_eq!((&record["id"], &record["deploymentStatus"]), (&first, &json!("DELETE_FAILED")));
            site.double.advance(HANGS * 2);
            site.finish().await;
            assert!(site.is_gone(name).await);
        }
    }

    an_environment_with_instances_stays_until_they_are_gone, async |db| {
        let shop = Shop::on(db).await;
        shop.active_plain("web", &[("a", 1)]).await;
        let refused = force(&shop.app, "environment/prod", "RETAIN").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'a' of service 'web'"), "{}", refused.message);
        force(&shop.app, "service/web", "RETAIN").await.unwrap();
        force(&shop.app, "environment/prod", "RETAIN").await.unwrap();
        assert!(shop.is_gone("prod").await);
    }

    a_service_goes_at_once_with_all_that_it_has, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        // They were made side by side; in the answer they stand in the order of their names.
        let mut stacks = shop.stacks().split_off(1);
        stacks.sort();
        let answer = force(&shop.app, "service/web", "RETAIN").await.unwrap();
        assert_eq!((&answer["status"], answer["deploymentIds"].as_array().unwrap().len()), (&json!("DELETED"), 3));
        assert_eq!(retained(&answer), stacks, "the instances, then the pipeline");
        assert_eq!(shop.stands("web").await, "gone");
        shop.finish().await;
        assert_eq!(shop.done("DeleteStack"), [""; 0]);
        shop.active("web", &[("a", 1)]).await;
    }

    a_service_goes_with_its_infrastructure_whatever_it_was_at, async |db| {
        let shop = Shop::on(db).await;
        shop.fail_and_hang(&[], "web-a");
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a IN_PROGRESS, b SUCCEEDED, pipeline IN_PROGRESS").await;
        let answer = force(&shop.app, "service/web", "DELETE").await.unwrap();
        assert_eq!(answer["status"], "DELETE_IN_PROGRESS");
        assert_eq!(shop.stands("web").await, "DELETE_IN_PROGRESS, a DELETE_IN_PROGRESS, b DELETE_IN_PROGRESS, pipeline DELETE_IN_PROGRESS");
        shop.release();
        shop.until("web", "gone").await;
        assert_eq!(shop.double.stack_count(), 1, "only the environment is left");
    }

    a_service_goes_on_without_the_instance_that_is_forced_away, async |db| {
        let shop = Shop::on(db).await;
        for (name, infrastructure) in [("one", "RETAIN"), ("two", "DELETE")] {
            shop.release();
            shop.active(name, &[("a", 1), ("b", 2)]).await;
            shop.fail_and_hang(&[], if name == "one" { "one-c" } else { "two-c" });
            shop.update_service(name, &spec(&[("b", 2), ("c", 3)])).await.unwrap();
            shop.until(name, "UPDATE_IN_PROGRESS, a DELETE_IN_PROGRESS, b SUCCEEDED, c IN_PROGRESS").await;
            shop.app.work().await;
            force(&shop.app, &format!("service/{name}/service-instance/c"), infrastructure).await.unwrap();
            shop.release();
            shop.until(name, "ACTIVE, b SUCCEEDED").await;
            shop.finish().await;
            assert_eq!(shop.stands(name).await, "ACTIVE, b SUCCEEDED, pipeline SUCCEEDED");
            assert_eq!(shop.get(name).await["spec"], spec(&[("b", 2)]));
            assert_all_have_jobs(&shop.app).await;
            // It can be made again.
            shop.update_service(name, &spec(&[("b", 2), ("c", 3)])).await.unwrap();
            shop.until(name, "ACTIVE, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED").await;
        }
    }

    an_instance_that_is_only_announced_as_removed_is_forced_away, async |db| {
        let shop = Shop::on(db).await;
        for (name, infrastructure) in [("one", "RETAIN"), ("two", "DELETE")] {
            shop.release();
            shop.active(name, &[("a", 1), ("b", 2)]).await;
            // The update fails later, and must not bring back what is gone.
            let added = if name == "one" { "one-c" } else { "two-c" };
            shop.double.behave(move |operation| match operation.action {
                "CreateStack" if operation.stack.contains(added) => {
                    Behaviour::fails("Q", "AWS::SQS::Queue", "no").taking(Takes::Time(HANGS))
                }
                _ => Behaviour::done(),
            });
            shop.update_service(name, &spec(&[("b", 2), ("c", 3)])).await.unwrap();
            shop.app.work().await;
            force(&shop.app, &format!("service/{name}/service-instance/a"), infrastructure).await.unwrap();
            shop.double.advance(HANGS * 2);
            shop.until(name, "UPDATE_FAILED_CLEANUP_COMPLETE, b SUCCEEDED, pipeline SUCCEEDED").await;
            assert_eq!(shop.get(name).await["spec"], spec(&[("b", 2)]));
            assert_all_have_jobs(&shop.app).await;
        }
    }

    a_service_whose_only_instance_is_forced_away_while_it_is_made_comes_to_rest, async |db| {
        let shop = Shop::on(db).await;
        shop.fail_and_hang(&[], "web-a");
        shop.app.ok("CreateService", create_plain("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a IN_PROGRESS").await;
        force(&shop.app, "service/web/service-instance/a", "RETAIN").await.unwrap();
        assert_eq!(shop.stands("web").await, "ACTIVE");
        shop.delete_service("web").await.unwrap();
        assert_eq!(shop.stands("web").await, "gone");
    }

    what_can_not_be_force_deleted_is_named, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        for (resource, said) in [
            ("service/web/pipeline", "a pipeline goes with its service"),
            ("environment-template/env", "an environment, a service"),
            ("environment-template/env:1.0", "an environment, a service"),
            ("nothing/web", "an environment, a service"),
        ] {
            let refused = force(&shop.app, resource, "DELETE").await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{resource}");
            assert!(refused.message.starts_with("resourceArn: ") && refused.message.contains(said), "{}", refused.message);
        }
        for resource in ["environment/none", "service/none", "service/web/service-instance/none", "service/none/service-instance/a", "component/none"] {
            let refused = force(&shop.app, resource, "RETAIN").await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException", "{resource}");
            assert!(refused.message.contains(resource), "{}", refused.message);
        }
        let arn = format!("{}:environment/prod", shop.app.arn_prefix());
        for other in [shop.app.in_region("eu-west-1"), shop.app.in_account("111111111111")] {
            let input = json!({ "resourceArn": arn, "infrastructure": "RETAIN" });
            assert_eq!(code(other.call("ForceDelete", input).await), "ResourceNotFoundException");
        }
        for input in [json!({ "resourceArn": arn }), json!({ "resourceArn": arn, "infrastructure": "KEEP" }), json!({ "infrastructure": "RETAIN" }), json!({ "resourceArn": "prod", "infrastructure": "RETAIN" })] {
            assert_eq!(code(shop.app.call("ForceDelete", input).await), "ValidationException");
        }
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    two_who_force_the_same_service_away_meet_and_it_goes_once, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let arn = format!("{}:service/web", shop.app.arn_prefix());
        let one = || shop.app.call("ForceDelete", json!({ "resourceArn": arn, "infrastructure": "DELETE" }));
        let two = shop.app.call("DeleteService", json!({ "name": "web" }));
        let (first, second, third) = tokio::join!(one(), two, one());
        assert!(first.is_ok() && second.is_ok() && third.is_ok(), "{first:?} {second:?} {third:?}");
        assert_all_have_jobs(&shop.app).await;
        shop.until("web", "gone").await;
        assert_eq!((shop.double.stack_count(), shop.done("DeleteStack").len()), (1, 3));
    }
}
