//! Rules across rows hold when requests race.

use crate::on_both;
use crate::support::double::{self, STACK, Site, create, resize, version_of};
use crate::support::race::{codes, overtaken, race};
use serde_json::json;

const ROUNDS: usize = 5;

on_both! {
    of_two_creates_of_one_name_one_is_a_replay, async |db| {
        let site = Site::on(db).await;
        for round in 0..ROUNDS {
            let input = || ("CreateEnvironment", create(&format!("prod{round}")));
            let [left, right] = race(&site.app, input(), input()).await;
            assert_eq!(left.unwrap(), right.unwrap());
            assert_eq!(site.records(&format!("prod{round}")).await.len(), 1);
        }
        site.finish().await;
        assert_eq!(site.effects(), [ROUNDS, 0, 0]);
    }

    of_two_different_creates_of_one_name_one_is_a_mismatch, async |db| {
        let site = Site::on(db).await;
        for round in 0..ROUNDS {
            let name = format!("prod{round}");
            let mut other = create(&name);
            other["description"] = "other".into();
            let answers = race(&site.app, ("CreateEnvironment", create(&name)), ("CreateEnvironment", other)).await;
            let codes = codes(&answers);
            assert!(codes == ["", "ValidationException"] || codes == ["ValidationException", ""], "{answers:?}");
        }
    }

    of_two_updates_one_starts, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        for round in 0..ROUNDS {
            let update = |size: &str| ("UpdateEnvironment", resize("prod", &format!("{size}{round}")));
            let answers = race(&site.app, update("left"), update("right")).await;
            let codes = codes(&answers);
            assert!(codes == ["", "ConflictException"] || codes == ["ConflictException", ""], "{answers:?}");
            assert_eq!(site.records("prod").await.len(), 2 + round);
            site.finish().await;
            let winner = if codes[0].is_empty() { "left" } else { "right" };
            assert_eq!(site.outputs("prod").await["Size"], format!("{winner}{round}"));
        }
    }

    of_an_update_and_a_delete_one_starts, async |db| {
        let site = Site::on(db).await;
        for round in 0..ROUNDS {
            let name = format!("prod{round}");
            site.deployed(&name).await;
            let delete = ("DeleteEnvironment", json!({ "name": name }));
            let answers = race(&site.app, ("UpdateEnvironment", resize(&name, "small")), delete).await;
            let codes = codes(&answers);
            assert!(codes == ["", "ConflictException"] || codes == ["ConflictException", ""], "{answers:?}");
            site.finish().await;
            assert_eq!(site.is_gone(&name).await, codes[1].is_empty());
        }
    }

    the_last_place_of_the_quota_is_given_once, async |db| {
        let site = Site::with(db, |config| config.quotas.environments = 1).await;
        for round in 0..ROUNDS {
            let create = |side: &str| ("CreateEnvironment", create(&format!("{side}{round}")));
            let answers = race(&site.app, create("left"), create("right")).await;
            let codes = codes(&answers);
            let over = "ServiceQuotaExceededException";
            assert!(codes == ["", over] || codes == [over, ""], "{answers:?}");
            site.finish().await;
            let winner = if codes[0].is_empty() { "left" } else { "right" };
            site.delete(&format!("{winner}{round}")).await.unwrap();
            site.finish().await;
        }
    }

    a_version_is_not_deleted_while_an_environment_is_created_on_it, async |db| {
        let site = Site::on(db).await;
        for round in 0..ROUNDS {
            let version = site.register("env", &double::environment(STACK), Some("1")).await;
            let minor = version.split_once('.').unwrap().1;
            let mut input = create(&format!("prod{round}"));
            input["templateMinorVersion"] = minor.into();
            let delete = ("DeleteEnvironmentTemplateVersion", version_of("env", &version));
            let answers = race(&site.app, ("CreateEnvironment", input), delete).await;
            let codes = codes(&answers);
            assert!(codes == ["", "ConflictException"] || codes == ["ResourceNotFoundException", ""], "{answers:?}");
            site.finish().await;
            if codes[0].is_empty() {
                assert_eq!(site.status(&format!("prod{round}")).await.0, "SUCCEEDED");
            }
        }
    }

    a_create_whose_version_goes_while_it_decides_finds_no_version, async |db| {
        let site = Site::on(db).await;
        site.register("env", &double::environment(STACK), Some("1")).await;
        let mut input = create("prod");
        input["templateMinorVersion"] = "1".into();
        let delete = ("DeleteEnvironmentTemplateVersion", version_of("env", "1.1"));
        let answers = overtaken(&site.app, ("CreateEnvironment", input), delete).await;
        assert_eq!(codes(&answers), ["ResourceNotFoundException", ""], "{answers:?}");
    }

    an_environment_is_not_deleted_while_a_service_is_created_in_it, async |db| {
        let site = Site::on(db).await;
        site.service_template("svc").await;
        for round in 0..ROUNDS {
            let (name, service) = (format!("prod{round}"), format!("web{round}"));
            site.deployed(&name).await;
            let delete = ("DeleteEnvironment", json!({ "name": name }));
            let answers = race(&site.app, ("CreateService", site.service(&service, &name)), delete).await;
            let codes = codes(&answers);
            assert!(codes == ["", "ConflictException"] || codes == ["ConflictException", ""], "{answers:?}");
            site.finish().await;
            if codes[0].is_empty() {
                let service = site.app.ok("GetService", json!({ "name": service })).await;
                assert_eq!(service["service"]["status"], "ACTIVE");
            }
            assert_eq!(site.is_gone(&name).await, codes[1].is_empty());
        }
    }

    a_service_whose_environment_is_deleted_while_it_decides_is_a_conflict, async |db| {
        let site = Site::on(db).await;
        site.service_template("svc").await;
        site.deployed("prod").await;
        let delete = ("DeleteEnvironment", json!({ "name": "prod" }));
        let answers = overtaken(&site.app, ("CreateService", site.service("web", "prod")), delete).await;
        assert_eq!(codes(&answers), ["ConflictException", ""], "{answers:?}");
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }
}
