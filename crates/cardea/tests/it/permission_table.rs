//! Who may do what, asked of the product itself: every operation and every other route, called by everybody there
//! is, as one table that a reviewer reads (invariant: nothing without a row).

mod cast;
mod rows;

use crate::calls;
use cast::{Cast, HEADS};
use domain::{Builtin, Permission, Reach};
use rows::{DOORS, ROWS};
use service::{Guard, OPERATIONS};
use std::{collections::BTreeSet, fmt::Write as _, path::Path};

const LEGEND: &str = "\
Who may do what. A cell is what the product answered over HTTP when the column's caller sent a good request.
  2xx   done; `~` after it: no more than what is the caller's own was shown, or a token was said to be inactive
  401   not believed        403   permission_denied     403b  beyond_own_permissions    403s  sudo_required
  404   must not be known   400   the standard's refusal at a protocol door             ·     does not apply
Callers of `acme`, by token without sudo and everything of `acme` about things of somebody else:
  boot  an owner with a bootstrap token (sudo, and instance administrator)
  ownr admn secu bill audt edit view gues   holders of that one built-in role
  mem~  a member about their own things      memb  the same member about others' things
  agt~  an agent with a control token about itself and its runs    agnt  about another agent
  susp  a suspended owner     expd  an expired token of an owner     rvkd  a revoked token of an owner     anon  nobody
  path  everybody above, with an organization in the path that is not theirs
  id    everybody above, with identifiers of another organization in the path of their own
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_e1_the_permission_table_is_what_was_reviewed() {
    let mut cast = Cast::assembled().await;
    let mut table = format!("{LEGEND}\n{:<42} {:<24}", "operation", "permission");
    HEADS
        .iter()
        .for_each(|head| write!(table, " {head:<5}").unwrap());
    let mut rows = Vec::new();
    for label in ROWS {
        let cells = cast.row(label).await;
        line(&mut table, label, guard(label), &cells);
        rows.push((label, cells));
    }
    writeln!(
        table,
        "\n\n{:<67}",
        "other doors, called with the same bearer tokens"
    )
    .unwrap();
    for door in DOORS {
        let cells = cast.door(door).await;
        line(
            &mut table,
            &format!("{:<4} {:<62}", door.method, door.path),
            "",
            &cells,
        );
    }
    let trimmed: Vec<&str> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!("permission_table", trimmed.join("\n"));
    rows.iter()
        .for_each(|(label, cells)| assert_sound(label, cells));
}

fn line(table: &mut String, label: &str, guard: &str, cells: &[String]) {
    let head = format!("{label:<42} {guard:<24}");
    write!(table, "\n{:<67}", head.trim_end()).unwrap();
    cells
        .iter()
        .for_each(|cell| write!(table, " {cell:<5}").unwrap());
}

fn guard(label: &str) -> &'static str {
    match calls::meta(label).guard {
        Guard::Public => "(the secret)",
        Guard::Anyone => "(runs one may steer)",
        Guard::Permission(permission) => permission.as_str(),
    }
}

/// What must hold of every row whatever the reviewed table says.
fn assert_sound(label: &str, cells: &[String]) {
    let meta = calls::meta(label);
    let cell = |head: &str| cells[HEADS.iter().position(|h| *h == head).unwrap()].as_str();
    let done = |head: &str| cell(head).starts_with('2');
    if meta.guard == Guard::Public {
        return;
    }
    for head in ["susp", "expd", "rvkd", "anon"] {
        assert_eq!(cell(head), "401", "{label}: {head}");
    }
    let instance = !meta.path.contains("{org}");
    assert_eq!(
        cell("path"),
        if instance { "·" } else { "401" },
        "{label}: another organization's path"
    );
    assert!(!done("id"), "{label}: another organization's identifiers");
    let Guard::Permission(permission) = meta.guard else {
        return;
    };
    for (head, role) in cast::ROLES {
        let held = role.held();
        // What names nothing of anybody's answers with what is the caller's own.
        let names_nothing = meta.is_read() && meta.path.matches('{').count() == 1;
        let enough = if head == "mem~" || names_nothing {
            Reach::Own
        } else {
            Reach::All
        };
        assert!(
            !done(head) || held.has(permission, enough),
            "{label}: {head} may, and the role does not hold {permission:?}"
        );
    }
    let administrative = |p: Permission| {
        ["roles", "users", "settings", "keys", "kill_switches"].contains(&p.category())
    };
    if administrative(permission) {
        assert!(
            !done("agt~") && !done("agnt"),
            "{label}: an agent administers"
        );
    }
}

