//! Changing the security settings. What is not named stays as it is; asking for less trust than before needs proof
//! of a recent sign-in.

use super::read::SettingsView;
use crate::{
    Act, Cx, Error, Result,
    operation::{Meta, Method, Operation, Target},
};
use domain::{Class, Permission, Settings, SettingsCore};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use store::Tx;

const MOST_TRUST: u8 = 100;

/// Changes the security settings.
pub struct UpdateSettings;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What agents need.
    agents: AgentInput,
}

/// What agents are to need.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentInput {
    /// The least trust any agent needs for anything, 0 to 100.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    trust_floor: Option<u16>,
    /// The least trust a class of operation needs, 0 to 100 each.
    #[serde(default)]
    class_minimums: BTreeMap<Class, u16>,
}

impl Operation for UpdateSettings {
    const META: Meta = Meta {
        summary: "Change the security settings; lowering a bound needs proof of a recent sign-in",
        tool: Some("update-security-settings"),
        command: "settings update",
        ..Meta::write(
            "settings.update",
            Method::Put,
            "/orgs/{org}/settings/security",
            Permission::SettingsUpdate,
        )
    };
    type Input = Input;
    type Output = SettingsView;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<SettingsView> {
        let view = cx.view()?;
        let before = view.org.settings_core().clone();
        let core = changed(&before, &input.agents)?;
        if lowers(&before, &core) {
            cx.require_sudo()?;
        }
        let act = Act::update("settings.updated")
            .on(view.id())
            .before(shown(&before))
            .after(shown(&core));
        let (stream, expected) = (cx.stream()?, cx.envelope.if_match);
        let settings = Settings {
            org: view.id(),
            core,
        };
        let write = move |tx: &mut Tx<'_>| {
            let version = match expected {
                Some(_) => tx.update(stream, &settings, expected)?,
                None => tx.put(stream, &settings)?,
            };
            Ok(SettingsView::new(&settings.core, version))
        };
        Ok(cx.commit(act, write).await?.value)
    }

    fn version(output: &SettingsView) -> Option<u64> {
        Some(output.version)
    }
}

fn trust(field: &str, value: u16) -> Result<u8> {
    let within = u8::try_from(value)
        .ok()
        .filter(|value| *value <= MOST_TRUST);
    within.ok_or_else(|| Error::invalid(field, format!("must be within 0 and {MOST_TRUST}")))
}

fn changed(before: &SettingsCore, input: &AgentInput) -> Result<SettingsCore> {
    let mut after = before.clone();
    if let Some(floor) = input.trust_floor {
        after.trust_floor = trust("agents.trust_floor", floor)?;
    }
    for (class, minimum) in &input.class_minimums {
        let field = format!("agents.class_minimums.{}", class.as_str());
        after
            .class_minimums
            .insert(*class, trust(&field, *minimum)?);
    }
    Ok(after)
}

/// Whether anything needs less trust than before.
fn lowers(before: &SettingsCore, after: &SettingsCore) -> bool {
    let class = |class: Class| after.class_minimum(class) < before.class_minimum(class);
    after.trust_floor < before.trust_floor || Class::ALL.into_iter().any(class)
}

fn shown(core: &SettingsCore) -> serde_json::Value {
    json!({ "trust_floor": core.trust_floor, "class_minimums": core.class_minimums })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_trust_than_before_is_seen_also_against_what_is_usual() {
        let usual = SettingsCore::default();
        let with = |floor: Option<u16>, minimums: &[(Class, u16)]| {
            let input = AgentInput {
                trust_floor: floor,
                class_minimums: minimums.iter().copied().collect(),
            };
            changed(&usual, &input).unwrap()
        };
        assert!(lowers(&usual, &with(Some(19), &[])));
        assert!(
            lowers(&usual, &with(None, &[(Class::Admin, 79)])),
            "below the usual 80"
        );
        assert!(!lowers(&usual, &with(Some(20), &[(Class::Admin, 80)])));
        assert!(!lowers(&usual, &with(Some(60), &[(Class::Read, 50)])));
    }

    #[test]
    fn trust_ends_at_a_hundred() {
        let input = |floor| AgentInput {
            trust_floor: Some(floor),
            class_minimums: BTreeMap::new(),
        };
        assert!(changed(&SettingsCore::default(), &input(100)).is_ok());
        for wrong in [101, 255, 256, u16::MAX] {
            assert!(
                changed(&SettingsCore::default(), &input(wrong)).is_err(),
                "{wrong}"
            );
        }
    }
}
