//! Names and members of bodies: case, spaces, unicode, quotes and nulls mean the same on both engines.

use crate::world::{World, code, organization};
use domain::{Organization, OrganizationState, Stream};
use kernel::Code;
use store::{CommitError, Plan, Query, StoreError, Tx};

pub async fn keys_and_texts_are_compared_byte_by_byte(world: World) {
    let org = world.org();
    let names = [
        "a",
        "A",
        " a",
        "a ",
        "\u{e9}",
        "e\u{301}",
        "\u{1f600}",
        "",
        "%",
        "a\u{7f}",
    ];
    let entry = world.entry("x.claimed");
    let run = move |tx: &mut Tx<'_>| {
        for (n, name) in (0u8..).zip(names) {
            tx.claim(org, "agent.name", name, [n; 16])?;
            tx.claim(org, "agent.name", name, [n; 16])?;
        }
        tx.entry(org, entry.clone())
    };
    world.store.commit(Plan::new(org), run).await.unwrap();
    let found =
        move |reader: &mut store::Reader<'_>, name: &str| reader.claimed(org, "agent.name", name);
    let read = move |reader: &mut store::Reader<'_>| {
        let all: Result<Vec<_>, _> = names.iter().map(|name| found(reader, name)).collect();
        Ok((
            all?,
            found(reader, "b")?,
            reader.claimed(org, "agent", "a")?,
        ))
    };
    let (all, other, kind) = world.store.read(org, read).await.unwrap();
    let expected: Vec<_> = (0u8..).take(names.len()).map(|n| Some([n; 16])).collect();
    assert_eq!((all, other, kind), (expected, None, None));
    let entry = world.entry("x.claimed");
    let taken = |name: &'static str| {
        let entry = entry.clone();
        let run = move |tx: &mut Tx<'_>| {
            tx.claim(org, "agent.name", name, [99; 16])?;
            tx.entry(org, entry.clone())
        };
        world.store.commit(Plan::new(org), run)
    };
    let Err(CommitError::Refused(refusal)) = taken("A").await else {
        panic!("taken")
    };
    assert_eq!(
        (refusal.code, refusal.field.as_deref()),
        (Code::AlreadyExists, Some("name"))
    );
    assert_eq!(code(taken("nul\0").await), Code::InvalidInput);
    let entry = world.entry("x.released");
    let release = move |tx: &mut Tx<'_>| {
        tx.release(org, "agent.name", "A")?;
        assert_eq!(tx.claimed(org, "agent.name", "A")?, None);
        tx.entry(org, entry.clone())
    };
    world.store.commit(Plan::new(org), release).await.unwrap();
    taken("A").await.unwrap();
}

pub async fn a_filter_compares_members_as_text(world: World) {
    let instance = Stream::INSTANCE;
    let rows = [
        organization(
            1,
            "One '\" \\u0000 \u{1f600}",
            OrganizationState::Active,
            None,
        ),
        organization(2, "two", OrganizationState::Suspended, None),
        organization(3, "true", OrganizationState::Active, Some(1)),
    ];
    let (entry, written) = (world.entry("organization.created"), rows.clone());
    let run = move |tx: &mut Tx<'_>| {
        for row in &written {
            tx.insert(instance, row)?;
        }
        tx.entry(instance, entry.clone())
    };
    world.store.commit(Plan::new(instance), run).await.unwrap();
    let nul = organization(4, "\\\0", OrganizationState::Active, None);
    let put = move |tx: &mut Tx<'_>| tx.put(instance, &nul);
    let refused = world.store.commit(Plan::new(instance), put).await;
    assert_eq!(code(refused), Code::InvalidInput);
    let find = |path: &'static str, text: &str| {
        let query = Query {
            limit: 9,
            filter: vec![(path, text.to_owned())],
            ..Query::default()
        };
        world.store.read(world.org(), move |reader| {
            let found = reader.list::<Organization>(instance, &query)?;
            let counted = reader.count::<Organization>(instance, &query.filter)?;
            assert_eq!(counted, u64::try_from(found.len()).unwrap());
            Ok(found.into_iter().map(|row| row.value).collect::<Vec<_>>())
        })
    };
    let [one, two, three] = rows;
    assert_eq!(
        find("core.state", "active").await.unwrap(),
        [one, three.clone()]
    );
    assert_eq!(find("core.slug", "o2").await.unwrap(), [two]);
    assert_eq!(find("name", "true").await.unwrap(), [three]);
    assert_eq!(
        find("core.parent", "null").await.unwrap(),
        [],
        "null equals nothing"
    );
    assert!(matches!(
        find("name' OR 1=1 --", "x").await,
        Err(StoreError::Value(_))
    ));
}
