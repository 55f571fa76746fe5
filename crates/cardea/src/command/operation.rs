//! Management operations as commands: every operation of the registry has one, derived from its facts and its
//! input's schema, and each is a request to a server's management API.

use super::{
    exit::Failure,
    field::{self, Field, Kind},
    global::Global,
    output,
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use egress::{Client, ClientOptions, Request, Response};
use http::Method;
use proto::problem::Problem;
use serde_json::{Map, Value};
use service::{Erased, Guard, OPERATIONS};
use std::io::Read;

/// Flags that every command has; a field with such a name is given by `--input`.
const TAKEN: [&str; 11] = [
    "server",
    "org",
    "token-file",
    "output",
    "input",
    "if-match",
    "idempotency-key",
    "help",
    "version",
    "data",
    "config",
];

/// The operation of these words.
pub fn find(words: &str) -> Option<&'static dyn Erased> {
    OPERATIONS
        .iter()
        .copied()
        .find(|operation| operation.meta().command == words)
}

/// The names of a path's parameters but the organization's.
fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .filter(|name| *name != "org")
}

fn own_fields(operation: &dyn Erased) -> Vec<Field> {
    let placed: Vec<&str> = parameters(operation.meta().path).collect();
    let all = field::fields(&operation.input_schema().to_value());
    all.into_iter()
        .filter(|field| !placed.contains(&field.name.as_str()))
        .collect()
}

/// The command of an operation, under its last word.
pub fn command(operation: &'static dyn Erased, word: &'static str) -> Command {
    let meta = operation.meta();
    let mut command = Command::new(word)
        .about(meta.summary)
        .disable_version_flag(true);
    for name in parameters(meta.path) {
        command = command.arg(
            Arg::new(name)
                .value_name(name.to_uppercase())
                .required(true),
        );
    }
    for field in own_fields(operation)
        .iter()
        .filter(|field| !TAKEN.contains(&field.flag().as_str()))
    {
        command = command.arg(flag(field));
    }
    let input = Arg::new("input")
        .long("input")
        .value_name("FILE")
        .help("The whole input as JSON; `-` reads standard input");
    command = command.arg(input);
    if !meta.is_read() {
        command = command
            .arg(
                Arg::new("if-match")
                    .long("if-match")
                    .value_name("VERSION")
                    .help("Only if this is still the version"),
            )
            .arg(
                Arg::new("idempotency-key")
                    .long("idempotency-key")
                    .value_name("KEY")
                    .help("Happens once for this key"),
            );
    }
    command
}

fn flag(field: &Field) -> Arg {
    let help = if field.required {
        format!("{} [required]", field.help)
    } else {
        field.help.clone()
    };
    let value = match &field.kind {
        Kind::Text => "TEXT",
        Kind::Number => "NUMBER",
        Kind::Flag => "BOOLEAN",
        Kind::List(_) => "VALUE",
        Kind::Json => "JSON",
    };
    let arg = Arg::new(field.name.clone())
        .long(field.flag())
        .value_name(value)
        .help(help)
        .allow_hyphen_values(true);
    match &field.kind {
        Kind::List(_) => arg.action(ArgAction::Append),
        Kind::Flag => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        _ => arg,
    }
}

/// Sends the request and prints the answer.
///
/// # Errors
/// A wrong command line, a refusal, or nobody answered.
pub async fn run(
    operation: &'static dyn Erased,
    global: &Global,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let input = input(operation, global, matches)?;
    let request = request(operation, global, matches, input)?;
    let client = Client::operator(ClientOptions::default())?;
    let answer = client.send(request).await?;
    if !answer.is_success() {
        return Err(refusal(global, &answer));
    }
    if !answer.body.is_empty() {
        output::print(&global.format.render(&answer.json::<Value>()?));
    }
    Ok(())
}

/// What the flags say over what `--input` says.
///
/// # Errors
/// When a value is not what its field takes.
pub fn input(
    operation: &dyn Erased,
    global: &Global,
    matches: &ArgMatches,
) -> Result<Map<String, Value>, Failure> {
    let mut input = match matches.get_one::<String>("input") {
        Some(path) => whole(path)?,
        None => Map::new(),
    };
    for field in own_fields(operation) {
        if field.name == "org" {
            input.extend(
                global
                    .org
                    .clone()
                    .map(|org| (field.name.clone(), Value::from(org))),
            );
        } else if !TAKEN.contains(&field.flag().as_str())
            && let Some(texts) = matches.get_many::<String>(&field.name)
        {
            let texts: Vec<&str> = texts.map(String::as_str).collect();
            input.insert(
                field.name.clone(),
                field::read(&field, &texts).map_err(Failure::usage)?,
            );
        }
    }
    Ok(input)
}

