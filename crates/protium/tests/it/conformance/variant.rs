//! What is made of a request that succeeds: each member at and beyond its bounds, of another type, absent, with
//! what texts should not have, and each optional member set and unset.

use super::model::{Member, Operation, Shape, paths_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A body, and what it must be answered.
pub(super) struct Variant {
    pub(super) what: String,
    pub(super) body: Vec<u8>,
    /// The members that it has, as `tags.key`.
    pub(super) members: BTreeSet<String>,
    pub(super) expected: Expected,
    pub(super) kind: Kind,
}

pub(super) enum Expected {
    Success,
    /// A success; or an error that the operation declares, if there is a reason for it in [`super::refusals`].
    Declared,
    /// A ValidationException that names this member.
    Invalid(String),
    Serialization,
}

/// Why a variant is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Members that are set or not.
    Set,
    /// A text with U+0000.
    Nul,
    /// What the model alone tells apart.
    Model,
}

/// Deeper than anything that the API knows, and still read.
const DEEP: usize = 100;
/// Deeper than is read.
const TOO_DEEP: usize = 300;
/// Longer than any text for which the model has a bound.
const LONG: usize = 100_000;
/// More than any list for which the model has no bound may hold.
const MANY: usize = 101;
/// The text that no enumeration has, and no pattern takes.
const FOREIGN: &str = "é";

/// All variants of a request that succeeds. Members in `seen` had their own with another request of the operation.
pub(super) fn variants(operation: Operation<'_>, base: &Value, seen: &mut BTreeSet<String>) -> Vec<Variant> {
    let mut maker = Maker { base, made: Vec::new(), seen };
    maker.sets(operation);
    if maker.seen.insert(String::new()) {
        maker.bodies(operation);
    }
    maker.structure(operation.input(), base, &[]);
    maker.made
}

#[derive(Clone)]
enum Step {
    Member(String),
    /// The first element of a list.
    First,
}

struct Maker<'a> {
    base: &'a Value,
    made: Vec<Variant>,
    seen: &'a mut BTreeSet<String>,
}

