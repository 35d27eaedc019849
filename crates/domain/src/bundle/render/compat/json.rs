//! The `tojson` filter: Python's `json.dumps` with sorted keys, made safe for HTML.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, Value};

use super::arguments::Arguments;
use super::print::{float_text, text};
use super::size;

/// `tojson(indent=None)`
pub(super) fn tojson(value: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let mut args = Arguments::new(args)?;
    let indent = args.size("indent")?.map(|indent| indent.min(64));
    args.finish()?;
    let mut writer = Writer { out: String::new(), indent, sorted: true, html: true, depth: 0 };
    writer.value(value)?;
    Ok(Value::from_safe_string(writer.out))
}

/// JSON on one line, keys in their order.
pub(in crate::bundle::render) fn compact(value: &Value) -> Result<String, Error> {
    let mut writer = Writer { out: String::new(), indent: None, sorted: false, html: false, depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

/// Lists and mappings inside each other.
const MAX_DEPTH: usize = 200;

/// Whether a character that begins with the byte is written otherwise than it is.
const SPECIAL: [bool; 256] = special(false);
const SPECIAL_IN_HTML: [bool; 256] = special(true);

const fn special(html: bool) -> [bool; 256] {
    let mut table = [true; 256];
    let mut byte = b' ';
    while byte <= 0x7f {
        table[byte as usize] = match byte {
            b'"' | b'\\' => true,
            b'<' | b'>' | b'&' | b'\'' => html,
            _ => false,
        };
        byte += 1;
    }
    table
}

struct Writer {
    out: String,
    indent: Option<usize>,
    sorted: bool,
    /// Whether what HTML gives a meaning is escaped.
    html: bool,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        size::check(self.out.len())?;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        match value.kind() {
            ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => self.out.push_str(&value.to_string()),
            ValueKind::Number => self.number(f64::try_from(value.clone())?),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.collection('[', ']', items.len(), |writer, index| match items.get(index) {
                    Some(item) => writer.value(item),
                    None => Ok(()),
                })?;
            }
            ValueKind::Map => self.map(value)?,
            other => {
                let message = format!("a value of type {other} has no JSON form");
                return Err(Error::new(ErrorKind::BadSerialization, message));
            }
        }
        Ok(())
    }

    fn map(&mut self, value: &Value) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.sorted {
            // Numbers by size, texts by code point.
            keys.sort();
        }
        let mut entries: Vec<(String, Value)> = Vec::new();
        for key in keys {
            let name = match key.kind() {
                ValueKind::Bool => if key.is_true() { "true" } else { "false" }.to_owned(),
                ValueKind::None => "null".to_owned(),
                _ => text(&key),
            };
            entries.push((name, value.get_item(&key)?));
        }
        self.collection('{', '}', entries.len(), |writer, index| match entries.get(index) {
            Some((name, value)) => {
                writer.string(name);
                writer.out.push_str(": ");
                writer.value(value)
            }
            None => Ok(()),
        })
    }

    fn collection(
        &mut self,
        open: char,
        close: char,
        count: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        self.depth += 1;
        for index in 0..count {
            if index > 0 {
                self.out.push_str(if self.indent.is_some() { "," } else { ", " });
            }
            self.line();
            item(self, index)?;
        }
        self.depth -= 1;
        if count > 0 {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent * self.depth));
        }
    }

    fn number(&mut self, float: f64) {
        if float.is_finite() {
            self.out.push_str(&float_text(float));
        } else {
            self.out.push_str(if float.is_nan() {
                "NaN"
            } else if float > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            });
        }
    }

    /// ASCII only, as `json.dumps` writes by default.
    fn string(&mut self, text: &str) {
        self.out.reserve(text.len() + 2);
        self.out.push('"');
        let mut rest = text;
        let special = if self.html { &SPECIAL_IN_HTML } else { &SPECIAL };
        while let Some(plain) = rest.bytes().position(|byte| special[usize::from(byte)]) {
            let (before, after) = rest.split_at(plain);
            self.out.push_str(before);
            let mut after = after.chars();
            match after.next().unwrap_or_default() {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c => self.escaped(c),
            }
            rest = after.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn escaped(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            self.out.push_str(&format!("\\u{unit:04x}"));
        }
    }
}
