//! What happens around every operation, once: read the input, find the target (foreign or invisible is not
//! found), check the permission on it, ask for a recent sign-in where wanted, run, and decide again when the
//! ground moved. Nothing else in the product calls `run`.

use crate::operation::{Answer, Guard, Meta, Method, Operation, Target, parse_input};
use crate::{Act, Cx, Error, Result, audit};
use crate::{again::Again, gate::Class};
use authz::Access;
use domain::{Permission, Stream};
use kernel::{Code, limits};
use serde_json::Value;

pub(crate) async fn call<O: Operation>(mut cx: Cx, input: Value) -> Result<Answer> {
    cx.set_operation(&O::META);
    if cx.envelope.idempotency_key.is_some() {
        cx.envelope.body_digest = crate::sealing::sha256(input.to_string().as_bytes());
    }
    let input: O::Input = parse_input(input)?;
    let mut again = Again::default();
    let stream = cx.stream().unwrap_or(Stream::INSTANCE);
    if changes(&O::META) && again.line_up(&cx.platform, stream).await {
        decide_again(&mut cx).await?;
    }
    for _ in 0..limits::DECIDE_ATTEMPTS {
        if let Err(refusal) = admit::<O>(&mut cx, &input) {
            return refused(&cx, O::META.name, refusal).await;
        }
        match O::run(&cx, input.clone()).await {
            Ok(output) => return finish::<O>(&cx, answer::<O>(output)?).await,
            Err(error) if error.moved => {
                again.wait(&cx.platform, stream).await;
                decide_again(&mut cx).await?;
            }
            Err(error) => return refused(&cx, O::META.name, error).await,
        }
    }
    Err(Error::moved())
}

/// Whether an operation makes, changes or removes something. What takes authority away lines up behind nobody.
const fn changes(meta: &Meta) -> bool {
    matches!(meta.class, Class::Management) && !matches!(meta.method, Method::Get)
}

/// What a request did may stand in the way of its repetition, which is then answered as the request was. Who may
/// not ask any more is refused all the same.
async fn refused(cx: &Cx, name: &'static str, refusal: Error) -> Result<Answer> {
    let forbidden = is_denial(&refusal) || refusal.code == Code::Unauthenticated;
    if !forbidden && let Some(answer) = cx.answered().await? {
        let (body, version) = (answer.into_bytes(), None);
        return Ok(Answer { body, version });
    }
    audit::record_refusal(cx, name, &refusal).await;
    Err(refusal)
}

/// A fresh view, and the caller's authority cut to what is held in it.
pub(crate) async fn decide_again(cx: &mut Cx) -> Result<()> {
    if cx.caller().is_err() {
        // Whoever came with a secret in the body has no view; the operation takes its own.
        return Ok(());
    }
    cx.refresh_view().await?;
    let view = cx.view()?;
    let caller = crate::caller::still(view, cx.caller()?)?;
    cx.set_caller(caller);
    Ok(())
}

fn admit<O: Operation>(cx: &mut Cx, input: &O::Input) -> Result<()> {
    let permission = match O::META.guard {
        Guard::Public => return Ok(()),
        Guard::Anyone => {
            cx.caller()?;
            cx.set_access(Access::Own);
            return Ok(());
        }
        Guard::Permission(permission) => permission,
    };
    let target = O::target(input, cx.view()?, cx)?;
    let access = permitted(cx, permission, &target)?;
    cx.set_access(access);
    if O::META.sudo {
        cx.require_sudo()
    } else {
        Ok(())
    }
}

fn permitted(cx: &Cx, permission: Permission, target: &Target) -> Result<Access> {
    let caller = cx.caller()?;
    let access = cx.reaches(permission);
    let refuse = || Error::denied(permission.as_str());
    match target {
        Target::Instance if caller.instance.has(permission) => Ok(Access::All),
        Target::Instance => Err(refuse()),
        Target::Organization if access == Access::All => Ok(access),
        Target::Organization => Err(refuse()),
        Target::Collection if access != Access::None => Ok(access),
        Target::Collection => Err(refuse()),
        Target::Thing { noun, owners, read } => {
            let owned = owners.contains(&caller.principal);
            let reaches = |access| access == Access::All || (access == Access::Own && owned);
            if reaches(access) {
                Ok(access)
            } else if reaches(cx.reaches(*read)) {
                Err(refuse())
            } else {
                Err(Error::not_found(noun))
            }
        }
    }
}

fn answer<O: Operation>(output: O::Output) -> Result<Answer> {
    let body = serde_json::to_vec(&output).map_err(Error::internal)?;
    Ok(Answer {
        body,
        version: O::version(&output),
    })
}

async fn finish<O: Operation>(cx: &Cx, answer: Answer) -> Result<Answer> {
    if let Some(kind) = O::META.records {
        record_read(cx, kind, &answer.body).await?;
    }
    Ok(answer)
}

/// A restricted read is answered only after its entry is durable (AUD-9).
async fn record_read(cx: &Cx, kind: &'static str, body: &[u8]) -> Result<()> {
    let shown: Value = serde_json::from_slice(body).map_err(Error::internal)?;
    let items = shown.get("items").and_then(Value::as_array).map(Vec::len);
    let after = match (items, shown.get("count")) {
        (None, Some(_)) => shown,
        (items, _) => serde_json::json!({ "count": items.unwrap_or(1) }),
    };
    let act = Act::read(kind).after(after);
    let stream = cx.stream()?;
    let entry = cx.prepare(stream, act).await?;
    let record = store::Record {
        stream,
        entry,
        decided_at: None,
        once: None,
    };
    cx.platform
        .store
        .record(record)
        .await
        .map_err(Error::from)?;
    Ok(())
}

/// Whether a refusal is worth an entry: somebody known tried what they may not do.
pub(crate) fn is_denial(error: &Error) -> bool {
    matches!(
        error.code,
        Code::PermissionDenied | Code::SudoRequired | Code::BeyondOwnPermissions
    )
}
