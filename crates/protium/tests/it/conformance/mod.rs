//! Conformance: for every operation of the models, requests made of the model, sent signed through the real router to
//! a site that has what the operation needs.
//!
//! Each is answered with a success, or with an error that the operation declares and which leaves nothing changed;
//! what the model forbids is refused by the name of the member, what it allows only where [`refusals`] has it. Every
//! operation and every member is in a request that succeeds, or in [`report::UNPROVED`]. The counts are written to
//! `target/tmp/conformance`.

mod authorization;
mod form;
mod model;
mod refusals;
mod report;
mod site;
mod variant;

use crate::support::database::TestDb;
use crate::support::service::but;
use form::{Form, Ids, forms};
use model::Model;
use protium::store::{AuditRecord, Outcome};
use protium_api::{Operation, Response};
use report::Counts;
use serde_json::{Value, json};
use site::Site;
use std::collections::{BTreeMap, BTreeSet};
use variant::{Expected, Kind, Variant, variants};

/// Members that an answer may show as they were: those of the last successful deployment, until the next one is.
const TELLS_OF_SUCCESS: [&str; 5] =
    ["spec", "templateMajorVersion", "templateMinorVersion", "serviceName", "serviceInstanceName"];
/// Members that the model calls sensitive.
const SECRETS: [&str; 4] = ["description", "displayName", "spec", "statusMessage"];
/// So many failures are told.
const TOLD: usize = 40;

/// Sends all variants of the operations of a noun, and says what was wrong.
async fn prove(db: &TestDb, noun: &str, kinds: &[Kind]) {
    let (model, site) = (Model::read(), Site::on(db).await);
    let (_, forms) = forms(&site.ids).into_iter().find(|(known, _)| *known == noun).expect("a noun");
    let mut proof = Proof { model: &model, site: &site, counts: BTreeMap::new(), wrong: Vec::new() };
    let before = site.shown().await;
    let mut seen = BTreeMap::<&str, BTreeSet<String>>::new();
    for form in &forms {
        proof.form(form, kinds, seen.entry(form.operation).or_default()).await;
        for (was, is) in before.iter().zip(site.shown().await) {
            proof.check(*was == is, || format!("{}: {} has become {}", form.operation, was.0, is.1));
        }
    }
    for (operation, counts) in &proof.counts {
        proof.wrong.extend(counts.gaps(model.operation(operation)));
    }
    if kinds.contains(&Kind::Model) {
        report::write(noun, &model, &proof.counts);
    }
    let (count, told) = (proof.wrong.len(), proof.wrong.iter().take(TOLD).cloned().collect::<Vec<_>>());
    assert!(told.is_empty(), "{count} are wrong:\n{}", told.join("\n"));
}

struct Proof<'a> {
    model: &'a Model,
    site: &'a Site,
    counts: BTreeMap<&'static str, Counts>,
    wrong: Vec<String>,
}

impl Proof<'_> {
    fn check(&mut self, is_right: bool, wrong: impl FnOnce() -> String) {
        if !is_right {
            self.wrong.push(wrong());
        }
    }

    /// First without a token of the next page: with it, any other filter would be refused for the token.
    async fn form(&mut self, form: &Form, kinds: &[Kind], seen: &mut BTreeSet<String>) {
        let input = self.site.with_token(form).await;
        let is_paged = input["nextToken"].as_str().is_some_and(|token| !token.is_empty());
        let first = is_paged.then(|| but(input.clone(), json!({ "nextToken": null })));
        for base in first.into_iter().chain([input]) {
            let all = variants(self.model.operation(form.operation), &base, seen);
            for variant in all.into_iter().filter(|variant| kinds.contains(&variant.kind)) {
                self.variant(form, &variant).await;
            }
        }
    }

    async fn variant(&mut self, form: &Form, variant: &Variant) {
        let (is_ok, answer) = self.site.send(form.who, form.operation, &variant.body).await;
        let refused = (!is_ok).then(|| error(&answer));
        let code = refused.as_ref().map(|(code, _)| code.as_str());
        self.counts.entry(form.operation).or_default().note(&variant.members, code);
        let changed = self.site.changed().await;
        let operation = self.model.operation(form.operation);
        if let Some(wrong) = judge(operation, variant, refused.as_ref(), &answer) {
            let body = String::from_utf8_lossy(&variant.body);
            let body: String = body.chars().take(600).collect();
            self.wrong.push(format!("{}, {}: {wrong}\n    {body}", form.operation, variant.what));
        }
        if !operation.only_reads() {
            let wrong = misrecorded(form.operation, &variant.body, is_ok, &self.site.records().await);
            self.check(wrong.is_none(), || {
                format!("{}, {}: {}", form.operation, variant.what, wrong.unwrap_or_default())
            });
        }
        if !changed.is_empty() {
            let may_change = is_ok && !operation.only_reads();
            self.check(may_change, || format!("{}, {}: it changed {changed:?}", form.operation, variant.what));
            self.site.restore(&changed).await;
        }
    }
}

/// What is wrong with the records that a request which may change something has left: one if it succeeded, and of those
/// that are refused one each, until there are too many.
fn misrecorded(operation: &str, body: &[u8], is_ok: bool, records: &[AuditRecord]) -> Option<String> {
    let [record] = records else {
        let may_be = records.is_empty() && !is_ok;
        return (!may_be).then(|| format!("it left {} records in the audit log: {records:?}", records.len()));
    };
    let kept = format!("{record:?}");
    let is_right = record.operation == operation && is_ok == (record.outcome == Outcome::Succeeded);
    if !is_right {
        return Some(format!("it left the record {kept}"));
    }
    let given: Value = serde_json::from_slice(body).unwrap_or_default();
    let secrets = SECRETS.iter().filter_map(|member| given.get(member)?.as_str()).filter(|text| text.len() > 7);
    let mut told = secrets.filter(|text| kept.contains(&text.escape_debug().to_string()) || kept.contains(*text));
    told.next().map(|text| format!("the audit log tells {text:?}: {kept}"))
}

