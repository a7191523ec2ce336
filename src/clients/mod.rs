//! What pip, uv, poetry and the others need to be pointed at the proxy and to trust it, and what they hold already.

pub(crate) mod doctor;
pub mod env;
mod next;
pub mod report;
pub mod run;
pub mod scan;
pub mod summary;
