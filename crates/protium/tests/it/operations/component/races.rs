use crate::on_both;
use crate::support::component::*;
use crate::support::race::{race, refused};
use crate::support::service::*;
use serde_json::json;

on_both! {
    of_two_attaches_to_one_instance_one_is_refused, async |db| {
        let shop = Workshop::on(db).await;
        let answers = race(&shop.app, [("CreateComponent", attached("one")), ("CreateComponent", attached("two"))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let winner = if answers[0].is_ok() { "one" } else { "two" };
        assert_eq!(shop.sees().await, format!("{winner} {winner}@large web/a:1"));
        assert_eq!(shop.app.ok("ListComponents", json!({})).await["components"].as_array().unwrap().len(), 1);
    }

    of_two_updates_that_attach_to_one_instance_one_is_refused, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("one")).await;
        shop.made(detached("two")).await;
        let answers = race(&shop.app, [("UpdateComponent", attach("one")), ("UpdateComponent", attach("two"))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let winner = if answers[0].is_ok() { "one" } else { "two" };
        assert_eq!(shop.sees().await, format!("{winner} {winner}@large web/a:1"));
    }

    a_create_and_an_update_that_attach_to_one_instance_exclude_each_other, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("one")).await;
        let answers = race(&shop.app, [("CreateComponent", attached("two")), ("UpdateComponent", attach("one"))]).await;
        assert_eq!(refused(&answers), "ConflictException");
    }

    two_creates_of_one_name_make_one, async |db| {
        let shop = Workshop::on(db).await;
        let answers = race(&shop.app, [("CreateComponent", detached("one")), ("CreateComponent", detached("one"))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        let input = || ("CreateComponent", but(detached("two"), json!({ "clientToken": "t" })));
        let [left, right] = race(&shop.app, [input(), input()]).await;
        assert_eq!(left.unwrap(), right.unwrap());
    }

    the_last_place_for_a_component_is_given_once, async |db| {
        let shop = Workshop::with(db, |config| config.quotas.components = 1).await;
        let answers = race(&shop.app, [("CreateComponent", detached("one")), ("CreateComponent", detached("two"))]).await;
        assert_eq!(refused(&answers), "ServiceQuotaExceededException");
    }

    an_attach_and_the_end_of_the_service_exclude_each_other, async |db| {
        let shop = Workshop::on(db).await;
        let answers = race(&shop.app, [("CreateComponent", attached("one")), ("DeleteService", json!({ "name": "web" }))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        assert_eq!(shop.stands("web").await, if answers[0].is_ok() { "ACTIVE, a SUCCEEDED" } else { "gone" });
    }

    a_component_and_the_end_of_its_environment_exclude_each_other, async |db| {
        let shop = Workshop::on(db).await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        let answers = race(&shop.app, [("CreateComponent", detached("one")), ("DeleteEnvironment", json!({ "name": "prod" }))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        assert_eq!(shop.is_gone("prod").await, answers[1].is_ok());
    }

    a_component_and_its_instance_updated_at_the_same_time_exclude_each_other, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("one")).await;
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" });
        let answers = race(&shop.app, [("UpdateComponent", deploy("one", json!({ "templateFile": OTHER_BUCKET }))), ("UpdateServiceInstance", update)]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let sees = if answers[0].is_ok() { "one another" } else { "one one@large web/a:1" };
        assert_eq!(shop.sees().await, sees);
    }
}