fn whole(path: &str) -> Result<Map<String, Value>, Failure> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().read_to_string(&mut text),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::usage(format!("`{path}` cannot be read: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("`--input` must be a JSON object: {error}")))
}

fn request(
    operation: &dyn Erased,
    global: &Global,
    matches: &ArgMatches,
    input: Map<String, Value>,
) -> Result<Request, Failure> {
    request_at(operation.meta().path, operation, global, matches, input)
}

/// The request of an operation at another path that asks it.
///
/// # Errors
/// When the organization or a token is missing, or a value is no part of a path.
pub fn request_at(
    at: &str,
    operation: &dyn Erased,
    global: &Global,
    matches: &ArgMatches,
    input: Map<String, Value>,
) -> Result<Request, Failure> {
    let meta = operation.meta();
    let address = format!("{}/api/v1{}", global.server, path(at, global, matches)?);
    let method = Method::from_bytes(meta.method.as_str().as_bytes()).map_err(Failure::usage)?;
    let mut request = Request::new(method, &address)?.accept_json();
    if meta.method.has_body() {
        request = request.json(&input)?;
    } else {
        for (name, value) in &input {
            request = request.query(name, &field::query_text(value));
        }
    }
    if !meta.is_read() {
        for name in ["if-match", "idempotency-key"] {
            if let Some(value) = matches.get_one::<String>(name) {
                request = request.header(name, value)?;
            }
        }
    }
    match (&global.token, meta.guard) {
        (Some(token), _) => Ok(request.bearer(token)?),
        (None, Guard::Public) => Ok(request),
        (None, _) => Err(Failure::usage(
            "an API token is needed; name its file with `--token-file` or set CARDEA_TOKEN",
        )),
    }
}

fn path(template: &str, global: &Global, matches: &ArgMatches) -> Result<String, Failure> {
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        let value = match segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            None => segment,
            Some("org") => {
                let missing = || {
                    Failure::usage(
                        "an organization is needed; name it with `--org` or set CARDEA_ORG",
                    )
                };
                global.org.as_deref().ok_or_else(missing)?
            }
            Some(name) => matches.get_one::<String>(name).map_or("", String::as_str),
        };
        if value.is_empty() || value.contains(['/', '?', '#', '%']) || matches!(value, "." | "..") {
            return Err(Failure::usage(format!(
                "`{}` is no id or name",
                output::steerless(value)
            )));
        }
        path.push('/');
        path.push_str(value);
    }
    Ok(path)
}

/// What the server said, with the fields that were wrong and the request's id.
pub fn refusal(global: &Global, answer: &Response) -> Failure {
    let exit = Failure::of_status(answer.status);
    let Ok(problem) = answer.json::<Problem>() else {
        return Failure::new(
            exit,
            format!(
                "the server answered {} without saying why; is `{}` a cardea server?",
                answer.status, global.server
            ),
        );
    };
    if global.format == output::Format::Json {
        let value = serde_json::to_value(&problem).unwrap_or_default();
        let text = output::Format::Json.render(&value);
        return Failure {
            machine: true,
            ..Failure::new(exit, text.trim_end())
        };
    }
    let said = match &global.token_from {
        Some(from) if answer.status == 401 => {
            format!(
                "the API token in {from} is unknown, expired, revoked or not allowed from this address"
            )
        }
        _ => problem.detail,
    };
    // The only field that is wrong is what the sentence before it says already.
    let repeats = problem.errors.len() == 1
        && problem
            .errors
            .iter()
            .all(|field| said.contains(&field.field) && said.contains(&field.detail));
    let fields = problem
        .errors
        .iter()
        .filter(|_| !repeats)
        .map(|field| format!("\n  `{}` {}", field.field, field.detail));
    let text = format!(
        "{} ({}){}\n  request {}",
        said,
        problem.code,
        fields.collect::<String>(),
        problem.request_id
    );
    let clean: Vec<String> = text.lines().map(output::steerless).collect();
    Failure::new(exit, clean.join("\n"))
}
