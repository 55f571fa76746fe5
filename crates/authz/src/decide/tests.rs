//! How sources combine, whatever they are: nothing said is deny, a forbid wins wherever it stands, and what is missing
//! is said only where there is no permit.

use super::{Answer, Ask, Effect, Moment, Reason, Source, Who, combine};
use crate::relation::{Conditions, Context, Holds, Object};
use kernel::Timestamp;

struct Nothing;

impl Conditions for Nothing {
    fn holds(&self, _: &str, _: Option<&Context>) -> Holds {
        Holds::Missing(Vec::new())
    }
}

type Judge = fn(&Moment<'_, ()>, &Ask<'_>) -> Effect;

fn answer(sources: &[(bool, Judge)]) -> Answer {
    let sources: Vec<Source<()>> = sources
        .iter()
        .map(|(forbids, judge)| Source {
            forbids: *forbids,
            judge: *judge,
        })
        .collect();
    let moment = Moment {
        facts: &(),
        conditions: &Nothing,
        of_owner: &Nothing,
        now: Timestamp::from_seconds(0),
    };
    let object = Object {
        type_name: "t",
        id: "1",
    };
    let ask = Ask {
        who: Who::Stranger,
        subject: object,
        action: "a",
        resource: object,
        run: None,
        asked_by: None,
    };
    combine(&sources, &moment, &ask)
}

const PERMITS: (bool, Judge) = (false, |_, _| Effect::Permit(Reason::Role, None));
const FORBIDS: (bool, Judge) = (true, |_, _| Effect::Forbid);
const SILENT: (bool, Judge) = (false, |_, _| Effect::Nothing(Reason::NoPermit));
const COSTLY: (bool, Judge) = (false, |_, _| Effect::Nothing(Reason::TooComplex));
const LACKS: (bool, Judge) = (false, |_, _| Effect::Missing(["ip".to_owned()].into()));
const NEVER_ASKED: (bool, Judge) = (false, |_, _| unreachable!("there is a permit already"));

#[test]
fn nothing_said_is_deny_and_one_permit_is_enough() {
    assert_eq!(answer(&[]), Answer::denied(Reason::NoPermit));
    assert_eq!(answer(&[SILENT, SILENT]), Answer::denied(Reason::NoPermit));
    let permitted = answer(&[SILENT, PERMITS, NEVER_ASKED]);
    assert!(permitted.permit && permitted.reason == Reason::Role);
}

#[test]
fn a_forbid_wins_wherever_it_stands() {
    for sources in [
        [FORBIDS, PERMITS, PERMITS],
        [PERMITS, FORBIDS, PERMITS],
        [PERMITS, LACKS, FORBIDS],
    ] {
        assert_eq!(answer(&sources), Answer::denied(Reason::Forbidden));
    }
}

#[test]
fn what_is_missing_is_said_where_there_is_no_permit() {
    let lacking = answer(&[SILENT, LACKS, COSTLY]);
    assert!(!lacking.permit && lacking.reason == Reason::MissingContext);
    assert!(lacking.missing.contains("ip"));
    let permitted = answer(&[LACKS, PERMITS]);
    assert!(permitted.permit && permitted.missing.is_empty());
    assert_eq!(
        answer(&[COSTLY, SILENT]),
        Answer::denied(Reason::TooComplex)
    );
}
