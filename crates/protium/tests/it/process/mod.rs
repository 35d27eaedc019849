//! The program as it is shipped: started, asked, stopped, killed.

mod admin;
mod backup;
mod body;
mod connections;
mod elsewhere;
mod escapes;
mod events;
mod example_bundles;
mod faults;
mod first_start;
mod kill;
mod log;
mod program;
mod published_forms;
mod quickstart;
mod refusal;
mod roles;
mod run_logs;
mod runs;
mod secrets;
mod services;
mod settings;
mod site;
mod stop;
mod terraform;
mod tls;
