//! Prometheus metrics: requests by operation and code, jobs by kind, events by destination. No names of resources.

use crate::app::App;
use crate::store::{DbResult, DeliveryCount, JobCount, delivery_count, job_counts};
use crate::throttle::Kind;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use metrics::{Counter, Gauge, Histogram, Recorder as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use protium_domain::job::Job;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Upper bounds of the latency histogram, in seconds.
const LATENCY: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

const THROTTLED: &str = "protium_throttled_requests_total";
const UNRECORDED: &str = "protium_unrecorded_refusals_total";

static METADATA: metrics::Metadata<'static> = metrics::Metadata::new("protium", metrics::Level::INFO, Some("protium"));

/// The metrics of one server.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    requests: Arc<Requests>,
    connections: Gauge,
}

/// What is counted at each request, found again without asking the recorder.
#[derive(Default)]
struct Requests {
    known: RwLock<HashMap<OperationAndCode, (Counter, Histogram)>>,
    unsorted: AtomicU32,
}

type OperationAndCode = (&'static str, &'static str);

/// So many durations are kept before they are sorted into the histogram's buckets, scraped or not.
const MOST_UNSORTED: u32 = 16_384;

impl Metrics {
    /// Fails only if the histogram's bounds are wrong.
    pub fn new() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), LATENCY)?
            .build_recorder();
        recorder.describe_counter(
            "protium_requests_total".into(),
            None,
            "Requests to the Proton API by operation and error code (OK without one).".into(),
        );
        recorder.describe_histogram(
            "protium_request_duration_seconds".into(),
            None,
            "Time from a request's head to its answer.".into(),
        );
        recorder.describe_counter(
            THROTTLED.into(),
            None,
            "Requests that were refused because their caller asked too much, by kind (read, list, write).".into(),
        );
        recorder.describe_counter(
            UNRECORDED.into(),
            None,
            "Refused requests that have no record in the audit log, because there were too many.".into(),
        );
        recorder.describe_gauge("protium_jobs".into(), None, "Jobs in the store by state.".into());
        recorder.describe_gauge(
            "protium_events".into(),
            None,
            "Events that a destination has not got: pending or dead.".into(),
        );
        recorder.describe_gauge(
            "protium_events_oldest_seconds".into(),
            None,
            "The age of the oldest event that a destination is still to get; 0 without one.".into(),
        );
        recorder.describe_gauge("protium_connections".into(), None, "Connections that are open.".into());
        recorder.describe_counter(
            "protium_turned_away_total".into(),
            None,
            "Connections and requests that were turned away, by the limit that they met.".into(),
        );
        recorder.describe_gauge(
            "protium_tls_certificate_expires_seconds".into(),
            None,
            "When the certificate is over, in seconds since 1970.".into(),
        );
        let connections = recorder.register_gauge(&metrics::Key::from_static_name("protium_connections"), &METADATA);
        Ok(Self { handle: recorder.handle(), recorder: Arc::new(recorder), requests: Arc::default(), connections })
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.increment(1.0);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.decrement(1.0);
    }

    /// Counts a connection or a request that met a limit, by its name in the section `[connections]`.
    pub(crate) fn turned_away(&self, limit: &'static str) {
        let labels = vec![metrics::Label::from_static_parts("limit", limit)];
        let key = metrics::Key::from_parts("protium_turned_away_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// When the certificate is over, in seconds since 1970.
    pub(crate) fn certificate_expires(&self, seconds: i64) {
        let key = metrics::Key::from_static_name("protium_tls_certificate_expires_seconds");
        self.recorder.register_gauge(&key, &METADATA).set(seconds as f64);
    }

    /// Counts one answered request.
    pub(super) fn request(&self, operation: &'static str, code: &'static str, took: Duration) {
        let key = (operation, code);
        let known = self.requests.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let (counter, histogram) = known.unwrap_or_else(|| {
            let new = self.register(operation, code);
            self.requests.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, new.clone());
            new
        });
        counter.increment(1);
        histogram.record(took.as_secs_f64());
        if self.requests.unsorted.fetch_add(1, Ordering::Relaxed) % MOST_UNSORTED == MOST_UNSORTED - 1 {
            self.handle.run_upkeep();
        }
    }

    fn register(&self, operation: &'static str, code: &'static str) -> (Counter, Histogram) {
        let counted = metrics::Key::from_parts(
            "protium_requests_total",
            vec![
                metrics::Label::from_static_parts("operation", operation),
                metrics::Label::from_static_parts("code", code),
            ],
        );
        let timed = metrics::Key::from_parts(
            "protium_request_duration_seconds",
            vec![metrics::Label::from_static_parts("operation", operation)],
        );
        (self.recorder.register_counter(&counted, &METADATA), self.recorder.register_histogram(&timed, &METADATA))
    }

    /// What is counted where requests are refused.
    fn refusals(&self, app: &App) {
        for kind in Kind::ALL {
            let labels = vec![metrics::Label::from_static_parts("kind", kind.as_str())];
            let key = metrics::Key::from_parts(THROTTLED, labels);
            self.recorder.register_counter(&key, &METADATA).absolute(app.throttle.refused(kind));
        }
        let key = metrics::Key::from_static_name(UNRECORDED);
        self.recorder.register_counter(&key, &METADATA).absolute(app.audit.unrecorded());
    }

    fn jobs(&self, counts: &[JobCount]) {
        // A kind without a row has none: what an earlier scrape saw must not stay.
        for kind in Job::KINDS {
            let count = counts.iter().find(|count| count.kind == *kind);
            let states = [
                ("queued", count.map_or(0, |count| count.total - count.leased)),
                ("running", count.map_or(0, |count| count.leased)),
                ("overdue", count.map_or(0, |count| count.overdue)),
            ];
            for (state, number) in states {
                let labels = vec![
                    metrics::Label::from_static_parts("kind", kind),
                    metrics::Label::from_static_parts("state", state),
                ];
                let key = metrics::Key::from_parts("protium_jobs", labels);
                self.recorder.register_gauge(&key, &METADATA).set(number as f64);
            }
        }
    }

    fn events(&self, destination: &str, count: DeliveryCount, now: i64) {
        let set = |name: &'static str, label: Option<&'static str>, number: f64| {
            let named = metrics::Label::new("destination", destination.to_owned());
            let state = label.map(|state| metrics::Label::from_static_parts("state", state));
            let key = metrics::Key::from_parts(name, std::iter::once(named).chain(state).collect::<Vec<_>>());
            self.recorder.register_gauge(&key, &METADATA).set(number);
        };
        let age = count.oldest_at.map_or(0, |at| now.saturating_sub(at).max(0));
        set("protium_events", Some("pending"), count.pending as f64);
        set("protium_events", Some("dead"), count.dead as f64);
        set("protium_events_oldest_seconds", None, age as f64 / 1000.0);
    }

    /// The text that Prometheus scrapes.
    pub(super) async fn render(&self, app: &App) -> String {
        match counts(app).await {
            Ok(counts) => self.jobs(&counts),
            Err(error) => tracing::warn!("jobs can't be counted for the metrics: {error}"),
        }
        for destination in &app.config.event_destinations {
            match event_counts(app, &destination.name).await {
                Ok(count) => self.events(&destination.name, count, app.clock.now_ms()),
                Err(error) => tracing::warn!("events can't be counted for the metrics: {error}"),
            }
        }
        self.refusals(app);
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// The answer to a scrape.
pub(super) fn answer(text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn counts(app: &App) -> DbResult<Vec<JobCount>> {
    job_counts(&mut app.store.reader().await?).await
}

async fn event_counts(app: &App, destination: &str) -> DbResult<DeliveryCount> {
    Ok(delivery_count(&mut app.store.reader().await?, destination).await?.unwrap_or_default())
}
