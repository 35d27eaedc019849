//! The table of actions has a row for each operation, and none besides.

use protium_api::Operation;
use protium_domain::iam::actions;

/// As policies name the action of an operation: Proton's under `proton`, our own under `protium`.
fn action(operation: Operation) -> String {
    let service = if operation.target().starts_with("AwsProton") { "proton" } else { "protium" };
    format!("{service}:{}", operation.name())
}

#[test]
fn every_operation_is_an_action_and_every_action_an_operation() {
    let mut operations: Vec<String> = Operation::ALL.iter().copied().map(action).collect();
    operations.sort();
    let actions: Vec<&str> = actions::all().iter().map(|action| action.name).collect();
    assert_eq!(actions, operations, "each operation needs a row in crates/domain/src/iam/actions/table.rs");
}

/// What changes nothing is a read or a list there, too.
#[test]
fn the_access_of_an_action_is_what_its_operation_does() {
    for operation in Operation::ALL.iter().copied() {
        let action = actions::find(&action(operation)).expect("a row");
        let writes = matches!(action.access, actions::Access::Write | actions::Access::Tagging);
        assert_eq!(writes, operation.is_mutation(), "{}", action.name);
    }
}
