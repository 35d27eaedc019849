//! What goes wrong again and again, told once.

/// What was told last.
#[derive(Default)]
pub(super) struct Told(Option<String>);

impl Told {
    /// What is to be told of what is wrong now: nothing if it was told last. When nothing is wrong, that is forgotten.
    pub(super) fn news(&mut self, wrong: Option<String>) -> Option<&str> {
        let is_new = wrong != self.0;
        self.0 = wrong;
        self.0.as_deref().filter(|_| is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn the_same_is_told_once_until_all_was_well() {
        let mut told = Told::default();
        for (wrong, news) in [("", ""), ("a", "a"), ("a", ""), ("b", "b"), ("a", "a"), ("", ""), ("a", "a")] {
            let wrong = Some(wrong.to_owned()).filter(|wrong| !wrong.is_empty());
            assert_eq!(told.news(wrong).unwrap_or_default(), news);
        }
    }
}
