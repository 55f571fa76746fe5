//! OpenFGA's command line: whether it takes a model, and what it answers to many checks at once.

use authz::model::{Condition, Model};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

/// The program and a folder for what it reads.
pub struct Fga {
    program: String,
    folder: PathBuf,
}

/// What it says to a check.
pub struct Said {
    pub decision: Option<bool>,
    /// Its own words, for a difference.
    pub words: String,
}

impl Fga {
    pub fn new(program: String) -> Self {
        let folder = std::env::temp_dir().join(format!("conditions-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { program, folder }
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.program);
        let output = command.args(arguments).current_dir(&self.folder).output();
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = text(&output.stdout) + &text(&output.stderr);
        (output.status.success(), all)
    }

    fn write(&self, name: &str, of: &impl serde::Serialize) {
        let text = serde_json::to_vec(of).unwrap();
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Whether it takes the model, or why not.
    pub fn validate(&self, model: &Model) -> Result<(), String> {
        self.write("single.json", model);
        let arguments = [
            "model",
            "validate",
            "--file",
            "single.json",
            "--format",
            "json",
        ];
        let (_, said) = self.run(&arguments);
        match said.contains("\"is_valid\":true") {
            true => Ok(()),
            false => Err(said),
        }
    }

    /// One check for each, of the relation of its condition; nothing where its own cost limit was met.
    pub fn check(
        &self,
        model: &Model,
        conditions: &[Condition],
        asked: &[(usize, Map<String, Value>)],
    ) -> Vec<Option<Said>> {
        self.write("model.json", model);
        let tuples = conditions.iter().map(|one| {
            json!({ "user": "user:a", "object": "doc:1", "relation": format!("r_{}", one.name), "condition": { "name": one.name } })
        });
        let tests = asked.iter().enumerate().map(|(number, (at, context))| {
            let relation = format!("r_{}", conditions[*at].name);
            json!({ "name": format!("t{number}"), "check": [
                { "user": "user:a", "object": "doc:1", "context": context, "assertions": { relation: true } }] })
        });
        let file = json!({ "name": "conditions", "model_file": "./model.json", "tuples": tuples.collect::<Vec<_>>(),
            "tests": tests.collect::<Vec<_>>() });
        self.write("tests.fga.yaml", &file);
        let (_, said) = self.run(&["model", "test", "--tests", "tests.fga.yaml"]);
        assert!(said.contains("# Test Summary #"), "{said}");
        // Only what is not as expected is written out.
        let mut failing: HashMap<usize, String> = HashMap::new();
        let mut current = None;
        for line in said.lines() {
            if let Some(rest) = line.strip_prefix("(FAILING) t") {
                current = rest.split(':').next().and_then(|n| n.parse().ok());
            } else if let Some(number) = current {
                failing.entry(number).or_default().push_str(line);
            }
        }
        let said = |number| match failing.remove(&number) {
            None => Some(Said {
                decision: Some(true),
                words: String::new(),
            }),
            Some(words) if words.contains("cost limit exceeded") => None,
            Some(words) => Some(Said {
                decision: words.contains("got=false").then_some(false),
                words,
            }),
        };
        (0..asked.len()).map(said).collect()
    }
}

impl Drop for Fga {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
