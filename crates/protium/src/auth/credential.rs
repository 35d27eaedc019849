//! Access keys in memory.
//!
//! Owns the snapshot that every signature is checked against; the application fills it from the
//! store and replaces it when keys change. Does not read the store and does not encrypt.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use quick_cache::sync::Cache;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::compiled::Compiled;
use super::identity::Identity;
use super::last_use::{LastUse, Uses};
use super::sigv4::key::DerivedKeys;

/// How many sessions are kept; those that are used least are forgotten, and known again by their token.
const SESSIONS: usize = 4_096;

/// A secret text: wiped when dropped, never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. What is made of it must not reach a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One access key and whom it stands for.
pub struct Credential {
    /// The public half, `AKIA…`.
    pub access_key_id: String,
    /// The secret half.
    pub secret: Secret,
    /// The token that must come with a temporary key; a permanent key has none and must not
    /// come with one.
    pub session_token: Option<Secret>,
    /// When it ends, in milliseconds since 1970; a permanent key does not.
    pub expires_at_ms: Option<i64>,
    /// Tags that the sessions of other roles inherit, when it is used to assume them.
    pub inherited_tags: Vec<(String, String)>,
    /// Whom it stands for.
    pub identity: Arc<Identity>,
    /// The same for all that is known of this secret.
    pub(super) derived: Arc<DerivedKeys>,
    /// The same for all that is known of this key.
    pub(super) uses: Arc<Uses>,
}

impl Credential {
    /// A permanent key.
    pub fn new(access_key_id: impl Into<String>, secret: Secret, identity: Identity) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret,
            session_token: None,
            expires_at_ms: None,
            inherited_tags: Vec::new(),
            identity: Arc::new(identity),
            derived: Arc::default(),
            uses: Arc::default(),
        }
    }

    /// Takes over how the key was used, and what was derived from the same secret.
    fn known_as(self, known: &Self) -> Self {
        let uses = Arc::clone(&known.uses);
        let same = Self { uses, ..self };
        if same.secret.expose().as_bytes().ct_eq(known.secret.expose().as_bytes()).into() {
            Self { derived: Arc::clone(&known.derived), ..same }
        } else {
            same
        }
    }

    /// The same key, valid only together with `token`.
    pub fn with_session_token(mut self, token: Secret) -> Self {
        self.session_token = Some(token);
        self
    }

    /// The same key, valid until then (milliseconds since 1970).
    pub fn until(mut self, expires_at_ms: i64) -> Self {
        self.expires_at_ms = Some(expires_at_ms);
        self
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("secret", &self.secret)
            .field("principal", &self.identity.principal)
            .finish_non_exhaustive()
    }
}

/// All keys that may sign, by access key id. Shared by every request.
///
/// A key that the store has is believed for a while, and is then to be looked up again: another process may have
/// replaced it. Its times are those of a clock that nobody sets: belief does not last longer when a clock is set back.
#[derive(Debug)]
pub struct Keys {
    by_id: RwLock<HashMap<String, Known>>,
    sessions: Cache<String, Known>,
    /// How often something has changed here that keys stand for.
    changes: AtomicU64,
    compiled: Compiled,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            by_id: RwLock::default(),
            sessions: Cache::new(SESSIONS),
            changes: AtomicU64::new(0),
            compiled: Compiled::default(),
        }
    }
}

/// A moment in the life of [`Keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf(u64);

#[derive(Clone, Debug)]
struct Known {
    credential: Arc<Credential>,
    /// In milliseconds, on the clock of [`Keys`].
    until_ms: i64,
    /// The moment before it was looked up.
    as_of: AsOf,
}

impl Keys {
    /// The keys given; a later one of the same id wins.
    pub fn new(credentials: impl IntoIterator<Item = Credential>) -> Self {
        let keys = Self::default();
        keys.replace(credentials);
        keys
    }

    /// The key of that id, if it may sign.
    pub fn lookup(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let known = by_id.get(access_key_id).map(|known| Arc::clone(&known.credential));
        known.or_else(|| self.sessions.get(access_key_id).map(|known| known.credential))
    }

