//! Remembers the list that was installed, so that a second run with the same list does nothing.
//! Never written before the installation has succeeded.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// True when exactly this list was installed into `folder`.
pub fn fresh(folder: &Path, list: &[String]) -> bool {
    std::fs::read_to_string(file(folder)).is_ok_and(|text| text == content(list))
}

/// Notes that this list is installed in `folder`.
pub fn write(folder: &Path, list: &[String]) -> Result<()> {
    std::fs::write(file(folder), content(list))
        .with_context(|| format!("cannot write {}", file(folder).display()))
}

fn file(folder: &Path) -> PathBuf {
    folder.join("installed")
}

fn content(list: &[String]) -> String {
    list.iter().map(|item| format!("{item}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_list_is_not_fresh() {
        let folder = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let list = |items: &[&str]| {
            items
                .iter()
                .map(|item| (*item).to_owned())
                .collect::<Vec<_>>()
        };
        assert!(!fresh(&folder, &list(&["a==1"])));
        write(&folder, &list(&["a==1"])).unwrap();
        assert!(fresh(&folder, &list(&["a==1"])));
        assert!(!fresh(&folder, &list(&["a==2"])));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
