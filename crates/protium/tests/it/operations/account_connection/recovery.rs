use super::*;
use crate::on_both;
use crate::support::double::resize;
use crate::support::service::plain_spec;

/// What the message of a deployment without its connection says.
fn check_message(message: &str, connection: &str, environment: &str) {
    let environment = format!("'{environment}' was deleted");
    for part in
        [connection, &environment, LENDS, "CreateEnvironmentAccountConnection", "AcceptEnvironmentAccountConnection"]
    {
        assert!(message.contains(part), "{message}");
    }
}

/// A service in the environment `far`.
fn service(name: &str) -> Value {
    let spec = plain_spec(&[("one", 1)]).replace("environment: prod", "environment: far");
    json!({ "name": name, "templateName": "plain", "templateMajorVersion": "1", "spec": spec })
}

on_both! {
    without_its_connection_an_environment_is_not_updated_until_another_is_accepted, async |db| {
        let two = Two::on(db).await;
        let old = two.connected("prod").await;
        two.forget(&old).await;
        two.update(resize("prod", "small")).await.unwrap();
        two.finish().await;
        let (status, message) = two.status("prod").await;
        assert_eq!(status, "FAILED");
        check_message(&message, &old, "prod");
        let shown = two.site.get("prod").await;
        assert_eq!((&shown["environmentAccountConnectionId"], &shown["environmentAccountId"]), (&old.into(), &LENDS.into()));
        assert_eq!(two.effects(), [1, 0, 0], "nothing was asked of AWS");
        let new = two.accepted("prod").await;
        assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], new, "it goes on with the new one");
        assert_eq!(two.reject(&new).await.unwrap_err().code, "ConflictException");
        two.update(resize("prod", "small")).await.unwrap();
        two.finish().await;
        assert_eq!(two.outputs("prod").await["Size"], "small");
        assert_eq!(two.effects(), [1, 1, 0]);
    }

    without_its_connection_an_environment_is_not_deleted_until_another_is_accepted, async |db| {
        let two = Two::on(db).await;
        let old = two.connected("prod").await;
        two.forget(&old).await;
        for _ in 0..2 {
            two.delete("prod").await.unwrap();
            two.finish().await;
            let (status, message) = two.status("prod").await;
            assert_eq!(status, "DELETE_FAILED");
            check_message(&message, &old, "prod");
        }
        two.accepted("prod").await;
        two.delete("prod").await.unwrap();
        two.finish().await;
        assert!(two.is_gone("prod").await);
        assert_eq!((two.effects(), two.double.stack_count()), ([1, 0, 1], 0));
    }

    a_connection_that_is_accepted_while_the_environment_is_being_deleted_counts, async |db| {
        let two = Two::on(db).await;
        let old = two.connected("prod").await;
        two.forget(&old).await;
        two.delete("prod").await.unwrap();
        two.accepted("prod").await;
        two.finish().await;
        assert!(two.is_gone("prod").await, "it was accepted before the deletion was prepared");
    }

    what_was_never_provisioned_is_deleted_without_a_connection, async |db| {
        let two = Two::on(db).await;
        let id = two.accepted("prod").await;
        two.app.ok("CreateEnvironment", through("prod", &id)).await;
        two.forget(&id).await;
        two.finish().await;
        let (status, message) = two.status("prod").await;
        assert_eq!(status, "FAILED");
        check_message(&message, &id, "prod");
        two.delete("prod").await.unwrap();
        two.finish().await;
        assert!(two.is_gone("prod").await);
        assert_eq!(two.assumed(), [""; 0]);
    }

    when_its_connection_is_deleted_an_environment_goes_on_with_the_one_that_was_to_replace_it, async |db| {
        let two = Two::on(db).await;
        let old = two.connected("prod").await;
        let new = two.accepted("prod").await;
        assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], old);
        two.forget(&old).await;
        assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], new);
        two.forget(&new).await;
        assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], new, "there is no other one");
        two.delete("prod").await.unwrap();
        two.finish().await;
        assert_eq!(two.status("prod").await.0, "DELETE_FAILED");
    }

    a_connection_that_is_gone_is_no_reason_to_refuse_an_update_of_something_else, async |db| {
        let two = Two::on(db).await;
        let id = two.connected("prod").await;
        two.forget(&id).await;
        let described = json!({ "name": "prod", "deploymentType": "NONE", "description": "new" });
        assert_eq!(two.update(described).await.unwrap()["description"], "new");
        let same = json!({ "name": "prod", "deploymentType": "NONE", "environmentAccountConnectionId": id });
        assert_eq!(two.update(same).await.unwrap_err().code, "ResourceNotFoundException");
    }

    services_recover_with_their_environment, async |db| {
        let two = Two::with_services(db).await;
        let old = two.connected("far").await;
        two.app.ok("CreateService", service("web")).await;
        two.until("web", "ACTIVE").await;
        two.forget(&old).await;
        let again = || json!({ "serviceName": "web", "name": "one", "deploymentType": "CURRENT_VERSION" });
        two.app.ok("UpdateServiceInstance", again()).await;
        two.finish().await;
        let instance = two.instance("web", "one").await;
        assert_eq!(instance["deploymentStatus"], "FAILED");
        check_message(text(&instance["deploymentStatusMessage"]), &old, "far");
        two.delete_service("web").await.unwrap();
        two.finish().await;
        assert_eq!(two.stands("web").await, "DELETE_FAILED, one DELETE_FAILED");
        check_message(text(&two.instance("web", "one").await["deploymentStatusMessage"]), &old, "far");
        two.accepted("far").await;
        two.delete_service("web").await.unwrap();
        two.finish().await;
        assert_eq!(two.stands("web").await, "gone");
        two.delete("far").await.unwrap();
        two.finish().await;
        assert!(two.is_gone("far").await);
    }

    a_restart_between_the_deletion_and_the_new_connection_loses_nothing, async |db| {
        let two = Two::on(db).await;
        let old = two.connected("prod").await;
        two.forget(&old).await;
        two.update(resize("prod", "small")).await.unwrap();
        let two = two.restart(db).await;
        two.finish().await;
        assert_eq!(two.status("prod").await.0, "FAILED");
        two.accepted("prod").await;
        let two = two.restart(db).await;
        two.update(resize("prod", "small")).await.unwrap();
        two.finish().await;
        assert_eq!(two.outputs("prod").await["Size"], "small");
    }
}