/// What is wrong with an answer.
fn judge(
    operation: model::Operation<'_>,
    variant: &Variant,
    refused: Option<&(String, String)>,
    answer: &[u8],
) -> Option<String> {
    let Some((code, message)) = refused else {
        if !matches!(variant.expected, Expected::Success | Expected::Declared) {
            return Some("it succeeded".to_owned());
        }
        return shaped(operation, answer).or_else(|| other_than_given(operation, &variant.body, answer));
    };
    let is_right = match &variant.expected {
        Expected::Success => false,
        Expected::Declared if !refusals::has_reason(code, message) => {
            return Some(format!("refused, and refusals.txt has no reason: {code}: {message}"));
        }
        Expected::Declared if code == "ValidationException" => {
            // It says which member is wrong.
            operation.paths().iter().any(|path| message.contains(path.rsplit('.').next().unwrap_or(path)))
        }
        Expected::Declared => operation.errors().contains(code.as_str()) && !message.is_empty(),
        Expected::Invalid(member) => code == "ValidationException" && message.contains(&format!("'{member}'")),
        Expected::Serialization => code == "SerializationException",
    };
    (!is_right).then(|| format!("{code}: {message}"))
}

/// What keeps an answer from being the output of its operation.
fn shaped(operation: model::Operation<'_>, answer: &[u8]) -> Option<String> {
    let known = Operation::ALL.iter().find(|known| known.name() == operation.name).expect("an operation");
    Response::parse(*known, answer).err().map(|why| format!("the answer has not its shape: {why}"))
}

/// The texts of the resource in the answer that are not as they were given.
fn other_than_given(operation: model::Operation<'_>, body: &[u8], answer: &[u8]) -> Option<String> {
    if operation.only_reads() {
        return None;
    }
    let body = if body.is_empty() { b"{}" } else { body };
    let [given, answer]: [Value; 2] = [body, answer].map(|text| serde_json::from_slice(text).expect("JSON"));
    let resource = answer.as_object()?.values().find(|value| value.is_object())?;
    let members = given.as_object()?.iter().filter(|(name, _)| !TELLS_OF_SUCCESS.contains(&name.as_str()));
    // Of structures an answer shows more than a request.
    let members = members.filter(|(_, value)| value.is_string());
    let other = members.filter(|(name, value)| resource.get(*name).is_some_and(|shown| shown != *value));
    let other: Vec<&str> = other.map(|(name, _)| name.as_str()).collect();
    (!other.is_empty()).then(|| format!("the answer shows other {}: {resource}", other.join(", ")))
}

/// The code and the message of an error.
fn error(answer: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(answer).expect("answers are JSON");
    let code = body["__type"].as_str().and_then(|kind| kind.rsplit_once('#')).expect("a code").1;
    (code.to_owned(), body["message"].as_str().expect("a message").to_owned())
}

/// A test of each noun: on SQLite every variant, on PostgreSQL those whose answer the database could decide.
macro_rules! nouns {
    ($($noun:ident)*) => {
        const NOUNS: &[&str] = &[$(stringify!($noun)),*];

        $(mod $noun {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn behave_as_the_model_says_on_sqlite() {
                prove(&TestDb::sqlite().await, stringify!($noun), &[Kind::Set, Kind::Nul, Kind::Model]).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn take_the_same_members_and_texts_on_postgres() {
                prove(&TestDb::postgres().await, stringify!($noun), &[Kind::Set, Kind::Nul]).await;
            }
        })*
    };
}

nouns! { templates versions environments accounts services parts components syncs records identities }

#[test]
fn every_operation_of_the_models_has_a_request_in_one_noun() {
    let (model, forms) = (Model::read(), forms(&Ids::default()));
    let nouns: Vec<&str> = forms.iter().map(|(noun, _)| *noun).collect();
    assert_eq!(nouns, NOUNS);
    let modelled: BTreeSet<&str> = model.operations().map(|operation| operation.name).collect();
    let mut found = BTreeSet::new();
    for (noun, forms) in &forms {
        let here: BTreeSet<&str> = forms.iter().map(|form| form.operation).collect();
        for operation in here {
            assert!(found.insert(operation), "{noun}: {operation} has requests in two nouns");
        }
    }
    assert_eq!(found, modelled);
}

#[test]
fn the_page_on_compatibility_has_one_line_for_each_operation_and_says_there_what_never_succeeds() {
    let page = include_str!("../../../../../docs/compatibility.md");
    let table = page.split("\n\n").find(|part| part.starts_with("| operation |")).expect("the table of operations");
    let lines = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let mut told = BTreeMap::new();
    for (operation, rest) in lines {
        assert!(told.insert(operation, rest).is_none(), "{operation} has two lines");
    }
    let model = Model::read();
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), model.of_proton());
    for (name, why) in report::UNPROVED {
        let (operation, member) = name.split_once('.').unwrap_or((name, ""));
        let is_known = member.is_empty() || model.operation(operation).paths().contains(member);
        assert!(is_known && !why.is_empty(), "{name}: {why}");
        let is_told = told.get(operation).is_none_or(|line| line.contains(why));
        assert!(is_told, "the line of {operation} does not say of {name}: {why}");
    }
}
