//! What pip, uv, poetry and the others need to be pointed at the proxy and to trust it.

pub mod env;
pub mod run;
pub mod summary;
