//! Runs: one execution of a task by an agent, inside a tree. A child never holds more, lives longer or lies deeper
//! than its parent allows, and a run that ended never comes back.

mod answer;
pub(crate) mod bounds;
mod end;
mod heartbeat;
mod list;
mod overdue;
mod reach;
mod read;
pub(crate) mod start;
mod terminate;

pub use answer::RunAnswer;
pub use end::End;
pub use heartbeat::Heartbeat;
pub use list::List;
pub(crate) use overdue::end_overdue;
pub use read::Read;
pub use start::Start;
pub use terminate::Terminate;
