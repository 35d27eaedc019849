//! The example bundles of commands, as they are in the checkout: registered and run by the program as it is shipped.

use std::fs;
use std::path::{Path, PathBuf};

use protium_engines::double::write_program;
use serde_json::{Value, json};

use super::program::{Program, Start, until};
use super::site::free;
use crate::on_both;
use crate::support::bundle;
use crate::support::database::TestDb;
use crate::support::double::version_of;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/templates").join(name)
}

fn spec(name: &str) -> String {
    fs::read_to_string(example(name).join("spec.yaml")).unwrap()
}

/// What an example's bundle is packed of.
pub(super) struct Bundle {
    pub(super) name: &'static str,
    pub(super) files: Vec<(String, String)>,
}

impl Bundle {
    fn of(name: &'static str) -> Self {
        let root = example(name).join("v1");
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    files.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        files.sort();
        Self { name, files }
    }

    /// The same, whose commands find no programs but the shell itself, whatever is installed.
    fn without_programs(mut self) -> Self {
        let manifests = self.files.iter_mut().filter(|(path, _)| path.ends_with("/manifest.yaml"));
        for (_, text) in manifests {
            *text = match text.contains("          variables:\n") {
                true => text.replace("          variables:\n", "          variables:\n            PATH: /none\n"),
                false => {
                    text.replace("      settings:\n", "      settings:\n        env: {variables: {PATH: /none}}\n")
                }
            };
            assert!(text.contains("PATH: /none"), "{text}");
        }
        self
    }

    fn kind(&self) -> &'static str {
        let is_environment = self.files.iter().any(|(path, _)| path.starts_with("infrastructure/"));
        if is_environment { "Environment" } else { "Service" }
    }

    /// Registers and publishes its version 1.0; `runs_in` is the template of a service's environments.
    pub(super) async fn publish(&self, program: &Program, runs_in: Option<&str>) {
        let (name, kind) = (self.name, self.kind());
        let mut template = json!({ "name": name });
        let key = format!("{name}.tar.gz");
        let mut version = json!({ "templateName": name, "source": { "s3": { "bucket": "bundles", "key": key } } });
        if let Some(environment) = runs_in {
            if !self.files.iter().any(|(path, _)| path.starts_with("pipeline_infrastructure/")) {
                template["pipelineProvisioning"] = "CUSTOMER_MANAGED".into();
            }
            version["compatibleEnvironmentTemplates"] = json!([{ "templateName": environment, "majorVersion": "1" }]);
        }
        program.ok(&format!("Create{kind}Template"), template).await;
        let files: Vec<(&str, &str)> = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        program.upload("bundles", &key, bundle::pack(&files)).await;
        program.ok(&format!("Create{kind}TemplateVersion"), version).await;
        let registered = until("the registration", async || {
            let got = program.ok(&format!("Get{kind}TemplateVersion"), version_of(name, "1.0")).await;
            let version = got.as_object().unwrap().values().next().unwrap().clone();
            (version["status"] != "REGISTRATION_IN_PROGRESS").then_some(version)
        })
        .await;
        assert_eq!(registered["status"], "DRAFT", "{registered}");
        assert!(registered["statusMessage"].as_str().is_none_or(str::is_empty), "without warnings: {registered}");
        let mut publish = version_of(name, "1.0");
        publish["status"] = "PUBLISHED".into();
        program.ok(&format!("Update{kind}TemplateVersion"), publish).await;
    }
}

/// The program with a runner.
async fn program(db: &mut TestDb) -> Program {
    free(db);
    Start::on(db).flag("--runner", "local").ready().await
}

pub(super) async fn create_environment(program: &Program, name: &str, template: &str, spec: &str) {
    let input = json!({ "name": name, "templateName": template, "templateMajorVersion": "1", "spec": spec });
    program.ok("CreateEnvironment", input).await;
}

async fn create_service(program: &Program, name: &str, template: &str, spec: &str) {
    let input = json!({ "name": name, "templateName": template, "templateMajorVersion": "1", "spec": spec });
    program.ok("CreateService", input).await;
}

