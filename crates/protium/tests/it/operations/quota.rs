//! Quotas: the last place is given once, whoever asks at the same time, and the next one is refused and says why.

use super::seed;
use crate::on_both;
use crate::support::app::{Refused, TestApp, code};
use crate::support::bundle::pack;
use crate::support::component::{COMPONENT_ROLE, Workshop, detached};
use crate::support::double::{self, Site};
use crate::support::race::{race, refused};
use crate::support::service::*;
use protium::config::Config;
use protium_domain::quota::Quotas;
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};
use std::ops::Range;

const OVER: &str = "ServiceQuotaExceededException";

/// With one place left for what the quota of `change` counts.
async fn shop(db: &crate::support::database::TestDb, change: impl FnOnce(&mut Quotas)) -> Shop {
    let shop = Shop::with(db, |config: &mut Config| change(&mut config.quotas)).await;
    shop.app.upload("bundles", "env.tar.gz", pack(&double::environment(double::STACK))).await;
    shop
}

/// One of two gets the place; a third one is told which quota is full.
async fn last_place(app: &TestApp, create: impl Fn(&str) -> (&'static str, Value), says: &str) {
    let answers: [Result<Value, Refused>; 2] = race(app, [create("one"), create("two")]).await;
    assert_eq!(refused(&answers), OVER);
    let (operation, input) = create("three");
    let third = app.call(operation, input).await.unwrap_err();
    assert_eq!(third.code, OVER);
    assert!(third.message.contains(says), "{}", third.message);
}

/// Asks for environment templates of these numbers, all at the same time.
async fn templates(app: &TestApp, numbers: Range<u32>) -> Vec<Result<Value, Refused>> {
    let create = |number: u32| app.call("CreateEnvironmentTemplate", json!({ "name": format!("new-{number}") }));
    futures::future::join_all(numbers.map(create)).await
}

#[test]
fn the_defaults_are_those_of_the_newer_service_quotas_page() {
    let Quotas {
        templates,
        versions_per_template,
        environments,
        services,
        instances_per_service,
        components,
        account_connections,
    } = Quotas::default();
    let thousand = [templates, versions_per_template, environments, services, components, account_connections];
    assert_eq!((thousand, instances_per_service), ([1000; 6], 20));
}

on_both! {
    templates_of_both_kinds_share_the_last_place, async |db| {
        // `env`, `svc` and `plain` are there.
        let shop = shop(db, |quotas| quotas.templates = 4).await;
        let create = |name: &str| {
            let operation = if name == "one" { "CreateEnvironmentTemplate" } else { "CreateServiceTemplate" };
            (operation, json!({ "name": name }))
        };
        last_place(&shop.app, create, "quota of 4 templates (environment and service templates together)").await;
        let elsewhere = shop.app.in_region("eu-west-1");
        elsewhere.ok("CreateServiceTemplate", json!({ "name": "one" })).await;
    }

    a_crowd_fills_a_quota_that_is_too_large_to_be_counted_each_time_to_its_last_place, async |db| {
        let app = TestApp::with(db, |config| config.quotas.templates = 300).await;
        // So few that the first ones on PostgreSQL rely on a count of before; those who come later have to count.
        for number in 0..40 {
            seed::template(&app, TemplateKind::Service, &format!("there-{number}"), None).await;
        }
        for made in templates(&app, 0..230).await {
            made.unwrap();
        }
        let (made, refused): (Vec<_>, Vec<_>) = templates(&app, 230..294).await.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (30, 34));
        for answer in refused {
            assert_eq!(code(answer), OVER);
        }
        let mut reader = app.store().reader().await.unwrap();
        let mut rows = reader.query_one("SELECT COUNT(*) FROM template", &[]).await.unwrap();
        assert_eq!(rows.int(0).unwrap(), 300);
    }

    the_last_place_for_a_version_is_given_once, async |db| {
        let shop = shop(db, |quotas| quotas.versions_per_template = 2).await;
        let create = |name: &str| {
            let source = json!({ "s3": { "bucket": "bundles", "key": "env.tar.gz" } });
            ("CreateEnvironmentTemplateVersion", json!({ "templateName": "env", "description": name, "source": source }))
        };
        last_place(&shop.app, create, "quota of 2 versions per template").await;
    }

    the_last_place_for_an_environment_is_given_once, async |db| {
        let shop = shop(db, |quotas| quotas.environments = 2).await;
        last_place(&shop.app, |name| ("CreateEnvironment", double::create(name)), "quota of 2 environments").await;
    }

    the_last_place_for_a_service_is_given_once, async |db| {
        let shop = shop(db, |quotas| quotas.services = 1).await;
        last_place(&shop.app, |name| ("CreateService", create(name, &[("a", 1)])), "quota of 1 services").await;
    }

    the_last_place_for_an_instance_is_given_once, async |db| {
        let shop = shop(db, |quotas| quotas.instances_per_service = 2).await;
        shop.active("web", &[("a", 1)]).await;
        let create = |name: &str| {
            let spec = spec(&[("a", 1), (name, 2)]);
            ("CreateServiceInstance", json!({ "serviceName": "web", "name": name, "spec": spec }))
        };
        let answers = race(&shop.app, [create("one"), create("two")]).await;
        // This operation declares no error for quotas.
        assert_eq!(refused(&answers), "ValidationException");
        let (operation, input) = create("three");
        let third = shop.app.call(operation, input).await.unwrap_err();
        assert!(third.message.contains("quota of 2 instances of a service"), "{}", third.message);
    }

    the_last_place_for_a_component_is_given_once, async |db| {
        let shop = Workshop::with(db, |config| config.quotas.components = 1).await;
        last_place(&shop.app, |name| ("CreateComponent", detached(name)), "quota of 1 components").await;
    }

    the_last_place_for_an_account_connection_is_given_once, async |db| {
        let shop = shop(db, |quotas| quotas.account_connections = 1).await;
        let create = |name: &str| {
            ("CreateEnvironmentAccountConnection", json!({ "managementAccountId": "111111111111", "environmentName": name, "roleArn": COMPONENT_ROLE }))
        };
        last_place(&shop.app, create, "quota of 1 environment account connections").await;
    }

    a_quota_of_nothing_lets_nothing_in, async |db| {
        let site = Site::bare(db, |config| config.quotas.templates = 0).await;
        let refused = site.app.call("CreateServiceTemplate", json!({ "name": "a" })).await.unwrap_err();
        assert_eq!(refused.code, OVER);
    }

    a_place_is_free_again_when_its_holder_is_gone, async |db| {
        let shop = shop(db, |quotas| quotas.services = 1).await;
        shop.active("web", &[("a", 1)]).await;
        assert_eq!(shop.app.call("CreateService", create("api", &[("a", 1)])).await.unwrap_err().code, OVER);
        shop.delete_service("web").await.unwrap();
        assert_eq!(shop.app.call("CreateService", create("api", &[("a", 1)])).await.unwrap_err().code, OVER, "it is not gone yet");
        shop.finish().await;
        shop.active("api", &[("a", 1)]).await;
    }

    more_instances_than_a_service_may_have_are_refused_however_they_come, async |db| {
        let shop = shop(db, |quotas| quotas.instances_per_service = 1).await;
        let two = [("a", 1), ("b", 2)];
        assert_eq!(shop.app.call("CreateService", create("web", &two)).await.unwrap_err().code, OVER);
        shop.active("web", &two[..1]).await;
        assert_eq!(shop.update_service("web", &spec(&two)).await.unwrap_err().code, OVER);
        let one_more = json!({ "serviceName": "web", "name": "b", "spec": spec(&two) });
        // This operation declares no error for quotas.
        assert_eq!(shop.app.call("CreateServiceInstance", one_more).await.unwrap_err().code, "ValidationException");
    }
}
