//! What rendering refuses and how it says so; what it prints is compared with Jinja2 in
//! `tests/jinja.rs`.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn namespace() -> serde_json::Value {
    json!({
        "environment": {"name": "dev", "outputs": {"VpcId": "vpc-1"}},
        "service_instance": {"name": "i", "inputs": {"port": 80, "desired_count": 1}},
        "service_instances": [{"name": "i", "outputs": {"Url": "u"}}],
    })
}

fn rendered(source: &str) -> Result<String, RenderError> {
    render("cloudformation.yaml", source, &namespace(), RenderLimits::default())
}

#[test]
fn an_undefined_name_is_reported_with_its_place_and_the_names_that_exist() {
    let error = rendered("a: 1\nb: {{ service_instance.inputs.prot }}\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cloudformation.yaml:2:7: in `service_instance.inputs.prot`: `service_instance.inputs.prot` is undefined — \
         `service_instance.inputs` has: port, desired_count"
    );
    for (source, hint) in [
        (
            "{{ service_instance.inputs.ports }}",
            "`service_instance.inputs` has: port, desired_count; did you mean `port`?",
        ),
        (
            "{{ enviroment.name }}",
            "the template has: environment, service_instance, service_instances; did you mean `environment`?",
        ),
        ("{{ service_instances[0].outputs.Uri }}", "`service_instances.0.outputs` has: Url; did you mean `Url`?"),
        (
            "{{ service_instance['inputs']['desiredcount'] }}",
            "`service_instance.inputs` has: port, desired_count; did you mean `desired_count`?",
        ),
        (
            "{% for s in service_instances %}{{ s.outputs.Uri }}{% endfor %}",
            "`s.outputs` has: Url; did you mean `Url`?",
        ),
        ("{% if environment.outputs.X %}{% endif %}", "`environment.outputs` has: VpcId"),
        ("{% for x in environment.outputs.X %}{% endfor %}", "`environment.outputs` has: VpcId"),
        ("{{ environment.outputs.Vpc.Id }}", "`environment.outputs` has: VpcId"),
        ("{{ environment.outputs.X|upper }}", "`environment.outputs` has: VpcId"),
        ("{{ environment.outputs.X|int }}", "`environment.outputs` has: VpcId"),
        ("{{ environment.outputs.X|proton_cfn_sanitize }}", "`environment.outputs` has: VpcId"),
        ("{{ {'a': 1}[service_instances[0].outputs.X] | tojson }}", "`service_instances.0.outputs` has: Url"),
    ] {
        let error = rendered(source).unwrap_err();
        assert!(error.message.contains("is undefined"), "{source}: {error}");
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{source}: {error}");
        assert_eq!(error.line, Some(1), "{source}");
    }
}

#[test]
fn missing_names_can_be_tested_and_defaulted() {
    assert_eq!(
        rendered("{{ environment.outputs.X|default('d') }}{{ environment.outputs.X is defined }}").unwrap(),
        "dFalse"
    );
}

#[test]
fn syntax_errors_name_line_and_column() {
    let error = rendered("a: 1\nb: {% if %}\n").unwrap_err();
    assert_eq!((error.line, error.column.is_some()), (Some(2), true), "{error}");
    let error = rendered("{% for x in environment %}\n").unwrap_err();
    assert!(error.message.contains("syntax error"), "{error}");
    let error = rendered("a\n{{ x|uper }}").unwrap_err();
    assert_eq!((error.line, error.hint.as_deref()), (Some(2), Some("did you mean the filter `upper`?")), "{error}");
}

#[test]
fn templates_stand_alone() {
    let error = rendered("{% include 'other.yaml' %}").unwrap_err();
    assert!(error.to_string().contains("a template is one file"), "{error}");
}

#[test]
fn names_in_yaml_are_not_escaped() {
    let text = render("t.yaml", "{{ v }}", &json!({"v": "a\"b<c"}), RenderLimits::default()).unwrap();
    assert_eq!(text, "a\"b<c");
}

