//! Inserts of rows, made fewer statements: each costs the server, the wire and us the same again.

use std::collections::HashSet;

use super::Deferred;

/// How many inserts become one: each combination is prepared apart.
const MOST_JOINED: usize = 3;

/// The same with rows of one table in one statement, which takes the server and the wire less than each alone. The
/// order within a table stays.
pub(super) fn merged(statements: Vec<Deferred>) -> Vec<Deferred> {
    let mut merged: Vec<(Deferred, usize)> = Vec::with_capacity(statements.len());
    for (sql, cells) in statements {
        let alike = merged.iter_mut().find(|((other, _), _)| *other == sql && inserts_row(&sql, cells.len()));
        match alike {
            Some(((_, all), rows)) => {
                all.extend(cells);
                *rows += 1;
            }
            None => merged.push(((sql, cells), 1)),
        }
    }
    let written = merged.into_iter().map(|((mut sql, cells), rows)| {
        let width = cells.len() / rows;
        for row in 1..rows {
            sql.push_str(", ");
            sql.push_str(&places(row * width + 1, width));
        }
        (sql, cells)
    });
    written.collect()
}

/// Whether a statement inserts one row of so many parameters, each in its turn, and does nothing else.
pub(super) fn inserts_row(sql: &str, width: usize) -> bool {
    width > 0 && sql.strip_suffix(&places(1, width)).is_some_and(|before| before.ends_with(" VALUES "))
}

/// `($5, $6)`: so many from the first on.
fn places(first: usize, count: usize) -> String {
    let numbers: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    format!("({})", numbers.join(", "))
}

/// A few inserts into different tables as one statement. Others stay as they are: the server takes the parts of one
/// statement in an order of its own.
pub(super) fn joined(statements: Vec<Deferred>) -> Vec<Deferred> {
    let is_insert = |(sql, cells): &Deferred| sql.starts_with("INSERT INTO ") && inserts_row(sql, cells.len());
    let different: HashSet<&str> = statements.iter().map(|(sql, _)| sql.as_str()).collect();
    let is_few = (2..=MOST_JOINED).contains(&statements.len()) && different.len() == statements.len();
    if !is_few || !statements.iter().all(is_insert) {
        return statements;
    }
    let last = statements.len() - 1;
    let (mut text, mut all) = (String::new(), Vec::new());
    for (number, (sql, cells)) in statements.into_iter().enumerate() {
        let rows = sql.strip_suffix(&places(1, cells.len())).unwrap_or(&sql);
        let rows = format!("{rows}{}", places(all.len() + 1, cells.len()));
        text.push_str(&match number {
            _ if number == last => format!(" {rows}"),
            0 => format!("WITH i0 AS ({rows})"),
            _ => format!(", i{number} AS ({rows})"),
        });
        all.extend(cells);
    }
    vec![(text, all)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::Cell;

    fn statement(sql: &str, numbers: &[i64]) -> Deferred {
        (sql.to_owned(), numbers.iter().map(|number| Cell::Int(*number)).collect())
    }

    #[test]
    fn rows_of_one_table_become_one_statement() {
        let (one, two) = ("INSERT INTO a (x, y) VALUES ($1, $2)", "INSERT INTO b (x) VALUES ($1)");
        let given = [(one, [1, 2].as_slice()), (two, &[3]), (one, &[4, 5]), (two, &[6]), (one, &[7, 8])];
        let given = given.into_iter().map(|(sql, numbers)| statement(sql, numbers)).collect();
        assert_eq!(
            merged(given),
            [
                statement("INSERT INTO a (x, y) VALUES ($1, $2), ($3, $4), ($5, $6)", &[1, 2, 4, 5, 7, 8]),
                statement("INSERT INTO b (x) VALUES ($1), ($2)", &[3, 6]),
            ]
        );
    }

    #[test]
    fn a_few_inserts_become_one_statement() {
        let (one, two) = ("INSERT INTO a (x, y) VALUES ($1, $2)", "INSERT INTO b (x) VALUES ($1)");
        let of = |given: &[(&str, &[i64])]| -> Vec<Deferred> {
            given.iter().map(|(sql, numbers)| statement(sql, numbers)).collect()
        };
        let joined_two = "WITH i0 AS (INSERT INTO a (x, y) VALUES ($1, $2)) INSERT INTO b (x) VALUES ($3)";
        assert_eq!(joined(of(&[(one, &[1, 2]), (two, &[3])])), of(&[(joined_two, &[1, 2, 3])]));
        let three = "INSERT INTO c (z) VALUES ($1)";
        let joined_three = "WITH i0 AS (INSERT INTO b (x) VALUES ($1)), i1 AS (INSERT INTO a (x, y) VALUES ($2, $3)) \
                            INSERT INTO c (z) VALUES ($4)";
        assert_eq!(joined(of(&[(two, &[1]), (one, &[2, 3]), (three, &[4])])), of(&[(joined_three, &[1, 2, 3, 4])]));
        for other in [
            &[(one, [1, 2].as_slice())][..],
            &[(one, &[1, 2]), ("UPDATE a SET x = $1 WHERE y = $2", &[3, 4])],
            &[(one, &[1, 2]), ("INSERT INTO b (x) VALUES ($1) ON CONFLICT DO NOTHING", &[3])],
            &[(two, &[1]), (one, &[2, 3]), (two, &[4])],
            &[(one, &[1, 2]), (two, &[3]), (three, &[4]), ("INSERT INTO d (z) VALUES ($1)", &[5])],
            &[],
        ] {
            assert_eq!(joined(of(other)), of(other));
        }
    }

    #[test]
    fn what_does_more_than_insert_a_row_stays_as_it_is() {
        for sql in [
            "INSERT INTO a (x, y) VALUES ($2, $1)",
            "INSERT INTO a (x, y) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            "INSERT INTO a (x, y) SELECT $1, $2",
            "UPDATE a SET x = $1 WHERE y = $2",
        ] {
            let given = vec![statement(sql, &[1, 2]), statement(sql, &[3, 4])];
            assert_eq!(merged(given.clone()), given);
        }
    }
}
