//! Policies that are read, once for all keys that they bear on.
//!
//! Does not know who holds them. What no key has any more is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use protium_domain::iam::{Attachment, IdentityPolicy, NamedPolicy, Problem};

use crate::sha256::sha256;

/// From so many on, those that nobody has any more are looked for.
const FIRST_SWEEP: usize = 64;

/// The policies that are in use, by a hash of what they say and are called.
#[derive(Debug, Default)]
pub struct Compiled {
    by_hash: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    policies: HashMap<[u8; 32], Weak<NamedPolicy>>,
    sweep_at: usize,
}

impl Compiled {
    /// The policy that `document` is, under `name`.
    ///
    /// # Errors
    /// All that is wrong with the document.
    pub fn get(&self, name: &str, document: &str, attachment: Attachment) -> Result<Arc<NamedPolicy>, Vec<Problem>> {
        // No name has U+0000.
        let hash = sha256(&[name.as_bytes(), b"\0", document.as_bytes()].concat());
        if let Some(known) = self.known().policies.get(&hash).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let policy = IdentityPolicy::parse(document, attachment)?;
        let policy = Arc::new(NamedPolicy { name: name.to_owned(), policy });
        let mut known = self.known();
        known.policies.insert(hash, Arc::downgrade(&policy));
        if known.policies.len() >= known.sweep_at.max(FIRST_SWEEP) {
            known.policies.retain(|_, policy| policy.strong_count() > 0);
            known.policies.shrink_to_fit();
            known.sweep_at = 2 * known.policies.len();
        }
        Ok(policy)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.by_hash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(action: &str) -> String {
        let statement = r#"{"Effect":"Allow","Action":"ACTION","Resource":"*"}"#.replace("ACTION", action);
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
    }

    #[test]
    fn the_same_policy_is_read_once_while_somebody_has_it() {
        let (compiled, text) = (Compiled::default(), document("proton:*"));
        let get = |name: &str, text: &str| compiled.get(name, text, Attachment::Managed).expect("a policy");
        let one = get("dev", &text);
        assert!(Arc::ptr_eq(&one, &get("dev", &text)));
        assert!(!Arc::ptr_eq(&one, &get("other", &text)));
        assert!(!Arc::ptr_eq(&one, &get("dev", &document("proton:Get*"))));
        assert!(compiled.get("dev", "{}", Attachment::Managed).is_err());
    }

    #[test]
    fn what_nobody_has_is_forgotten() {
        let compiled = Compiled::default();
        for number in 0..10 * FIRST_SWEEP {
            let text = document("proton:*");
            let kept = compiled.get(&number.to_string(), &text, Attachment::Managed).expect("a policy");
            assert_eq!(kept.name, number.to_string());
        }
        assert!(compiled.known().policies.len() <= FIRST_SWEEP);
    }
}
