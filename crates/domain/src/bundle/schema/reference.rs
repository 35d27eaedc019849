//! Local references between types: resolved once, so that nothing after needs to follow them.

use serde_json::{Map, Value};

/// Schema objects of one type with its references written out.
const MAX_OBJECTS: usize = 5_000;
/// Schema objects inside schema objects.
const MAX_DEPTH: usize = 60;

/// Patterns in one type: each costs memory to compile.
const MAX_PATTERNS: usize = 200;

/// Why a reference cannot be resolved; `pointer` is where, within the type.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// The name of the type that a `$ref` refers to.
pub(super) fn name(reference: &str) -> Option<&str> {
    const PREFIXES: [&str; 4] = ["#/schema/types/", "#/types/", "#/components/schemas/", "#/definitions/"];
    PREFIXES.iter().find_map(|prefix| reference.strip_prefix(prefix))
}

/// `schema` with every `$ref` replaced by the type it names. Keywords beside a `$ref` win.
///
/// # Errors
/// A reference to anything but a type of this schema, a type that contains itself, or types that
/// grow beyond the bounds when written out.
pub(super) fn resolve(schema: &Value, types: &Value) -> Result<Value, Unresolved> {
    let mut resolver = Resolver { types, path: Vec::new(), within: Vec::new(), objects: 0, patterns: 0 };
    resolver.resolve(schema)
}

struct Resolver<'a> {
    types: &'a Value,
    path: Vec<String>,
    within: Vec<String>,
    objects: usize,
    patterns: usize,
}

impl Resolver<'_> {
    fn resolve(&mut self, schema: &Value) -> Result<Value, Unresolved> {
        match schema {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.below(&index.to_string(), item))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Object(object) => {
                self.objects += 1;
                if self.objects > MAX_OBJECTS || self.path.len() > 2 * MAX_DEPTH {
                    return Err(
                        self.error("the types are too large with their references written out", "make them smaller")
                    );
                }
                self.patterns += usize::from(object.get("pattern").is_some_and(Value::is_string));
                if self.patterns > MAX_PATTERNS {
                    return Err(self.error(&format!("the type has more than {MAX_PATTERNS} patterns"), "use fewer"));
                }
                match object.get("$ref").and_then(Value::as_str) {
                    Some(reference) => self.referenced(reference, object),
                    None => self.object(object),
                }
            }
            scalar => Ok(scalar.clone()),
        }
    }

    fn below(&mut self, part: &str, schema: &Value) -> Result<Value, Unresolved> {
        self.path.push(part.to_owned());
        let resolved = self.resolve(schema)?;
        self.path.pop();
        Ok(resolved)
    }

    fn object(&mut self, object: &Map<String, Value>) -> Result<Value, Unresolved> {
        let mut out = Map::new();
        for (key, value) in object {
            // What these hold is data, not schemas.
            let data = matches!(key.as_str(), "default" | "enum" | "example" | "examples");
            let value = if data { value.clone() } else { self.below(key, value)? };
            out.insert(key.clone(), value);
        }
        Ok(Value::Object(out))
    }

    fn referenced(&mut self, reference: &str, object: &Map<String, Value>) -> Result<Value, Unresolved> {
        let Some((name, target)) = name(reference).and_then(|name| Some((name, self.types.get(name)?))) else {
            return Err(self.error(
                &format!("the reference `{reference}` names no type of this schema"),
                "refer to a type as `#/schema/types/<Name>`",
            ));
        };
        if self.within.iter().any(|outer| outer == name) {
            return Err(self.error(&format!("the type `{name}` contains itself"), "remove the circle of references"));
        }
        self.within.push(name.to_owned());
        let mut resolved = self.resolve(target)?;
        self.within.pop();
        if let Value::Object(resolved) = &mut resolved {
            for (key, value) in object.iter().filter(|(key, _)| *key != "$ref") {
                resolved.insert(key.clone(), value.clone());
            }
        }
        Ok(resolved)
    }

    fn error(&self, message: &str, remedy: &str) -> Unresolved {
        Unresolved { pointer: self.path.join("/"), message: message.to_owned(), remedy: remedy.to_owned() }
    }
}