    /// Whether there is a session of that id that need not be looked up now (milliseconds).
    pub fn is_session_believed(&self, access_key_id: &str, now_ms: i64) -> bool {
        let known = self.sessions.get(access_key_id);
        known.is_some_and(|known| now_ms < known.until_ms && known.as_of == self.as_of())
    }

    /// Adds a session that is to be looked up again from `until_ms` on (milliseconds), or when something
    /// changed since `as_of` that it may depend on.
    pub fn believe_session(&self, credential: Credential, until_ms: i64, as_of: AsOf) {
        let id = credential.access_key_id.clone();
        let credential = match self.sessions.get(&id) {
            Some(known) => credential.known_as(&known.credential),
            None => credential,
        };
        self.sessions.insert(id, Known { credential: Arc::new(credential), until_ms, as_of });
    }

    /// Forgets a session.
    pub fn forget_session(&self, access_key_id: &str) {
        self.sessions.remove(access_key_id);
    }

    /// Whether there is a key of that id that need not be looked up now (milliseconds).
    pub fn is_believed(&self, access_key_id: &str, now_ms: i64) -> bool {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.get(access_key_id).is_some_and(|known| now_ms < known.until_ms)
    }

    /// Adds a key for good, or replaces the one of that id together with what was derived from it.
    pub fn insert(&self, credential: Credential) {
        self.put(credential, |_| i64::MAX);
    }

    /// What [`Self::believe`] is to be told: the moment before a key is looked up.
    pub fn as_of(&self) -> AsOf {
        AsOf(self.changes.load(Ordering::SeqCst))
    }

    /// Adds a key that the store had since `as_of`, to be looked up again from `until_ms` on (milliseconds),
    /// or at once if something has changed meanwhile. What was derived from it is kept if it is the same still.
    pub fn believe(&self, credential: Credential, until_ms: i64, as_of: AsOf) {
        self.put(credential, |keys| if keys.as_of() == as_of { until_ms } else { i64::MIN });
    }

