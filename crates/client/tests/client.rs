//! The client against a server in the same process that answers as it is told.

mod server;

use std::time::Duration;

use protium_client::types::{
    CreateComponentInput, DeploymentStatus, GetComponentInput, GetEnvironmentInput, GetServiceInput, ListServicesInput,
    TagResourceInput, UpdateServiceInput,
};
use protium_client::{Client, Config, Credentials, Error, ErrorCode, Operation, Pace, Retry, WaitError, waiters};
use serde_json::json;
use server::{Answer, Server};

const AT_ONCE: Pace = Pace { delay: Duration::ZERO, max_attempts: 5 };

fn client_of(endpoint: &str, limit: u32) -> Client {
    let retry = Retry { limit, base: Duration::ZERO, cap: Duration::ZERO };
    Client::new(Config { retry, ..Config::new(endpoint, "eu-west-1", Credentials::new("AKID", "s3cr3t")) }).unwrap()
}

/// A server that answers one request after the other, and a client that tries twice again.
async fn start(answers: impl IntoIterator<Item = Answer>) -> (Server, Client) {
    let server = Server::start(answers).await;
    let client = client_of(&server.endpoint, 2);
    (server, client)
}

fn error(status: u16, code: &str) -> Answer {
    Answer::Json(status, json!({ "__type": format!("ns#{code}"), "message": format!("{code} happened") }))
}

fn ok(body: serde_json::Value) -> Answer {
    Answer::Json(200, body)
}

fn service(name: &str) -> GetServiceInput {
    GetServiceInput { name: name.to_owned() }
}

fn environment(status: &str) -> Answer {
    ok(json!({ "environment": {
        "arn": "arn:aws:proton:eu-west-1:123456789012:environment/test", "createdAt": 1.5, "deploymentStatus": status,
        "lastDeploymentAttemptedAt": 1, "name": "test", "templateName": "web",
    }}))
}

#[tokio::test]
async fn a_call_is_a_signed_post_of_the_input_and_gives_the_output() {
    let (server, client) = start([environment("IN_PROGRESS")]).await;
    let input = GetEnvironmentInput { name: "test".to_owned() };
    let environment = client.get_environment(input).await.unwrap().environment;
    assert_eq!(environment.deployment_status, DeploymentStatus::InProgress);
    assert_eq!(environment.created_at.as_millis(), 1500);
    assert_eq!(environment.template_major_version, None);

    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.body, r#"{"name":"test"}"#);
    assert_eq!(request.header("x-amz-target"), "AwsProton20200720.GetEnvironment");
    assert_eq!(request.header("content-type"), "application/x-amz-json-1.0");
    assert!(request.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKID/"));
    assert!(server.endpoint.ends_with(request.header("host")));
}

#[tokio::test]
async fn an_answer_without_a_body_is_an_empty_output() {
    let (_server, client) = start([Answer::Bytes(200, ""), Answer::Bytes(200, "{}")]).await;
    let input = TagResourceInput { resource_arn: "arn".to_owned(), tags: Vec::new() };
    client.tag_resource(input).await.unwrap();
    assert_eq!(client.get_service(service("a")).await.unwrap().service, None);
}

#[tokio::test]
async fn an_error_has_code_message_status_and_request_id() {
    let (server, client) = start([error(400, "ResourceNotFoundException")]).await;
    let error = client.get_service(service("a")).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::ResourceNotFound));
    let service = error.service().unwrap();
    assert_eq!((service.status, service.code.as_str()), (400, "ResourceNotFoundException"));
    assert_eq!(service.request_id.as_deref(), Some("request-1"));
    assert_eq!(error.to_string(), "ResourceNotFoundException (400): ResourceNotFoundException happened");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_the_output_is_an_error_and_not_asked_for_again() {
    let (server, client) = start([Answer::Bytes(200, "<html>")]).await;
    let error = client.get_service(service("a")).await.unwrap_err();
    let Error::Answer { operation, request_id, .. } = &error else { panic!("{error}") };
    assert_eq!((*operation, request_id.as_deref()), ("GetService", Some("request-1")));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn throttling_and_faults_are_tried_again() {
    let faults = [error(400, "ThrottlingException"), error(500, "InternalServerException"), ok(json!({}))];
    let (server, client) = start(faults).await;
    client.get_service(service("a")).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn retries_end_at_their_limit_with_the_last_error() {
    for limit in [0, 1, 2] {
        let server = Server::start((0..5).map(|_| error(400, "ThrottlingException"))).await;
        let error = client_of(&server.endpoint, limit).get_service(service("a")).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::Throttling));
        assert_eq!(server.requests().len(), limit as usize + 1);
    }
}

