//! The checkpoints that an auditor keeps elsewhere, as files: read, and held against the logs that were verified.
//! It never believes them; signatures are checked where the entries are.

use super::exit::Failure;
use domain::Stream;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use store::log::note::{parse, stream_of};

const UNREADABLE: u8 = 2;
const USAGE: u8 = 64;

/// A signed checkpoint in a file.
#[derive(Clone, Debug)]
pub struct Anchor {
    path: PathBuf,
    /// The note, byte for byte as it was signed.
    pub note: String,
    origin: String,
    streams: Vec<Stream>,
}

impl Anchor {
    /// Reads a file that holds a signed checkpoint and, at most, one line end more, which tools such as jq add; or
    /// what a witness keeps, a JSON object with the member `checkpoint` a line.
    ///
    /// # Errors
    /// 2 when the file cannot be read, 64 when it holds something else.
    pub fn read(path: &Path) -> Result<Vec<Self>, Failure> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                let text = format!("the anchor {shown} cannot be read: {error}");
                return Err(Failure::new(UNREADABLE, text));
            }
            read => read.unwrap_or_default(),
        };
        let read = match text.trim_start().starts_with('{') {
            true => Self::witnessed(path, &text),
            false => Self::of(path, &text).map(|one| vec![one]),
        };
        read.ok_or_else(|| {
            let text = format!(
                "the anchor {shown} is no signed checkpoint; keep the text of `audit checkpoint` as it is"
            );
            Failure::new(USAGE, text)
        })
    }

    /// The lines of a witness. One that its writer did not end, because it or the disk stopped, was written again.
    fn witnessed(path: &Path, text: &str) -> Option<Vec<Self>> {
        let whole = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let each = whole.map(|line: serde_json::Value| {
            let note = line.get("checkpoint")?.as_str()?;
            Self::of(path, note)
        });
        let all = each.collect::<Option<Vec<Self>>>()?;
        (!all.is_empty()).then_some(all)
    }

    fn of(path: &Path, text: &str) -> Option<Self> {
        let note = match text.strip_suffix("\n\n") {
            Some(whole) => format!("{whole}\n"),
            None => text.to_owned(),
        };
        let origin = parse(&note).ok()?.claimed_origin().to_owned();
        let own = stream_of(&origin)?;
        let heads = note
            .lines()
            .filter_map(|line| line.strip_prefix("head ")?.split(' ').next())
            .filter_map(|org| Some(Stream::org(org.parse().ok()?)));
        Some(Self {
            path: path.to_owned(),
            streams: std::iter::once(own).chain(heads).collect(),
            note,
            origin,
        })
    }

    /// What to say when none of these logs is one that the checkpoint is about.
    pub fn stray(&self, verified: &[Stream]) -> Option<String> {
        let met = self.streams.iter().any(|stream| verified.contains(stream));
        (!met).then(|| {
            format!(
                "the anchor {} is of `{}`, which was not verified here; it anchors nothing",
                self.path.display(),
                self.origin
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "cardea/instance\n3\nx\n\n\u{2014} cardea/instance AAAAAAA=\n";

    #[test]
    fn one_more_line_end_is_forgiven_and_nothing_else() {
        let path = Path::new("anchor");
        let read = Anchor::of(path, NOTE).unwrap();
        assert_eq!(Anchor::of(path, &format!("{NOTE}\n")).unwrap().note, NOTE);
        assert_eq!(read.stray(&[Stream::INSTANCE]), None);
        assert!(read.stray(&[]).unwrap().contains("cardea/instance"));
        let other = NOTE.replace("cardea/instance", "elsewhere");
        for text in ["", "{}\n", &format!("{NOTE}\n\n"), NOTE.trim_end(), &other] {
            assert!(Anchor::of(path, text).is_none(), "{text:?}");
        }
    }
}
