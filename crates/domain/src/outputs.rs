//! Outputs: what engines make, what callers notify, and how the two come together.

use serde_json::{Map, Value};

/// Outputs by name. Engines make JSON values; what is notified are strings.
pub type Outputs = Map<String, Value>;

/// Those of the notified outputs `given` that no engine made. `shown` are all outputs before, `only` those
/// of them that were only ever notified.
pub fn only_notified(given: &Outputs, shown: &Outputs, only: &Outputs) -> Outputs {
    let made = |name: &str| shown.contains_key(name) && !only.contains_key(name);
    given.iter().filter(|(name, _)| !made(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The outputs after an engine ended and made `made`, and those of them that are still only notified:
/// what it made takes the place of what has the same name, what was only notified stays.
pub fn after_engine(made: Outputs, only: Outputs) -> (Outputs, Outputs) {
    let still: Outputs = only.into_iter().filter(|(name, _)| !made.contains_key(name)).collect();
    let mut all = made;
    all.extend(still.clone());
    (all, still)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(text: &str) -> Outputs {
        text.split_whitespace().filter_map(|one| one.split_once('=')).map(|(k, v)| (k.to_owned(), v.into())).collect()
    }

    /// Whatever the order.
    fn sorted(outputs: &Outputs) -> String {
        let mut all: Vec<String> =
            outputs.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("?"))).collect();
        all.sort();
        all.join(" ")
    }

    #[test]
    fn what_an_engine_made_does_not_become_the_callers_by_being_sent_back() {
        for (given, shown, only, expected) in [
            ("", "a=1", "", ""),
            ("x=1", "", "", "x=1"),
            ("a=1 x=1", "a=1", "", "x=1"),
            ("a=2", "a=1", "", ""),
            ("a=1 x=2", "a=1 x=1", "x=1", "x=2"),
            ("x=1", "a=1 x=1 y=1", "x=1 y=1", "x=1"),
        ] {
            let found = only_notified(&outputs(given), &outputs(shown), &outputs(only));
            assert_eq!(sorted(&found), expected, "{given} | {shown} | {only}");
        }
    }

    #[test]
    fn an_engines_outputs_win_and_those_only_notified_stay() {
        for (made, only, all, still) in [
            ("a=1", "", "a=1", ""),
            ("", "x=1", "x=1", "x=1"),
            ("a=1", "x=1", "a=1 x=1", "x=1"),
            ("a=1 x=2", "x=1 y=1", "a=1 x=2 y=1", "y=1"),
        ] {
            let found = after_engine(outputs(made), outputs(only));
            assert_eq!((sorted(&found.0).as_str(), sorted(&found.1).as_str()), (all, still), "{made} | {only}");
        }
    }
}
