//! Opening the personal values of an entry for somebody who may read the log. A value whose subject's key was
//! destroyed, or that does not open, is shown as null; what was hashed stays as it is.

use crate::{Cx, Result};
use domain::{Stream, entry::Sealed};
use kernel::Code;
use serde::Deserialize;
use serde_json::Value;

/// Members of an entry that hold one sealed value.
const SINGLE: [&str; 3] = [
    "/actor/ip_address",
    "/actor/user_agent",
    "/context/business_justification",
];

/// The member that holds sealed values by name.
const CLAIMED: &str = "/context/claimed";

/// Puts the text, or null, in the place of every sealed value.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn personal(cx: &Cx, stream: Stream, body: &mut Value) -> Result<()> {
    for place in SINGLE {
        if let Some(value) = body.pointer_mut(place) {
            open(cx, stream, value).await?;
        }
    }
    if let Some(Value::Object(claimed)) = body.pointer_mut(CLAIMED) {
        for value in claimed.values_mut() {
            open(cx, stream, value).await?;
        }
    }
    Ok(())
}

async fn open(cx: &Cx, stream: Stream, value: &mut Value) -> Result<()> {
    let Ok(sealed) = Sealed::deserialize(&*value) else {
        return Ok(());
    };
    let platform = &cx.platform;
    let text = match platform
        .subjects
        .open(&platform.store, &platform.keyring, stream, &sealed)
        .await
    {
        Ok(text) => text,
        // One value that does not open must not hide the log; the verifier says whether it was changed.
        Err(error) if error.code == Code::Internal => None,
        Err(error) => return Err(error),
    };
    *value = text.map_or(Value::Null, Value::String);
    Ok(())
}
