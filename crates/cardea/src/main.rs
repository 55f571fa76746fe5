//! The `cardea` program: hands the command line to the library and its exit code to the system.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Requests are many small allocations on several threads; this one hands them out without a lock.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cardea::main()
}
