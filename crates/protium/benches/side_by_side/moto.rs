//! A single read and a list of a hundred beside comparable calls of moto, the emulator of AWS.

use std::net::SocketAddr;

use anyhow::Result;
use serde_json::{Value, json};

use crate::calls::{Api, CODEBUILD, PROTON};
use crate::figure::Figure;
use crate::rounds::{Contender, race};
use crate::site::{SERVICES, Site, service_name};
use crate::{Effort, load, note, process};

/// One: what a single caller sees. More would only count Python's threads.
const CONNECTIONS: usize = 1;

pub(crate) async fn measure(site: &Site, effort: Effort) -> Result<Vec<Figure>> {
    let moto = process::emulator()?;
    note(format!("moto: creating {SERVICES} projects"));
    for number in 0..SERVICES {
        CODEBUILD.call(moto.address(), "CreateProject", &project(number)).await?;
    }
    let name = service_name(SERVICES / 2);
    let read = vec![
        contender("BatchGetProjects on moto", CODEBUILD, moto.address(), "BatchGetProjects", json!({"names": [name]})),
        contender("GetService", PROTON, site.address(), "GetService", json!({"name": name})),
    ];
    let list = vec![
        contender("ListProjects on moto", CODEBUILD, moto.address(), "ListProjects", json!({})),
        contender("ListServices", PROTON, site.address(), "ListServices", json!({"maxResults": SERVICES})),
    ];
    let mut figures = Vec::new();
    if let [moto, protium] = race("a single read", effort, read).await?[..] {
        figures.push(Figure::times("a single read", protium, "moto, BatchGetProjects", moto, 20.0));
    }
    if let [moto, protium] = race("a list of 100", effort, list).await?[..] {
        figures.push(Figure::times(format!("a list of {SERVICES}"), protium, "moto, ListProjects", moto, 5.0));
    }
    Ok(figures)
}

fn contender(
    name: &str,
    api: Api<'static>,
    address: SocketAddr,
    operation: &'static str,
    input: Value,
) -> Contender<'static> {
    Contender::new(name, move |time| {
        let pool = api.pool(address, operation, &input);
        async move { load::rate(address, pool?, CONNECTIONS, time).await }
    })
}

fn project(number: usize) -> Value {
    json!({
        "name": service_name(number),
        "description": format!("The project number {number} of the benchmark"),
        "source": {"type": "S3", "location": "bench-bundles/source.zip"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": "arn:aws:iam::123456789012:role/service-role/codebuild",
    })
}