impl Maker<'_> {
    fn add(&mut self, what: impl Into<String>, body: &Value, expected: Expected, kind: Kind) {
        let (members, body) = (paths_of(body), body.to_string().into_bytes());
        self.made.push(Variant { what: what.into(), body, members, expected, kind });
    }

    /// The request with another value at the path; without one if there is none.
    fn put(&mut self, path: &[Step], what: &str, value: Option<Value>, expected: Expected, kind: Kind) {
        let mut body = self.base.clone();
        place(&mut body, path, value);
        self.add(format!("{}: {what}", shown(path)), &body, expected, kind);
    }

    fn model(&mut self, path: &[Step], what: &str, value: Value, expected: Expected) {
        self.put(path, what, Some(value), expected, Kind::Model);
    }

    /// All members, the required ones only, and each optional one alone and absent.
    fn sets(&mut self, operation: Operation<'_>) {
        self.add("the request as it is", self.base, Expected::Success, Kind::Set);
        let members = operation.input().members();
        let optional: Vec<&Member<'_>> = members.iter().filter(|one| !one.required).collect();
        let only = |kept: Option<&str>| {
            let mut body = self.base.clone();
            body.as_object_mut()
                .expect("an object")
                .retain(|name, _| kept == Some(name.as_str()) || optional.iter().all(|one| one.name != name));
            body
        };
        let alone = optional.iter().filter(|one| self.base.get(one.name).is_some());
        let alone: Vec<_> =
            alone.map(|one| (format!("of the optional members only {}", one.name), only(Some(one.name)))).collect();
        let none = only(None);
        self.add("without optional members", &none, Expected::Declared, Kind::Set);
        for (what, body) in alone {
            self.add(what, &body, Expected::Declared, Kind::Set);
        }
    }

    /// Bodies that are no objects, or hardly.
    fn bodies(&mut self, operation: Operation<'_>) {
        let empty = match operation.input().members().iter().find(|member| member.required) {
            Some(member) => Expected::Invalid(member.name.to_owned()),
            None => Expected::Declared,
        };
        let mut raw = |what: &str, body: &[u8], expected| {
            let (what, members) = (what.to_owned(), BTreeSet::new());
            self.made.push(Variant { what, body: body.to_vec(), members, expected, kind: Kind::Model });
        };
        raw("nothing at all", b"", empty);
        for (what, body) in [
            ("null", b"null".as_slice()),
            ("a list", b"[]"),
            ("a text", b"\"name\""),
            ("half an object", b"{\"name\":"),
            ("two objects", b"{} {}"),
            ("not UTF-8", b"{\"name\":\"\xff\"}"),
            ("half a surrogate pair", b"{\"name\":\"\\ud800\"}"),
            ("a number that no type holds", b"{\"maxResults\":1e999}"),
        ] {
            raw(what, body, Expected::Serialization);
        }
        for (depth, expected) in [(DEEP, Expected::Success), (TOO_DEEP, Expected::Serialization)] {
            let mut body = self.base.clone();
            body["neverHeardOf"] = nested(depth);
            self.add(format!("an unknown member of depth {depth}"), &body, expected, Kind::Model);
        }
    }

    fn structure(&mut self, shape: Shape<'_>, value: &Value, path: &[Step]) {
        let mut body = self.base.clone();
        at(&mut body, path)["neverHeardOf"] = json!({ "name": [1, null] });
        if self.seen.insert(format!("{}.*", model_path(path))) {
            self.add(format!("{}: an unknown member", shown(path)), &body, Expected::Success, Kind::Model);
        }
        for member in shape.members() {
            let Some(value) = value.get(member.name) else { continue };
            let path = [path, &[Step::Member(member.name.to_owned())]].concat();
            let is_new = self.seen.insert(model_path(&path));
            let absent = || match (member.required, shape.is_union()) {
                (true, _) => Expected::Invalid(shown(&path)),
                (_, true) => Expected::Invalid(shown(&path[..path.len() - 1])),
                _ => Expected::Declared,
            };
            if is_new || !member.required {
                self.put(&path, "absent", None, absent(), Kind::Set);
            }
            if is_new {
                self.model(&path, "null", Value::Null, absent());
                self.value(member.shape, value, &path);
            } else if !value.is_string() {
                // Another request may have more of what is in it.
                self.inner(member.shape, value, &path);
            }
        }
    }

    fn inner(&mut self, shape: Shape<'_>, value: &Value, path: &[Step]) {
        match shape.kind() {
            "structure" => self.structure(shape, value, path),
            "list" => {
                let Some(first) = value.get(0) else { return };
                let path = [path, &[Step::First]].concat();
                self.inner(shape.element(), first, &path);
            }
            _ => {}
        }
    }

    fn value(&mut self, shape: Shape<'_>, value: &Value, path: &[Step]) {
        self.wrong_types(shape, path);
        match shape.kind() {
            "string" if !shape.values().is_empty() => self.enumeration(shape, path),
            "string" => self.string(shape, value.as_str().expect("a text"), path),
            "integer" => self.integer(shape, path),
            "boolean" => {
                for value in [true, false] {
                    self.model(path, &value.to_string(), json!(value), Expected::Declared);
                }
            }
            "timestamp" => self.model(path, "no time", json!(1e300), Expected::Serialization),
            "list" => self.list(shape, value, path),
            "structure" => self.structure(shape, value, path),
            other => panic!("{} is a {other}", shape.name),
        }
    }

    fn wrong_types(&mut self, shape: Shape<'_>, path: &[Step]) {
        for (kind, value) in [
            ("string", json!("x")),
            ("boolean", json!(true)),
            ("number", json!(7)),
            ("number", json!(-1.5)),
            ("number", json!(1_u64 << 40)),
            ("list", json!([])),
            ("structure", json!({})),
        ] {
            let is_right = match shape.kind() {
                "integer" => value == json!(7),
                "timestamp" => kind == "number",
                other => kind == other,
            };
            if !is_right {
                self.model(path, &format!("{value}, of another type"), value, Expected::Serialization);
            }
        }
        let what = format!("lists of depth {TOO_DEEP}");
        self.model(path, &what, nested(TOO_DEEP), Expected::Serialization);
        if shape.kind() != "list" {
            let what = format!("lists of depth {DEEP}");
            self.model(path, &what, nested(DEEP), Expected::Serialization);
        }
    }

    fn enumeration(&mut self, shape: Shape<'_>, path: &[Step]) {
        for value in shape.values() {
            self.model(path, value, json!(value), Expected::Declared);
        }
        let first = shape.values()[0];
        let other_case = if first.to_uppercase() == first { first.to_lowercase() } else { first.to_uppercase() };
        for foreign in [FOREIGN, "", &other_case, &format!("{first}\0")] {
            let what = format!("the foreign value {foreign:?}");
            self.model(path, &what, json!(foreign), Expected::Invalid(shown(path)));
        }
    }

    fn integer(&mut self, shape: Shape<'_>, path: &[Step]) {
        for (bound, beyond) in [(shape.min(), -1), (shape.max(), 1)] {
            let Some(bound) = bound else { continue };
            self.model(path, &format!("{bound}, its bound"), json!(bound), Expected::Declared);
            let what = format!("{}, beyond its bound", bound + beyond);
            self.model(path, &what, json!(bound + beyond), Expected::Invalid(shown(path)));
        }
    }

    fn string(&mut self, shape: Shape<'_>, value: &str, path: &[Step]) {
        let invalid = || Expected::Invalid(shown(path));
        for (what, with_nul) in [
            ("U+0000", "\0".to_owned()),
            ("U+0000 within", split_by_nul(value)),
            ("U+0000 behind", format!("{value}\0")),
        ] {
            self.put(path, what, Some(json!(with_nul)), invalid(), Kind::Nul);
        }
        let min = shape.min().unwrap_or(0);
        self.model(path, "as short as may be", json!(of_length(shape, value, min)), Expected::Declared);
        if min > 0 {
            self.model(path, "too short", json!(of_length(shape, value, min - 1)), invalid());
        }
        match shape.max() {
            Some(max) => {
                self.model(path, "as long as may be", json!(of_length(shape, value, max)), Expected::Declared);
                self.model(path, "too long", json!(of_length(shape, value, max + 1)), invalid());
            }
            None => {
                let long = of_length(shape, value, i64::try_from(LONG).expect("it fits"));
                self.model(path, "very long", json!(long), Expected::Declared);
            }
        }
        if shape.has_pattern() {
            self.model(path, "out of its pattern", json!(FOREIGN), invalid());
            // Where nothing holds the end of a pattern, a rule does.
            let expected = if shape.name == "RepositoryName" { Expected::Declared } else { invalid() };
            self.model(path, "out of its pattern at the end", json!(format!("{value}\n")), expected);
        } else {
            self.model(path, "other letters", json!("\u{1F980} é \u{202E}\u{7F} \u{10FFFF}"), Expected::Declared);
            self.model(path, "quotes", json!("'\"; -- %_{{ }}${Proton::CURRENT_VAL}"), Expected::Declared);
        }
    }

    fn list(&mut self, shape: Shape<'_>, value: &Value, path: &[Step]) {
        let first = value.get(0).unwrap_or_else(|| panic!("{} has no element", shown(path)));
        let invalid = || Expected::Invalid(shown(path));
        let of = |count: i64| (0..count).map(|index| distinct(shape.element(), first, index)).collect::<Value>();
        let min = shape.min().unwrap_or(0);
        self.model(path, "as short as may be", of(min), Expected::Declared);
        if min > 0 {
            self.model(path, "too short", of(min - 1), invalid());
        }
        match shape.max() {
            Some(max) => {
                self.model(path, "as long as may be", of(max), Expected::Declared);
                self.model(path, "too long", of(max + 1), invalid());
            }
            None => self.model(path, "very long", of(i64::try_from(MANY).expect("it fits")), Expected::Declared),
        }
        self.model(path, "the same twice", json!([first, first]), Expected::Declared);
        self.model(path, "a null in it", json!([null]), Expected::Serialization);
        let element = [path, &[Step::First]].concat();
        self.value(shape.element(), first, &element);
    }
}

