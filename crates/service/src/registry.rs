//! Every operation, in the order of the documentation. What is not here exists at no door.

use crate::operation::{Erased, Typed};

macro_rules! registry {
    ($($operation:path,)*) => {
        /// Every operation.
        pub static OPERATIONS: &[&dyn Erased] = &[$(&Typed::<$operation>::NEW,)*];
    };
}

registry! {
    crate::setup::Redeem,
    crate::setup::CreateOrganization,
    crate::setup::ReadOrganization,
}
