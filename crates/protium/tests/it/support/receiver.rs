//! A receiver of events over HTTP, which answers as the test says.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What it is sent.
#[derive(Clone, Debug)]
pub struct Got {
    pub body: String,
    pub event: Value,
    pub id: String,
    pub signature: String,
}

impl Got {
    pub fn arn(&self) -> &str {
        self.event["resources"][0].as_str().unwrap()
    }

    pub fn status(&self) -> &str {
        self.event["detail"]["status"].as_str().unwrap()
    }
}

/// What it answers.
#[derive(Clone)]
pub enum Reply {
    Status(u16),
    /// Never.
    Hangs,
    /// 200, once the gate is open.
    Late(watch::Receiver<bool>),
    /// Away, to where nothing may be sent.
    Redirect(String),
}

type Script = Box<dyn FnMut(&Got) -> Reply + Send>;

struct World {
    got: Vec<Got>,
    script: Script,
}

/// A running receiver. It stops when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    server: AbortHandle,
}

impl Receiver {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let world = World { got: Vec::new(), script: Box::new(|_| Reply::Status(200)) };
        let world = Arc::new(Mutex::new(world));
        let (address, server) = serve("127.0.0.1:0".parse().unwrap(), &world).await;
        Self { address, world, server }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Says what is answered from now on.
    pub fn answer(&self, script: impl FnMut(&Got) -> Reply + Send + 'static) {
        self.world().script = Box::new(script);
    }

    /// All that was sent, in order, whatever the answer was.
    pub fn got(&self) -> Vec<Got> {
        self.world().got.clone()
    }

    /// The statuses that were told of a resource.
    pub fn told(&self, resource: &str) -> Vec<String> {
        self.got().iter().filter(|got| got.arn().ends_with(resource)).map(|got| got.status().to_owned()).collect()
    }

    /// Goes away, and closes its connections.
    pub fn down(&mut self) {
        self.server.abort();
    }

    /// Comes back at the same address.
    pub async fn up(&mut self) {
        (self.address, self.server) = serve(self.address, &self.world).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(address: SocketAddr, world: &Arc<Mutex<World>>) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::new().fallback(take).with_state(Arc::clone(world));
    // Each connection is a task of its own, which ends with the set.
    let served = async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(service.clone());
            connections.spawn(async move {
                let io = hyper_util::rt::TokioIo::new(stream);
                // An error is a client that went away.
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    };
    (address, tokio::spawn(served).abort_handle())
}

async fn take(State(world): State<Arc<Mutex<World>>>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let event = serde_json::from_str(&body).unwrap();
    let got = Got { event, id: header("protium-event-id"), signature: header("protium-signature"), body };
    let reply = {
        let mut world = world.lock().unwrap();
        world.got.push(got.clone());
        (world.script)(&got)
    };
    let mut headers = HeaderMap::new();
    let status = match reply {
        Reply::Status(status) => status,
        Reply::Hangs => std::future::pending().await,
        Reply::Late(mut gate) => {
            // A gate that is gone stays closed.
            if gate.wait_for(|is_open| *is_open).await.is_err() {
                return std::future::pending().await;
            }
            200
        }
        Reply::Redirect(to) => {
            headers.insert("location", to.parse().unwrap());
            307
        }
    };
    (StatusCode::from_u16(status).unwrap(), headers)
}
