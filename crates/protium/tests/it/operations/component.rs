mod cancel;
mod create;
mod delete;
mod force_delete;
mod list;
mod locks;
mod races;
mod update;
