//! Every sentence of `cardea demo`, asserted on both engines; and the command itself ends with 0.

use cardea::demo::{Stage, Step, story};
use std::{process::Command, sync::Arc};

on_both_engines!(every_step_of_the_story_holds, world => {
    let stage = Stage {
        base_url: world.url.clone(),
        org: "acme".into(),
        owner: world.owner.id.clone(),
        token: world.owner.api.token.clone(),
        clock: Arc::new(kernel::ambient::SystemClock),
        tokens: 1_000,
    };
    let outcomes = story(stage, &mut |_| {}).await;
    for outcome in &outcomes {
        assert!(outcome.held, "{:?}: {}", outcome.step, outcome.seen);
        assert!(!outcome.step.sentence().is_empty() && !outcome.curl.is_empty());
    }
    let played: Vec<Step> = outcomes.iter().map(|outcome| outcome.step).collect();
    assert_eq!(played, Step::ALL, "no step is left out");
});

/// The last two sentences are about the log itself: it verifies, and one changed byte is found.
#[test]
fn the_command_ends_with_zero_and_says_each_sentence() {
    let out = Command::new(env!("CARGO_BIN_EXE_cardea"))
        .arg("demo")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(
        Step::ALL.iter().all(|step| text.contains(step.sentence())),
        "{text}"
    );
    assert!(
        text.contains("the log verifies") && text.contains("is found, and where"),
        "{text}"
    );
    assert!(text.trim_end().ends_with("Every step held."), "{text}");
}
