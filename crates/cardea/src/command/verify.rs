//! `cardea audit verify`: the log of a database or an export, held against itself and against what somebody keeps
//! elsewhere. Its exit codes are its own: 0 whole, 1 broken, 2 unreadable, 3 incomplete, 64 a wrong command line.

use super::{
    anchor::Anchor,
    exit::Failure,
    global::Global,
    output::{self, Format},
    place,
};
use crate::verify::{Asked, Verified, verify};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    io::BufReader,
    path::{Path, PathBuf},
};
use store::log::{
    VerifierKey,
    verify::{Claims, Finding, Kept, Report, export},
};

const UNREADABLE: u8 = 2;
const INCOMPLETE: u8 = 3;
/// A wrong command line; the other commands' 2 means something else here.
const USAGE: u8 = 64;

/// The command.
pub fn command() -> Command {
    let command = Command::new("verify")
        .about("Verify the log; 0 whole, 1 broken, 2 unreadable, 3 incomplete, 64 usage");
    let file = Arg::new("file")
        .long("file")
        .value_name("EXPORT")
        .value_parser(value_parser!(PathBuf))
        .help("An export instead of a database");
    let deep = Arg::new("deep")
        .long("deep")
        .action(ArgAction::SetTrue)
        .help("Check every column, not only what hashes cover");
    let key = Arg::new("key")
        .long("key")
        .value_name("KEY")
        .action(ArgAction::Append);
    let anchor = Arg::new("anchor")
        .long("anchor")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .action(ArgAction::Append);
    let require = Arg::new("require-anchor")
        .long("require-anchor")
        .action(ArgAction::SetTrue);
    place::flags(command)
        .arg(file)
        .arg(deep)
        .arg(key.help("A verifier key that you keep elsewhere, `name+hash+key`"))
        .arg(anchor.help("A signed checkpoint that you keep elsewhere, or the file of a witness"))
        .arg(require.help("Incomplete unless an anchor was found right for every log"))
}

/// Verifies.
///
/// # Errors
/// With this command's own exit codes.
pub async fn run(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let anchors = anchors(matches)?;
    let asked = asked(global, matches, &anchors)?;
    let verified = match matches.get_one::<PathBuf>("file") {
        Some(path) => {
            let given = |name: &str| {
                matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
            };
            if given("data") || given("database-url") || given("org") {
                return Err(Failure::new(
                    USAGE,
                    "`--file` verifies one export; leave out `--data`, `--database-url` and `--org`",
                ));
            }
            export(path, &asked)?
        }
        None => database(matches, asked).await?,
    };
    let unanchored = unanchored(&verified, &anchors, matches.get_flag("require-anchor"));
    let code = code(&verified, unanchored.missing);
    output::print(&match global.format {
        Format::Table => table(&verified, code, &unanchored.said),
        other => other.render(&whole(&verified, code, &unanchored.said)),
    });
    Ok(code)
}

fn anchors(matches: &ArgMatches) -> Result<Vec<Anchor>, Failure> {
    let files = matches.get_many::<PathBuf>("anchor").into_iter().flatten();
    let read: Result<Vec<Vec<Anchor>>, Failure> = files.map(|path| Anchor::read(path)).collect();
    Ok(read?.into_iter().flatten().collect())
}

fn asked(global: &Global, matches: &ArgMatches, anchors: &[Anchor]) -> Result<Asked, Failure> {
    let keys = matches.get_many::<String>("key").into_iter().flatten();
    let keys: Result<Vec<VerifierKey>, _> = keys.map(|key| key.parse::<VerifierKey>()).collect();
    Ok(Asked {
        org: global.org.clone(),
        deep: matches.get_flag("deep"),
        keys: keys.map_err(|error| Failure::new(USAGE, error))?,
        anchors: anchors.iter().map(|anchor| anchor.note.clone()).collect(),
    })
}

/// What anchors did not do.
struct Unanchored {
    /// Whether one that was required is missing.
    missing: bool,
    /// What there is to say about it.
    said: Vec<String>,
}

