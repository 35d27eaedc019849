//! Inserts of rows, made fewer statements: each costs the server, the wire and us the same again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

use super::{Deferred, Outgoing};
use crate::store::value::Param;

/// How many inserts become one: each combination is prepared apart.
const MOST_JOINED: usize = 3;
/// What the places of an insert's row come after.
const VALUES: &str = " VALUES ";

/// A statement, perhaps for several rows of its table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    /// As for one row.
    sql: &'a str,
    /// Those of each row, one after the other.
    params: Vec<Param<'a>>,
    rows: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn alone((sql, cells): &'a Deferred) -> Self {
        Self { sql, params: cells.iter().map(Param::from).collect(), rows: 1 }
    }

    /// Parameters of a row.
    fn width(&self) -> usize {
        self.params.len() / self.rows
    }

    fn is_insert(&self) -> bool {
        self.sql.starts_with("INSERT INTO ") && inserts_row(self.sql, self.width())
    }

    pub(super) fn written(self) -> Outgoing<'a> {
        if self.rows == 1 {
            return (Cow::Borrowed(self.sql), self.params);
        }
        let mut text = String::new();
        self.write(&mut text, 1);
        (Cow::Owned(text), self.params)
    }

    /// Adds the text of an insert whose parameters begin with this number.
    fn write(&self, text: &mut String, first: usize) {
        let before = self.sql.rfind(VALUES).map_or(self.sql.len(), |at| at + VALUES.len());
        text.push_str(&self.sql[..before]);
        let width = self.width();
        for number in first..first + self.params.len() {
            let column = (number - first) % width;
            text.push_str(match column {
                0 if number == first => "(",
                0 => "), (",
                _ => ", ",
            });
            // A text takes all that is written to it.
            let _ = write!(text, "${number}");
        }
        text.push(')');
    }
}

/// The statements, with rows of one table in one of them, which takes the server and the wire less than each alone. The
/// order within a table stays.
pub(super) fn merged<'a>(statements: impl Iterator<Item = &'a Deferred>) -> Vec<Batch<'a>> {
    let mut merged: Vec<Batch<'a>> = Vec::new();
    for statement in statements {
        let (sql, cells) = statement;
        let alike = merged.iter_mut().find(|other| other.sql == sql);
        match alike.filter(|_| inserts_row(sql, cells.len())) {
            Some(batch) => {
                batch.params.extend(cells.iter().map(Param::from));
                batch.rows += 1;
            }
            None => merged.push(Batch::alone(statement)),
        }
    }
    merged
}

/// Whether a statement inserts one row of so many parameters, each in its turn, and does nothing else.
pub(super) fn inserts_row(sql: &str, width: usize) -> bool {
    let Some(at) = sql.rfind(VALUES) else { return false };
    let Some(row) = sql[at + VALUES.len()..].strip_prefix('(').and_then(|row| row.strip_suffix(')')) else {
        return false;
    };
    let mut numbers = row.split(", ").map(|place| place.strip_prefix('$').and_then(|number| number.parse().ok()));
    (1..=width).all(|number| numbers.next() == Some(Some(number))) && numbers.next().is_none()
}

