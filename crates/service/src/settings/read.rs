//! Reading the security settings, with what counts where nothing was set.

use crate::{
    Cx, Result,
    operation::{Meta, Operation, Target},
};
use domain::{Class, Permission, Settings, SettingsCore};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Reads the security settings.
pub struct ReadSettings;

/// What it takes: nothing.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// The security settings, as they are shown.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// What agents need.
    agents: AgentSettings,
    /// Version for `If-Match`.
    pub(super) version: u64,
}

/// What agents need.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct AgentSettings {
    /// The least trust any agent needs for anything.
    #[schemars(range(min = 0, max = 100))]
    trust_floor: u8,
    /// The least trust each class of operation needs.
    class_minimums: BTreeMap<Class, u8>,
}

impl SettingsView {
    pub(super) fn new(core: &SettingsCore, version: u64) -> Self {
        let class_minimums = Class::ALL
            .into_iter()
            .map(|class| (class, core.class_minimum(class)))
            .collect();
        Self {
            agents: AgentSettings {
                trust_floor: core.trust_floor,
                class_minimums,
            },
            version,
        }
    }
}

impl Operation for ReadSettings {
    const META: Meta = Meta {
        summary: "Read the security settings",
        tool: Some("get-security-settings"),
        command: "settings get",
        ..Meta::read(
            "settings.read",
            "/orgs/{org}/settings/security",
            Permission::SettingsRead,
        )
    };
    type Input = Input;
    type Output = SettingsView;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, _: Input) -> Result<SettingsView> {
        let (stream, key) = (cx.stream()?, cx.view()?.id().bytes());
        let row = cx
            .platform
            .store
            .read(stream, move |reader| reader.get::<Settings>(stream, key))
            .await?;
        Ok(row.map_or_else(
            || SettingsView::new(&SettingsCore::default(), 0),
            |row| SettingsView::new(&row.value.core, row.version),
        ))
    }

    fn version(output: &SettingsView) -> Option<u64> {
        Some(output.version)
    }
}
