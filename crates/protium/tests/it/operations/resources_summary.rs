use super::seed;
use crate::on_both;
use crate::support::app::TestApp;
use protium_domain::status::DeploymentStatus::{self, DeleteFailed, Failed, InProgress, Succeeded};
use protium_domain::status::ServiceStatus;
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};

async fn counts(app: &TestApp) -> Value {
    app.ok("GetResourcesSummary", json!({})).await["counts"].clone()
}

fn stale(total: i64, failed: i64, up_to_date: i64, behind_minor: i64, behind_major: i64) -> Value {
    json!({
        "total": total, "failed": failed, "upToDate": up_to_date,
        "behindMinor": behind_minor, "behindMajor": behind_major,
    })
}

/// A template with versions.
async fn template(
    app: &TestApp,
    kind: TemplateKind,
    name: &str,
    recommended: Option<(i64, i64)>,
    versions: &[(i64, i64)],
) {
    seed::template(app, kind, name, recommended).await;
    for version in versions {
        seed::template_version(app, kind, name, *version).await;
    }
}

async fn environment(app: &TestApp, name: &str, status: DeploymentStatus, version: Option<(i64, i64)>) {
    let track = seed::track(app, status, version).await;
    seed::environment(app, name, track).await;
}

async fn instance(app: &TestApp, service: &str, name: &str, version: Option<(i64, i64)>) {
    let track = seed::track(app, Succeeded, version).await;
    seed::instance(app, service, name, track).await;
}

on_both! {
    an_empty_account_counts_zero_of_everything, async |db| {
        let app = TestApp::on(db).await;
        let none = stale(0, 0, 0, 0, 0);
        assert_eq!(counts(&app).await, json!({
            "components": { "total": 0, "failed": 0 },
            "environmentTemplates": { "total": 0 },
            "serviceTemplates": { "total": 0 },
            "environments": none, "services": none, "serviceInstances": none, "pipelines": none,
        }));
    }

    environments_are_compared_with_what_their_template_recommends, async |db| {
        let app = TestApp::on(db).await;
        let versions = [(1, 0), (1, 7), (2, 0), (2, 1), (2, 2)];
        template(&app, TemplateKind::Environment, "env", Some((2, 1)), &versions).await;
        // A service template of the same name recommends something else.
        template(&app, TemplateKind::Service, "env", Some((9, 9)), &[(2, 0), (9, 9)]).await;
        environment(&app, "old", Succeeded, Some((1, 7))).await;
        environment(&app, "older", DeleteFailed, Some((1, 0))).await;
        environment(&app, "almost", Failed, Some((2, 0))).await;
        environment(&app, "current", Succeeded, Some((2, 1))).await;
        environment(&app, "draft", InProgress, Some((2, 2))).await;
        environment(&app, "first", InProgress, None).await;
        environment(&app, "never", Failed, None).await;
        let counts = counts(&app).await;
        assert_eq!(counts["environments"], stale(7, 3, 2, 1, 2));
        assert_eq!(counts["environmentTemplates"], json!({ "total": 1 }));
        assert_eq!(counts["serviceTemplates"], json!({ "total": 1 }));
    }

    without_a_recommended_version_nothing_is_behind, async |db| {
        let app = TestApp::on(db).await;
        template(&app, TemplateKind::Environment, "env", None, &[(1, 0)]).await;
        environment(&app, "a", Succeeded, Some((1, 0))).await;
        assert_eq!(counts(&app).await["environments"], stale(1, 0, 1, 0, 0));
    }

    a_service_is_as_far_behind_as_the_farthest_of_its_parts, async |db| {
        let app = TestApp::on(db).await;
        template(&app, TemplateKind::Service, "svc", Some((2, 1)), &[(1, 0), (1, 5), (2, 0), (2, 1)]).await;
        for (name, status) in [
            ("current", ServiceStatus::Active),
            ("minor", ServiceStatus::UpdateInProgress),
            ("major", ServiceStatus::UpdateCompleteCleanupFailed),
            ("pipeline-behind", ServiceStatus::UpdateFailed),
            ("new", ServiceStatus::CreateFailedCleanupComplete),
        ] {
            seed::service(&app, name, status).await;
        }
        instance(&app, "current", "a", Some((2, 1))).await;
        instance(&app, "current", "b", Some((2, 1))).await;
        instance(&app, "minor", "a", Some((2, 0))).await;
        instance(&app, "minor", "b", Some((2, 1))).await;
        instance(&app, "major", "a", Some((2, 0))).await;
        instance(&app, "major", "b", Some((1, 5))).await;
        instance(&app, "pipeline-behind", "a", Some((2, 1))).await;
        instance(&app, "new", "a", None).await;
        let track = seed::track(&app, Failed, Some((1, 0))).await;
        seed::pipeline(&app, "pipeline-behind", track).await;
        let track = seed::track(&app, Succeeded, Some((2, 1))).await;
        seed::pipeline(&app, "current", track).await;
        let counts = counts(&app).await;
        assert_eq!(counts["serviceInstances"], stale(8, 0, 4, 2, 1));
        assert_eq!(counts["pipelines"], stale(2, 1, 1, 0, 1));
        assert_eq!(counts["services"], stale(5, 3, 1, 1, 2));
    }

    other_regions_do_not_count, async |db| {
        let app = TestApp::on(db).await;
        template(&app, TemplateKind::Environment, "env", Some((1, 0)), &[(1, 0)]).await;
        environment(&app, "a", Succeeded, Some((1, 0))).await;
        let elsewhere = counts(&app.in_region("eu-west-3")).await;
        assert_eq!(elsewhere["environments"], stale(0, 0, 0, 0, 0));
        assert_eq!(elsewhere["environmentTemplates"], json!({ "total": 0 }));
    }
}