    fn put(&self, credential: Credential, until_ms: impl FnOnce(&Self) -> i64) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let until_ms = until_ms(self);
        let id = credential.access_key_id.clone();
        let credential = match by_id.get(&id) {
            Some(known) => credential.known_as(&known.credential),
            None => credential,
        };
        by_id.insert(id, Known { credential: Arc::new(credential), until_ms, as_of: AsOf(0) });
    }

    /// To be called when something was stored that changes what keys may do: each one that the store has, and
    /// each session, is looked up again before it signs another request.
    pub fn doubt(&self) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        for known in by_id.values_mut().filter(|known| known.until_ms != i64::MAX) {
            known.until_ms = i64::MIN;
        }
    }

    /// The policies of those whom keys stand for.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The last uses of all keys, by their ids, that were not taken before.
    pub fn take_uses(&self) -> Vec<(String, LastUse)> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.iter().filter_map(|(id, known)| Some((id.clone(), known.credential.uses.take()?))).collect()
    }

    /// Forgets a key. Requests that were already let in go on.
    pub fn remove(&self, access_key_id: &str) {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).remove(access_key_id);
    }

    /// Replaces all keys at once.
    pub fn replace(&self, credentials: impl IntoIterator<Item = Credential>) {
        let fresh = |credential: Credential| {
            let id = credential.access_key_id.clone();
            (id, Known { credential: Arc::new(credential), until_ms: i64::MAX, as_of: AsOf(0) })
        };
        let fresh = credentials.into_iter().map(fresh).collect();
        self.sessions.clear();
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(id: &str) -> Credential {
        Credential::new(id, Secret::new("hunter2"), Identity::root("000000000000"))
    }

    #[test]
    fn printing_a_credential_does_not_print_its_secrets() {
        let printed = format!("{:?}", credential("AKID").with_session_token(Secret::new("token9")));
        assert!(printed.contains("AKID") && printed.contains("[redacted]"), "{printed}");
        assert!(!printed.contains("hunter2") && !printed.contains("token9"), "{printed}");
    }

    #[test]
    fn a_removed_or_replaced_key_is_not_found_again() {
        let keys = Keys::new([credential("A"), credential("B")]);
        keys.remove("A");
        assert!(keys.lookup("A").is_none());
        assert!(keys.lookup("B").is_some());
        keys.replace([credential("C")]);
        assert!(keys.lookup("B").is_none());
        keys.insert(credential("D"));
        assert!(keys.lookup("C").is_some() && keys.lookup("D").is_some());
    }

    #[test]
    fn a_key_is_believed_for_a_while_and_keeps_what_was_derived_from_it() {
        let keys = Keys::default();
        keys.believe(credential("A"), 10, keys.as_of());
        assert_eq!([9, 10].map(|now_ms| keys.is_believed("A", now_ms)), [true, false]);
        assert!(!keys.is_believed("B", 0));
        let known = keys.lookup("A").unwrap();
        keys.believe(credential("A"), 20, keys.as_of());
        let shares = |known: &Credential| Arc::ptr_eq(&known.derived, &keys.lookup("A").unwrap().derived);
        assert!(keys.is_believed("A", 19) && shares(&known));
        keys.believe(Credential { secret: Secret::new("other"), ..credential("A") }, 30, keys.as_of());
        assert!(keys.is_believed("A", 29) && !shares(&known));
        keys.insert(credential("A"));
        assert!(keys.is_believed("A", i64::MAX - 1));
    }

    #[test]
    fn what_has_changed_is_looked_up_again() {
        let keys = Keys::new([credential("given")]);
        keys.believe(credential("A"), 100, keys.as_of());
        let before = keys.as_of();
        keys.doubt();
        assert_eq!(["A", "given"].map(|id| keys.is_believed(id, 0)), [false, true]);
        assert!(keys.lookup("A").is_some());
        // Read before the change, and told after it.
        keys.believe(credential("A"), 100, before);
        assert!(!keys.is_believed("A", 0));
        keys.believe(credential("A"), 100, keys.as_of());
        assert!(keys.is_believed("A", 0));
    }

    #[test]
    fn the_uses_of_a_key_outlive_its_being_looked_up() {
        let keys = Keys::new([credential("A")]);
        keys.lookup("A").expect("a key").uses.note(7_000, "us-east-1", "s3");
        keys.believe(Credential { secret: Secret::new("other"), ..credential("A") }, 30, keys.as_of());
        assert_eq!(
            keys.take_uses(),
            [("A".to_owned(), LastUse { at: 7_000, region: "us-east-1".into(), service: "s3" })]
        );
        assert_eq!(keys.take_uses(), []);
    }

    #[test]
    fn a_session_is_believed_for_a_while_and_until_something_changes() {
        let keys = Keys::default();
        let session = || credential("ASIA").with_session_token(Secret::new("token")).until(100);
        assert!(!keys.is_session_believed("ASIA", 0));
        keys.believe_session(session(), 10, keys.as_of());
        assert_eq!([9, 10].map(|now_ms| keys.is_session_believed("ASIA", now_ms)), [true, false]);
        let known = keys.lookup("ASIA").unwrap();
        let before = keys.as_of();
        keys.doubt();
        assert!(!keys.is_session_believed("ASIA", 0), "it is looked up again");
        keys.believe_session(session(), 10, before);
        assert!(!keys.is_session_believed("ASIA", 0), "what was looked up before the change is not believed after it");
        keys.believe_session(session(), 10, keys.as_of());
        assert!(keys.is_session_believed("ASIA", 0));
        assert!(Arc::ptr_eq(&known.derived, &keys.lookup("ASIA").unwrap().derived));
        keys.forget_session("ASIA");
        assert!(keys.lookup("ASIA").is_none());
    }

    #[test]
    fn so_many_sessions_are_kept_and_no_more() {
        let keys = Keys::default();
        for number in 0..2 * SESSIONS {
            keys.believe_session(credential(&format!("ASIA{number}")), i64::MAX, keys.as_of());
        }
        assert!(keys.sessions.len() <= SESSIONS);
    }
}
