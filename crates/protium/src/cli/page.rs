//! `protium serve-page`: what a run of commands was given, as a page.
//!
//! Owns a small HTTP server on loopback, for templates that want to show something: the process of a service instance
//! that a person can open. Does not own what it shows: that is the file of inputs, read once.

use super::block_on;
use anyhow::Context as _;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::{Router, routing};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

const STYLE: &str = include_str!("page/style.css");
/// The colour of a page whose environment has none.
const COLOUR: &str = "#3b4a6b";

#[derive(Args)]
pub(super) struct ServePage {
    /// Where it listens, on 127.0.0.1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The template that the page is of, as people should read it.
    #[arg(long, value_name = "TEXT")]
    template: Option<String>,
    /// The inputs, as commands find them in `proton-inputs.json`.
    file: PathBuf,
}

pub(super) fn run(asked: &ServePage) -> ExitCode {
    let done = match Page::read(&asked.file, asked.template.as_deref()) {
        Ok(page) => block_on(serve(asked.port, page)).map_err(anyhow::Error::from).flatten(),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protium serve-page: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is served.
struct Page {
    html: String,
    /// The file as it is.
    inputs: String,
    /// What the browser may do with the page: apply its one style, and nothing else.
    policy: HeaderValue,
}

impl Page {
    fn read(file: &Path, template: Option<&str>) -> anyhow::Result<Self> {
        let inputs =
            std::fs::read_to_string(file).with_context(|| format!("the file {} can't be read", file.display()))?;
        Self::of(inputs, template).with_context(|| format!("the file {} has no inputs", file.display()))
    }

    fn of(inputs: String, template: Option<&str>) -> anyhow::Result<Self> {
        let document: Map<String, Value> = serde_json::from_str(&inputs).context("it is no JSON object")?;
        let document = Value::Object(document);
        let style = format!(":root{{--accent:{}}}\n{STYLE}", colour(&document));
        let hash = BASE64_STANDARD.encode(crate::sha256::sha256(style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let html = render(&document, template, &style);
        Ok(Self { html, inputs, policy: policy.try_into().context("the policy of the page")? })
    }
}

async fn serve(port: u16, page: Page) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).await.with_context(|| format!("{address} can't be listened on"))?;
    Ok(axum::serve(listener, router(page)).await?)
}

fn router(page: Page) -> Router {
    let page = Arc::new(page);
    Router::new()
        .route("/", routing::get(async |State(page): State<Arc<Page>>| Html(page.html.clone())))
        .route("/inputs.json", routing::get(inputs))
        .fallback(async || (StatusCode::NOT_FOUND, "There is / and /inputs.json.\n"))
        .layer(middleware::from_fn_with_state(Arc::clone(&page), guarded))
        .with_state(page)
}

async fn inputs(State(page): State<Arc<Page>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], page.inputs.clone()).into_response()
}

