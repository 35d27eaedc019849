//! Patterns with wildcards and variables, compiled once and matched without allocating.
//!
//! `*` is any number of characters and `?` is one. In an ARN they stay within their segment, which colons divide, up
//! to the fifth colon; behind it is the resource, of which colons are a part. Where a `*` is the last character of a
//! segment in the element `Resource`, it "can expand to match beyond the colon boundaries" (IAM User Guide, "IAM JSON
//! policy elements: Resource"); in ARN conditions "each of the six colon-delimited components of the ARN is checked
//! separately", and only the `*` that ends a pattern covers what follows. What a variable stands for is taken
//! literally, its wildcards too.

use super::problem::{Wrong, quote};
use super::variable::{self, Meaning, Variable};

/// What a text is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// No wildcards: `StringEquals`.
    Exact,
    /// No wildcards, and case does not matter: `StringEqualsIgnoreCase`.
    ExactIgnoringCase,
    /// `StringLike`.
    Like,
    /// `Action`: case does not matter.
    Action,
    /// `Resource`.
    Resource,
    /// `ArnLike` and `ArnEquals`.
    Arn,
}

/// What a wildcard stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Anything,
    /// Anything but a colon.
    Segment,
}

#[derive(Clone, Debug)]
enum Atom {
    Text(Box<str>),
    One(Reach),
    /// `*`.
    Star(Reach),
    Variable(Box<Variable>),
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    source: Box<str>,
    ignores_case: bool,
    atoms: Box<[Atom]>,
}

/// The atoms of a pattern that is being compiled.
#[derive(Default)]
struct Atoms {
    done: Vec<Atom>,
    /// What follows them.
    text: String,
}

impl Atoms {
    fn push(&mut self, atom: Atom) {
        self.end_text();
        self.done.push(atom);
    }

    /// Stars that follow each other are one, as wide as the widest.
    fn star(&mut self, reach: Reach) {
        self.end_text();
        match self.done.last_mut() {
            Some(Atom::Star(last)) if reach == Reach::Anything => *last = reach,
            Some(Atom::Star(_)) => {}
            _ => self.done.push(Atom::Star(reach)),
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Atom::Text(self.text.as_str().into()));
            self.text.clear();
        }
    }

    fn end(mut self) -> Box<[Atom]> {
        self.end_text();
        self.done.into()
    }
}

impl Glob {
    /// Compiles a text. Without `has_variables` (version 2008-10-17) a `${` is nothing special.
    pub(super) fn parse(source: &str, style: Style, has_variables: bool) -> Result<Self, Wrong> {
        let has_wildcards = !matches!(style, Style::Exact | Style::ExactIgnoringCase);
        let mut atoms = Atoms::default();
        let mut colons = 0;
        let mut rest = source;
        while let Some(c) = rest.chars().next() {
            let is_variable = has_variables && rest.starts_with("${");
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            let is_resource = matches!(style, Style::Like | Style::Action) || colons >= 5;
            let within = if is_resource { Reach::Anything } else { Reach::Segment };
            match c {
                '$' if is_variable => {
                    let (meaning, behind) = variable_of(source, rest, style == Style::Resource && colons < 5)?;
                    match meaning {
                        Meaning::Character(c) => atoms.text.push(c),
                        Meaning::Variable(variable) => atoms.push(Atom::Variable(Box::new(variable))),
                    }
                    rest = behind;
                }
                '*' if has_wildcards => {
                    let ends = rest.is_empty() || (style == Style::Resource && rest.starts_with(':'));
                    atoms.star(if ends { Reach::Anything } else { within });
                }
                '?' if has_wildcards => atoms.push(Atom::One(within)),
                _ => {
                    colons += usize::from(c == ':');
                    atoms.text.push(c);
                }
            }
        }
        let ignores_case = matches!(style, Style::ExactIgnoringCase | Style::Action);
        Ok(Self { source: source.into(), ignores_case, atoms: atoms.end() })
    }

    /// The text that it was compiled from.
    pub(super) fn as_str(&self) -> &str {
        &self.source
    }

