//! The modelling language and the model's JSON, both ways, and what each mistake is told, with its place.

use super::generate::{self, Dice};
use authz::model::{Model, ModuleFile, Rewrite, SubjectKind};
use serde_json::json;

const MODEL: &str = "model
  schema 1.1

type user

type group
  relations
    define member: [user, user:*, group#member, user with office_hours]

type document
  relations
    define parent: [group]
    define owner: [user]
    define editor: [user, group#member] or owner
    define viewer: (editor or member from parent) but not (blocked and owner)
    define blocked: [user]

condition office_hours(now: timestamp, days: list<string>, of: map<int>) {
  now > timestamp(\"}\") && days.all(d, d in {\"a\": 1})
}
";

fn said(text: &str) -> Vec<String> {
    let problems = Model::read(text).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn relations(text: &str) -> Vec<String> {
    said(&format!(
        "model\n  schema 1.1\ntype user\ntype doc\n  relations\n{text}"
    ))
}

#[test]
fn a_model_is_read_and_written_as_it_was() {
    let model = Model::read(MODEL).unwrap();
    assert_eq!(model.to_string(), MODEL);
    assert_eq!(
        model.types[1].relations[0].restrictions[1].kind,
        SubjectKind::Wildcard
    );
    assert_eq!(
        model.conditions[0].parameters[1].1.to_string(),
        "list<string>"
    );
    assert!(matches!(
        model.types[2].relations[3].rewrite,
        Rewrite::Exclusion { .. }
    ));
}

#[test]
fn comments_and_blank_lines_do_not_count() {
    let text = "# a\nmodel # b\n  schema 1.1 # c\n\n# d\ntype user\ntype group # e\n  relations\n    # f\n    define member: [user,\n      group#member] # g\n\n# h";
    let model = Model::read(text).unwrap();
    assert_eq!(
        model.types[1].relations[0].to_string(),
        "define member: [user, group#member]"
    );
}

#[test]
fn json_and_text_say_the_same() {
    let mut model = Model::read(MODEL).unwrap();
    let json = serde_json::to_value(&model).unwrap();
    let document = &json["type_definitions"][2];
    assert_eq!(
        document["relations"]["viewer"],
        json!({ "difference": {
            "base": { "union": { "child": [
                { "computedUserset": { "relation": "editor" } },
                { "tupleToUserset": {
                    "tupleset": { "relation": "parent" }, "computedUserset": { "relation": "member" } } } ] } },
            "subtract": { "intersection": { "child": [
                { "computedUserset": { "relation": "blocked" } }, { "computedUserset": { "relation": "owner" } } ] } } } })
    );
    assert_eq!(
        json["type_definitions"][1]["metadata"]["relations"]["member"],
        json!({ "directly_related_user_types": [
            { "type": "user" }, { "type": "user", "wildcard": {} },
            { "type": "group", "relation": "member" }, { "type": "user", "condition": "office_hours" } ] })
    );
    assert_eq!(
        json["conditions"]["office_hours"]["parameters"]["days"],
        json!({ "type_name": "TYPE_NAME_LIST", "generic_types": [{ "type_name": "TYPE_NAME_STRING" }] })
    );
    let back: Model = serde_json::from_value(json).unwrap();
    for one in &mut model.types {
        one.relations.sort_by(|a, b| a.name.cmp(&b.name));
    }
    model.conditions[0].parameters.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(back, model);
    assert!(back.problems().is_empty());
}

#[test]
fn json_as_the_clients_send_it_is_read() {
    let json = json!({ "id": "01", "schema_version": "1.1", "conditions": {}, "type_definitions": [
        { "type": "user", "relations": {}, "metadata": null },
        { "type": "doc",
          "relations": {
              "a": { "this": {} },
              "b": { "computedUserset": { "object": "", "relation": "a" } } },
          "metadata": { "module": "", "source_info": null, "relations": {
              "a": { "directly_related_user_types": [{ "type": "user", "relation": "", "condition": "" }], "module": "" } } } } ] });
    let model: Model = serde_json::from_value(json).unwrap();
    assert!(model.problems().is_empty(), "{:?}", model.problems());
    let wrong = json!({ "schema_version": "1.1", "type_definitions": [{ "type": "a", "metadata": { "relations": { "x": {} } } }] });
    let said = serde_json::from_value::<Model>(wrong)
        .unwrap_err()
        .to_string();
    assert!(said.contains("names relation `x`"), "{said}");
}

#[test]
fn what_cannot_be_read_has_its_place() {
    let begin = "model\n  schema 1.1\n";
    for (text, wanted) in [
        ("", "line 1, column 1: expected `model`, found the end"),
        (
            "model\n  schema 1.1\ntype user $",
            "line 3, column 11: `$` has no meaning here",
        ),
        (
            "module core\ntype user",
            "this is a module, not a model: read it with the other files of its model",
        ),
        (
            "model\n  schema 1.1\nextend type user",
            "line 3, column 13: `extend` is for modules",
        ),
    ] {
        assert_eq!(said(text), [wanted], "{text}");
    }
    for (line, wanted) in [
        (
            "type a\n  relations\n    define b: [user",
            "line 5, column 20: expected `]`, found the end",
        ),
        (
            "type a\n  relations\n    define b: x or y and z",
            "line 5, column 22: expected parentheses around operators that are mixed, found `and`",
        ),
        (
            "type a\n  relations\n    define b: x but y",
            "line 5, column 21: expected `not`, found `y`",
        ),
        (
            "type a\n  relations\n    define b: [user] or [user]",
            "line 5, column 25: expected one `[…]` in a relation, found `[`",
        ),
        (
            "type a\n  relations\ntype b",
            "line 5, column 1: expected `define`, found `type`",
        ),
        (
            "type a type b",
            "line 3, column 8: expected a new line, found `type`",
        ),
        (
            "condition c(x: number) {\n}",
            "line 3, column 16: expected one of any, bool, double, duration, int, ipaddress, list, map, string, timestamp, uint, found `number`",
        ),
        (
            "condition c(x: int) {\n x == \"}",
            "line 3, column 22: the expression does not end: close it with `}`",
        ),
        (
            "type a\ntype a",
            "line 4, column 6: type `a` is defined twice",
        ),
    ] {
        assert_eq!(said(&format!("{begin}{line}")), [wanted], "{line}");
    }
    let deep = format!("    define a: {}[user]{}", "(".repeat(30), ")".repeat(30));
    assert!(relations(&deep)[0].contains("at most 16 parentheses"));
    assert!(said(&"x".repeat(300_000))[0].contains("longer than"));
}

#[test]
fn what_makes_no_sense_has_its_place_and_a_reason() {
    for (text, wanted) in [
        (
            "define a: [nobody]",
            "names type `nobody`, which is not defined",
        ),
        (
            "define a: [doc#b]",
            "names `doc#b`, and that type has no such relation",
        ),
        (
            "define a: b",
            "uses relation `b`, which that type does not have",
        ),
        (
            "define a: [user with c]",
            "names condition `c`, which is not defined",
        ),
        ("define a: [user, user]", "names `user` twice"),
        ("define this: [user]", "cannot have that name"),
        (
            "define a: [user] or x from b",
            "uses relation `b`, which that type does not have",
        ),
        (
            "define b: [user]\n    define a: x from b",
            "no type of `b` has `x`",
        ),
        (
            "define b: [doc, doc#b]\n    define a: [user] or a from b",
            "must name objects, no wildcard and no userset",
        ),
        (
            "define c: [doc]\n    define b: [doc] or c\n    define a: [user] or a from b",
            "must be assigned directly and nothing else",
        ),
        ("define a: b\n    define b: a", "is defined by itself"),
        (
            "define a: [user] or b\n    define b: [user] or a",
            "is defined by itself",
        ),
        (
            "define a: [doc#a]",
            "nobody can ever be in relation `a` of type `doc`: it has no entry point",
        ),
        (
            "define p: [doc]\n    define a: a from p",
            "it has no entry point",
        ),
        (
            "define a: [user] and b\n    define b: [doc#b]",
            "it has no entry point",
        ),
        ("define a: [user]\n    define a: [user]", "is defined twice"),
        (
            "define a: [user] but not b\n    define b: [user, doc#a]",
            "no recursion may pass through `but not`",
        ),
        (
            "define p: [doc]\n    define a: [user] but not a from p",
            "no recursion may pass through `but not`",
        ),
    ] {
        let said = relations(&format!("    {text}"));
        assert!(
            said.iter()
                .any(|one| one.contains(wanted) && one.starts_with("line ")),
            "{text}: {said:?}"
        );
    }
    let said = said("model\n  schema 1.0\ntype user");
    assert_eq!(
        said,
        ["schema `1.0` is not supported: write `1.1` or `1.2`"]
    );
}

#[test]
fn modules_are_read_as_one_model() {
    let core = ModuleFile {
        name: "core.fga",
        text: "module core\ntype user\ntype org\n  relations\n    define member: [user]",
    };
    let wiki = ModuleFile {
        name: "wiki.fga",
        text: "module wiki\nextend type org\n  relations\n    define writer: [user] and member\ntype page\n  relations\n    define org: [org]\n    define edit: writer from org",
    };
    let model = Model::read_modules(&[wiki, core]).unwrap();
    assert_eq!(model.schema, "1.2");
    assert_eq!(
        model.relation("org", "writer").unwrap().module.as_deref(),
        Some("wiki")
    );
    let json = serde_json::to_value(&model).unwrap();
    assert_eq!(json["type_definitions"][0]["metadata"]["module"], "wiki");
    let missing = Model::read_modules(&[wiki]).unwrap_err();
    assert_eq!(
        missing[0].to_string(),
        "wiki.fga: line 2, column 13: type `org` is not defined"
    );
    let twice = Model::read_modules(&[core, core]).unwrap_err();
    assert!(
        twice[0]
            .to_string()
            .contains("core.fga: line 2, column 6: type `user` is defined twice")
    );
    let wrong = ModuleFile {
        name: "wrong.fga",
        text: "module wrong\ntype page\n  relations\n    define edit: [nobody]",
    };
    let said = Model::read_modules(&[core, wrong]).unwrap_err();
    assert!(
        said[0]
            .to_string()
            .starts_with("wrong.fga: line 4, column 12: "),
        "{}",
        said[0]
    );
}

#[test]
fn what_is_written_is_read_again() {
    let mut whole = 0;
    for seed in 0..300 {
        let mut model = generate::model(&mut Dice::new(seed));
        let json = serde_json::to_string(&model).unwrap();
        for one in &mut model.types {
            one.relations.sort_by(|a, b| a.name.cmp(&b.name));
        }
        assert_eq!(
            serde_json::from_str::<Model>(&json).unwrap(),
            model,
            "{seed}"
        );
        let text = model.to_string();
        // The language says `[…]` once in a relation.
        match Model::read(&text) {
            Ok(read) => assert_eq!(read, model, "{text}"),
            Err(problems) => {
                assert!(
                    problems[0].message.contains("one `[…]`"),
                    "{text}{}",
                    problems[0]
                );
                continue;
            }
        }
        whole += 1;
    }
    assert!(whole > 50, "{whole}");
}

#[test]
fn no_text_is_more_than_an_error() {
    let words: Vec<&str> = "model schema 1.1 type user relations define viewer : [ ] ( ) , # * or and but not from with condition { } < > \" ' \\ é \n \n \0 int list"
        .split(' ')
        .collect();
    for seed in 0..2_000 {
        let mut dice = Dice::new(seed);
        let mut text = match dice.chance(50) {
            true => MODEL.to_owned(),
            false => "model\n schema 1.1\n".to_owned(),
        };
        for _ in 0..1 + dice.below(8) {
            let at = dice.below(text.len() + 1);
            if text.is_char_boundary(at) {
                let to = text.len().min(at + dice.below(3));
                let to = if text.is_char_boundary(to) { to } else { at };
                text.replace_range(at..to, &format!(" {} ", dice.pick(&words)));
            }
        }
        let lines = text.lines().count().max(1) as u32 + 1;
        for problem in Model::read(&text).err().into_iter().flatten() {
            assert!(
                problem.at.is_none_or(|at| (1..=lines).contains(&at.line)),
                "{text}\n{problem}"
            );
        }
    }
}
