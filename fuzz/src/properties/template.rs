//! Templates: a source; after a line of `=====` what it sees, as YAML.
//!
//! A rendering ends within its limits, comes out the same each time, and fails with a place in the source.

use protium_domain::bundle::render::namespace::{EnvironmentView, ServiceView, service_instance};
use protium_domain::bundle::render::{Namespace, RenderError, RenderLimits, Template};
use protium_domain::bundle::yaml;
use serde_json::{Value, json};

use super::{check_place, texts};

/// Small ones, so that they are reached.
const LIMITS: RenderLimits = RenderLimits { fuel: 20_000, output_bytes: 64 * 1024 };
const FILE: &str = "cloudformation.yaml";

/// Compiled once, rendered twice.
pub fn check(input: &[u8]) {
    let texts = texts(input);
    let source = &texts[0];
    let given = texts.get(1).and_then(|text| yaml::parse(text).and_then(|root| root.to_value()).ok());
    let values = given.filter(Value::is_object).unwrap_or_else(instance);
    let namespace = Namespace::new(&values);
    let template = match Template::compile(FILE, source, LIMITS) {
        Ok(template) => template,
        Err(error) => return failed(&error, source),
    };
    let rendered = template.render(&namespace);
    assert_eq!(rendered, template.render(&namespace), "twice");
    match &rendered {
        Ok(text) => assert!(text.len() <= LIMITS.output_bytes, "{} bytes", text.len()),
        Err(error) => failed(error, source),
    }
    if !source.contains('{') && source.len() < LIMITS.output_bytes {
        let text = source.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(rendered.as_deref(), Ok(text.strip_suffix('\n').unwrap_or(&text)));
    }
}

fn failed(error: &RenderError, source: &str) {
    assert_eq!(&*error.template, FILE);
    assert!(!error.message.is_empty(), "{error:?}");
    for unanswered in [RenderError::no_stack(FILE), RenderError::no_answer(FILE)] {
        assert_ne!(error, &unanswered);
    }
    check_place(error.line, error.column, source);
    let problem = error.clone().into_problem(FILE);
    assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
}

fn instance() -> Value {
    let service = ServiceView { name: "shop".to_owned(), ..ServiceView::default() };
    let environment = EnvironmentView {
        name: "dev".to_owned(),
        account_id: "000000000001".to_owned(),
        outputs: json!({ "VpcId": "vpc-1", "Zones": ["a", "b"], "Count": 3 }),
    };
    let inputs = json!({ "port": 80, "name": "web", "ratio": 0.5, "on": true, "none": null, "tags": { "a": "b" } });
    service_instance(&service, "one", &inputs, None, &environment)
}
