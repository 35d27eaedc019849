mod create;
mod delete;
mod races;
mod update;