#[test]
fn line_breaks_are_normalised() {
    assert_eq!(rendered("a\r\n{{ 1 }}\r\nb\rc\r\n").unwrap(), "a\n1\nb\nc");
}

#[test]
fn endless_templates_run_out_of_steps() {
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(n) %}{% for i in range(9) %}{{ m(n) }}{% endfor %}{% endmacro %}{{ m(1) }}",
    ] {
        let error = rendered(source).unwrap_err();
        assert!(error.message.contains("steps") || error.message.contains("recursion"), "{error}");
    }
}

#[test]
fn output_is_bounded() {
    for source in [
        "{% for a in range(90000) %}0123456789012345678901234567890123456789012345678901234567890123456789{% endfor %}",
        "{% for a in range(500) %}{{ 'x' * 100000 }}{% endfor %}",
    ] {
        let error = rendered(source).unwrap_err();
        assert!(error.message.contains("larger than 4 MB"), "{error}");
    }
}

#[test]
fn filters_and_methods_refuse_to_blow_up() {
    for source in [
        "{{ 'x'|center(900000000) }}",
        "{{ 'x'.ljust(900000000) }}",
        "{{ 'x'.zfill(900000000) }}",
        "{{ ('x' * 1000000)|replace('x', 'y' * 1000000) }}",
        "{{ ('x' * 1000000).replace('', 'y' * 1000000) }}",
        "{{ 'x'|indent(900000000) }}",
        "{{ '%900000000d'|format(1) }}",
        "{{ '%*d'|format(900000000, 1) }}",
        "{{ '{:900000000d}'.format(1) }}",
    ] {
        let error = rendered(source).unwrap_err();
        assert!(error.message.contains("too large") || error.message.contains("larger than"), "{source}: {error}");
    }
}

#[test]
fn values_cannot_grow_without_bound() {
    let double = "{% set x = x ~ x %}".repeat(40);
    let nested = "{% set a = [a, a, a, a, a, a, a, a] %}".repeat(40);
    let raw = "0123456789".repeat(10_000);
    for source in [
        format!("{{% set x = 'x' %}}{double}"),
        format!("{{% set x = 'x' %}}{}", double.replace(" ~ ", " + ")),
        format!("{{% set x = [1] %}}{}{{{{ x|length }}}}", double.replace(" ~ ", " + ")),
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}".to_owned(),
        "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('x') }}".to_owned(),
        "{% set x = 'x' * 100000000 %}".to_owned(),
        "{% set x = [0] * 100000000 %}".to_owned(),
        "{% set ns = namespace(s=[]) %}{% for i in range(90000) %}{% set ns.s = [ns.s, range(90000)|list] %}{% endfor %}".to_owned(),
        "{% set ns = namespace(s=[]) %}{% for i in range(90000) %}{% set ns.s = [ns.s, 'x'.center(4000000)] %}{% endfor %}".to_owned(),
        format!("{{% set x %}}{{% for i in range(90000) %}}{raw}{{% endfor %}}{{% endset %}}"),
        "{% set x %}{% for i in range(90000) %}{{ 'x' * 100000 }}{% endfor %}{% endset %}".to_owned(),
        format!("{{% set a = 1 %}}{nested}{{{{ a }}}}"),
        format!("{{% set a = 1 %}}{nested}{{{{ a|tojson }}}}"),
        format!("{{% set a = 1 %}}{nested}{{{{ a ~ '' }}}}"),
        format!("{{% set a = 1 %}}{nested}{{{{ a|join }}}}"),
    ] {
        let error = rendered(&source).unwrap_err();
        let refused = ["larger than", "recursion limit", "steps"].iter().any(|bound| error.message.contains(bound));
        assert!(refused, "{}: {error}", source.get(..80).unwrap_or_default());
    }
}