#[test]
fn every_operation_and_every_route_has_a_row() {
    let rows: BTreeSet<&str> = ROWS.iter().map(|label| calls::meta(label).name).collect();
    let all: BTreeSet<&str> = OPERATIONS
        .iter()
        .map(|operation| operation.meta().name)
        .collect();
    assert_eq!(
        all.difference(&rows).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "operations without a row"
    );
    let described = web::openapi("http://localhost");
    let described: BTreeSet<(String, String)> = described["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| (path.clone(), method.to_uppercase()))
        })
        .filter(|(_, method)| ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()))
        .map(|(path, method)| (shape(path.trim_start_matches("/api/v1")), method))
        .collect();
    let of_rows: BTreeSet<(String, String)> = ROWS
        .iter()
        .map(|label| calls::meta(label))
        .map(|meta| (shape(meta.path), meta.method.as_str().to_owned()))
        .collect();
    assert_eq!(described, of_rows, "the described routes and the rows");
    let doors: BTreeSet<String> = DOORS.iter().map(|door| door.path.to_owned()).collect();
    assert_eq!(
        routes_in_source(),
        doors,
        "the routes in the source of the doors and the rows"
    );
}

fn shape(path: &str) -> String {
    let segment = |segment: &str| {
        if segment.starts_with('{') {
            "{}".into()
        } else {
            segment.to_owned()
        }
    };
    path.split('/')
        .map(segment)
        .collect::<Vec<String>>()
        .join("/")
}

/// Each path that the web crate writes after `.route(`. The registry's paths are not written there.
fn routes_in_source() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(entry).unwrap();
                let paths = text
                    .split(".route(")
                    .skip(1)
                    .filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next());
                found.extend(paths.map(str::to_owned));
            }
        }
    }
    assert!(found.len() > 10, "the source was read: {found:?}");
    found
}

/// `docs/roles.md` says what each built-in role holds. `UPDATE=1` writes it anew.
#[test]
fn the_table_of_roles_in_the_documentation_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/roles.md");
    let wanted = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, wanted,
        "docs/roles.md is not what the code says; run this test again with UPDATE=1"
    );
}

fn document() -> String {
    let mut out = String::from(
        "<!-- Written by the test `the_table_of_roles_in_the_documentation_is_generated`; run it with UPDATE=1. -->\n\
         # What the built-in roles hold\n\n\
         `all`: on everything of the organization. `own`: on what one owns oneself. Nothing: not at all.\n\
         Nobody gives by a role or a token what they do not hold themselves, and what gives more reach to somebody\n\
         else needs proof of a recent sign-in as well.\n\n",
    );
    out.push_str(&service::access::table());
    out.push_str("\n## What each permission lets its holder do\n\n| permission | lets its holder |\n|---|---|\n");
    for permission in Permission::ALL {
        writeln!(
            out,
            "| `{}` | {} |",
            permission.as_str(),
            permission.description()
        )
        .unwrap();
    }
    out.push_str("\nPermissions that begin with `instance.` belong to instance administrators and are in no role of an organization.\n");
    assert_eq!(
        Builtin::ALL.len() + 2,
        out.lines()
            .find(|line| line.starts_with("| permission |"))
            .unwrap()
            .matches('|')
            .count()
    );
    out
}