/// Waits until the deployment of `shop`'s instance `dev` has that status; answers its message.
pub(super) async fn instance(program: &Program, status: &str) -> String {
    until(&format!("the instance becoming {status}"), async || {
        let input = json!({ "serviceName": "shop", "name": "dev" });
        let instance = program.ok("GetServiceInstance", input).await["serviceInstance"].clone();
        let found = instance["deploymentStatus"].as_str().unwrap().to_owned();
        assert!(found == status || found.ends_with("IN_PROGRESS"), "{instance}\n{}", program.log());
        (found == status).then(|| instance["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

pub(super) async fn message(program: &Program, environment: &str, status: &str) -> String {
    let environment = program.environment(environment, status).await;
    environment["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned()
}

pub(super) async fn environment_outputs(program: &Program, name: &str) -> Value {
    named(&program.ok("ListEnvironmentOutputs", json!({ "environmentName": name })).await)
}

pub(super) async fn instance_outputs(program: &Program) -> Value {
    let input = json!({ "serviceName": "shop", "serviceInstanceName": "dev" });
    named(&program.ok("ListServiceInstanceOutputs", input).await)
}

fn named(listed: &Value) -> Value {
    let pairs = listed["outputs"].as_array().unwrap().iter();
    pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["valueString"].clone())).collect()
}

/// Deletes the service `shop`, and waits until it is gone.
pub(super) async fn delete_service(program: &Program) {
    program.ok("DeleteService", json!({ "name": "shop" })).await;
    until("the end of the service", async || program.call("GetService", json!({ "name": "shop" })).await.err()).await;
}

pub(super) async fn delete_environment(program: &Program, name: &str) {
    program.ok("DeleteEnvironment", json!({ "name": name })).await;
    program.gone(name).await;
}

/// A file in the folder that stays, of whichever resource has one of that name.
fn kept(db: &TestDb, file: &str) -> Option<PathBuf> {
    let resources = fs::read_dir(db.folder().join("runs")).unwrap().map(|entry| entry.unwrap().path());
    resources.map(|resource| resource.join("state").join(file)).find(|path| path.exists())
}

fn kept_text(db: &TestDb, file: &str) -> String {
    fs::read_to_string(kept(db, file).unwrap_or_else(|| panic!("no {file} is kept"))).unwrap()
}

on_both! {
    the_shell_examples_are_provisioned_updated_and_deleted, async |db| {
        let program = program(db).await;
        Bundle::of("shell-environment").publish(&program, None).await;
        Bundle::of("shell-service").publish(&program, Some("shell-environment")).await;
        create_environment(&program, "shell-dev", "shell-environment", &spec("shell-environment")).await;
        program.environment("shell-dev", "SUCCEEDED").await;
        let first = environment_outputs(&program, "shell-dev").await;
        assert_eq!(first["Title"], "Tom's \"docs\" & notes", "{first}");
        assert_eq!((&first["PageCount"], &first["Revision"], &first["SearchEngines"]), (&"4".into(), &"1".into(), &"false".into()));
        assert_eq!(serde_json::from_str::<Value>(first["Pages"].as_str().unwrap()).unwrap(), json!(["about", "install", "changes"]));
        let page = kept_text(db, "site/index.html");
        assert!(page.contains("<h1>Tom&#39;s &#34;docs&#34; &amp; notes</h1>") && page.contains("href=\"install.html\""), "{page}");
        assert_eq!(kept_text(db, "site/robots.txt"), "User-agent: *\nDisallow: /\n");
        let token = kept_text(db, "token");
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "32 bytes");
        assert!(!first.to_string().contains(&token), "no secret is an output");

        // Whatever else is deployed: what is as it should be stays as it is.
        let update = |spec: &str| json!({ "name": "shell-dev", "deploymentType": "CURRENT_VERSION", "spec": spec });
        program.ok("UpdateEnvironment", update(&format!("{}\n  let_search_engines_in: false\n", spec("shell-environment").trim_end()))).await;
        program.environment("shell-dev", "SUCCEEDED").await;
        assert_eq!(environment_outputs(&program, "shell-dev").await, first);
        assert_eq!(kept_text(db, "token"), token);

        create_service(&program, "shop", "shell-service", &spec("shell-service")).await;
        instance(&program, "SUCCEEDED").await;
        let made = instance_outputs(&program).await;
        assert_eq!((&made["Name"], &made["Port"], &made["ShortLinks"]), (&"shop-dev".into(), &"8081".into(), &"1".into()), "{made}");
        let conf = kept_text(db, "site.conf");
        assert!(conf.contains("location = /start { return 302 /install.html; }"), "{conf}");
        assert!(conf.contains(&format!("Site-Hash {};", first["SiteHash"].as_str().unwrap())), "{conf}");

        let changed = "proton: EnvironmentSpec\nspec: {title: '$(id) `id`', pages: [about], let_search_engines_in: true, token_version: 2}\n";
        program.ok("UpdateEnvironment", update(changed)).await;
        program.environment("shell-dev", "SUCCEEDED").await;
        let second = environment_outputs(&program, "shell-dev").await;
        assert_eq!((&second["Title"], &second["Revision"], &second["PageCount"]), (&"$(id) `id`".into(), &"2".into(), &"2".into()), "{second}");
        assert_ne!(second["TokenFingerprint"], first["TokenFingerprint"]);
        assert!(kept(db, "site/install.html").is_none(), "pages that are no more are gone");

        // The page of the short link is no more.
        let again = json!({ "serviceName": "shop", "name": "dev", "deploymentType": "CURRENT_VERSION", "spec": spec("shell-service") });
        program.ok("UpdateServiceInstance", again).await;
        let refused = instance(&program, "FAILED").await;
        assert!(refused.contains("short_links: /start=install leads to no page of the environment, which has: about"), "{refused}");

        delete_service(&program).await;
        delete_environment(&program, "shell-dev").await;
        for file in ["site", "token", "site.conf"] {
            assert_eq!(kept(db, file), None);
        }
    }

    a_missing_program_is_named_and_leaves_nothing_that_can_not_be_deleted, async |db| {
        let program = program(db).await;
        Bundle::of("helm-environment").publish(&program, None).await;
        Bundle::of("helm-service").without_programs().publish(&program, Some("helm-environment")).await;
        Bundle::of("cdk-environment").without_programs().publish(&program, None).await;
        create_environment(&program, "cdk", "cdk-environment", &spec("cdk-environment")).await;
        create_environment(&program, "helm-dev", "helm-environment", &spec("helm-environment")).await;
        program.environment("helm-dev", "SUCCEEDED").await;
        create_service(&program, "shop", "helm-service", &only_dev(&spec("helm-service"))).await;
        let failed = instance(&program, "FAILED").await;
        assert!(failed.starts_with("Command 5 of 5 ended with status 127: ./deploy.sh"), "{failed}");
        assert!(failed.contains("helm is not among the programs that runs find: install Helm") && failed.contains("--run-tools"), "{failed}");
        let failed = message(&program, "cdk", "FAILED").await;
        assert!(failed.contains("node is not among the programs that runs find: install Node.js") && failed.contains("--run-tools"), "{failed}");
        delete_environment(&program, "cdk").await;
        delete_service(&program).await;
        delete_environment(&program, "helm-dev").await;
    }

    the_helm_example_says_what_helm_is_to_do, async |db| {
        // A helm that writes down what it is told, and says of a release what the test wants.
        let tools = tempfile::tempdir().unwrap();
        let helm = "#!/bin/sh\necho \"$@\" >>\"$PROTIUM_STATE_DIR/calls\"\n[ \"$1\" != status ] || cat \"$PROTIUM_STATE_DIR/status\"\n\
            [ \"$1\" != upgrade ] || { [ -r ./chart/Chart.yaml ] && cat \"$KUBECONFIG\" && cp proton-inputs.json \"$PROTIUM_STATE_DIR/values\"; }\n";
        write_program(&tools.path().join("helm"), helm).unwrap();
        let kubeconfig = tools.path().join("kubeconfig");
        free(db);
        let folder = tools.path().to_str().unwrap();
        let program = Start::on(db).flag("--runner", "local").flag("--run-tools", folder).ready().await;
        Bundle::of("helm-environment").publish(&program, None).await;
        Bundle::of("helm-service").publish(&program, Some("helm-environment")).await;

        let of_cluster = format!("proton: EnvironmentSpec\nspec: {{namespace: shop, kubeconfig: {}}}\n", kubeconfig.display());
        create_environment(&program, "helm-dev", "helm-environment", &of_cluster).await;
        let failed = message(&program, "helm-dev", "FAILED").await;
        assert!(failed.contains("kubeconfig: runs can't read") && failed.contains("--run-tools"), "{failed}");
        fs::write(&kubeconfig, "apiVersion: v1\n").unwrap();
        program.ok("UpdateEnvironment", json!({ "name": "helm-dev", "deploymentType": "CURRENT_VERSION", "spec": of_cluster })).await;
        program.environment("helm-dev", "SUCCEEDED").await;

        create_service(&program, "shop", "helm-service", &only_dev(&spec("helm-service"))).await;
        instance(&program, "SUCCEEDED").await;
        let made = instance_outputs(&program).await;
        let release = made["Release"].as_str().unwrap().to_owned();
        assert!(release.starts_with("shop-dev-") && release.len() == 17, "{made}");
        assert_eq!((&made["Namespace"], &made["Replicas"]), (&"shop".into(), &"1".into()), "{made}");
        assert_eq!(made["URL"], format!("http://{release}.shop.svc"), "{made}");
        let values: Value = serde_json::from_str(&kept_text(db, "values")).unwrap();
        assert_eq!(values["service_instance"]["inputs"]["environment_variables"], json!({ "LOG_LEVEL": "debug" }));
        let calls = kept_text(db, "calls");
        let upgrade = format!("upgrade {release} --namespace shop ./chart --install --create-namespace --values proton-inputs.json");
        assert!(calls.lines().any(|call| call.starts_with(&upgrade)) && !calls.contains("rollback"), "{calls}");

        // A run that was stopped has left the release locked.
        let state = kept(db, "calls").unwrap().with_file_name("status");
        fs::write(&state, "NAME: x\nSTATUS: pending-upgrade\n").unwrap();
        let again = json!({ "serviceName": "shop", "name": "dev", "deploymentType": "CURRENT_VERSION", "spec": only_dev(&spec("helm-service")) });
        program.ok("UpdateServiceInstance", again).await;
        instance(&program, "SUCCEEDED").await;
        let calls = kept_text(db, "calls");
        let (before, after) = calls.split_once(&format!("rollback {release} --namespace shop")).expect("a rollback");
        assert!(before.contains(&upgrade) && after.contains(&upgrade), "{calls}");
        delete_service(&program).await;
        delete_environment(&program, "helm-dev").await;
    }
}

/// A service's spec without the instances after the first.
fn only_dev(spec: &str) -> String {
    spec.split("  - name: prod").next().unwrap().to_owned()
}