    /// The condition keys that its variables stand for.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.atoms.iter().filter_map(|atom| match atom {
            Atom::Variable(variable) => Some(variable.key.as_str()),
            Atom::Text(_) | Atom::One(_) | Atom::Star(_) => None,
        })
    }

    /// Whether it matches a text. `values` are those of the request; a variable that has none matches nothing.
    ///
    /// After a star the leftmost place of what follows it is taken, which is as good as any: the next star takes in
    /// what another place would have. A star that has to stop at a colon may need the last one that need not to take
    /// in more: there the search goes on then.
    pub(super) fn matches<'v>(&self, text: &str, values: &impl Fn(&Variable) -> Option<&'v str>) -> bool {
        let (first, mut atoms) = chunk(&self.atoms);
        let Some(mut rest) = self.skip(text, first, values) else { return false };
        let mut retry = None;
        while let [Atom::Star(reach), behind @ ..] = atoms {
            let (chunk, next) = chunk(behind);
            if behind.is_empty() && *reach == Reach::Anything {
                return true;
            }
            match (self.find(rest, *reach, chunk, next.is_empty(), values), retry) {
                (Some((begin, end)), _) => {
                    if *reach == Reach::Anything {
                        retry = after_one(begin, Reach::Anything).map(|next| (atoms, next));
                    }
                    (atoms, rest) = (next, end);
                }
                // Another place for what is before it would only leave less of the text.
                (None, _) if *reach == Reach::Anything => return false,
                (None, Some(wide)) => {
                    // Whether this one finds something decides where the next try begins.
                    (atoms, rest) = wide;
                    retry = None;
                }
                (None, None) => return false,
            }
        }
        rest.is_empty()
    }

    /// The first place where a chunk matches after a star; the rest of the text there and behind it.
    fn find<'t, 'v>(
        &self,
        text: &'t str,
        reach: Reach,
        chunk: &[Atom],
        is_last: bool,
        values: &impl Fn(&Variable) -> Option<&'v str>,
    ) -> Option<(&'t str, &'t str)> {
        let mut begin = text;
        loop {
            match self.skip(begin, chunk, values) {
                Some(end) if !is_last || end.is_empty() => return Some((begin, end)),
                _ => begin = self.next_place(begin, reach, chunk)?,
            }
        }
    }

    /// The next place behind the first character where a chunk may begin: where its first character is, if it is known.
    fn next_place<'t>(&self, text: &'t str, reach: Reach, chunk: &[Atom]) -> Option<&'t str> {
        let rest = after_one(text, reach)?;
        let [Atom::Text(prefix), ..] = chunk else { return Some(rest) };
        let Some(first) = prefix.chars().next().filter(|_| !self.ignores_case) else { return Some(rest) };
        let (passed, found) = rest.split_at(rest.find(first)?);
        (reach == Reach::Anything || !passed.contains(':')).then_some(found)
    }

    /// What follows a chunk that a text begins with.
    fn skip<'t, 'v>(
        &self,
        text: &'t str,
        chunk: &[Atom],
        values: &impl Fn(&Variable) -> Option<&'v str>,
    ) -> Option<&'t str> {
        chunk.iter().try_fold(text, |text, atom| match atom {
            Atom::Text(prefix) => self.strip(text, prefix),
            Atom::One(reach) => after_one(text, *reach),
            Atom::Variable(variable) => self.strip(text, values(variable).or(variable.default.as_deref())?),
            // No chunk has one.
            Atom::Star(_) => None,
        })
    }

    fn strip<'t>(&self, text: &'t str, prefix: &str) -> Option<&'t str> {
        if !self.ignores_case {
            return text.strip_prefix(prefix);
        }
        if text.as_bytes().get(..prefix.len()).is_some_and(|text| text.eq_ignore_ascii_case(prefix.as_bytes())) {
            return text.get(prefix.len()..);
        }
        let mut characters = text.chars();
        prefix
            .chars()
            .all(|c| characters.next().is_some_and(|other| same_letter(c, other)))
            .then_some(characters.as_str())
    }
}

/// What stands before the next star, and the rest from there on.
fn chunk(atoms: &[Atom]) -> (&[Atom], &[Atom]) {
    let star = atoms.iter().position(|atom| matches!(atom, Atom::Star(_)));
    atoms.split_at(star.unwrap_or(atoms.len()))
}

