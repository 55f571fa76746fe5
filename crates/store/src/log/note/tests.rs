//! Notes and keys: the one spelling is read back, and every other one is refused.

use super::*;
use domain::Stream;
use kernel::{Id, Timestamp};

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> [u8; 32] {
    pair(seed).public_key().as_ref().try_into().unwrap()
}

fn key(seed: u8, name: &str) -> VerifierKey {
    VerifierKey::new(name, public(seed)).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: origin(Stream::org(Id::from_bytes([5; 16]))),
        size: 4711,
        root: [1; 32],
        chain: [2; 32],
        time: Timestamp::from_micros(1_795_338_000_000_000),
        epoch: 3,
    }
}

#[test]
fn a_checkpoint_is_read_back_by_its_key_only() {
    let (checkpoint, pair) = (checkpoint(), pair(1));
    let name = checkpoint.origin.as_str();
    let note = parse(&sign(&checkpoint, name, &pair)).unwrap();
    assert_eq!(verify(&note, &key(1, name)), Ok(checkpoint.clone()));
    assert_eq!(verify(&note, &key(2, name)), Err(NoteError::OtherKey));
    assert_eq!(
        verify(&note, &key(1, "cardea/instance")),
        Err(NoteError::OtherKey)
    );
    let elsewhere = parse(&sign(&checkpoint, "cardea/instance", &pair)).unwrap();
    let instance = key(1, "cardea/instance");
    assert_eq!(verify(&elsewhere, &instance), Err(NoteError::OtherKey));
}

#[test]
fn the_text_is_what_the_format_says() {
    let root = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let chain = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    let origin = checkpoint().origin;
    let expected = format!(
        "{origin}\n4711\n{root}\nchain {chain}\ntime 2026-11-22T09:00:00.000000Z\nepoch 3\n"
    );
    assert_eq!(checkpoint().to_text(), expected);
}

#[test]
fn a_key_id_is_that_of_the_published_example() {
    // The verifier key of Go's checksum database, the best known signed note.
    let known = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(known.parse::<VerifierKey>().unwrap().to_string(), known);
}

#[test]
fn keys_have_one_spelling() {
    let text = key(1, "cardea/instance").to_string();
    assert_eq!(text.parse(), Ok(key(1, "cardea/instance")));
    let (name, id, encoded) = {
        let mut parts = text.splitn(3, '+');
        let mut next = || parts.next().unwrap().to_owned();
        (next(), next(), next())
    };
    for wrong in [
        format!("{name}+{id}"),
        format!("{name}x+{id}+{encoded}"),
        format!("+{id}+{encoded}"),
        format!("{name}+00000000+{encoded}"),
        format!(
            "{name}+{id}+{}",
            STANDARD.encode([&[2][..], &public(1)].concat())
        ),
        format!(
            "{name}+{id}+{}",
            STANDARD.encode([&[1][..], &public(1), &[0]].concat())
        ),
        format!("{text}\n"),
        format!("{name}+{}+{encoded}", id.to_uppercase() + " "),
    ] {
        assert_eq!(
            wrong.parse::<VerifierKey>(),
            Err(NoteError::Key),
            "{wrong:?}"
        );
    }
}

#[test]
fn bad_notes_are_refused() {
    let checkpoint = checkpoint();
    let name = checkpoint.origin.clone();
    let (text, good) = (checkpoint.to_text(), sign(&checkpoint, &name, &pair(1)));
    let signature_line = good.rsplit_once("\n\n").unwrap().1.to_owned();
    let other_body = sign(
        &Checkpoint {
            size: 4712,
            ..checkpoint.clone()
        },
        &name,
        &pair(1),
    );
    let other_line = other_body.rsplit_once("\n\n").unwrap().1.to_owned();
    let resigned = |text: &str| sign_text(text, &name, &pair(1));
    let mut signed = STANDARD
        .decode(signature_line.trim_end().rsplit(' ').next().unwrap())
        .unwrap();
    signed[0] ^= 1;
    let other_hash = format!("{text}\n{MARK}{name} {}\n", STANDARD.encode(&signed));
    let table = [
        ("no newline at the end", good.trim_end().to_owned()),
        ("no signature", format!("{text}\n")),
        ("no empty line", good.replace("\n\n", "\n")),
        ("text after the signature", format!("{good}more\n")),
        ("a hyphen for the dash", good.replace('\u{2014}', "-")),
        ("another key hash", other_hash),
        (
            "the signature of another body",
            format!("{text}\n{other_line}"),
        ),
        (
            "a good and a broken signature by the key",
            format!("{good}{other_line}"),
        ),
        ("carriage returns", good.replace('\n', "\r\n")),
        (
            "carriage returns, signed",
            resigned(&text.replace('\n', "\r\n")),
        ),
        ("two origins", resigned(&format!("{name}\n{text}"))),
        ("two checkpoints", resigned(&format!("{text}{text}"))),
        ("an unknown line", resigned(&format!("{text}more 1\n"))),
        ("an empty line in the text", resigned(&format!("{text}\n"))),
        (
            "a size with a zero before it",
            resigned(&text.replace("4711", "04711")),
        ),
        (
            "a size with a sign",
            resigned(&text.replace("4711", "+4711")),
        ),
        (
            "another spelling of the time",
            resigned(&text.replace(".000000Z", "Z")),
        ),
        (
            "base64 with other trailing bits",
            resigned(&text.replace("AQE=", "AQF=")),
        ),
        (
            "base64 without padding",
            resigned(&text.replace("AQE=", "AQE")),
        ),
        ("a short root", resigned(&text.replace("AQEBAQE=", "AQE="))),
        (
            "no epoch",
            resigned(text.strip_suffix("epoch 3\n").unwrap()),
        ),
        (
            "the signature's base64 without padding",
            good.replace("=\n", "\n"),
        ),
        ("empty", String::new()),
    ];
    for (what, bad) in table {
        let read = parse(&bad).and_then(|note| verify(&note, &key(1, &name)));
        assert!(read.is_err(), "{what}");
    }
    let cosigned = sign_text(&text, "witness.example", &pair(9));
    let cosignature = cosigned.rsplit_once("\n\n").unwrap().1;
    let both = parse(&format!("{good}{cosignature}")).unwrap();
    assert_eq!(verify(&both, &key(1, &name)), Ok(checkpoint));
}

#[test]
fn an_instance_checkpoint_carries_the_heads_that_changed() {
    let instance = Checkpoint {
        origin: origin(Stream::INSTANCE),
        ..checkpoint()
    };
    let head = |byte| Head {
        org: Id::from_bytes([byte; 16]),
        size: 9,
        root: [3; 32],
        chain: [byte; 32],
    };
    let all = InstanceCheckpoint {
        instance,
        heads: vec![head(1), head(2)],
    };
    let name = "cardea/instance";
    let note = parse(&sign_instance(&all, name, &pair(1))).unwrap();
    assert_eq!(verify_instance(&note, &key(1, name)), Ok(all.clone()));
    assert_eq!(verify(&note, &key(1, name)), Err(NoteError::Checkpoint));
    let twice = all.to_text().replace(" 9 ", "  9 ");
    assert_eq!(
        InstanceCheckpoint::from_text(&twice),
        Err(NoteError::Checkpoint)
    );
    let of_an_org = checkpoint().to_text();
    assert_eq!(
        InstanceCheckpoint::from_text(&of_an_org),
        Err(NoteError::Checkpoint)
    );
}
