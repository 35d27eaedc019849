//! The process that a manifest of commands declares to stay: what it must say, and the rules for it once it is
//! rendered.

use super::codebuild::Reader;
use crate::bundle::problem::Problem;
use crate::bundle::yaml::{Node, excerpt};

/// A process that is started when the commands have provisioned, and stays. All of it is Jinja text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSettings {
    /// What a shell runs.
    pub command: String,
    /// Where it listens, on the machine that it runs on: 1 to 65535, once it is rendered.
    pub port: String,
    /// What is asked to see whether it answers; begins with `/` once it is rendered.
    pub ready_path: String,
}

/// What there is to set about it.
pub(super) const KEYS: [&str; 3] = ["command", "port", "ready_path"];

/// The longest path that is asked for, in bytes.
const LONGEST_PATH: usize = 2048;

/// Reads `settings.service`.
pub(super) fn settings(reader: &mut Reader<'_>, node: Option<&Node>) -> Option<ProcessSettings> {
    let node = node.filter(|node| !node.is_null())?;
    if !node.is_mapping() {
        reader.wrong(node, "service", "a mapping with `command` and `port`");
        return None;
    }
    let mut required = |key: &str, remedy: &str| {
        let value = node.get(key);
        if value.is_none_or(Node::is_null) {
            let message = format!("`service.{key}` is missing");
            reader.problems.push(Problem::new(reader.file, message, remedy).at(node.line));
        }
        reader.text(value, &format!("service.{key}"))
    };
    let command = required("command", "give the command that stays, as text");
    let port = required("port", "give the port that it listens on, 1 to 65535");
    let path = reader.text(node.get("ready_path"), "service.ready_path").unwrap_or_else(|| "/".to_owned());
    let mut check = |key: &str, wrong: Option<String>| {
        if let Some(message) = wrong {
            let line = node.get(key).map_or(node.line, |value| value.line);
            reader.problems.push(Problem::new(reader.file, message, "correct it").at(line));
        }
    };
    // What is still to be rendered is checked then.
    let literal = |text: &&String| !text.contains("{{") && !text.contains("{%") && !text.contains("{#");
    check("command", command.as_ref().and_then(|command| command_problem(command)));
    check("port", port.as_ref().filter(literal).and_then(|text| parse_port(text).err()));
    check("ready_path", Some(&path).filter(literal).and_then(|text| check_path(text).err()));
    Some(ProcessSettings { command: command?, port: port?, ready_path: path })
}

fn command_problem(command: &str) -> Option<String> {
    command.trim().is_empty().then(|| "`service.command` is empty, not a command".to_owned())
}

/// The port that a rendered text names.
///
/// # Errors
/// What it must be.
pub(crate) fn parse_port(text: &str) -> Result<u16, String> {
    let port = text.trim().parse().ok().filter(|&port: &u16| port > 0);
    port.ok_or_else(|| format!("`service.port` is `{}`, not a number from 1 to 65535", excerpt(text)))
}

/// Looks whether a rendered path can be asked for.
///
/// # Errors
/// What it must be.
pub(crate) fn check_path(text: &str) -> Result<(), String> {
    let plain = text.starts_with('/') && text.len() <= LONGEST_PATH && text.bytes().all(|byte| byte.is_ascii_graphic());
    match plain {
        true => Ok(()),
        false => Err(format!(
            "`service.ready_path` is `{}`, not a path that begins with `/` and has neither blanks nor other letters \
             than those of ASCII",
            excerpt(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::{Infrastructure, Manifest};
    use crate::bundle::problem::summary;

    fn parse(service: &str) -> Result<Option<ProcessSettings>, String> {
        let text = format!(
            "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        provision: [make]\n{service}"
        );
        match Manifest::parse("m", &text).map_err(|problems| summary(&problems))?.infrastructure {
            Infrastructure::CodeBuild(settings) => Ok(settings.process),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_process_is_read_and_its_path_may_be_left_out() {
        assert_eq!(parse("").unwrap(), None);
        let service = parse("        service: {command: serve, port: 8080}\n").unwrap().unwrap();
        assert_eq!(
            (service.command.as_str(), service.port.as_str(), service.ready_path.as_str()),
            ("serve", "8080", "/")
        );
        let service = parse(concat!(
            "        service:\n          command: serve --port \"$PORT\"\n",
            "          port: \"{{ service_instance.inputs.port }}\"\n          ready_path: /health?full=1\n",
        ));
        let service = service.unwrap().unwrap();
        assert_eq!(service.port, "{{ service_instance.inputs.port }}");
        assert_eq!(service.ready_path, "/health?full=1");
    }

    #[test]
    fn mistakes_name_the_field_the_value_and_what_would_be_right() {
        for (service, expected) in [
            ("service: serve", "m:6: `service` is `serve`, not a mapping with `command` and `port`"),
            ("service: {port: 1}", "m:6: `service.command` is missing — give the command"),
            ("service: {command: [x], port: 1}", "m:6: `service.command` is a list, not text"),
            ("service: {command: ' ', port: 1}", "m:6: `service.command` is empty"),
            ("service: {command: x}", "m:6: `service.port` is missing — give the port that it listens on, 1 to 65535"),
            ("service: {command: x, port: 0}", "m:6: `service.port` is `0`, not a number from 1 to 65535"),
            ("service: {command: x, port: 65536}", "m:6: `service.port` is `65536`"),
            ("service: {command: x, port: http}", "m:6: `service.port` is `http`"),
            ("service: {command: x, port: 1, ready_path: up}", "m:6: `service.ready_path` is `up`, not a path"),
            ("service: {command: x, port: 1, ready_path: '/a b'}", "m:6: `service.ready_path` is `/a b`"),
        ] {
            let error = parse(&format!("        {service}\n")).unwrap_err();
            assert!(error.starts_with(expected), "{service}: {error}");
        }
    }

    #[test]
    fn ports_and_paths_are_checked_as_they_are_rendered() {
        assert_eq!((parse_port(" 1\n"), parse_port("65535")), (Ok(1), Ok(65535)));
        for port in ["", "-1", "0", "65536", "80.0", "x"] {
            assert!(parse_port(port).unwrap_err().contains("1 to 65535"), "{port}");
        }
        assert!(check_path("/").is_ok() && check_path("/a/b?c=%20").is_ok());
        for path in ["", "a", "/a\r\nHost: x", "/ü", &format!("/{}", "a".repeat(LONGEST_PATH))] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }
}
