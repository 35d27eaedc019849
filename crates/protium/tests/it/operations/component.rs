mod cancel;
mod create;
mod delete;
mod list;
mod locks;
mod races;
mod update;
