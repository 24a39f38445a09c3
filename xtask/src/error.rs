//! What a failed step tells: which step, why, and what to do about it.

use std::fmt;

/// Result of a step.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, told so that the reader knows what to do next.
#[derive(Debug)]
pub struct Error {
    step: String,
    why: String,
    hint: String,
}

impl Error {
    /// A failure whose step is not known yet: [`Error::during`] names it further up.
    pub fn new(why: impl Into<String>) -> Self {
        Self { step: String::new(), why: why.into(), hint: String::new() }
    }

    /// Adds what to do, unless something more precise was already said.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.hint.is_empty() {
            self.hint = hint.into();
        }
        self
    }

    /// Names the step, unless an inner one already did.
    pub fn during(mut self, step: impl Into<String>) -> Self {
        if self.step.is_empty() {
            self.step = step.into();
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed: {}\n   why: {}", self.step, self.why.replace('\n', "\n        "))?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n    do: {}", self.hint) }
    }
}

/// Attaches what was being done to an error of the standard library or of a dependency: `fs::read(p).about(|| p.display())?`.
pub trait About<T> {
    /// Turns the error into [`Error`], headed by `what`.
    fn about<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: fmt::Display> About<T> for std::result::Result<T, E> {
    fn about<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Error::new(format!("{}: {error}", what())))
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn what_was_said_first_stays() {
        let told = Error::new("one\ntwo").during("inner").hint("this").during("outer").hint("that").to_string();
        assert_eq!(told, "failed: inner\n   why: one\n        two\n    do: this");
    }
}
