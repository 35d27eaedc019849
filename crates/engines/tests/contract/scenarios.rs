//! Every way an order can go, in every mode.

use std::time::Duration;

use protium_engines::double::{Behaviour, Disturbance, Takes};
use protium_engines::{End, Order, Outcome};

use crate::site::{MODES, Mode, RESOURCE, STACK, Site, apply, change, destroy};

const WHILE: Takes = Takes::Time(Duration::from_secs(5));
const OWNER: &str = "protium:resource-id";

/// Plays `order` in every mode on a site of its own that `prepare` has brought to where it begins.
async fn in_every_mode(prepare: impl AsyncFn(&Site) -> Order, check: impl Fn(&Site, &End)) {
    for mode in MODES {
        let site = Site::new().await;
        let order = prepare(&site).await;
        let actions = [
            "CreateStack",
            "UpdateStack",
            "DeleteStack",
            "ContinueUpdateRollback",
            "DescribeStacks",
            "DescribeStackEvents",
        ];
        site.disturb(mode, &actions);
        let end = site.run_in(&order, mode).await;
        eprintln!("{mode:?}: {:?}", end.outcome);
        check(&site, &end);
    }
}

async fn created(site: &Site) -> End {
    site.double.behave(|_| Behaviour::done().taking(WHILE));
    let end = site.run(&apply("d1")).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    end
}

fn is_there(site: &Site, end: &End, stack_status: &str) {
    assert_eq!(site.double.status(STACK).as_deref(), Some(stack_status));
    assert_eq!(site.double.stack_count(), 1);
    let id = end.physical_id.as_deref().expect("the stack is known");
    assert!(id.contains(STACK));
    let listed: Vec<_> = end.resources.iter().map(|r| (r.name.as_str(), r.identifier.as_str())).collect();
    assert_eq!(listed, [(STACK, id)]);
}

fn is_gone(site: &Site, end: &End) {
    assert_eq!(site.double.stack_count(), 0);
    assert_eq!((end.physical_id.as_ref(), end.resources.len(), end.outputs.len()), (None, 0, 0));
}

fn failed_with(end: &End, message: &str) {
    assert_eq!(end.outcome, Outcome::Failed(message.to_owned()));
    assert!(end.outputs.is_empty());
}

#[tokio::test]
async fn a_stack_is_created_once_with_its_tags_and_outputs() {
    let prepare = async |site: &Site| {
        site.double.behave(|_| Behaviour::done().taking(WHILE).with_output("Url", "https://x.example"));
        apply("d1")
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        let outputs = serde_json::json!({"Name": "assets", "Url": "https://x.example"});
        assert_eq!(serde_json::Value::Object(end.outputs.clone()), outputs);
        is_there(site, end, "CREATE_COMPLETE");
        assert_eq!(site.double.effects("CreateStack"), 1);
        let tags = site.double.tags(STACK);
        assert_eq!(tags.get(OWNER).map(String::as_str), Some(RESOURCE));
        assert_eq!(tags.get("proton:environment").map(String::as_str), Some("prod"));
        assert_eq!(tags.get("team").map(String::as_str), Some("red"));
    })
    .await;
}

#[tokio::test]
async fn a_stack_is_updated_once() {
    in_every_mode(
        async |site| change("d2", &created(site).await),
        |site, end| {
            assert_eq!(end.outcome, Outcome::Succeeded);
            assert_eq!(end.outputs.get("Name").and_then(|v| v.as_str()), Some("queue"));
            is_there(site, end, "UPDATE_COMPLETE");
            assert_eq!((site.double.effects("CreateStack"), site.double.effects("UpdateStack")), (1, 1));
        },
    )
    .await;
}

#[tokio::test]
async fn changed_tags_alone_update_the_stack() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        Order { physical_id: end.physical_id, tags: vec![("team".into(), "blue".into())], ..apply("d2") }
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        assert_eq!(site.double.tags(STACK).get("team").map(String::as_str), Some("blue"));
        assert_eq!(site.double.effects("UpdateStack"), 1);
    })
    .await;
}

