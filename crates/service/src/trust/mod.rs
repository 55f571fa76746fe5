//! Trust: reading an agent's score with everything that led to it, and reporting what happened. Points come from
//! nowhere else; a report only takes.

mod read;
mod report;

pub use read::Read;
pub use report::Report;
