//! The one binary. Everything is in the library, where tests reach it.

use std::process::ExitCode;

/// Requests allocate much and briefly; the system's allocator takes a sixth of their time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // With huge pages each 64 KiB that the allocator touches can take 2 MiB. Where the system has none, nothing is lost.
    #[cfg(target_os = "linux")]
    let _best_effort = rustix::thread::disable_transparent_huge_pages(true);
    protium::cli::main()
}
