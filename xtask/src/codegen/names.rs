//! How names of the models become names of Rust, and that serde finds the way back.

use anyhow::{Result, bail};

/// `templateMajorVersion` and `GetService` as `template_major_version` and `get_service`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// `IN_PROGRESS` and `deploymentStatus` as `InProgress` and `DeploymentStatus`.
pub(crate) fn pascal(name: &str) -> String {
    let shouted = !name.contains(|c: char| c.is_ascii_lowercase());
    let mut pascal = String::new();
    for word in name.split(['_', '-', '.', ' ']) {
        let mut letters = word.chars();
        pascal.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        pascal.extend(letters.map(|c| if shouted { c.to_ascii_lowercase() } else { c }));
    }
    pascal
}

/// `GetServiceInput` as `GET_SERVICE_INPUT`.
pub(crate) fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// The field that holds a member, raw if it is a keyword. Fails where `camelCase` of serde would
/// not give the member's name again.
pub(crate) fn field(member: &str) -> Result<String> {
    let snake = snake(member);
    if camel(&snake) != member {
        bail!("member {member:?} does not survive camelCase -> snake_case -> camelCase");
    }
    Ok(match snake.as_str() {
        "type" | "match" | "ref" | "mod" | "use" | "for" | "in" | "where" | "loop" | "move" => format!("r#{snake}"),
        _ => snake,
    })
}

fn camel(snake: &str) -> String {
    let mut camel = String::new();
    let mut upper = false;
    for c in snake.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields() {
        assert_eq!(field("templateMajorVersion").unwrap(), "template_major_version");
        assert_eq!(field("type").unwrap(), "r#type");
        assert_eq!(field("s3").unwrap(), "s3");
        assert!(field("AWSThing").is_err());
    }

    #[test]
    fn values_and_shapes_become_variants_and_constants() {
        assert_eq!(pascal("IN_PROGRESS"), "InProgress");
        assert_eq!(pascal("lastDeploymentAttemptedAt"), "LastDeploymentAttemptedAt");
        assert_eq!(constant("GetServiceInput"), "GET_SERVICE_INPUT");
        assert_eq!(constant("SHA"), "S_H_A");
    }
}
