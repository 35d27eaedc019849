//! Arguments that may come by position or by name, as Python functions take them.

use minijinja::value::{Kwargs, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::print;

/// The arguments of a call, in the order that the function names them.
pub(super) struct Arguments {
    positional: std::vec::IntoIter<Value>,
    /// `None` if there are none, as with most calls: even to know that takes the heap.
    named: Option<Kwargs>,
}

impl Arguments {
    /// What the engine hands over to a filter.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn new(values: Rest<ValueOrKwargs>) -> Result<Self, Error> {
        if values.is_empty() {
            return Ok(Self { positional: Vec::new().into_iter(), named: None });
        }
        Self::of(&values.into_values())
    }

    /// What the engine hands over to a method.
    ///
    /// # Errors
    /// An argument by position comes after one by name.
    pub(super) fn of(values: &[Value]) -> Result<Self, Error> {
        let (Rest(positional), named): (Rest<Value>, Kwargs) = from_args(values)?;
        // Nothing was used yet: only if there is nothing, all is.
        let named = named.assert_all_used().is_err().then_some(named);
        Ok(Self { positional: positional.into_iter(), named })
    }

    /// The next argument, or the one of that name; `None` counts as not given.
    pub(super) fn value(&mut self, name: &str) -> Result<Option<Value>, Error> {
        let value = match (self.positional.next(), &self.named) {
            (Some(value), _) => Some(value),
            (None, Some(named)) => named.get::<Option<Value>>(name)?,
            (None, None) => None,
        };
        Ok(value.filter(|value| !value.is_none()))
    }

    /// The next argument as a text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.value(name)?.map(|value| print::text(&value)))
    }

    /// The next argument as a truth value.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        Ok(self.value(name)?.map(|value| value.is_true()))
    }

    /// The next argument as an integer.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Error> {
        self.value(name)?.map(i64::try_from).transpose()
    }

    /// The next argument as a size; what is negative counts as 0.
    pub(super) fn size(&mut self, name: &str) -> Result<Option<usize>, Error> {
        Ok(self.integer(name)?.map(|integer| usize::try_from(integer).unwrap_or(0)))
    }

    /// Refuses what is left over.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        if self.positional.next().is_some() {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
        self.named.map_or(Ok(()), |named| named.assert_all_used())
    }
}
