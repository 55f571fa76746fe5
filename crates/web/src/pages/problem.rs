//! A page for every kind of problem, at the address that a problem's `type` names (RFC 9457 section 3.1.1): what it means
//! and whether to try again. Everything on it is the product's own table.

use super::guarded;
use crate::{answer, arrival::Arrival};
use axum::{
    extract::{Path, Request},
    response::Response,
};
use kernel::{Code, code::Retry};

/// Answers the page of a problem, or that there is none of that name.
pub(super) async fn page(Path(name): Path<String>, mut request: Request) -> Response {
    match Code::ALL.iter().find(|code| code.as_str() == name) {
        Some(code) => guarded("text/html; charset=utf-8", text(*code)),
        None => answer::problem(
            &answer::nothing_here(),
            &Arrival::take(&mut request).peer.request_id,
        ),
    }
}

fn text(code: Code) -> String {
    let again = match code.retry() {
        Retry::No => "The same request will not succeed; change it first.",
        Retry::Later => {
            "The same request may succeed after a while; <code>Retry-After</code> says when, if that is known."
        }
        Retry::AfterReading => {
            "The same request may succeed after you have read what changed meanwhile."
        }
    };
    let (name, status, meaning) = (code.as_str(), code.status(), escaped(code.meaning()));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n\
         <link rel=\"stylesheet\" href=\"/pages.css\">\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n\
         <p>Status {status}. {meaning}</p>\n<p>{again}</p>\n</main>\n</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_has_a_page_with_nothing_inline() {
        for code in Code::ALL {
            let page = text(*code);
            let named = format!("<h1>{}</h1>", code.as_str());
            assert!(page.contains(&named) && page.contains(&code.status().to_string()));
            assert!(!page.contains("<script") && !page.contains(" style="));
        }
        assert_eq!(escaped("a < b & `c`"), "a &lt; b &amp; `c`");
    }
}
