//! How SQLite reads a page of a list.

use super::app::TestApp;
use protium::store::{Call, Param};
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// The lines of the plan of the last statement with the words `reads` that `operation` runs.
pub async fn plan(app: &TestApp, operation: &str, input: Value, reads: &str) -> Vec<String> {
    let statements = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statements);
    app.store().db().set_probe(Some(Arc::new(move |call| {
        if let Call::Statement(sql) = call {
            seen.lock().unwrap().push(sql.to_owned());
        }
        Ok(())
    })));
    app.ok(operation, input).await;
    app.store().db().set_probe(None);
    let statements = statements.lock().unwrap().clone();
    let sql = statements.into_iter().rfind(|sql| sql.contains(reads)).expect("a page was read");
    let mut reader = app.store().reader().await.unwrap();
    let rows = reader.query(&format!("EXPLAIN QUERY PLAN {sql}"), &[Param::Null; 64]).await.unwrap();
    rows.into_iter().map(|mut row| row.text(3).unwrap()).collect()
}
