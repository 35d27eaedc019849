//! Rows as requests and jobs leave them, written straight into the store: what only reads is tested on
//! states that would take an engine's failure to reach.

use crate::support::app::TestApp;
use protium::store::{
    DbError, Target, component_insert, content_put, deployment_insert, environment_insert, instance_insert,
    pipeline_insert, service_insert, template_insert, template_version_insert,
};
use protium::transaction;
use protium_domain::component::{Attachment, Component};
use protium_domain::deployment::{Deployment, Purpose, State};
use protium_domain::environment::{Access, Environment};
use protium_domain::id::Id;
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::status::{DeploymentStatus, ServiceStatus, TemplateVersionStatus};
use protium_domain::template::{BundleSource, Origin, Template, TemplateKind, TemplateVersion};
use protium_domain::track::{Aim, Seen, Track};
use protium_domain::version::Version;
use serde_json::Map;
use std::collections::BTreeMap;

/// The spec of everything here.
pub(super) const SPEC: &str = "proton: EnvironmentSpec\nspec: {}\n";

pub(super) fn id() -> Id {
    Id::from_random(uuid::Uuid::new_v4().into_bytes())
}

/// Puts a text or other bytes into the content table, and answers the hash.
pub(super) async fn content(app: &TestApp, body: &[u8]) -> String {
    transaction!(app.store(), async |tx| -> Result<String, DbError> { content_put(tx, body).await }).unwrap()
}

/// A track that deployed `version`, or whose first attempt did not succeed.
pub(super) async fn track(app: &TestApp, status: DeploymentStatus, version: Option<(i64, i64)>) -> Track {
    let spec = content(app, SPEC.as_bytes()).await;
    let (major, minor) = version.unwrap_or((1, 0));
    let aim = Aim { version: Version::new(major, minor), spec };
    let mut track = Track::first(id(), aim.clone(), 1000);
    if version.is_some() {
        track.promote(id(), aim, 1000);
    }
    track.status = status;
    track
}

