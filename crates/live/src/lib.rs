//! Live state: what decisions read, held in memory at a known revision and moved forward by changes.
//! It never asks a database and never waits; a cell that cannot prove it is fresh gives no view.

mod cell;
mod cells;
mod deny;
mod instance;
mod org;
mod relations;
mod view;

pub use cell::{Advance, Era, Revision};
pub use cells::{Cells, Install, Listener, Loaded};
pub use instance::InstanceState;
pub use org::OrgState;
pub use relations::{Compiled, Relations, Unusable, tuple as relation_tuple};
pub use view::View;
