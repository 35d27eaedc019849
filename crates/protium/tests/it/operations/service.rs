mod create;
mod delete;
mod failure;
mod list;
mod races;
mod remediation;
mod update;
