//! Starts the benchmark: sets up what it needs, builds it as users build Protium, and runs it.
//!
//! What is measured is in `crates/protium/benches/side_by_side`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    // The emulator and Jinja2.
    finish(Command::new(root.join("scripts/python-env.sh")).current_dir(root))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut bench = Command::new(cargo);
    bench.args(["bench", "--locked", "--package", "protium", "--bench", "side_by_side", "--"]).args(arguments);
    finish(bench.current_dir(root))
}

fn finish(command: &mut Command) -> Result<()> {
    let line = format!("{command:?}");
    let status = command.status().with_context(|| line.clone())?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}
