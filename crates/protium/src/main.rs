//! The one binary. Everything is in the library, where tests reach it.

use std::process::ExitCode;

/// Requests allocate much and briefly; the system's allocator takes a sixth of their time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    protium::cli::main()
}