pub(super) async fn template(app: &TestApp, kind: TemplateKind, name: &str, recommended: Option<(i64, i64)>) {
    let template = Template {
        revision: 0,
        id: id(),
        kind,
        name: name.into(),
        display_name: name.into(),
        description: None,
        encryption_key: None,
        customer_managed: false,
        created_at: 1000,
        modified_at: 1000,
        recommended: recommended.map(|(major, minor)| Version::new(major, minor)),
        last_minors: BTreeMap::new(),
        origin: Origin::new("request".into()),
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert =
        transaction!(app.store(), async |tx| -> Result<bool, DbError> { template_insert(tx, &scope, &template).await });
    assert!(insert.unwrap());
}

pub(super) async fn template_version(app: &TestApp, kind: TemplateKind, name: &str, (major, minor): (i64, i64)) {
    let version = TemplateVersion {
        revision: 0,
        id: id(),
        kind,
        template: name.into(),
        template_id: id(),
        version: Version::new(major, minor),
        description: None,
        status: TemplateVersionStatus::Draft,
        status_message: String::new(),
        source: BundleSource { bucket: "b".into(), key: "k".into() },
        compatible: Vec::new(),
        component_sources: Vec::new(),
        created_at: 1000,
        modified_at: 1000,
        bundle: None,
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert = transaction!(app.store(), async |tx| -> Result<bool, DbError> {
        template_version_insert(tx, &scope, &version).await
    });
    assert!(insert.unwrap());
}

/// An environment from the template `env`.
pub(super) async fn environment(app: &TestApp, name: &str, track: Track) -> Environment {
    let environment = Environment {
        revision: 0,
        id: id(),
        name: name.into(),
        template: "env".into(),
        description: None,
        customer_managed: false,
        access: Access::default(),
        created_at: 1000,
        track,
        origin: Origin::new("request".into()),
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert = transaction!(app.store(), async |tx| -> Result<bool, DbError> {
        environment_insert(tx, &scope, &environment).await
    });
    assert!(insert.unwrap());
    environment
}

/// A service from the template `svc`, without parts.
pub(super) async fn service(app: &TestApp, name: &str, status: ServiceStatus) -> Service {
    let service = Service {
        revision: 0,
        id: id(),
        name: name.into(),
        template: "svc".into(),
        description: None,
        status,
        status_message: None,
        repository: None,
        spec: content(app, SPEC.as_bytes()).await,
        created_at: 1000,
        modified_at: 1000,
        origin: Origin::new("request".into()),
        change: None,
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert =
        transaction!(app.store(), async |tx| -> Result<bool, DbError> { service_insert(tx, &scope, &service).await });
    assert!(insert.unwrap());
    service
}

/// An instance of a service, in an environment called `prod`.
pub(super) async fn instance(app: &TestApp, service: &str, name: &str, track: Track) -> ServiceInstance {
    let instance = ServiceInstance {
        revision: 0,
        id: id(),
        name: name.into(),
        service: service.into(),
        service_id: id(),
        environment: "prod".into(),
        environment_id: id(),
        template: "svc".into(),
        created_at: 1000,
        track,
        last_token: None,
        outdated: false,
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert =
        transaction!(app.store(), async |tx| -> Result<bool, DbError> { instance_insert(tx, &scope, &instance).await });
    assert!(insert.unwrap());
    instance
}

/// A component in the environment, attached to the instance if there is one.
pub(super) async fn component(
    app: &TestApp,
    name: &str,
    environment: &Environment,
    instance: Option<&ServiceInstance>,
    track: Track,
) -> Component {
    let attached = instance.map(|instance| Attachment {
        service: instance.service.clone(),
        instance: instance.name.clone(),
        instance_id: instance.id.clone(),
        spec: None,
    });
    let component = Component {
        revision: 0,
        id: id(),
        name: name.into(),
        description: None,
        environment: environment.name.clone(),
        environment_id: environment.id.clone(),
        manifest: content(app, b"manifest").await,
        created_at: 1000,
        modified_at: 1000,
        track,
        deployed_with: attached.clone(),
        attached,
        last_token: None,
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert = transaction!(app.store(), async |tx| -> Result<bool, DbError> {
        component_insert(tx, &scope, &component).await
    });
    assert!(insert.unwrap());
    component
}

pub(super) async fn pipeline(app: &TestApp, service: &str, track: Track) -> ServicePipeline {
    let pipeline = ServicePipeline {
        revision: 0,
        id: id(),
        service: service.into(),
        service_id: id(),
        template: "svc".into(),
        created_at: 1000,
        track,
        unknown: Map::new(),
    };
    let scope = app.scope();
    let insert =
        transaction!(app.store(), async |tx| -> Result<bool, DbError> { pipeline_insert(tx, &scope, &pipeline).await });
    assert!(insert.unwrap());
    pipeline
}

/// The record of a deployment that ended or runs, as `edit` leaves it: by default the first one of its
/// target, to the version 1.0, made at the time `at`.
pub(super) async fn deployment(
    app: &TestApp,
    target: &Target,
    status: DeploymentStatus,
    at: i64,
    edit: impl FnOnce(&mut Deployment),
) -> Deployment {
    let goal = State {
        template: target.template().into(),
        version: Version::new(1, 0),
        spec: content(app, SPEC.as_bytes()).await,
        seen: Seen::default(),
        attachment: None,
    };
    let mut record = Deployment {
        revision: 0,
        id: id(),
        scope: app.scope(),
        target: target.reference(&app.scope()),
        purpose: Purpose::Apply,
        status,
        message: None,
        initial: None,
        goal,
        last_attempted: None,
        last_succeeded: None,
        created_at: at,
        modified_at: at,
        completed_at: (!status.is_active()).then_some(at),
        waiting: false,
        deadline: None,
        order: None,
        cursor: None,
        note: None,
        outputs: None,
        left: None,
        unknown: Map::new(),
    };
    edit(&mut record);
    let insert =
        transaction!(app.store(), async |tx| -> Result<bool, DbError> { deployment_insert(tx, &record).await });
    assert!(insert.unwrap());
    record
}