/// What holds for every answer. Other names than this machine's own are those of sites that want to read along.
async fn guarded(State(page): State<Arc<Page>>, request: Request<Body>, next: Next) -> Response {
    let mut answer = match is_of_loopback(request.headers()) {
        true => next.run(request).await,
        false => (StatusCode::MISDIRECTED_REQUEST, "This page is served as 127.0.0.1 only.\n").into_response(),
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, page.policy.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn is_of_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The colour that the environment puts out, if it is one: it becomes part of the style.
fn colour(document: &Value) -> &str {
    let given = document.pointer("/environment/outputs/Color").and_then(Value::as_str);
    let is_colour = |text: &&str| {
        text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    given.filter(is_colour).unwrap_or(COLOUR)
}

fn render(document: &Value, template: Option<&str>, style: &str) -> String {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let environment = text("/environment/name");
    let instance = text("/service_instance/name");
    let title = match (text("/service/name"), instance, environment) {
        (Some(service), Some(instance), _) => format!("{service} / {instance}"),
        (Some(name), None, _) | (None, Some(name), _) | (None, None, Some(name)) => name.to_owned(),
        (None, None, None) => "Inputs".to_owned(),
    };
    let mut place = Vec::new();
    place.extend(instance.is_some().then(|| title.clone()));
    place.extend(environment.map(|environment| format!("in the environment {environment}")));
    place.extend(template.map(|template| format!("from the template {template}")));
    let headline = text("/service_instance/inputs/greeting").unwrap_or(&title);
    let mut sections = String::new();
    for (heading, name, pointer) in [
        ("Outputs of the environment", "environment.outputs", "/environment/outputs"),
        ("Inputs of the environment", "environment.inputs", "/environment/inputs"),
        ("Inputs of the service instance", "service_instance.inputs", "/service_instance/inputs"),
        ("Components", "service_instance.components", "/service_instance/components"),
    ] {
        if let Some(values) = document.pointer(pointer).and_then(Value::as_object) {
            section(&mut sections, heading, name, values);
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n\
         <body>\n<header>\n<p>{banner}</p>\n<h1>{headline}</h1>\n<p>{place}</p>\n</header>\n<main>\n{sections}</main>\n\
         <footer>Provisioned by Protium. The same for programs: <a href=\"/inputs.json\">inputs.json</a></footer>\n\
         </body>\n</html>\n",
        title = escaped(&title),
        banner = escaped(text("/environment/outputs/Banner").unwrap_or("Protium")),
        headline = escaped(headline),
        place = escaped(&place.join(", ")),
    )
}

fn section(page: &mut String, heading: &str, name: &str, values: &Map<String, Value>) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "<section>\n<h2>{heading} <small>{name}</small></h2>");
    if values.is_empty() {
        page.push_str("<p class=\"none\">None</p>\n");
    } else {
        page.push_str("<dl>\n");
        for (name, value) in values {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(&value));
        }
        page.push_str("</dl>\n");
    }
    page.push_str("</section>\n");
}

/// Text as it stands in HTML, between tags or in quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use tower::ServiceExt as _;

    fn inputs() -> Value {
        json!({
            "environment": { "name": "dev", "outputs": { "Color": "#2f6f4f", "Banner": "<b>Development</b>" } },
            "service": { "name": "hello" },
            "service_instance": {
                "name": "dev",
                "inputs": { "port": 8000, "message": "\"it's\" & more", "list": [1, "</dd>"] },
                "components": {},
            },
        })
    }

    fn html(document: &Value) -> String {
        Page::of(document.to_string(), Some("hello-page 1.0")).unwrap().html
    }

    async fn asked(host: &str, path: &str) -> (StatusCode, HeaderMap, String) {
        let page = Page::of(inputs().to_string(), None).unwrap();
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        let (head, body) = router(page).oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_page_shows_what_the_instance_was_given_and_its_greeting_as_the_headline() {
        let page = html(&inputs());
        for shown in [
            "<title>hello / dev</title>",
            "<h1>hello / dev</h1>",
            "<p>hello / dev, in the environment dev, from the template hello-page 1.0</p>",
            "<dt>port</dt><dd>8000</dd>",
            "--accent:#2f6f4f",
        ] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        let mut greeted = inputs();
        greeted["service_instance"]["inputs"]["greeting"] = "Good morning".into();
        assert!(html(&greeted).contains("<h1>Good morning</h1>"));
    }

    #[test]
    fn what_it_was_given_is_text_and_never_markup_or_style() {
        let mut hostile = inputs();
        hostile["environment"]["outputs"]["Color"] = "#fff;}</style><script>alert(1)</script>".into();
        hostile["service"]["name"] = "<script>alert(2)</script>".into();
        hostile["service_instance"]["inputs"]["<img src=x>"] = json!({ "a": "<svg onload=x>" });
        let page = html(&hostile);
        for tag in ["<script", "<img", "<svg", "<b>"] {
            assert!(!page.contains(tag), "{tag}: {page}");
        }
        assert!(page.contains("&quot;it&#39;s&quot; &amp; more") && page.contains(COLOUR));
    }

    #[test]
    fn a_file_without_inputs_is_refused_and_one_with_few_is_shown() {
        for wrong in ["", "[]", "{", "null"] {
            assert!(Page::of(wrong.to_owned(), None).is_err(), "{wrong}");
        }
        assert!(html(&json!({})).contains("<h1>Inputs</h1>"));
        assert!(html(&json!({ "environment": { "name": "dev", "inputs": {} } })).contains("<h1>dev</h1>"));
    }

    #[tokio::test]
    async fn there_is_the_page_and_the_file_and_nothing_else() {
        let (status, headers, body) = asked("127.0.0.1:8000", "/").await;
        assert_eq!((status, &headers["content-type"].to_str().unwrap()[..9]), (StatusCode::OK, "text/html"), "{body}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        let style = body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let hash = BASE64_STANDARD.encode(crate::sha256::sha256(style.as_bytes()));
        assert!(policy.starts_with("default-src 'none';") && policy.contains(&format!("'sha256-{hash}'")), "{policy}");
        let (status, headers, body) = asked("localhost", "/inputs.json").await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/json"));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), inputs());
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(asked("[::1]:8000", "/other").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_site_that_names_its_address_reads_nothing() {
        for host in ["evil.example", "evil.example:8000", "10.0.0.1", "127.0.0.1.evil.example", ""] {
            let (status, _, body) = asked(host, "/inputs.json").await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host}");
            assert!(!body.contains("hello"), "{body}");
        }
    }
}
