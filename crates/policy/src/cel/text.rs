//! Values as text, the way Go writes them.

use super::fault::Fault;
use super::value::Value;

/// As text; nothing for bytes that are none.
pub(super) fn written(of: &Value) -> Option<String> {
    Some(match of {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
        Value::Time(at) => at.written().map_err(|_: Fault| ()).ok()?,
        #[expect(clippy::cast_precision_loss, reason = "Go writes seconds as a double")]
        Value::Duration(nanoseconds) => format!("{}s", *nanoseconds as f64 / 1e9),
        _ => return None,
    })
}

/// The shortest text of a double, with an exponent where it is below -4 or above 5.
fn double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