#[test]
fn deep_or_long_expressions_do_not_exhaust_the_stack() {
    for source in [
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(50_000), "]".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "- ".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " ** 1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " is even 1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(50_000)),
        format!("{{{{ 'a'{} }}}}", " ~ 'a'".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", "|string".repeat(50_000)),
        "{% if true %}".repeat(50_000),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(50_000)),
    ] {
        assert!(rendered(&source).is_err(), "{}", source.get(..40).unwrap_or_default());
    }
}

#[test]
fn ordinary_long_expressions_render() {
    for (operator, count, result) in
        [(" + 1", 249, "250"), (" - 1", 249, "-248"), (" * 1", 249, "1"), (" - 1 + 1", 120, "1")]
    {
        assert_eq!(rendered(&format!("{{{{ 1{} }}}}", operator.repeat(count))).unwrap(), result);
    }
    assert_eq!(rendered(&format!("{{{{ [{}]|length }}}}", "'x', ".repeat(3000))).unwrap(), "3000");
    let elifs = format!("{{% if 1 > 2 %}}{}{{% else %}}e{{% endif %}}", "{% elif 1 > 2 %}".repeat(190));
    assert_eq!(rendered(&elifs).unwrap(), "e");
}

#[test]
fn values_that_are_nested_step_by_step_do_not_exhaust_the_stack() {
    for step in [
        "{% set ns.s = [ns.s] %}",
        "{% set ns.s = {'k': ns.s} %}",
        "{% set ns.s = (ns.s,) %}",
        "{% set ns.s = ns.s, 1 %}",
        "{% set ns.s = ns.s[:] %}",
        "{% set ns.s = [ns.s[:]] %}",
        "{% set ns.s = cycler(ns.s) %}",
        "{% set ns.s = loop %}",
        "{% set ns.s = ns.s|batch(1) %}",
        "{% set ns.s = ns.s|map('list') %}",
        "{% set ns.s = dict(k=ns.s) %}",
    ] {
        let source = format!("{{% set ns = namespace(s=[1]) %}}{{% for i in range(100000) %}}{step}{{% endfor %}}");
        let _ = rendered(&source);
        let _ = rendered(&format!("{source}{{{{ ns.s }}}}{{{{ ns.s == ns.s }}}}"));
    }
}

#[test]
fn columns_are_those_of_the_author() {
    let error = rendered("{{ 1 + 2 + service_instance.inputs.prot }} {{ 'a' ~ environment.x }}").unwrap_err();
    assert_eq!(
        (error.column, error.message.as_str()),
        (Some(4), "`service_instance.inputs.prot` is undefined"),
        "{error}"
    );
    let error = rendered("{{ 1 + 2 * 3 ~ 'a' + 'b' }} {{ missing }}").unwrap_err();
    assert_eq!(error.message, "+ does not work between a number and a string", "{error}");
    let error = rendered("{{ 1 + 2 }} {{ 'é' * 3 }} {{ missing }}").unwrap_err();
    assert_eq!(error.column, Some(30), "{error}");
}

#[test]
fn a_compiled_template_renders_again_and_again() {
    let template = Template::compile("t", "{{ environment.name }}", RenderLimits::default()).unwrap();
    let json = namespace();
    let namespace = Namespace::new(&json);
    for _ in 0..3 {
        assert_eq!(template.render(&namespace).unwrap(), "dev");
    }
}

proptest! {
    #[test]
    fn any_text_renders_or_fails_without_a_panic(source in "(\\{\\{|\\}\\}|\\{%|%\\}|[a-z.|()'\\[\\] \n-]|for|in|if|endif|endfor|environment|loop|1|~){0,30}") {
        let limits = RenderLimits { fuel: 10_000, output_bytes: 100_000 };
        if let Ok(text) = render("t", &source, &namespace(), limits) {
            prop_assert!(text.len() <= limits.output_bytes);
        }
    }
}
