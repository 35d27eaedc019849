//! Sessions: what a temporary credential stands for, kept by nobody but its holder.
//!
//! A session token is all that there is of a session: sealed under the master key, so that every replica opens it and
//! nobody else can look into it or make one. Owns its form. Does not decide who gets one.

use super::fault::Fault;
use crate::store::{DbResult, MasterKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};

/// What the seal is bound to: nothing that was sealed for something else opens as a session.
const PURPOSE: &str = "session token 1";
/// How long policies and tags of a session may be together once they are packed, in bytes.
const MOST_PACKED: usize = 4_096;
/// What an opened token may unpack to, in bytes; more than any that was ever sealed.
const MOST_UNPACKED: u64 = 256 * 1024;
/// The longest token that is looked at, in characters.
const LONGEST: usize = 16 * 1024;

/// A session of a role.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::http) struct Session {
    pub(in crate::http) access_key_id: String,
    pub(in crate::http) secret: String,
    pub(in crate::http) account: String,
    pub(in crate::http) role_id: String,
    pub(in crate::http) name: String,
    /// In milliseconds since 1970.
    #[serde(default)]
    pub(in crate::http) issued_at: i64,
    /// In milliseconds since 1970.
    pub(in crate::http) expires_at: i64,
    #[serde(flatten)]
    pub(in crate::http) restriction: Restriction,
}

/// What a session is given beside its role: policies that restrict it, and tags.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::http) struct Restriction {
    /// The document of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::http) policy: Option<String>,
    /// ARNs of managed policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::http) policy_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::http) tags: Vec<(String, String)>,
    /// The keys of the tags that sessions of other roles inherit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::http) transitive: Vec<String>,
}

impl Restriction {
    /// How much of the room for policies and tags is taken, in percent; `None` if there is nothing of them.
    pub(super) fn packed_percent(&self) -> Result<Option<usize>, Fault> {
        if *self == Self::default() {
            return Ok(None);
        }
        let percent = (pack(self)?.len() * 100).div_ceil(MOST_PACKED);
        if percent > 100 {
            let message = format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
            return Err(Fault::new(400, "PackedPolicyTooLarge", message));
        }
        Ok(Some(percent))
    }
}

impl Session {
    /// The token, sealed.
    pub(super) fn seal(&self, key: &MasterKey) -> Result<String, Fault> {
        Ok(STANDARD.encode(key.seal(&pack(self)?, PURPOSE)?))
    }

    /// What a token holds; `None` if it was not sealed here, whatever it is.
    pub(in crate::http) fn open(token: &str, key: &MasterKey) -> Option<Self> {
        let sealed = STANDARD.decode(token).ok().filter(|_| token.len() <= LONGEST)?;
        let packed: DbResult<Vec<u8>> = key.open(&sealed, PURPOSE);
        unpack(&packed.ok()?)
    }
}

fn pack<T: Serialize>(what: &T) -> Result<Vec<u8>, Fault> {
    let json = serde_json::to_vec(what).map_err(Fault::internal)?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&json).and_then(|()| packed.finish()).map_err(Fault::internal)
}

fn unpack<T: for<'de> Deserialize<'de>>(packed: &[u8]) -> Option<T> {
    let mut json = Vec::new();
    ZlibDecoder::new(packed).take(MOST_UNPACKED).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            access_key_id: "ASIAEXAMPLE".into(),
            secret: "hunter2".into(),
            account: "111122223333".into(),
            role_id: "AROAEXAMPLE".into(),
            name: "build-7".into(),
            issued_at: 1_789_996_400_000,
            expires_at: 1_790_000_000_000,
            restriction: Restriction { tags: vec![("team".into(), "blue".into())], ..Restriction::default() },
        }
    }

    #[test]
    fn a_token_is_read_with_the_key_that_sealed_it_and_with_no_other() {
        let key = MasterKey::from_bytes(&[7; 32]);
        let token = session().seal(&key).unwrap();
        assert!(Session::open(&token, &key) == Some(session()));
        assert!(Session::open(&token, &MasterKey::from_bytes(&[8; 32])).is_none());
        let mut altered = STANDARD.decode(&token).unwrap();
        for at in 0..altered.len() {
            altered[at] ^= 1;
            assert!(Session::open(&STANDARD.encode(&altered), &key).is_none(), "byte {at}");
            altered[at] ^= 1;
        }
        assert_ne!(token, session().seal(&key).unwrap(), "no two tokens are the same");
    }

    #[test]
    fn what_was_sealed_for_something_else_is_no_token() {
        let key = MasterKey::from_bytes(&[7; 32]);
        let other = key.seal(&pack(&session()).unwrap(), "access_key/ASIAEXAMPLE").unwrap();
        assert!(Session::open(&STANDARD.encode(other), &key).is_none());
        for text in ["", "no token", &"A".repeat(LONGEST + 4)] {
            assert!(Session::open(text, &key).is_none());
        }
    }

    #[test]
    fn policies_and_tags_have_a_room_that_they_must_fit_in() {
        assert_eq!(Restriction::default().packed_percent().unwrap(), None);
        assert_eq!(session().restriction.packed_percent().unwrap(), Some(1));
        // Texts that do not become shorter.
        let tags = (0..50_u32).map(|n| (n.to_string(), hex::encode(crate::sha256::sha256(&n.to_be_bytes())).repeat(4)));
        let large = Restriction { tags: tags.collect(), ..Restriction::default() };
        assert!(large.packed_percent().is_ok(), "repetition packs well");
        let text = |n: u32| (0..8).map(|m| hex::encode(crate::sha256::sha256(&[n as u8, m]))).collect::<String>();
        let tags = (0..50).map(|n| (n.to_string(), text(n).chars().take(256).collect())).collect();
        let fault = Restriction { tags, ..Restriction::default() }.packed_percent().unwrap_err();
        assert_eq!(fault.code, "PackedPolicyTooLarge");
    }
}
