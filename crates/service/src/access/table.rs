//! The table of built-in roles and permissions for the documentation, printed from the rules that decide.

use domain::{Builtin, Permission, Reach};

/// Built-in roles × permissions as Markdown: `all` on everything of the organization, `own` on what one owns.
pub fn table() -> String {
    let roles = Builtin::ALL.map(|role| (role.name().replace('_', " "), role.held()));
    let heads: String = roles.iter().map(|(name, _)| format!(" {name} |")).collect();
    let rule = "---|".repeat(roles.len());
    let mut out = format!("| permission |{heads}\n|---|{rule}\n");
    for permission in Permission::ALL
        .iter()
        .copied()
        .filter(|permission| !permission.is_instance())
    {
        let cell = |held: &domain::Held| match permission {
            p if held.has(p, Reach::All) => " all |",
            p if held.has(p, Reach::Own) => " own |",
            _ => " |",
        };
        let cells: String = roles.iter().map(|(_, held)| cell(held)).collect();
        out.push_str(&format!("| `{}` |{cells}\n", permission.as_str()));
    }
    let scopes: String = roles
        .iter()
        .map(|(_, held)| if held.every_scope { " all |" } else { " |" })
        .collect();
    out.push_str(&format!("| every application scope |{scopes}\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_of_an_organization_has_a_row_with_a_cell_for_every_role() {
        let table = table();
        let rows: Vec<_> = table.lines().collect();
        let permissions = Permission::ALL
            .iter()
            .filter(|permission| !permission.is_instance())
            .count();
        assert_eq!(rows.len(), 2 + permissions + 1);
        assert!(
            rows.iter()
                .all(|row| row.matches('|').count() == Builtin::ALL.len() + 2),
            "{table}"
        );
        assert!(
            rows.contains(&"| `agents.create` | all | all | | | | | own | | |"),
            "{table}"
        );
    }
}
