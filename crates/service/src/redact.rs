//! Takes what looks like a credential out of text that is told or written. People paste secrets into the wrong field;
//! a refusal or an entry that repeats them would keep them. It knows shapes only, so it never vouches for a text.

/// How credentials begin: secrets and sealed tokens of ours, and the header of any JWT.
const MARKS: [&str; 7] = ["cda_", "cdj_", "cds_", "cdt_", "cdu_", "cdx_", "eyJ"];
/// No credential is shorter, and ids are.
const SHORTEST: usize = 40;

/// The text with each credential cut after the mark it begins with; none when it holds none.
pub(crate) fn redact(text: &str) -> Option<String> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, mark, after)) = credential(rest) {
        clean.extend([before, mark, "…"]);
        rest = after;
    }
    (!clean.is_empty()).then(|| clean + rest)
}

/// What stands before the first credential, the mark it begins with, and what stands after it.
fn credential(text: &str) -> Option<(&str, &'static str, &str)> {
    let mut from = 0;
    loop {
        let tail = text.get(from..)?;
        let found = MARKS
            .iter()
            .filter_map(|mark| Some((from + tail.find(mark)?, *mark)));
        let (at, mark) = found.min()?;
        let (before, rest) = text.split_at_checked(at)?;
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        if end >= SHORTEST {
            return Some((before, mark, rest.get(end..)?));
        }
        from = at + mark.len();
    }
}

const fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn credentials_are_cut_wherever_they_stand_and_nothing_else_is() {
        let secret = "cda_abcdefgh_5EPZvmVSsSyY4kPL-QE4MOpDcVUcBurD8bnQPeVC_wE_2D1AYA";
        let token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
        let table = [
            (format!("`{secret}` is unknown"), "`cda_…` is unknown"),
            (format!("auth.{secret}"), "auth.cda_…"),
            (format!("{secret} and {token}."), "cda_… and eyJ…"),
            (format!("cda_short, {secret}"), "cda_short, cda_…"),
            (format!("ü{secret}ü"), "ücda_…ü"),
        ];
        for (text, clean) in table {
            assert_eq!(redact(&text).as_deref(), Some(clean), "{text}");
        }
        for plain in ["", "agt_01m81gqs41fzfarcyag7ws3fen", "cda_", "eyJ", "a b"] {
            assert_eq!(redact(plain), None, "{plain}");
        }
    }
}