/// Lists in lists.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

fn split_by_nul(text: &str) -> String {
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(index, _)| index);
    format!("{}\0{}", &text[..middle], &text[middle..])
}

/// An element that differs from the others of its list, as far as its shape allows it.
fn distinct(shape: Shape<'_>, element: &Value, index: i64) -> Value {
    match element {
        Value::String(text) if shape.values().is_empty() => json!(format!("{text}{index}")),
        Value::Object(_) => {
            let mut element = element.clone();
            let named = shape.members().into_iter().find(|member| ["key", "templateName"].contains(&member.name));
            let member = named.unwrap_or_else(|| panic!("nothing tells elements of {} apart", shape.name));
            element[member.name] = distinct(member.shape, &element[member.name], index);
            element
        }
        other => other.clone(),
    }
}

/// A text of that many characters that is like the given one and, if it can be, within the shape's pattern.
fn of_length(shape: Shape<'_>, like: &str, length: i64) -> String {
    let length = usize::try_from(length).expect("lengths are not negative");
    let Some(more) = length.checked_sub(like.chars().count()) else { return like.chars().take(length).collect() };
    match shape.name {
        // Files end with as many empty lines as one likes.
        "SpecContents" | "TemplateFileContents" | "TemplateManifestContents" | "PolicyDocument" => {
            format!("{like}{}", "\n".repeat(more))
        }
        "TemplateVersionPart" => format!("{like}{}", "9".repeat(more)),
        "AwsAccountId" => format!("{like}{}", "1".repeat(more)),
        "RoleArn" | "RoleArnOrEmptyString" => like.replacen(":role/", &format!(":role/{}", folders(more)), 1),
        _ => format!("{like}{}", "x".repeat(more)),
    }
}