/// An anchor of another log than those verified anchors nothing; when anchors are required, every log needs one.
fn unanchored(verified: &Verified, anchors: &[Anchor], required: bool) -> Unanchored {
    let reports = verified.reports.iter();
    let streams: Vec<_> = reports.map(|(_, report)| report.stream).collect();
    let strays = anchors.iter().filter_map(|anchor| anchor.stray(&streams));
    let mut said: Vec<String> = strays.collect();
    let bare: Vec<String> = verified
        .reports
        .iter()
        .filter(|(_, report)| required && !report.anchored)
        .map(|(slug, report)| name(slug.as_ref(), report))
        .collect();
    let missing = required && !(said.is_empty() && bare.is_empty());
    if !bare.is_empty() {
        said.push(format!("no anchor was found right for {}", bare.join(", ")));
    }
    Unanchored { missing, said }
}

fn export(path: &Path, asked: &Asked) -> Result<Verified, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(UNREADABLE, format!("{}: {error}", path.display()))
    };
    let mut claims = Claims::new(&asked.keys);
    asked
        .anchors
        .iter()
        .for_each(|note| claims.add(note, Kept::Anchor));
    let file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    let report = export::verify(BufReader::new(file), claims, asked.deep)
        .map_err(|error| unreadable(&error))?;
    Ok(Verified {
        reports: vec![(None, report)],
        wrong: Vec::new(),
    })
}

async fn database(matches: &ArgMatches, asked: Asked) -> Result<Verified, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::new(UNREADABLE, error);
    let settings = place::settings(matches).map_err(|failure| Failure::new(USAGE, failure.text))?;
    let store = place::to_read(&settings)
        .await
        .map_err(|error| unreadable(&error))?;
    let verified = verify(&store, asked).await;
    let _ended = tokio::task::spawn_blocking(move || store.close()).await;
    verified.map_err(|error| unreadable(&error))
}

fn code(verified: &Verified, lacks_anchor: bool) -> u8 {
    match verified.exit_code() {
        0 if lacks_anchor => INCOMPLETE,
        code => code,
    }
}

const fn verdict(code: u8) -> &'static str {
    match code {
        0 => "whole",
        INCOMPLETE => "incomplete",
        _ => "broken",
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    service::sealing::hex(bytes)
}

fn name(slug: Option<&String>, report: &Report) -> String {
    slug.cloned().unwrap_or_else(|| report.stream.to_string())
}

fn whole(verified: &Verified, code: u8, unanchored: &[String]) -> Value {
    let logs: Vec<Value> = verified
        .reports
        .iter()
        .map(|(slug, report)| log(slug.as_ref(), report))
        .collect();
    json!({ "verdict": verdict(code), "logs": logs, "findings": verified.wrong, "anchors": unanchored })
}

fn log(slug: Option<&String>, report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| json!({ "sequence": finding.fault.seq(), "text": finding.to_string() }))
        .collect();
    json!({
        "org": slug,
        "stream": report.stream.to_string(),
        "entries": report.entries,
        "checkpoints": report.checkpoints,
        "head": hex(&report.head),
        "root": hex(&report.root),
        "after_last_checkpoint": report.after_last_checkpoint,
        "anchored_size": report.anchored.then_some(report.anchored_size),
        "findings": findings,
        "further_findings": report.further,
    })
}

fn table(verified: &Verified, code: u8, unanchored: &[String]) -> String {
    let row = |(slug, report): &(Option<String>, Report)| {
        json!({
            "name": name(slug.as_ref(), report),
            "entries": report.entries,
            "checkpoints": report.checkpoints,
            "uncovered": report.after_last_checkpoint,
            "anchored": report.anchored.then_some(report.anchored_size),
            "head": hex(&report.head).get(..16).unwrap_or_default(),
        })
    };
    let rows: Vec<Value> = verified.reports.iter().map(row).collect();
    let mut text = Format::Table.render(&Value::Array(rows));
    let findings = verified
        .reports
        .iter()
        .flat_map(|(_, report)| report.findings.iter().map(Finding::to_string));
    for finding in findings
        .chain(verified.wrong.iter().cloned())
        .chain(unanchored.iter().cloned())
    {
        let _infallible = writeln!(text, "{}", output::steerless(&finding));
    }
    let uncovered: u64 = verified
        .reports
        .iter()
        .map(|(_, report)| report.after_last_checkpoint)
        .sum();
    let _infallible = writeln!(
        text,
        "{}; {uncovered} entries after the last checkpoints",
        verdict(code)
    );
    text
}
