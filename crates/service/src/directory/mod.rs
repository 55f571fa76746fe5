//! People of an organization: adding, showing, changing, stopping and ending. An account is one human in the whole
//! instance; what is shown here is their membership in one organization, and nothing of any other (DIR-1).

mod create;
mod deactivate;
mod list;
mod person;
mod read;
mod resume;
mod suspend;
mod update;

pub use create::CreateUser;
pub use deactivate::DeactivateUser;
pub use list::ListUsers;
pub(crate) use person::EMAIL_CLAIM;
pub use read::ReadUser;
pub use resume::ResumeUser;
pub use suspend::SuspendUser;
pub use update::UpdateUser;
