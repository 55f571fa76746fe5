//! The counters and histograms of requests, looked up once a route and status and then kept: building a metric's
//! key costs more than everything else that is measured about a request. Routes are templates, so they are few.

use arc_swap::ArcSwap;
use metrics::{Counter, Histogram};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

const REQUESTS: &str = "cardea_http_requests_total";
const SECONDS: &str = "cardea_http_request_seconds";

/// A door, a route's template and a status.
type Place<'a> = (&'static str, &'a str, u16);

#[derive(Clone)]
struct Route {
    seconds: Histogram,
    answers: Vec<(u16, Counter)>,
}

/// The series of every route that was asked for.
#[derive(Default)]
pub(crate) struct Series {
    routes: ArcSwap<HashMap<String, Route>>,
    adding: Mutex<()>,
}

impl Series {
    /// Says what the metrics mean; the recorder must be installed.
    pub(crate) fn describe() -> Self {
        metrics::describe_counter!(REQUESTS, "HTTP requests by door, route and status.");
        metrics::describe_histogram!(
            SECONDS,
            metrics::Unit::Seconds,
            "Time to answer an HTTP request, by door and route."
        );
        Self::default()
    }

    /// Counts one answer.
    pub(crate) fn count(&self, place: Place<'_>, micros: i64) {
        if !self.known(place, micros) {
            self.add(place);
            self.known(place, micros);
        }
    }

    fn known(&self, (_, route, status): Place<'_>, micros: i64) -> bool {
        let routes = self.routes.load();
        let Some(route) = routes.get(route) else {
            return false;
        };
        let answers = route.answers.iter().find(|(known, _)| *known == status);
        let Some((_, counter)) = answers else {
            return false;
        };
        counter.increment(1);
        let seconds = Duration::from_micros(micros.unsigned_abs()).as_secs_f64();
        route.seconds.record(seconds);
        true
    }

    fn add(&self, (door, name, status): Place<'_>) {
        let _one = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes = HashMap::clone(&self.routes.load());
        let route = routes.entry(name.to_owned()).or_insert_with(|| Route {
            seconds: metrics::histogram!(SECONDS, "door" => door, "route" => name.to_owned()),
            answers: Vec::new(),
        });
        if route.answers.iter().all(|(known, _)| *known != status) {
            let counter = metrics::counter!(REQUESTS, "door" => door, "route" => name.to_owned(), "status" => status.to_string());
            route.answers.push((status, counter));
        }
        self.routes.store(routes.into());
    }
}