/// What is sent: inserts into a few different tables as one statement. Others stay as they are: the server takes the
/// parts of one statement in an order of its own.
pub(super) fn written(batches: Vec<Batch<'_>>) -> Vec<Outgoing<'_>> {
    if !are_joined(&batches) {
        return batches.into_iter().map(Batch::written).collect();
    }
    let last = batches.len() - 1;
    let (mut text, mut params) = (String::new(), Vec::new());
    for (number, batch) in batches.into_iter().enumerate() {
        match number {
            _ if number == last => text.push(' '),
            0 => text.push_str("WITH i0 AS ("),
            _ => {
                let _ = write!(text, ", i{number} AS (");
            }
        }
        batch.write(&mut text, params.len() + 1);
        if number != last {
            text.push(')');
        }
        params.extend(batch.params);
    }
    vec![(Cow::Owned(text), params)]
}

/// Whether these become one statement. As many rows for each table: otherwise there were too many combinations.
fn are_joined(batches: &[Batch<'_>]) -> bool {
    (2..=MOST_JOINED).contains(&batches.len())
        && batches.iter().map(|batch| batch.sql).collect::<HashSet<_>>().len() == batches.len()
        && batches.iter().all(|batch| batch.rows == batches[0].rows && batch.is_insert())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::Cell;

    fn statement(sql: &str, numbers: &[i64]) -> Deferred {
        (sql.to_owned(), numbers.iter().map(|number| Cell::Int(*number)).collect())
    }

    fn of(given: &[(&str, &[i64])]) -> Vec<Deferred> {
        given.iter().map(|(sql, numbers)| statement(sql, numbers)).collect()
    }

    /// What is sent, owned.
    fn sent(batches: Vec<Batch<'_>>) -> Vec<Deferred> {
        let owned = written(batches).into_iter().map(|(sql, params)| {
            let cells = params.iter().map(Cell::from).collect();
            (sql.into_owned(), cells)
        });
        owned.collect()
    }

    fn merged_and_sent(given: &[Deferred]) -> Vec<Deferred> {
        sent(merged(given.iter()))
    }

    fn each_sent(given: &[Deferred]) -> Vec<Deferred> {
        sent(given.iter().map(Batch::alone).collect())
    }

    const ONE: &str = "INSERT INTO a (x, y) VALUES ($1, $2)";
    const TWO: &str = "INSERT INTO b (x) VALUES ($1)";
    const THREE: &str = "INSERT INTO c (z) VALUES ($1)";

    #[test]
    fn rows_of_one_table_become_one_statement() {
        let given = of(&[(ONE, &[1, 2]), (TWO, &[3]), (ONE, &[4, 5]), (TWO, &[6]), (ONE, &[7, 8])]);
        assert_eq!(
            merged_and_sent(&given),
            of(&[
                ("INSERT INTO a (x, y) VALUES ($1, $2), ($3, $4), ($5, $6)", &[1, 2, 4, 5, 7, 8]),
                ("INSERT INTO b (x) VALUES ($1), ($2)", &[3, 6]),
            ])
        );
        assert_eq!(merged_and_sent(&[]), []);
    }

    #[test]
    fn as_many_rows_of_a_few_tables_become_one_statement() {
        let given = of(&[(ONE, &[1, 2]), (TWO, &[3]), (ONE, &[4, 5]), (TWO, &[6])]);
        let joined = "WITH i0 AS (INSERT INTO a (x, y) VALUES ($1, $2), ($3, $4)) \
                      INSERT INTO b (x) VALUES ($5), ($6)";
        assert_eq!(merged_and_sent(&given), of(&[(joined, &[1, 2, 4, 5, 3, 6])]));
    }

    #[test]
    fn a_few_inserts_become_one_statement() {
        let joined_two = "WITH i0 AS (INSERT INTO a (x, y) VALUES ($1, $2)) INSERT INTO b (x) VALUES ($3)";
        assert_eq!(each_sent(&of(&[(ONE, &[1, 2]), (TWO, &[3])])), of(&[(joined_two, &[1, 2, 3])]));
        let joined_three = "WITH i0 AS (INSERT INTO b (x) VALUES ($1)), i1 AS (INSERT INTO a (x, y) VALUES ($2, $3)) \
                            INSERT INTO c (z) VALUES ($4)";
        let three = of(&[(TWO, &[1]), (ONE, &[2, 3]), (THREE, &[4])]);
        assert_eq!(each_sent(&three), of(&[(joined_three, &[1, 2, 3, 4])]));
        for other in [
            &[(ONE, [1, 2].as_slice())][..],
            &[(ONE, &[1, 2]), ("UPDATE a SET x = $1 WHERE y = $2", &[3, 4])],
            &[(ONE, &[1, 2]), ("INSERT INTO b (x) VALUES ($1) ON CONFLICT DO NOTHING", &[3])],
            &[(TWO, &[1]), (ONE, &[2, 3]), (TWO, &[4])],
            &[(ONE, &[1, 2]), (TWO, &[3]), (THREE, &[4]), ("INSERT INTO d (z) VALUES ($1)", &[5])],
            &[],
        ] {
            assert_eq!(each_sent(&of(other)), of(other));
        }
    }

    #[test]
    fn what_does_more_than_insert_a_row_stays_as_it_is() {
        for sql in [
            "INSERT INTO a (x, y) VALUES ($2, $1)",
            "INSERT INTO a (x, y) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            "INSERT INTO a (x, y) VALUES ($1, $2), ($3, $4)",
            "INSERT INTO a (x, y) VALUES ($1, 2)",
            "INSERT INTO a (x, y) VALUES ($1)",
            "INSERT INTO a (x, y) SELECT $1, $2",
            "UPDATE a SET x = $1 WHERE y = $2",
        ] {
            let given = of(&[(sql, &[1, 2]), (sql, &[3, 4])]);
            assert_eq!(merged_and_sent(&given), given);
        }
    }
}