/// Reads a variable of `source` whose `$` was just read; what follows it stands behind it.
fn variable_of<'t>(source: &str, rest: &'t str, is_fixed: bool) -> Result<(Meaning, &'t str), Wrong> {
    let Some((inner, rest)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        let message = format!("a variable in {} has no end", quote(source));
        return Err((message, "close it with }, or write ${$} for a dollar sign".to_owned()));
    };
    let meaning = variable::parse(inner)?;
    if is_fixed {
        let message = format!("{} has a variable before its fifth colon", quote(source));
        return Err((message, "use variables in the last part of the ARN only".to_owned()));
    }
    Ok((meaning, rest))
}

/// What follows the first character, if the wildcard may take it.
fn after_one(text: &str, reach: Reach) -> Option<&str> {
    let mut characters = text.chars();
    let first = characters.next()?;
    (reach == Reach::Anything || first != ':').then_some(characters.as_str())
}

fn same_letter(a: char, b: char) -> bool {
    a.eq_ignore_ascii_case(&b) || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase().eq(b.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'v>(variable: &Variable) -> Option<&'v str> {
        match variable.key.as_str().to_lowercase().as_str() {
            "aws:username" => Some("ada"),
            "aws:userid" => Some("a*b:c"),
            _ => None,
        }
    }

    fn matches(style: Style, pattern: &str, text: &str) -> bool {
        Glob::parse(pattern, style, true).unwrap_or_else(|(why, _)| panic!("{why}")).matches(text, &value)
    }

    fn check(style: Style, pattern: &str, matching: &[&str], others: &[&str]) {
        for text in matching {
            assert!(matches(style, pattern, text), "{pattern} should match {text}");
        }
        for text in others {
            assert!(!matches(style, pattern, text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        check(Style::Like, "", &[""], &["a"]);
        check(Style::Like, "*", &["", "a", "a:b"], &[]);
        check(Style::Like, "a?c", &["abc", "aéc", "a:c"], &["ac", "abbc"]);
        check(Style::Like, "a*b*c", &["abc", "aXbXbc", "abcbc"], &["ab", "acb", "abcd"]);
        check(Style::Like, "*ab*ab", &["abab", "xababab", "aabab"], &["ab", "xab", "aba"]);
        check(Style::Like, "**a**", &["a", "xay"], &["x"]);
        check(Style::Like, "?*", &["é", "ab"], &[""]);
    }

    #[test]
    fn exact_texts_have_no_wildcards() {
        check(Style::Exact, "a*?", &["a*?"], &["abc", "A*?"]);
        check(Style::ExactIgnoringCase, "Straße*É", &["STRAßE*é"], &["strasse*é", "straße*éé", "straße"]);
    }

    #[test]
    fn actions_ignore_case() {
        check(Style::Action, "Proton:Get*", &["proton:GetService", "PROTON:gEt"], &["proton:ListServices"]);
        check(Style::Action, "*", &["proton:GetService"], &[]);
    }

    /// The example of "IAM JSON policy elements: Resource".
    #[test]
    fn a_star_in_the_last_part_of_an_arn_takes_slashes_too() {
        let matching = [
            "arn:aws:s3:::amzn-s3-demo-bucket/1/test/object.jpg",
            "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test/3/object.jpg",
            "arn:aws:s3:::amzn-s3-demo-bucket/1///test///object.jpg",
            "arn:aws:s3:::amzn-s3-demo-bucket//test/object.jpg",
            "arn:aws:s3:::amzn-s3-demo-bucket/1/test/",
        ];
        let others = [
            "arn:aws:s3:::amzn-s3-demo-bucket/1-test/object.jpg",
            "arn:aws:s3:::amzn-s3-demo-bucket/test/object.jpg",
            "arn:aws:s3:::amzn-s3-demo-bucket/1/2/test.jpg",
        ];
        check(Style::Resource, "arn:aws:s3:::amzn-s3-demo-bucket/*/test/*", &matching, &others);
    }

    #[test]
    fn within_a_segment_wildcards_stop_at_its_colon() {
        let instance = "arn:aws:proton:us-east-1:123456789012:service/a/service-instance/b";
        for style in [Style::Resource, Style::Arn] {
            check(style, "arn:aws:proton:us-*-1:*:service/*", &[instance], &[]);
            check(style, "arn:aws:proton:us*1:123456789012:service/*", &[instance], &[]);
            check(style, "arn:aws:proton:us*012:service/*", &[], &[instance]);
            check(style, "arn:aws:proton:us-east-1?123456789012:service/*", &[], &[instance]);
            check(style, "arn:aws:proton:us-east-?:????????????:service/?/*", &[instance], &[]);
        }
    }

    #[test]
    fn at_the_end_of_a_segment_a_star_of_a_resource_goes_on_and_one_of_an_arn_condition_does_not() {
        let arn = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt";
        let pattern = "arn:aws:someservice:*:111122223333:finance/*";
        check(Style::Resource, pattern, &[arn], &[]);
        // The example of "IAM JSON policy elements: Condition operators".
        check(Style::Arn, pattern, &[], &[arn]);
        check(Style::Like, pattern, &[arn], &[]);
        for style in [Style::Resource, Style::Arn] {
            check(style, "arn:aws:someservice:*", &[arn], &["arn:aws:other:us-east-2:999999999999:store/abc"]);
        }
    }

    #[test]
    fn a_star_that_must_stop_gives_way_to_an_earlier_one_that_need_not() {
        // The first star may take colons, the second may not: `b` has to be found behind the last colon.
        check(Style::Resource, "arn:*:x*y:z", &["arn:a:x:x:xay:z", "arn:a:xb:xy:z"], &["arn:a:xb:b:z"]);
        check(Style::Resource, "arn:*:a*b*c:d", &["arn:1:ab:a1b2c:d", "arn:1:a:a:abc:d"], &["arn:1:ab:c:d"]);
    }

    #[test]
    fn variables_stand_for_values_of_the_request() {
        check(Style::Like, "${aws:username}-*", &["ada-", "ada-x"], &["bob-x", "-x"]);
        check(Style::Exact, "${AWS:UserName}", &["ada"], &["adam"]);
        check(Style::Like, "*${aws:userid}", &["a*b:c", "xa*b:c"], &["axb:c"]);
        check(Style::Like, "${aws:referer}*", &[], &["", "x", "${aws:referer}"]);
        check(Style::Like, "${aws:referer, 'n*'}", &["n*"], &["nn", ""]);
        check(Style::Like, "${*}${?}${$}{a}", &["*?${a}"], &["xyz{a}"]);
        check(Style::Resource, "arn:aws:proton:*:*:service/${aws:username}", &["arn:aws:proton:x:1:service/ada"], &[]);
    }

    #[test]
    fn the_older_version_has_no_variables() {
        let glob = Glob::parse("${aws:username}*", Style::Like, false).unwrap();
        assert!(glob.matches("${aws:username}x", &value) && !glob.matches("ada", &value));
        assert!(Glob::parse("${", Style::Like, false).is_ok());
    }

    #[test]
    fn variables_that_can_not_be_are_refused() {
        for (style, pattern, why) in [
            (Style::Like, "a${aws:username", "a variable in 'a${aws:username' has no end"),
            (Style::Like, "${}", "${} is no variable"),
            (Style::Resource, "arn:aws:iam::${aws:username}:x", "'arn:aws:iam::${aws:username}:x' has a variable"),
        ] {
            let (message, _) = Glob::parse(pattern, style, true).expect_err(pattern);
            assert!(message.starts_with(why), "{message}");
        }
        assert!(Glob::parse("$", Style::Like, true).is_ok());
    }

    #[test]
    fn hostile_patterns_end() {
        let text = "a".repeat(2_000);
        check(Style::Like, &format!("{}b", "a*".repeat(1_000)), &[], &[&text]);
        check(
            Style::Resource,
            &format!("arn:*:{}b:c", "a*".repeat(1_000)),
            &[],
            &[&format!("arn:{}:{text}", "a:".repeat(500))],
        );
    }
}
