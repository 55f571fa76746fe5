//! An operation's answer or refusal as a tool's result: structured, and the same JSON as text. A refusal is a result
//! with `isError`, so that the model reads it and can do better; nothing of the inside is in it.

use crate::schema::RESULT;
use kernel::{Code, code::Retry};
use proto::problem::FieldError;
use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Value, json};
use service::{Answer, Error, Result};

#[derive(Serialize)]
struct Refusal<'a> {
    code: &'static str,
    message: &'a str,
    errors: &'a [FieldError],
    retryable: bool,
    request_id: &'a str,
}

/// The result of a call.
pub fn result(answer: Result<Answer>, request_id: &str) -> CallToolResult {
    match answer.and_then(|answer| structured(&answer)) {
        Ok(value) => CallToolResult::structured(value),
        Err(error) => refused(&error, request_id),
    }
}

/// Structured content is an object in every revision of the protocol: nothing becomes an empty one.
fn structured(answer: &Answer) -> Result<Value> {
    match serde_json::from_slice(&answer.body).map_err(Error::internal)? {
        Value::Null => Ok(json!({})),
        object @ Value::Object(_) => Ok(object),
        other => Ok(json!({ RESULT: other })),
    }
}

fn refused(error: &Error, request_id: &str) -> CallToolResult {
    let refusal = Refusal {
        code: error.code.as_str(),
        message: &error.detail,
        errors: &error.errors,
        retryable: retryable(error.code),
        request_id,
    };
    CallToolResult::error(vec![ContentBlock::text(
        json!({ "error": refusal }).to_string(),
    )])
}

/// Whether the very same call may succeed later.
fn retryable(code: Code) -> bool {
    code.retry() == Retry::Later
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answer: Result<Answer>) -> Value {
        serde_json::to_value(result(answer, "req_1")).unwrap()
    }

    fn answered(body: &str) -> Value {
        shown(Ok(Answer {
            body: body.into(),
            version: None,
        }))
    }

    #[test]
    fn an_answer_is_structured_and_the_same_as_text() {
        let shown = answered(r#"{"items":[{"id":"a"}]}"#);
        assert_eq!(shown["structuredContent"], json!({"items": [{"id": "a"}]}));
        assert_eq!(
            shown["content"],
            json!([{"type": "text", "text": r#"{"items":[{"id":"a"}]}"#}])
        );
        assert_eq!(shown["isError"], false);
    }

    #[test]
    fn what_is_no_object_becomes_one() {
        assert_eq!(answered("null")["structuredContent"], json!({}));
        assert_eq!(answered("[1]")["structuredContent"], json!({"result": [1]}));
    }

    #[test]
    fn a_refusal_is_one_line_with_code_fields_and_whether_to_retry() {
        let shown = shown(Err(Error::invalid("name", "must not be\nempty")));
        assert_eq!(shown["isError"], true);
        assert_eq!(shown.get("structuredContent"), None);
        let text = shown["content"][0]["text"].as_str().unwrap();
        assert!(!text.contains('\n'));
        let error: Value = serde_json::from_str(text).unwrap();
        let expected = json!({"error": {
            "code": "invalid_input", "message": "`name`: must not be\nempty", "retryable": false, "request_id": "req_1",
            "errors": [{"field": "name", "code": "invalid", "detail": "must not be\nempty"}]}});
        assert_eq!(error, expected);
    }

    #[test]
    fn only_what_may_succeed_unchanged_is_retryable() {
        assert!(retryable(Code::StaleState) && retryable(Code::Overloaded));
        assert!(!retryable(Code::VersionMismatch) && !retryable(Code::PermissionDenied));
    }
}
