//! GetService and ListServices beside handlers that return the same bytes, or run the same query.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::calls::PROTON;
use crate::figure::Figure;
use crate::process::{self, Process};
use crate::rounds::{Contender, race};
use crate::sign::REGION;
use crate::site::{ACCOUNT, Database, SERVICES, Site, service_name};
use crate::{Effort, load};

const CONNECTIONS: usize = 16;

pub(crate) async fn measure(site: &Site, effort: Effort) -> Result<Vec<Figure>> {
    let name = site.database.name();
    let (get_part, list_part) = match site.database {
        Database::Sqlite => (0.35, 0.10),
        Database::Postgres => (0.10, 0.04),
    };
    let mut figures = Vec::new();

    let input = json!({"name": service_name(SERVICES / 2)});
    let bare = bytes(site, "GetService", &input).await?;
    let contenders = vec![
        contender("bare handler", bare.address(), "GetService", &input),
        contender("Protium", site.address(), "GetService", &input),
    ];
    if let [bare, protium] = race(&format!("{name}: GetService"), effort, contenders).await?[..] {
        let what = format!("GetService, {name}");
        figures.push(Figure::share(what, protium, "handler, same bytes", bare, get_part));
    }

    let input = json!({"maxResults": SERVICES});
    let bare = bytes(site, "ListServices", &input).await?;
    let query = Process::start(process::this(&["bare", "list", &site.database_url(), ACCOUNT, REGION])?)?;
    check_same(site.address(), query.address(), &input).await?;
    let contenders = vec![
        contender("bare handler", bare.address(), "ListServices", &input),
        contender("bare query", query.address(), "ListServices", &input),
        contender("Protium", site.address(), "ListServices", &input),
    ];
    if let [bare, query, protium] = race(&format!("{name}: ListServices"), effort, contenders).await?[..] {
        let what = format!("ListServices of {SERVICES}, {name}");
        figures.push(Figure::share(what.clone(), protium, "handler, same bytes", bare, list_part));
        figures.push(Figure::share(what, protium, "handler, same query", query, 0.60));
    }
    Ok(figures)
}

/// Requests of one kind at [`CONNECTIONS`] connections. They are signed anew for each round: signatures grow old.
fn contender<'a>(name: &str, address: SocketAddr, operation: &'a str, input: &'a Value) -> Contender<'a> {
    Contender::new(name, move |time| async move {
        load::rate(address, PROTON.pool(address, operation, input)?, CONNECTIONS, time).await
    })
}

/// A handler that returns what Protium answers.
async fn bytes(site: &Site, operation: &str, input: &Value) -> Result<Process> {
    let body = PROTON.raw(site.address(), operation, input).await?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), &body)?;
    Process::start(process::this(&["bare", "bytes", &file.path().to_string_lossy()])?)
}

/// The bare query must do the work that it is compared for.
async fn check_same(protium: SocketAddr, bare: SocketAddr, input: &Value) -> Result<()> {
    let (protium, bare) =
        (PROTON.call(protium, "ListServices", input).await?, PROTON.call(bare, "ListServices", input).await?);
    if protium != bare {
        bail!("the bare handler answers {bare}, and Protium {protium}");
    }
    Ok(())
}
