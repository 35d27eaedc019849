//! Everything through the real router, on SQLite and on PostgreSQL.
//!
//! `operations` are single calls and what they answer, `jobs` what becomes of them, `http` the
//! listener, `events` how changes are told, `store` the tables, `process` the program itself. `corpus` replays what fuzzers are given,
//! `conformance` sends what the API models say, `schedules` two requests whose calls of the store come in every order.

#![expect(unreachable_pub, reason = "one binary, whose modules share with each other")]

mod conformance;
mod corpus;
mod events;
mod http;
mod jobs;
mod operations;
mod process;
mod schedules;
mod store;
mod support;
