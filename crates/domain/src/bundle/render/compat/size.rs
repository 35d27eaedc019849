//! Bounding what a rendering produces: fuel counts instructions, not the size of their results.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Bytes of one text or list.
const MAX_RESULT: usize = 4 * 1024 * 1024;
/// Bytes of all that one rendering makes.
const MAX_TOTAL: usize = 64 * 1024 * 1024;
/// Bytes that an item of a list takes.
pub(super) const ITEM: usize = 24;

/// What a rendering has made so far.
#[derive(Default)]
struct Spent(usize);

/// Refuses a result of `bytes` bytes before it is made.
pub(super) fn check(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_RESULT {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("the result would be larger than {MAX_RESULT} bytes"),
        ));
    }
    Ok(())
}

/// Counts `bytes` bytes that were made.
pub(super) fn charge(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let spent = state.get_or_insert_extension_with(Spent::default);
    spent.0 = spent.0.saturating_add(bytes);
    if spent.0 > MAX_TOTAL {
        let message = format!("the template makes values larger than {MAX_TOTAL} bytes in total");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    Ok(())
}

/// Collects items, counted.
pub(super) fn items(state: &mut State<'_, '_>, items: impl Iterator<Item = Value>) -> Result<Vec<Value>, Error> {
    let mut collected = Vec::new();
    for item in items {
        collected.push(item);
        check(collected.len() * ITEM)?;
    }
    charge(state, collected.len() * ITEM)?;
    Ok(collected)
}

/// Counts the outermost level of a value that a filter or a method made.
pub(super) fn charge_value(state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let bytes = match value.kind() {
        ValueKind::String => value.as_str().map_or(0, str::len),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => value.len().unwrap_or(0).saturating_mul(ITEM),
        _ => 0,
    };
    charge(state, bytes)
}

/// Makes the filters that can make much of little count their results. Those that collect what they
/// are given look at its length first.
pub(super) fn count_filters(environment: &mut Environment<'static>) {
    use minijinja::filters;
    for (name, counted) in [
        ("batch", Value::from_function(filters::batch)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("list", Value::from_function(filters::list)),
        ("map", Value::from_function(filters::map)),
        ("reverse", Value::from_function(filters::reverse)),
        ("select", Value::from_function(filters::select)),
        ("reject", Value::from_function(filters::reject)),
        ("slice", Value::from_function(filters::slice)),
        ("sort", Value::from_function(filters::sort)),
        ("unique", Value::from_function(filters::unique)),
    ] {
        environment.add_filter(
            name,
            move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
                let args = args.into_values();
                let value = args.first().ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
                check(value.len().unwrap_or(0).saturating_mul(ITEM))?;
                let result = counted.call(state, &args)?;
                charge_value(state, &result)?;
                Ok(result)
            },
        );
    }
}
