//! A server that plays a script and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// What the next request gets.
pub(crate) enum Answer {
    Json(u16, Value),
    Bytes(u16, &'static str),
    /// The connection is closed after the request was read.
    HangUp,
    /// Nothing, for ever.
    Silence,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    stage: Arc<Mutex<Stage>>,
}

struct Stage {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1 until the runtime of the test ends.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let stage = Stage { answers: answers.into_iter().collect(), asked: Vec::new() };
        let stage = Arc::new(Mutex::new(stage));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = stage.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stage = shared.clone();
                let play = service_fn(move |request| play(stage.clone(), request));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), play));
            }
        });
        Self { endpoint, stage }
    }

    /// What it was asked so far.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.stage.lock().unwrap().asked.clone()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("hung up")]
struct HungUp;

async fn play(stage: Arc<Mutex<Stage>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, HungUp> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| HungUp)?.to_bytes();
    let (answer, number) = {
        let mut stage = stage.lock().unwrap();
        stage.asked.push(Asked {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            body: String::from_utf8(body.to_vec()).unwrap(),
            headers: head.headers,
        });
        (stage.answers.pop_front().expect("the script has an answer"), stage.asked.len())
    };
    let (status, body) = match answer {
        Answer::Json(status, body) => (status, Bytes::from(body.to_string())),
        Answer::Bytes(status, body) => (status, Bytes::from(body)),
        Answer::HangUp => return Err(HungUp),
        Answer::Silence => match std::future::pending::<Infallible>().await {},
    };
    let response = Response::builder().status(status).header("x-amzn-RequestId", format!("request-{number}"));
    Ok(response.body(Full::new(body)).unwrap())
}
