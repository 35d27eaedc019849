//! `protium quickstart`, as somebody types it who has nothing but this machine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use protium_client::types::{DeploymentUpdateType, GetServiceInstanceInput, UpdateServiceInstanceInput};
use protium_client::{Client, Config, Credentials, Pace};
use serde_json::Value;

use super::program::{Ended, Start, key_in, until};
use crate::support::database::SOON;

/// A home folder. What a failed test leaves behind goes with it.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where everything is, by default.
    fn state(&self) -> PathBuf {
        self.path().join(".local/share/protium/quickstart")
    }

    fn start(&self, words: &[&str]) -> Start {
        let words: Vec<&str> = ["quickstart"].iter().chain(words).copied().collect();
        Start::typed(self.path(), &words).variable("HOME", self.path().to_str().unwrap())
    }

    /// Runs it to its end. Whoever holds on to its output would keep this waiting.
    async fn run(&self, words: &[&str]) -> Ended {
        self.start(words).ended().await
    }

    /// Runs it, and it ends well. Answers the addresses of dev and prod.
    async fn provisioned(&self) -> (String, [String; 2]) {
        let Ended { status, out, err } = self.run(&[]).await;
        assert!(status.success(), "{out}\n{err}\n{}", self.log());
        let page = |name: &str| {
            let line = out.lines().find(|line| line.trim_start().starts_with(&format!("{name} ")));
            let url = line.and_then(|line| line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")));
            url.unwrap_or_else(|| panic!("no page of {name}: {out}")).to_owned()
        };
        let pages = [page("dev"), page("prod")];
        (out, pages)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.state().join("server.log")).unwrap_or_default()
    }

    /// The number of the server's process.
    fn server(&self) -> u32 {
        let text = fs::read_to_string(self.state().join("server.json")).unwrap();
        u32::try_from(serde_json::from_str::<Value>(&text).unwrap()["pid"].as_u64().unwrap()).unwrap()
    }

    /// `kill -9` of the server, and waits until it is gone.
    async fn kill_server(&self) {
        let pid = self.server();
        let killed = std::process::Command::new("sh").args(["-c", &format!("kill -9 {pid}")]).status().unwrap();
        assert!(killed.success());
        until("the end of the server", async || (!is_alive(pid)).then_some(())).await;
    }

    /// The processes that have this folder among their arguments.
    fn processes(&self) -> Vec<String> {
        let name = self.path().file_name().unwrap().to_str().unwrap();
        let all = fs::read_dir("/proc").unwrap().flatten();
        let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(name)).collect()
    }

    /// Cleans up, and there is nothing left: no process, no page, no folder. Answers what was said meanwhile.
    async fn cleaned(&self, pages: &[String]) -> String {
        let Ended { status, out, err } = self.run(&["--clean"]).await;
        assert!(status.success(), "{out}\n{err}");
        assert!(!self.state().exists());
        assert_eq!(self.processes(), Vec::<String>::new(), "{err}");
        for page in pages {
            assert!(get(page).await.is_none(), "{page} answers still");
        }
        err
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.state().exists() {
            let mut clean = std::process::Command::new(env!("CARGO_BIN_EXE_protium"));
            clean.args(["quickstart", "--clean"]).env_clear().env("HOME", self.path());
            let _ = clean.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// Not as a zombie either.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// What a browser gets at an address, if something answers there.
async fn get(url: &str) -> Option<String> {
    use http_body_util::{BodyExt as _, Full};
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    let answer = client.build_http::<Full<bytes::Bytes>>().get(url.parse().unwrap()).await.ok()?;
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Some(String::from_utf8(body.to_vec()).unwrap())
}

async fn inputs(page: &str) -> Value {
    serde_json::from_str(&get(&format!("{page}inputs.json")).await.expect("the page")).unwrap()
}

#[tokio::test]
async fn it_provisions_for_real_reports_what_there_is_and_removes_all_of_it() {
    let home = Home::new();
    // Taken by whomever, maybe by a server of this machine.
    let _somebody = TcpListener::bind("127.0.0.1:8420").ok();
    let (said, pages) = home.provisioned().await;
    let [dev, prod] = &pages;
    assert!(!said.contains("127.0.0.1:8420"), "that port was another's: {said}");
    assert!(said.contains("on version 1.0, outdated: 1.1 is published"), "{said}");

    // The outputs of each environment are in its instance, and what is new in 1.1 is in dev alone.
    let (page, given) = (get(dev).await.unwrap(), inputs(dev).await);
    let id = given["environment"]["outputs"]["EnvironmentId"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    for shown in ["<h1>Hello from version 1.1</h1>", "Development", "--accent:#2f6f4f", id, "hello-page 1.1"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let page = get(prod).await.unwrap();
    for shown in ["<h1>hello / prod</h1>", "Production: handle with care", "--accent:#8a3324", "hello-page 1.0"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains(id), "each environment has an identity of its own");

    // The advice holds whatever the shell has of AWS.
    for word in ["AWS_DEFAULT_PROFILE ", "AWS_WEB_IDENTITY_TOKEN_FILE ", "AWS_ROLE_ARN ", "AWS_CONFIG_FILE=/dev/null "]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(said.contains(" AWS_IGNORE_CONFIGURED_ENDPOINT_URLS\n"), "{said}");

    // Whoever follows the advice upgrades prod.
    let endpoint = said.lines().find_map(|line| line.trim().strip_prefix("export AWS_ENDPOINT_URL=")).unwrap();
    let endpoint = endpoint.split(' ').next().unwrap();
    let (key, secret) = key_in(&home.state().join("credentials"));
    let client = Client::new(Config::new(endpoint, "us-east-1", Credentials::new(key, secret))).unwrap();
    let upgrade = UpdateServiceInstanceInput {
        name: "prod".to_owned(),
        service_name: "hello".to_owned(),
        deployment_type: DeploymentUpdateType::MinorVersion,
        client_token: None,
        spec: None,
        template_major_version: None,
        template_minor_version: None,
    };
    client.update_service_instance(upgrade).await.unwrap();
    let instance = GetServiceInstanceInput { name: "prod".to_owned(), service_name: "hello".to_owned() };
    let pace = Pace { delay: std::time::Duration::from_millis(20), max_attempts: 1000 };
    client.wait_until_service_instance_deployed(instance, Some(pace)).await.unwrap();
    assert!(get(prod).await.unwrap().contains("<h1>Hello from version 1.1</h1>"));

    let server = home.server();
    let (said, again) = home.provisioned().await;
    assert_eq!((home.server(), &again), (server, &pages), "the same ones");
    assert!(!said.contains("outdated"), "{said}");
    let said = home.cleaned(&pages).await;
    for deleted in ["the service hello is", "the environment dev is", "the templates are"] {
        assert!(said.contains(&format!("{deleted} deleted")), "{deleted}: {said}");
    }
    let nothing = home.run(&["--clean"]).await;
    assert!(nothing.status.success() && nothing.out.contains("nothing to remove"), "{nothing:?}");
}

#[tokio::test]
async fn a_server_that_was_killed_is_started_again_and_what_it_had_is_there() {
    let home = Home::new();
    let (_, pages) = home.provisioned().await;
    let id = inputs(&pages[0]).await["environment"]["outputs"]["EnvironmentId"].clone();
    let unsandboxed = "takes effect at the next start";
    let Ended { err, .. } = home.run(&["--allow-unsandboxed-runs"]).await;
    assert!(err.contains(unsandboxed) && err.contains(&format!("kill {},", home.server())), "{err}");
    home.kill_server().await;
    let (_, again) = home.provisioned().await;
    assert_eq!(inputs(&again[0]).await["environment"]["outputs"]["EnvironmentId"], id);
    let Ended { status, err, .. } = home.run(&["--allow-unsandboxed-runs"]).await;
    assert!(status.success() && !err.contains(unsandboxed), "{err}");
    home.kill_server().await;
    home.cleaned(&again).await;
}

#[tokio::test]
async fn a_run_that_was_killed_is_taken_up_by_the_next_or_cleaned_up() {
    for cleaned_at_once in [false, true] {
        let home = Home::new();
        let mut run = home.start(&[]).running();
        run.logged("are published").await;
        run.stop("KILL").await;
        let pages = if cleaned_at_once { Vec::new() } else { home.provisioned().await.1.to_vec() };
        home.cleaned(&pages).await;
    }
}

#[tokio::test]
async fn what_can_not_be_deleted_by_a_server_goes_all_the_same() {
    let home = Home::new();
    let (_, pages) = home.provisioned().await;
    home.kill_server().await;
    fs::write(home.state().join("master.key"), "not the key").unwrap();
    home.run(&["--allow-unsandboxed-runs"]).await.refused(1, &["the server did not start"]);
    let chosen = fs::read(home.state().join("quickstart.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&chosen).unwrap()["allow_unsandboxed_runs"], true, "for the next start");
    let said = home.cleaned(&pages).await;
    assert!(said.contains("its processes are stopped instead"), "{said}");
}

#[tokio::test]
async fn the_server_holds_nothing_of_whoever_started_it() {
    let home = Home::new();
    // Of a shell, whose descriptor 9 is what is read here: it ends when everybody has closed it.
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", "exec 9>&1 >/dev/null; exec \"$0\" quickstart", env!("CARGO_BIN_EXE_protium")]);
    shell.env("HOME", home.path()).stdin(Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(SOON, shell.output()).await.expect("the descriptor is closed").unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let stat = fs::read_to_string(format!("/proc/{}/stat", home.server())).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap();
    assert_eq!(session, home.server().to_string(), "a session of its own");
    home.cleaned(&[]).await;
}

#[tokio::test]
async fn a_folder_that_another_server_uses_is_not_removed() {
    let home = Home::new();
    fs::create_dir_all(home.state()).unwrap();
    fs::write(home.state().join("quickstart.lock"), "").unwrap();
    let server = Start::in_folder(&home.state()).ready().await;
    let process = format!("in use by the process {};", server.id());
    home.run(&["--clean"]).await.refused(1, &["not removed", &process, "stop it"]);
    assert_eq!(key_in(&home.state().join("credentials")), server.key);
    server.ok("ListServices", serde_json::json!({})).await;
    assert!(server.stop("TERM").await.status.success());
    home.cleaned(&[]).await;
}

#[tokio::test]
async fn a_copy_does_not_stand_for_the_original() {
    let home = Home::new();
    let (_, pages) = home.provisioned().await;
    let copy = home.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-R").args([home.state(), copy.clone()]).status().unwrap();
    assert!(copied.success());
    let of = format!("is a copy of {}", home.state().canonicalize().unwrap().display());
    let named = copy.to_str().unwrap();
    home.run(&["--data-dir", named]).await.refused(1, &[&of, &home.server().to_string(), "--clean"]);
    let Ended { status, err, .. } = home.run(&["--data-dir", named, "--clean"]).await;
    assert!(status.success() && !copy.exists(), "{err}");
    assert!(is_alive(home.server()), "{err}");
    for page in &pages {
        assert!(get(page).await.is_some(), "{page}");
    }
    home.cleaned(&pages).await;
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_neither_used_nor_removed() {
    let home = Home::new();
    let folder = home.path().join("thesis");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("chapter"), "one").unwrap();
    let folder = folder.to_str().unwrap();
    home.run(&["--data-dir", folder]).await.refused(1, &["no folder of a quickstart", "--data-dir"]);
    home.run(&["--data-dir", folder, "--clean"]).await.refused(1, &["no folder of a quickstart", "is not removed"]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    // The same where nobody reads it.
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" quickstart --data-dir \"$1\" 2>/dev/full", env!("CARGO_BIN_EXE_protium"), folder]);
    assert_eq!(shell.status().await.unwrap().code(), Some(1), "no panic");
    let homeless = home.start(&[]).without_variable("HOME").ended().await;
    homeless.refused(2, &["HOME is not set", "--data-dir"]);
}
