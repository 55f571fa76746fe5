//! Counts decisions for the metrics. The series are looked up once and kept: building a metric's key for each decision
//! would cost more than the decision.

use super::asker::Kind;
use metrics::Counter;
use std::sync::OnceLock;

const DECISIONS: &str = "cardea_decisions_total";

/// The counters of decisions, by who asked and what was answered.
#[derive(Default)]
pub struct Decided {
    series: OnceLock<[[Counter; 2]; 3]>,
}

impl Decided {
    pub(super) fn count(&self, by: Kind, permit: bool) {
        let series = self.series.get_or_init(|| {
            metrics::describe_counter!(DECISIONS, "Decisions by who asked and the answer.");
            ["api_token", "agent", "connection"].map(|caller| {
                ["deny", "permit"].map(
                    |answer| metrics::counter!(DECISIONS, "caller" => caller, "decision" => answer),
                )
            })
        });
        let counters = series.get(by as usize);
        if let Some(counter) = counters.and_then(|of| of.get(usize::from(permit))) {
            counter.increment(1);
        }
    }
}
