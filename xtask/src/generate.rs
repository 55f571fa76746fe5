//! `cargo xtask generate`: each generated file is what one command prints, listed in `xtask/house.toml`.
//! Never edits a file that is not listed there.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::house::{Generated, House};
use crate::shell;

/// Writes every listed file again.
pub fn run(root: &Path) -> Result<()> {
    for item in House::read(root)?.generated {
        std::fs::write(root.join(&item.file), made(root, &item)?)
            .with_context(|| format!("cannot write {}", item.file))?;
        println!("wrote {}", item.file);
    }
    Ok(())
}

/// What the file should hold now. A first word `cargo` is the toolchain that runs this command.
pub fn made(root: &Path, item: &Generated) -> Result<String> {
    let Some((program, arguments)) = item.command.split_first() else {
        bail!(
            "{} in xtask/house.toml has no command: name the one that prints it",
            item.file
        );
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = shell::cargo(root, &arguments);
    if program != "cargo" {
        command = std::process::Command::new(program);
        command.args(&arguments).current_dir(root);
    }
    shell::output(&mut command).with_context(|| format!("cannot make {}", item.file))
}
