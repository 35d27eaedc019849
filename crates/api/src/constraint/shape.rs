//! The form of the generated tables.

use super::Pattern;

pub(crate) struct Shape {
    /// Values are left out of messages.
    pub(crate) sensitive: bool,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Boolean,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// 32 bits, signed.
    Integer(Range),
    /// The length counts elements.
    List {
        length: Length,
        element: &'static Shape,
    },
    /// The length counts characters.
    String {
        length: Length,
        pattern: Option<Pattern>,
    },
    Structure(&'static [Member]),
    /// Seconds since 1970, with or without a fraction.
    Timestamp,
    /// Exactly one of these.
    Union(&'static [Member]),
}

pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: &'static Shape,
}

pub(crate) struct Length {
    pub(crate) min: usize,
    pub(crate) max: Option<usize>,
}

pub(crate) struct Range {
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
}