#[tokio::test]
async fn an_update_that_changes_nothing_succeeds_with_the_outputs() {
    let prepare = async |site: &Site| Order { physical_id: created(site).await.physical_id, ..apply("d2") };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        assert_eq!(end.outputs.get("Name").and_then(|v| v.as_str()), Some("assets"));
        is_there(site, end, "CREATE_COMPLETE");
        assert_eq!(site.double.effects("UpdateStack"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_stack_is_destroyed_by_its_id_without_files() {
    let prepare = async |site: &Site| Order { physical_id: created(site).await.physical_id, ..destroy("d2") };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_gone(site, end);
        assert_eq!(site.double.effects("DeleteStack"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_stack_whose_id_was_never_saved_is_destroyed_by_its_name() {
    in_every_mode(
        async |site| {
            created(site).await;
            destroy("d2")
        },
        |site, end| {
            assert_eq!(end.outcome, Outcome::Succeeded);
            is_gone(site, end);
        },
    )
    .await;
}

#[tokio::test]
async fn destroying_what_is_not_there_succeeds() {
    in_every_mode(
        async |_| destroy("d1"),
        |site, end| {
            assert_eq!(end.outcome, Outcome::Succeeded);
            is_gone(site, end);
            assert_eq!(site.double.count("DeleteStack"), 0);
        },
    )
    .await;
}

#[tokio::test]
async fn a_create_that_fails_tells_the_first_own_error() {
    let prepare = async |site: &Site| {
        site.double.behave(|_| Behaviour::fails("Bucket", "AWS::S3::Bucket", "assets already exists").taking(WHILE));
        apply("d1")
    };
    in_every_mode(prepare, |site, end| {
        failed_with(end, "Bucket (AWS::S3::Bucket): assets already exists");
        is_there(site, end, "ROLLBACK_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_create_whose_rollback_fails_tells_both_errors() {
    let prepare = async |site: &Site| {
        let failing = Behaviour::fails_to_roll_back("Role", "AWS::IAM::Role", "no such policy", "is in use");
        site.double.behave(move |_| failing.clone().taking(WHILE));
        apply("d1")
    };
    in_every_mode(prepare, |site, end| {
        let both =
            "Role (AWS::IAM::Role): no such policy. Rolling back failed too: Stuck (AWS::EC2::Instance): is in use";
        failed_with(end, both);
        is_there(site, end, "ROLLBACK_FAILED");
    })
    .await;
}

#[tokio::test]
async fn leftovers_of_a_failed_create_are_deleted_and_created_again() {
    for status in ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"] {
        for known in [true, false] {
            let prepare = async |site: &Site| {
                site.double.behave(|_| Behaviour::done().taking(WHILE));
                let id = site.double.place(STACK, status, &[(OWNER, RESOURCE)]);
                Order { physical_id: known.then_some(id), ..apply("d2") }
            };
            in_every_mode(prepare, |site, end| {
                assert_eq!(end.outcome, Outcome::Succeeded, "{status}");
                is_there(site, end, "CREATE_COMPLETE");
                assert_eq!(
                    (site.double.effects("DeleteStack"), site.double.effects("CreateStack")),
                    (1, 1),
                    "{status}"
                );
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_create_that_an_earlier_order_gave_up_is_begun_again() {
    let prepare = async |site: &Site| {
        site.double.behave(|_| Behaviour::done().taking(Takes::Time(Duration::from_secs(86_400))));
        site.go_until(&apply("d1"), "CREATE_IN_PROGRESS").await;
        site.double.behave(|_| Behaviour::done().taking(WHILE));
        apply("d2")
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_there(site, end, "CREATE_COMPLETE");
        assert_eq!(site.double.effects("CreateStack"), 2);
    })
    .await;
}

#[tokio::test]
async fn an_update_that_fails_tells_the_first_own_error_and_the_next_one_works() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.behave(|_| Behaviour::fails("Queue", "AWS::SQS::Queue", "bad attribute").taking(WHILE));
        change("d2", &end)
    };
    in_every_mode(prepare, |site, end| {
        failed_with(end, "Queue (AWS::SQS::Queue): bad attribute");
        is_there(site, end, "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(site.double.effects("UpdateStack"), 1);
    })
    .await;
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.behave(|_| Behaviour::fails("Queue", "AWS::SQS::Queue", "bad attribute").taking(WHILE));
        let end = site.run(&change("d2", &end)).await;
        site.double.behave(|_| Behaviour::done().taking(WHILE));
        change("d3", &end)
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_there(site, end, "UPDATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_rollback_that_got_stuck_is_continued_before_the_next_update() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        let failing = Behaviour::fails_to_roll_back("Queue", "AWS::SQS::Queue", "bad attribute", "still in use");
        site.double.behave(move |_| failing.clone().taking(WHILE));
        let end = site.run(&change("d2", &end)).await;
        let both =
            "Queue (AWS::SQS::Queue): bad attribute. Rolling back failed too: Stuck (AWS::EC2::Instance): still in use";
        failed_with(&end, both);
        site.double.behave(|_| Behaviour::done().taking(WHILE));
        change("d3", &end)
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_there(site, end, "UPDATE_COMPLETE");
        assert_eq!(site.double.effects("ContinueUpdateRollback"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_rollback_that_stays_stuck_fails_with_its_reason_and_can_be_destroyed() {
    let stuck = async |site: &Site| {
        let end = created(site).await;
        site.double.turn(STACK, "UPDATE_ROLLBACK_FAILED");
        site.double.behave(|operation| match operation.action {
            "ContinueUpdateRollback" => {
                Behaviour::fails("Db", "AWS::RDS::DBInstance", "is being modified").taking(WHILE)
            }
            _ => Behaviour::done().taking(WHILE),
        });
        end
    };
    in_every_mode(
        async |site| change("d2", &stuck(site).await),
        |site, end| {
            failed_with(end, "Db (AWS::RDS::DBInstance): is being modified");
            is_there(site, end, "UPDATE_ROLLBACK_FAILED");
        },
    )
    .await;
    let prepare = async |site: &Site| Order { physical_id: stuck(site).await.physical_id, ..destroy("d3") };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_gone(site, end);
    })
    .await;
}

#[tokio::test]
async fn a_delete_that_fails_at_first_is_tried_again() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.behave(|operation| match (operation.action, operation.earlier) {
            ("DeleteStack", 0) => Behaviour::fails("Subnet", "AWS::EC2::Subnet", "has dependencies").taking(WHILE),
            _ => Behaviour::done().taking(WHILE),
        });
        Order { physical_id: end.physical_id, ..destroy("d2") }
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_gone(site, end);
        assert_eq!(site.double.effects("DeleteStack"), 2);
    })
    .await;
}

#[tokio::test]
async fn a_delete_that_keeps_failing_fails_and_the_next_order_can_delete() {
    let stuck = async |site: &Site| {
        let end = created(site).await;
        site.double.behave(|_| Behaviour::fails("Bucket", "AWS::S3::Bucket", "is not empty").taking(WHILE));
        Order { physical_id: end.physical_id, ..destroy("d2") }
    };
    in_every_mode(stuck, |site, end| {
        failed_with(end, "Bucket (AWS::S3::Bucket): is not empty");
        is_there(site, end, "DELETE_FAILED");
    })
    .await;
    let prepare = async |site: &Site| {
        let end = site.run(&stuck(site).await).await;
        site.double.behave(|_| Behaviour::done().taking(WHILE));
        Order { physical_id: end.physical_id, ..destroy("d3") }
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_gone(site, end);
    })
    .await;
}

#[tokio::test]
async fn termination_protection_fails_the_destroy_in_the_words_of_cloudformation() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.protect(STACK, true);
        Order { physical_id: end.physical_id, ..destroy("d2") }
    };
    in_every_mode(prepare, |site, end| {
        failed_with(end, &format!("Stack [{STACK}] cannot be deleted while TerminationProtection is enabled"));
        is_there(site, end, "CREATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_stack_of_that_name_that_is_not_ours_is_left_alone() {
    for tags in [&[][..], &[(OWNER, "another")][..]] {
        let place = async |site: &Site| {
            site.double.place(STACK, "CREATE_COMPLETE", tags);
        };
        in_every_mode(
            async |site| {
                place(site).await;
                apply("d1")
            },
            |site, end| {
                let Outcome::Failed(message) = &end.outcome else { panic!("{end:?}") };
                assert!(message.contains(STACK) && message.contains(OWNER), "{message}");
                assert_eq!(end.physical_id, None);
                assert_eq!((site.double.effects("UpdateStack"), site.double.effects("DeleteStack")), (0, 0));
            },
        )
        .await;
        in_every_mode(
            async |site| {
                place(site).await;
                destroy("d1")
            },
            |site, end| {
                assert_eq!(end.outcome, Outcome::Succeeded);
                assert_eq!(site.double.status(STACK).as_deref(), Some("CREATE_COMPLETE"));
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_stack_that_was_deleted_outside_is_created_again() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.turn(STACK, "DELETE_COMPLETE");
        change("d2", &end)
    };
    in_every_mode(prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Succeeded);
        is_there(site, end, "CREATE_COMPLETE");
        assert_eq!(site.double.effects("CreateStack"), 2);
    })
    .await;
}

#[tokio::test]
async fn an_operation_of_somebody_else_is_waited_for() {
    let busy = async |site: &Site| {
        let end = created(site).await;
        let other = change("other", &end);
        site.go_until(&other, "UPDATE_IN_PROGRESS").await;
        end
    };
    in_every_mode(
        async |site| Order { physical_id: busy(site).await.physical_id, ..apply("d2") },
        |site, end| {
            assert_eq!(end.outcome, Outcome::Succeeded);
            assert_eq!(end.outputs.get("Name").and_then(|v| v.as_str()), Some("assets"));
            assert_eq!(site.double.effects("UpdateStack"), 2);
        },
    )
    .await;
    in_every_mode(
        async |site| Order { physical_id: busy(site).await.physical_id, ..destroy("d2") },
        |site, end| {
            assert_eq!(end.outcome, Outcome::Succeeded);
            is_gone(site, end);
        },
    )
    .await;
}

#[tokio::test]
async fn a_refused_template_fails_in_the_words_of_cloudformation() {
    let refusal = "Template format error: Unresolved resource dependencies [Missing] in the Resources block";
    let refuse = |site: &Site| site.double.behave(move |_| Behaviour::refused("ValidationError", refusal));
    in_every_mode(
        async |site| {
            refuse(site);
            apply("d1")
        },
        |site, end| {
            failed_with(end, refusal);
            is_gone(site, end);
        },
    )
    .await;
    in_every_mode(
        async |site| {
            let end = created(site).await;
            refuse(site);
            change("d2", &end)
        },
        |site, end| {
            failed_with(end, refusal);
            is_there(site, end, "CREATE_COMPLETE");
        },
    )
    .await;
}

/// Such an emulator ignores tokens too, so a step that is taken twice is not the same step there.
#[tokio::test]
async fn what_an_emulator_leaves_of_a_refused_create_is_deleted() {
    for lost in [Disturbance::None, Disturbance::AnswerLost, Disturbance::Throttled] {
        let site = Site::new().await;
        site.double.behave(|operation| match operation.action {
            "CreateStack" => Behaviour::refused_with_leftover("ValidationError", "no such type"),
            _ => Behaviour::done().taking(WHILE),
        });
        site.double.disturb("CreateStack", lost);
        let end = site.run(&apply("d1")).await;
        failed_with(&end, "no such type");
        is_gone(&site, &end);
    }
}

#[tokio::test]
async fn answers_that_lag_behind_are_not_taken_for_the_end_of_an_update() {
    for mode in [Mode::Once, Mode::KilledAtEachStep, Mode::AnswersLost] {
        let site = Site::new().await;
        let end = created(&site).await;
        site.double.behave(|_| Behaviour::done().taking(WHILE).lagging(2));
        let end = site.run_in(&change("d2", &end), mode).await;
        assert_eq!(end.outputs.get("Name").and_then(|v| v.as_str()), Some("queue"), "{mode:?}");
        is_there(&site, &end, "UPDATE_COMPLETE");
    }
}

#[tokio::test]
async fn without_request_tokens_a_lost_answer_still_makes_one_stack() {
    for mode in [Mode::KilledAtEachStep, Mode::AnswersLost] {
        let site = Site::new().await;
        site.double.ignore_tokens();
        site.double.behave(|_| Behaviour::done().taking(Takes::Looks(0)));
        site.double.disturb("CreateStack", Disturbance::AnswerLost);
        let end = site.run_in(&apply("d1"), mode).await;
        assert_eq!(end.outcome, Outcome::Succeeded, "{mode:?}");
        is_there(&site, &end, "CREATE_COMPLETE");
        assert_eq!(site.double.effects("CreateStack"), 1);
    }
}
