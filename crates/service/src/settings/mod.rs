//! Security settings and kill switches: how much trust anything needs, and what is stopped at once. Making it less
//! strict needs proof of a recent sign-in.

mod kill;
mod kill_instance;
mod kill_list;
mod read;
mod update;

pub use kill::SetKillSwitch;
pub use kill_instance::SetInstanceKillSwitch;
pub use kill_list::ListKillSwitches;
pub use read::ReadSettings;
pub use update::UpdateSettings;
