//! Several requests on one connection without waiting in between. Knows nothing of transactions: the server runs
//! the requests in order, and within a transaction everything after the first failure fails too.

use std::{future::poll_fn, pin::Pin, task::Poll};
use tokio_postgres::{Client, Error, Row, Statement, types::ToSql};

/// What a request gave.
pub(super) enum Answer {
    /// Rows.
    Rows(Vec<Row>),
    /// How many rows it touched.
    Count(u64),
}

impl Answer {
    pub(super) const fn count(&self) -> u64 {
        match self {
            Self::Rows(_) => 0,
            Self::Count(count) => *count,
        }
    }
}

/// A prepared statement with its parameters.
pub(super) struct Question<'a> {
    pub(super) statement: Statement,
    pub(super) params: &'a [&'a (dyn ToSql + Sync)],
    /// Whether its rows are wanted, or only how many it touched.
    pub(super) rows: bool,
}

type Request<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + 'a>>;

/// Requests in the order in which they will be sent.
pub(super) struct Pipeline<'a> {
    client: &'a Client,
    requests: Vec<Request<'a>>,
}

impl<'a> Pipeline<'a> {
    pub(super) const fn new(client: &'a Client) -> Self {
        Self {
            client,
            requests: Vec::new(),
        }
    }

    /// Statements without parameters, parted by semicolons.
    pub(super) fn text(&mut self, sql: &'a str) {
        let client = self.client;
        self.add(async move { client.batch_execute(sql).await.map(|()| Answer::Count(0)) });
    }

    /// A statement of which only the count is wanted.
    pub(super) fn count(&mut self, statement: &'a Statement, params: &'a [&'a (dyn ToSql + Sync)]) {
        let client = self.client;
        self.add(async move { client.execute(statement, params).await.map(Answer::Count) });
    }

    /// A statement as it asks for its answer.
    pub(super) fn question(&mut self, question: &'a Question<'a>) {
        let (
            client,
            Question {
                statement, params, ..
            },
        ) = (self.client, question);
        if question.rows {
            self.add(async move { client.query(statement, params).await.map(Answer::Rows) });
        } else {
            self.count(statement, params);
        }
    }

    fn add(&mut self, request: impl Future<Output = Result<Answer, Error>> + 'a) {
        self.requests.push(Box::pin(request));
    }

    /// Sends everything, in order, then waits for every answer. A request is sent when it is polled for the first
    /// time.
    ///
    /// # Errors
    /// The first one in order.
    pub(super) async fn run(mut self) -> Result<Vec<Answer>, Error> {
        let mut answers: Vec<Option<_>> = self.requests.iter().map(|_| None).collect();
        poll_fn(|cx| {
            for (request, answer) in self.requests.iter_mut().zip(&mut answers) {
                if answer.is_none()
                    && let Poll::Ready(ready) = request.as_mut().poll(cx)
                {
                    *answer = Some(ready);
                }
            }
            let all = answers.iter().all(Option::is_some);
            if all { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        answers.into_iter().flatten().collect()
    }
}
