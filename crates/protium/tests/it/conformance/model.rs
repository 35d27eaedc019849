//! The API models as data: what is asked for is made of them, not of the code that was generated from them.

use serde_json::Value;
use std::collections::BTreeSet;

const MODELS: [&str; 2] = [
    include_str!("../../../../api/model/proton-2020-07-20.json"),
    include_str!("../../../../api/model/protium-2026-12-01.json"),
];

/// Proton's model and Protium's own. Shapes that have one name in both are told apart by the model.
pub(super) struct Model(Vec<Value>);

/// A member of a structure.
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) required: bool,
    pub(super) shape: Shape<'a>,
}

/// A shape of one of the models.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    model: &'a Value,
    pub(super) name: &'a str,
}

/// An operation of one of the models.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    model: &'a Value,
    pub(super) name: &'a str,
}

impl Model {
    pub(super) fn read() -> Self {
        Self(MODELS.iter().map(|text| serde_json::from_str(text).expect("the model is JSON")).collect())
    }

    /// Every operation, those of Proton first.
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.0.iter().flat_map(|model| {
            let names = model["operations"].as_object().expect("operations").keys();
            names.map(move |name| Operation { model, name })
        })
    }

    /// The names of Proton's operations.
    pub(super) fn of_proton(&self) -> BTreeSet<&str> {
        self.0[0]["operations"].as_object().expect("operations").keys().map(String::as_str).collect()
    }

    pub(super) fn operation(&self, name: &str) -> Operation<'_> {
        self.operations().find(|known| known.name == name).unwrap_or_else(|| panic!("no operation is called {name}"))
    }
}

impl<'a> Operation<'a> {
    fn about(self) -> &'a Value {
        &self.model["operations"][self.name]
    }

    pub(super) fn input(self) -> Shape<'a> {
        Shape { model: self.model, name: text(&self.about()["input"]["shape"]) }
    }

    /// The codes that a caller may be answered: those that are declared, without the server's own faults.
    pub(super) fn errors(self) -> BTreeSet<&'a str> {
        let declared = self.about()["errors"].as_array().expect("errors").iter().map(|error| text(&error["shape"]));
        declared.filter(|code| !["InternalServerException", "ThrottlingException"].contains(code)).collect()
    }

    /// Whether it only reads, which its name tells.
    pub(super) fn only_reads(self) -> bool {
        ["Get", "List", "Simulate"].iter().any(|verb| self.name.starts_with(verb))
    }

    /// The members of the input and those in them, as `tags.key`.
    pub(super) fn paths(self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        self.input().paths("", &mut paths);
        paths
    }
}

impl<'a> Shape<'a> {
    fn about(self) -> &'a Value {
        &self.model["shapes"][self.name]
    }

    pub(super) fn kind(self) -> &'a str {
        text(&self.about()["type"])
    }

    pub(super) fn min(self) -> Option<i64> {
        self.about()["min"].as_i64()
    }

    pub(super) fn max(self) -> Option<i64> {
        self.about()["max"].as_i64()
    }

    pub(super) fn has_pattern(self) -> bool {
        self.about()["pattern"].is_string()
    }

    pub(super) fn is_union(self) -> bool {
        self.about()["union"] == true
    }

    /// The values of an enumeration; none for any other text.
    pub(super) fn values(self) -> Vec<&'a str> {
        self.about()["enum"].as_array().into_iter().flatten().map(text).collect()
    }

    /// What a list holds.
    pub(super) fn element(self) -> Shape<'a> {
        Shape { model: self.model, name: text(&self.about()["member"]["shape"]) }
    }

    pub(super) fn members(self) -> Vec<Member<'a>> {
        let required: Vec<&str> = self.about()["required"].as_array().into_iter().flatten().map(text).collect();
        let members = self.about()["members"].as_object().expect("a structure").iter();
        members
            .map(|(name, about)| Member {
                name,
                required: required.contains(&name.as_str()),
                shape: Shape { model: self.model, name: text(&about["shape"]) },
            })
            .collect()
    }

    fn paths(self, before: &str, into: &mut BTreeSet<String>) {
        match self.kind() {
            "structure" => {
                for member in self.members() {
                    let path = join(before, member.name);
                    member.shape.paths(&path, into);
                    into.insert(path);
                }
            }
            "list" => self.element().paths(before, into),
            _ => {}
        }
    }
}

/// The members that a body has and those in them, as `tags.key`; a null is none.
pub(super) fn paths_of(body: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, before: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    let path = join(before, name);
                    walk(value, &path, into);
                    into.insert(path);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| walk(element, before, into)),
            _ => {}
        }
    }
    let mut paths = BTreeSet::new();
    walk(body, "", &mut paths);
    paths
}

fn join(before: &str, name: &str) -> String {
    if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
