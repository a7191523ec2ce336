//! The attack of dependency confusion, played on this machine: a stand-in for PyPI, a private index, and the story.

pub mod standin;