/// Folders of a role's path, of that many characters.
fn folders(length: usize) -> String {
    let mut path = String::new();
    while path.len() < length {
        let left = length - path.len();
        let next = if left > 500 { 400 } else { left };
        path += &"x".repeat(next - 1);
        path.push('/');
    }
    path
}

fn at<'a>(body: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(body, |value, step| match step {
        Step::Member(name) => &mut value[name.as_str()],
        Step::First => &mut value[0],
    })
}

fn place(body: &mut Value, path: &[Step], value: Option<Value>) {
    let (last, before) = path.split_last().expect("not the body itself");
    match (last, value, at(body, before)) {
        (Step::Member(name), Some(value), parent) => parent[name.as_str()] = value,
        (Step::Member(name), None, parent) => drop(parent.as_object_mut().expect("an object").remove(name)),
        (Step::First, Some(value), parent) => parent[0] = value,
        (Step::First, None, parent) => drop(parent.as_array_mut().expect("a list").remove(0)),
    }
}

/// The path as messages of the API name it.
fn shown(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Member(name) if shown.is_empty() => shown += name,
            Step::Member(name) => shown += &format!(".{name}"),
            Step::First => shown += ".1.member",
        }
    }
    shown
}

/// The path as `tags.key`.
fn model_path(path: &[Step]) -> String {
    let names = path.iter().filter_map(|step| match step {
        Step::Member(name) => Some(name.as_str()),
        Step::First => None,
    });
    names.collect::<Vec<_>>().join(".")
}
