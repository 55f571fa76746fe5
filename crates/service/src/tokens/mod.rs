//! API tokens: made within what their maker holds, cut at each use to what their human holds then, listed, rotated
//! and revoked. The text of one is shown once and stored nowhere.

mod create;
mod list;
mod reach;
mod revoke;
mod rotate;
mod row;

pub use create::CreateToken;
pub use list::ListTokens;
pub use revoke::RevokeToken;
pub use rotate::RotateToken;
pub(crate) use row::end;
