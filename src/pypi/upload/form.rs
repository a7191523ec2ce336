//! What the fields of an upload mean to the index, and which of them are judged.

use super::error::{BadUpload, Protected, Refusal, Rejected};
use super::head::Head;
use crate::name::{ProjectName, Subject};
use crate::pypi::Judge;

/// The most that the value of a judged field may take.
const MAX_VALUE: usize = 4 << 10;

/// What the parts so far have said.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// What the current part is.
    field: Field,
    part: usize,
    /// The value of the current part, if it is judged.
    value: Vec<u8>,
    named: bool,
    file_named: bool,
    file_begun: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    /// What the project is called.
    Name,
    Classifier,
    /// A file, or a field that publishes no name of its own. `requires_dist` is one: to depend on a private package is
    /// not to publish it.
    #[default]
    Other,
}

impl Form {
    /// A part begins: judges its file name, by all readings.
    pub(super) fn begin(&mut self, head: &Head, judge: &mut dyn Judge) -> Result<(), Rejected> {
        self.part = head.part;
        self.value.clear();
        self.field = Field::of(head)?;
        for file in &head.files {
            if judge.hides(Subject::File(file)) {
                return Err(Refusal::Protected(Protected::File(file.clone())).into());
            }
        }
        self.file_begun |= !head.files.is_empty();
        self.file_named |= head.is_field("content");
        Ok(())
    }

    /// A piece of its content.
    pub(super) fn content(&mut self, bytes: &[u8]) -> Result<(), Rejected> {
        if self.is_held() {
            if bytes.len() > MAX_VALUE.saturating_sub(self.value.len()) {
                let what = "4 KiB in a `name` or `classifiers` field";
                return Err(BadUpload::Limit { part: self.part, what }.into());
            }
            self.value.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The content is complete: judges what it says.
    pub(super) fn end(&mut self, judge: &mut dyn Judge) -> Result<(), Rejected> {
        match self.field {
            Field::Name => {
                let part = self.part;
                let name = ProjectName::parse(&self.value).map_err(|why| BadUpload::Name { part, why })?;
                if judge.hides(Subject::Project(name.as_name())) {
                    return Err(Refusal::Protected(Protected::Project(name)).into());
                }
                self.named = true;
            }
            Field::Classifier if is_private(&self.value) => return Err(Refusal::Private.into()),
            Field::Classifier | Field::Other => {}
        }
        self.field = Field::Other;
        Ok(())
    }

    /// The form is complete.
    pub(super) const fn close(&self) -> Result<(), BadUpload> {
        if self.named { Ok(()) } else { Err(BadUpload::Nameless) }
    }

    /// Whether the current part's content must not go on before its end is known.
    pub(super) fn is_held(&self) -> bool {
        self.field != Field::Other
    }

    /// Whether both the project's and the file's name have been seen.
    pub(super) const fn is_named(&self) -> bool {
        self.named && self.file_named
    }

    /// Whether a part with a file name has begun.
    pub(super) const fn has_file(&self) -> bool {
        self.file_begun
    }
}

impl Field {
    /// A file among the fields, or a field in place of the file, is read in different ways: PyPI refuses both.
    fn of(head: &Head) -> Result<Self, BadUpload> {
        let bad = |what| BadUpload::Head { part: head.part, what };
        let field = if head.is_field("name") {
            Self::Name
        } else if head.is_field("classifiers") || head.is_field("classifier") {
            Self::Classifier
        } else {
            Self::Other
        };
        if head.is_field("_charset_") {
            // RFC 7578 section 4.6: what it says changes how all other fields are decoded.
            return Err(bad("a `_charset_` field is not supported"));
        }
        if field != Self::Other && !head.files.is_empty() {
            return Err(bad("a `name` or `classifiers` field has a file name"));
        }
        if head.is_field("content") && head.files.is_empty() {
            return Err(bad("the `content` has no file name"));
        }
        Ok(field)
    }
}

/// Whether a classifier is one of those that PyPI promises to refuse.
fn is_private(classifier: &[u8]) -> bool {
    let text = String::from_utf8_lossy(classifier).trim().to_ascii_lowercase();
    text.strip_prefix("private").is_some_and(|rest| rest.trim_start().starts_with("::"))
}
