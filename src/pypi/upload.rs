//! Guards an upload while it streams: whatever names something protected is refused before the index has all of it.
//!
//! The body is read once, in constant memory, and by the strictest reading: what a server might read in another way than
//! we do is refused, since it could name another project to that server.

mod boundary;
mod error;
mod form;
mod head;
mod multipart;
mod params;

pub use boundary::is_multipart_form;
pub(crate) use error::ADVICE;
pub use error::{BadUpload, Protected, Refusal, Rejected};

use self::form::Form;
use self::multipart::{Event, Reader};
use super::Judge;

/// A push reader of the body of one upload.
///
/// The caller holds the bytes that it pushes, and lets go of no more than the first [`Upload::releasable`] of them. That
/// is never all of them before [`Upload::finish`] has agreed, so that an upload which turns out bad late (a second
/// `name` behind the file) is never complete to the index: the caller then breaks the request off, without ending its
/// body in an orderly way.
#[derive(Debug)]
pub struct Upload {
    reader: Reader,
    form: Form,
    /// How many bytes were pushed.
    pushed: u64,
    /// How many of them are known to be fit, names aside that are yet to come.
    settled: u64,
    finished: bool,
    failed: Option<Rejected>,
}

/// Where things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// The project's name, or that of the file, is not known yet: nothing may go.
    Undecided,
    /// A `name` and the file name of `content` have been judged fit. What follows may still be refused.
    Named,
    /// The closing boundary has been read, and everything before it is fit. [`Upload::finish`] has the last word.
    Complete,
}

impl Upload {
    /// Prepares to read a body of this type.
    ///
    /// # Errors
    /// [`BadUpload::ContentType`] if it is no form, or has no boundary that all readers agree on.
    pub fn new(content_type: &str) -> Result<Self, BadUpload> {
        let reader = Reader::new(boundary::of_content_type(content_type)?);
        Ok(Self { reader, form: Form::default(), pushed: 0, settled: 0, finished: false, failed: None })
    }

    /// Takes the next bytes, and judges the names that are complete with them.
    ///
    /// # Errors
    /// [`Rejected`] as soon as the upload must not go on; the same again from then on.
    pub fn push(&mut self, chunk: &[u8], judge: &mut dyn Judge) -> Result<Progress, Rejected> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.pushed += chunk.len() as u64;
        match self.read(chunk, judge) {
            Ok(()) => Ok(self.progress()),
            Err(rejected) => Err(self.failed.insert(rejected).clone()),
        }
    }

    /// The body has ended.
    ///
    /// # Errors
    /// [`BadUpload::Truncated`] if the form has not; else as [`Upload::push`].
    pub fn finish(&mut self) -> Result<(), Rejected> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        if !self.reader.is_closed() {
            return Err(self.failed.insert(BadUpload::Truncated.into()).clone());
        }
        self.finished = true;
        Ok(())
    }

    /// Where things stand.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        if self.reader.is_closed() {
            Progress::Complete
        } else if self.form.is_named() {
            Progress::Named
        } else {
            Progress::Undecided
        }
    }

    /// How many bytes from the body's beginning may go to the index by now: none while undecided or once rejected; all
    /// but a few KiB once named; all once finished. Never falls but to 0, when the upload is rejected.
    #[must_use]
    pub const fn releasable(&self) -> u64 {
        if self.failed.is_some() {
            return 0;
        }
        match self.progress() {
            Progress::Undecided => 0,
            Progress::Named | Progress::Complete if !self.finished => self.settled,
            Progress::Named | Progress::Complete => self.pushed,
        }
    }

    /// Whether [`Upload::finish`] has agreed.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the content of a part with a file name has begun.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.form.has_file()
    }

    fn read(&mut self, mut chunk: &[u8], judge: &mut dyn Judge) -> Result<(), Rejected> {
        while let Some(event) = self.reader.next(&mut chunk)? {
            let settles = match event {
                Event::Head(head) => {
                    self.form.begin(&head, judge)?;
                    false
                }
                Event::Content(bytes) => {
                    self.form.content(bytes)?;
                    !self.form.is_held()
                }
                Event::End => {
                    self.form.end(judge)?;
                    true
                }
                Event::Closed => {
                    self.form.close()?;
                    false
                }
            };
            if settles {
                self.settled = self.reader.at();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
