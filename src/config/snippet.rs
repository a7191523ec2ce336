//! A config mistake, shown where it stands: `file:line:column`, the line, a caret, what to write instead.

/// A mistake in the config or in a `--protect`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{rendered}")]
pub struct ConfigError {
    rendered: String,
}
