use super::*;
use crate::on_both;
use crate::support::app::code;
use crate::support::notification::{NOTIFY, of, outputs};
use crate::support::service::create as service;

/// The code that an account is answered for outputs of a resource of the site; empty for a success.
async fn told_by(two: &Two, account: &TestApp, resource: &str, value: &str) -> String {
    let input = of(&two.app, resource, json!({ "outputs": outputs(&[("Told", value)]) }));
    account.call(NOTIFY, input).await.err().map(|refused| refused.code).unwrap_or_default()
}

on_both! {
    the_account_that_lends_its_roles_notifies_what_is_provisioned_there, async |db| {
        let two = Two::with_services(db).await;
        let id = two.connected("far").await;
        let spec = crate::support::service::spec(&[("one", 1)]).replace("environment: prod", "environment: far");
        two.app.ok("CreateService", but(service("web", &[]), json!({ "spec": spec }))).await;
        two.until("web", "ACTIVE").await;
        two.active("near", &[("one", 1)]).await;
        let stranger = two.app.in_account(STRANGER);
        let absent = "ResourceNotFoundException";
        for (resource, lends) in [
            ("environment/far", ""),
            ("service/web/service-instance/one", ""),
            // What is not provisioned there.
            ("service/web/pipeline", absent),
            ("environment/prod", absent),
            ("service/near/service-instance/one", absent),
            ("environment/none", absent),
        ] {
            assert_eq!(told_by(&two, &two.lends, resource, "lends").await, lends, "{resource}");
            assert_eq!(told_by(&two, &stranger, resource, "stranger").await, absent, "{resource}");
        }
        assert_eq!(two.outputs("far").await, json!({ "Told": "lends" }));
        assert_eq!(two.outputs_of("web", Some("one")).await, json!({ "Told": "lends" }));
        assert_eq!(two.outputs("prod").await, json!({ "Name": "prod", "Size": "large" }));
        let latest = two.site.get("far").await["lastAttemptedDeploymentId"].clone();
        let named = json!({ "deploymentId": latest, "statusMessage": "told" });
        two.lends.ok(NOTIFY, of(&two.app, "environment/far", named)).await;
        assert_eq!(two.site.status("far").await, ("SUCCEEDED".into(), "told".into()));
        assert_eq!(code(two.lends.in_region("eu-west-1").call(NOTIFY, of(&two.app, "environment/far", json!({}))).await), absent);
        two.forget(&id).await;
        assert_eq!(told_by(&two, &two.lends, "environment/far", "late").await, absent, "it lends nothing any more");
    }
}
