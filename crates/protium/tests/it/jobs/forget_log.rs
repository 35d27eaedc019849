//! The log of a deployment whose record is deleted goes from the store of logs: the job stops anywhere, and runs twice.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::database::TestDb;
use crate::support::double::cut_off_at;
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_engines::command::{LogPlace, finished_logs};
use protium_engines::double::{Disturbance, Double};
use std::fs;
use std::sync::atomic::Ordering;

/// The application with a store of logs on that double.
async fn app(db: &TestDb, aws: &Double) -> TestApp {
    aws.make_bucket("logs");
    TestApp::with(db, |config| {
        config.aws_endpoint_url = Some(aws.url());
        config.run_logs = Some(LogPlace::parse("s3://logs/kept").unwrap());
    })
    .await
}

fn deployment() -> Id {
    Id::from_random([7; 16])
}

/// Keeps a log of the deployment.
async fn keep(app: &TestApp) {
    let folder = app.app.config.runs_folder().join("r").join(deployment().as_str());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("log"), "{\"t\":1,\"m\":\"a\"}\n").unwrap();
    for log in finished_logs(&app.app.config.runs_folder()).unwrap() {
        app.app.logs.as_ref().unwrap().keep(&log).await.unwrap();
    }
}

on_both! {
    forgetting_a_log_twice_is_like_once_and_what_is_refused_is_tried_again, async |db| {
        let aws = Double::start().await.unwrap();
        let app = app(db, &aws).await;
        keep(&app).await;
        assert_eq!(aws.objects().len(), 1);
        aws.disturb("DeleteObject", Disturbance::Refused("AccessDenied".into(), "not allowed".into()));
        let job = Job::ForgetLog { deployment: deployment() };
        app.enqueue(&job).await;
        app.work().await;
        assert_eq!(aws.objects().len(), 1, "it may not");
        app.work_later().await;
        assert!(aws.objects().is_empty() && app.claim().await.is_none());
        app.enqueue(&job).await;
        app.work().await;
        assert!(app.claim().await.is_none(), "there is nothing more to do");
    }

    forgetting_a_log_stops_anywhere_and_completes_later, async |db| {
        let aws = Double::start().await.unwrap();
        let app = app(db, &aws).await;
        for step in 1.. {
            keep(&app).await;
            app.enqueue(&Job::ForgetLog { deployment: deployment() }).await;
            let calls = cut_off_at(&app, step);
            // A worker that can't even claim tells; the job is there for the next.
            let _told = protium::worker::run_one(&app.app, "test").await;
            app.store().db().set_probe(None);
            app.work_later().await;
            assert!(aws.objects().is_empty() && app.claim().await.is_none(), "step {step}");
            if calls.load(Ordering::SeqCst) < step {
                assert!(step > 2, "claiming, settling: {step}");
                return;
            }
        }
    }
}
