//! Names of resources, and the names of physical things derived from them.

/// How many characters of a resource's name a stack name keeps (observed on the live service).
const STACK_NAME_PART: usize = 15;

/// Whether `text` is a legal name of a resource (model shape `ResourceName`): 1 to 100 letters,
/// digits, `_` and `-`, starting with a letter or a digit.
pub fn is_resource_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The name of a CloudFormation stack: `AWSProton-{part}-…-cloudformation--{15 capital letters}`.
///
/// `parts` are the names of the resource (environment; service and instance; service), each cut
/// to 15 characters. The prefix is what users' role policies are scoped to. `random` is drawn once
/// per resource and the result saved before the first call. Underscores, which CloudFormation
/// refuses in stack names, become dashes.
pub fn stack_name(parts: &[&str], random: [u8; 15]) -> String {
    let mut name = String::from("AWSProton");
    for part in parts {
        name.push('-');
        name.extend(part.chars().take(STACK_NAME_PART).map(|c| if c == '_' { '-' } else { c }));
    }
    name.push_str("-cloudformation--");
    name.extend(random.iter().map(|byte| char::from(b'A' + byte % 26)));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_models_pattern() {
        for good in ["a", "A-b_c", "9", &"x".repeat(100)] {
            assert!(is_resource_name(good), "{good}");
        }
        for bad in ["", "-a", "_a", "a b", "ä", &"x".repeat(101)] {
            assert!(!is_resource_name(bad), "{bad}");
        }
    }

    #[test]
    fn stack_names_cut_each_part_and_end_in_fifteen_capitals() {
        assert_eq!(
            stack_name(&["fargate-env-production"], [0; 15]),
            "AWSProton-fargate-env-pro-cloudformation--AAAAAAAAAAAAAAA"
        );
        assert_eq!(stack_name(&["svc_a", "dev"], [27; 15]), "AWSProton-svc-a-dev-cloudformation--BBBBBBBBBBBBBBB");
    }
}
