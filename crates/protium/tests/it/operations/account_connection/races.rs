//! Rules between the two accounts hold when their requests race.

use super::*;
use crate::on_both;
use crate::support::race::{codes, overtaken, race, race_between};

const ROUNDS: usize = 5;
const ACCEPT: &str = "AcceptEnvironmentAccountConnection";
const REJECT: &str = "RejectEnvironmentAccountConnection";
const CONFLICT: &str = "ConflictException";

async fn requested(two: &Two, environment: &str) -> String {
    text(&two.requested(environment).await["id"]).to_owned()
}

on_both! {
    of_two_connections_for_one_environment_one_is_accepted, async |db| {
        let two = Two::on(db).await;
        for round in 0..ROUNDS {
            let name = format!("prod{round}");
            let ids = [requested(&two, &name).await, requested(&two, &name).await];
            let accept = |id: &String| (ACCEPT, json!({ "id": id }));
            let answers = race(&two.app, [accept(&ids[0]), accept(&ids[1])]).await;
            let codes = codes(&answers);
            assert!(codes == ["", CONFLICT] || codes == [CONFLICT, ""], "{answers:?}");
            let winner = if codes[0].is_empty() { 0 } else { 1 };
            let listed = two.app.ok("ListEnvironmentAccountConnections", json!({
                "requestedBy": "MANAGEMENT_ACCOUNT", "environmentName": name, "statuses": ["CONNECTED"],
            }));
            let listed = listed.await["environmentAccountConnections"].clone();
            assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &ids[winner].as_str().into()));
        }
    }

    of_two_acceptances_of_one_connection_both_succeed, async |db| {
        let two = Two::on(db).await;
        for round in 0..ROUNDS {
            let id = requested(&two, &format!("prod{round}")).await;
            let accept = || (ACCEPT, json!({ "id": id }));
            let [left, right] = race(&two.app, [accept(), accept()]).await;
            assert_eq!(left.unwrap(), right.unwrap());
        }
    }

    a_connection_is_not_rejected_while_an_environment_is_created_with_it, async |db| {
        let two = Two::on(db).await;
        for round in 0..ROUNDS {
            let name = format!("prod{round}");
            let id = two.accepted(&name).await;
            let create = ("CreateEnvironment", through(&name, &id));
            let answers = race(&two.app, [create, (REJECT, json!({ "id": id }))]).await;
            let codes = codes(&answers);
            assert!(codes == ["", CONFLICT] || codes == [CONFLICT, ""], "{answers:?}");
            let status = if codes[0].is_empty() { "CONNECTED" } else { "REJECTED" };
            assert_eq!(get(&two.lends, &id).await["status"], status);
        }
        two.finish().await;
    }

    a_create_whose_connection_is_rejected_while_it_decides_is_a_conflict, async |db| {
        let two = Two::on(db).await;
        let id = two.accepted("prod").await;
        let create = ("CreateEnvironment", through("prod", &id));
        let answers = overtaken(&two.app, create, (REJECT, json!({ "id": id }))).await;
        assert_eq!(codes(&answers), [CONFLICT, ""], "{answers:?}");
    }

    a_connection_is_not_rejected_while_an_environment_changes_to_it, async |db| {
        let two = Two::on(db).await;
        let mut used = two.connected("prod").await;
        for _ in 0..ROUNDS {
            let id = two.accepted("prod").await;
            let change = json!({ "name": "prod", "deploymentType": "NONE", "environmentAccountConnectionId": id });
            let answers = race(&two.app, [("UpdateEnvironment", change), (REJECT, json!({ "id": id }))]).await;
            let codes = codes(&answers);
            assert!(codes == ["", CONFLICT] || codes == [CONFLICT, ""], "{answers:?}");
            if codes[0].is_empty() {
                two.reject(&used).await.unwrap();
                used = id;
            }
            assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], used);
            assert_eq!(get(&two.lends, &used).await["status"], "CONNECTED");
        }
    }

    an_environment_whose_connection_is_deleted_while_it_is_created_ends, async |db| {
        let two = Two::on(db).await;
        for round in 0..ROUNDS {
            let name = format!("prod{round}");
            let id = two.accepted(&name).await;
            let create = (&two.app, "CreateEnvironment", through(&name, &id));
            let delete = (&two.lends, "DeleteEnvironmentAccountConnection", json!({ "id": id }));
            let answers = race_between(create, delete).await;
            let codes = codes(&answers);
            assert!(codes == ["", ""] || codes == ["ResourceNotFoundException", ""], "{answers:?}");
            two.finish().await;
            if codes[0].is_empty() {
                assert_eq!(two.status(&name).await.0, "FAILED");
                two.delete(&name).await.unwrap();
                two.finish().await;
            }
            assert!(two.is_gone(&name).await);
        }
    }

    an_acceptance_and_a_deletion_leave_no_connection, async |db| {
        let two = Two::on(db).await;
        for round in 0..ROUNDS {
            let id = requested(&two, &format!("prod{round}")).await;
            let accept = (&two.app, ACCEPT, json!({ "id": id }));
            let delete = (&two.lends, "DeleteEnvironmentAccountConnection", json!({ "id": id }));
            let answers = race_between(accept, delete).await;
            let codes = codes(&answers);
            assert!(codes == ["", ""] || codes == ["ResourceNotFoundException", ""], "{answers:?}");
            let gone = two.lends.call("GetEnvironmentAccountConnection", json!({ "id": id })).await;
            assert_eq!(gone.unwrap_err().code, "ResourceNotFoundException");
        }
    }

    an_environment_that_is_updated_while_its_new_connection_is_accepted_has_it, async |db| {
        let two = Two::on(db).await;
        let mut old = two.connected("prod").await;
        for round in 0..ROUNDS {
            two.forget(&old).await;
            let new = requested(&two, "prod").await;
            let describe = json!({ "name": "prod", "deploymentType": "NONE", "description": format!("d{round}") });
            let answers = race(&two.app, [("UpdateEnvironment", describe), (ACCEPT, json!({ "id": new }))]).await;
            assert_eq!(codes(&answers), ["", ""], "{answers:?}");
            let shown = two.site.get("prod").await;
            assert_eq!(shown["environmentAccountConnectionId"], new);
            assert_eq!(shown["description"], format!("d{round}"), "neither undoes the other");
            old = new;
        }
    }

    an_environment_whose_connection_is_deleted_while_another_is_accepted_has_the_other, async |db| {
        let two = Two::on(db).await;
        let mut old = two.connected("prod").await;
        for _ in 0..ROUNDS {
            let new = requested(&two, "prod").await;
            let accept = (&two.app, ACCEPT, json!({ "id": new }));
            let delete = (&two.lends, "DeleteEnvironmentAccountConnection", json!({ "id": old }));
            let answers = race_between(accept, delete).await;
            assert_eq!(codes(&answers), ["", ""], "{answers:?}");
            assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], new);
            old = new;
        }
    }

    the_last_place_of_the_quota_is_given_once, async |db| {
        let two = Two::with(db, |config| config.quotas.account_connections = 1).await;
        for round in 0..ROUNDS {
            let create = |side: &str| ("CreateEnvironmentAccountConnection", request(&format!("{side}{round}")));
            let answers = race(&two.lends, [create("left"), create("right")]).await;
            let codes = codes(&answers);
            let over = "ServiceQuotaExceededException";
            assert!(codes == ["", over] || codes == [over, ""], "{answers:?}");
            let made = answers.into_iter().flatten().next().unwrap();
            two.forget(text(&connection(made)["id"])).await;
        }
    }
}