#[tokio::test]
async fn a_client_token_is_filled_in_once_for_all_attempts() {
    let lost = [Answer::HangUp, error(500, "InternalServerException"), error(400, "ValidationException")];
    let (server, client) = start(lost).await;
    client.create_component(CreateComponentInput::default()).await.unwrap_err();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let tokens: Vec<String> = requests.iter().map(|request| request.json()["clientToken"].to_string()).collect();
    assert_eq!(tokens[0].len(), "\"00000000-0000-0000-0000-000000000000\"".len());
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[tokio::test]
async fn a_client_token_of_the_caller_is_kept_and_each_call_has_its_own() {
    let refused = || error(400, "ValidationException");
    let (server, client) = start([refused(), refused(), refused(), refused()]).await;
    let own = CreateComponentInput { client_token: Some("mine".to_owned()), ..CreateComponentInput::default() };
    client.create_component(own).await.unwrap_err();
    client.create_component(CreateComponentInput::default()).await.unwrap_err();
    client.create_component(CreateComponentInput::default()).await.unwrap_err();
    client.update_service(UpdateServiceInput::default()).await.unwrap_err();
    let tokens: Vec<_> = server.requests().iter().map(|request| request.json().get("clientToken").cloned()).collect();
    assert_eq!(tokens[0], Some(json!("mine")));
    assert!(tokens[1].is_some() && tokens[1] != tokens[2]);
    assert_eq!(tokens[3], None);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_unless_that_could_act_twice() {
    let (server, client) = start([Answer::HangUp, ok(json!({}))]).await;
    client.get_service(service("a")).await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let (server, client) = start([Answer::HangUp, ok(json!({}))]).await;
    let error = client.update_service(UpdateServiceInput::default()).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    // Bound, so that nobody else gets the port, and not listening.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("http://{}", deaf.local_addr().unwrap());
    let error = client_of(&endpoint, 1).get_service(service("a")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.to_string().contains(&endpoint), "{error}");
    assert_eq!(error.service(), None);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_not_waited_for() {
    let server = Server::start([Answer::Silence]).await;
    let credentials = Credentials::new("AKID", "s3cr3t");
    let config = Config { retry: Retry::NONE, ..Config::new(&server.endpoint, "eu-west-1", credentials) };
    let client = Client::new(Config { timeout: Duration::from_millis(20), ..config }).unwrap();
    let error = client.get_service(service("a")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[test]
fn an_endpoint_that_is_no_http_address_is_refused() {
    for endpoint in ["", "127.0.0.1:8420", "/path", "https:///path", "ftp://host"] {
        let error = Client::new(Config::new(endpoint, "eu-west-1", Credentials::new("a", "b"))).unwrap_err();
        assert!(error.to_string().contains(&format!("{endpoint:?}")), "{error}");
    }
}

#[test]
fn debug_of_a_client_keeps_the_secret() {
    let debug = format!("{:?}", client_of("http://127.0.0.1:1", 0));
    assert!(debug.contains("AKID") && !debug.contains("s3cr3t"), "{debug}");
}

fn page(names: &[&str], token: Option<&str>) -> Answer {
    let services: Vec<_> = names
        .iter()
        .map(|name| {
            json!({ "arn": "a", "createdAt": 1, "lastModifiedAt": 1, "name": name, "status": "ACTIVE", "templateName": "t" })
        })
        .collect();
    ok(json!({ "services": services, "nextToken": token }))
}

#[tokio::test]
async fn pages_are_fetched_to_the_last_one() {
    let (server, client) = start([page(&["a", "b"], Some("1")), page(&[], Some("2")), page(&["c"], None)]).await;
    let input = ListServicesInput { max_results: Some(2), ..ListServicesInput::default() };
    let names: Vec<String> = client.paginate(input).all().await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let bodies: Vec<String> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(
        bodies,
        [r#"{"maxResults":2}"#, r#"{"maxResults":2,"nextToken":"1"}"#, r#"{"maxResults":2,"nextToken":"2"}"#]
    );
}

#[tokio::test]
async fn an_empty_token_ends_the_pages_and_a_repeated_one_is_an_error() {
    let (server, client) = start([page(&["a"], Some(""))]).await;
    assert_eq!(client.paginate(ListServicesInput::default()).all().await.unwrap().len(), 1);
    assert_eq!(server.requests().len(), 1);

    let (_server, client) = start([page(&["a"], Some("1")), page(&["a"], Some("1"))]).await;
    let error = client.paginate(ListServicesInput::default()).all().await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

#[tokio::test]
async fn an_error_ends_the_pages() {
    let (_server, client) = start([page(&["a"], Some("1")), error(400, "ValidationException")]).await;
    let mut pages = client.paginate(ListServicesInput::default());
    assert_eq!(pages.next().await.unwrap().unwrap().len(), 1);
    assert_eq!(pages.next().await.unwrap().unwrap_err().code(), Some(ErrorCode::Validation));
    assert!(pages.next().await.is_none());
}

fn test() -> GetEnvironmentInput {
    GetEnvironmentInput { name: "test".to_owned() }
}

#[tokio::test]
async fn a_waiter_polls_until_it_is_so() {
    let answers = ["IN_PROGRESS", "CANCELLED", "SUCCEEDED"].map(environment);
    let (server, client) = start(answers).await;
    let output = client.wait_until_environment_deployed(test(), Some(AT_ONCE)).await.unwrap();
    assert_eq!(output.unwrap().environment.deployment_status, DeploymentStatus::Succeeded);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_waiter_fails_when_it_will_not_be_so() {
    let (_server, client) = start(["IN_PROGRESS", "FAILED"].map(environment)).await;
    let error = client.wait_until_environment_deployed(test(), Some(AT_ONCE)).await.unwrap_err();
    assert_eq!(error.to_string(), "EnvironmentDeployed failed: environment.deploymentStatus is FAILED");
}

#[tokio::test]
async fn a_waiter_gives_up_after_its_attempts() {
    let (server, client) = start((0..5).map(|_| environment("IN_PROGRESS"))).await;
    let error = client.wait_until_environment_deployed(test(), Some(AT_ONCE)).await.unwrap_err();
    assert!(matches!(error, WaitError::Exhausted { attempts: 5, .. }), "{error}");
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn a_waiter_may_be_after_an_error_and_stops_at_others() {
    let (_server, client) = start([ok(json!({})), error(400, "ResourceNotFoundException")]).await;
    let input = GetComponentInput { name: "a".to_owned() };
    assert_eq!(client.wait_until_component_deleted(input.clone(), Some(AT_ONCE)).await.unwrap(), None);

    let (_server, client) = start([error(400, "AccessDeniedException")]).await;
    let error = client.wait_until_component_deleted(input, Some(AT_ONCE)).await.unwrap_err();
    assert!(matches!(error, WaitError::Call(error) if error.code() == Some(ErrorCode::AccessDenied)));
}

#[test]
fn the_waiters_poll_as_the_published_ones_do() {
    let facts: Vec<_> = waiters::ALL
        .iter()
        .map(|waiter| (waiter.name, waiter.operation, waiter.pace.delay.as_secs(), waiter.pace.max_attempts))
        .collect();
    assert_eq!(
        facts,
        [
            ("ComponentDeleted", Operation::GetComponent, 5, 999),
            ("ComponentDeployed", Operation::GetComponent, 5, 999),
            ("EnvironmentDeployed", Operation::GetEnvironment, 5, 999),
            ("EnvironmentTemplateVersionRegistered", Operation::GetEnvironmentTemplateVersion, 2, 150),
            ("ServiceCreated", Operation::GetService, 5, 999),
            ("ServiceDeleted", Operation::GetService, 5, 999),
            ("ServiceInstanceDeployed", Operation::GetServiceInstance, 5, 999),
            ("ServicePipelineDeployed", Operation::GetService, 10, 360),
            ("ServiceTemplateVersionRegistered", Operation::GetServiceTemplateVersion, 2, 150),
            ("ServiceUpdated", Operation::GetService, 5, 999),
        ]
    );
}

#[tokio::test]
async fn a_bundle_is_put_into_the_store_with_a_signature_for_the_store() {
    let mine = "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>";
    let other = "<Error><Code>BucketAlreadyExists</Code><Message>it is another's</Message></Error>";
    let answers = [Answer::Bytes(409, mine), Answer::Bytes(200, ""), Answer::Bytes(409, other)];
    let (server, client) = start(answers).await;
    client.create_bucket("bundles").await.unwrap();
    client.put_object("bundles", "web-1.0.tar.gz", "packed").await.unwrap();
    let refused = client.create_bucket("taken").await.unwrap_err();
    assert_eq!(refused.to_string(), "BucketAlreadyExists (409): it is another's");

    let [made, put, _] = &server.requests()[..] else { panic!("one attempt each") };
    assert_eq!((made.method.as_str(), made.path.as_str()), ("PUT", "/bundles"));
    assert_eq!(
        (put.method.as_str(), put.path.as_str(), put.body.as_str()),
        ("PUT", "/bundles/web-1.0.tar.gz", "packed")
    );
    assert!(
        put.header("authorization").contains("/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;")
    );
    // Computed apart from this code.
    assert_eq!(put.header("x-amz-content-sha256"), "88cb8a087b6e8cebfc9ae5602f5a2159a6bcf923e7f2c56809bcda6cad1727a7");
    let wrong = client.put_object("bundles", "no key", "packed").await.unwrap_err();
    assert!(matches!(&wrong, Error::Config(why) if why.contains("percent-encode")), "{wrong}");
}
