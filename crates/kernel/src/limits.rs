//! The one table of limits: what the documentation prints and what a refusal quotes.
//! A limit that is enforced anywhere is a constant here.

use crate::Micros;

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $ty:ty = $value:expr, $unit:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: $ty = $value;)*
        /// Name, value and unit, and meaning of every limit, for the documentation.
        pub fn table() -> Vec<(String, String, &'static str)> {
            let named = |name: &str| name.to_ascii_lowercase();
            vec![$((named(stringify!($name)), format!("{} {}", Figure::figure($name), $unit), concat!($($doc),*).trim()),)*]
        }
    };
}

/// A limit as a refusal quotes it: the name in the table, in lower case, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// Its value, in the unit of the table.
    pub value: u64,
}

impl Limit {
    /// A limit of the table by its constant's name, which [`crate::limit!`] takes care of, or one that is set
    /// for an organization.
    pub fn new(name: &str, value: impl Figure) -> Self {
        Self {
            name: name.to_ascii_lowercase(),
            value: value.figure(),
        }
    }
}

/// A limit of the table, to be quoted: `limit!(BODY_BYTES)`.
#[macro_export]
macro_rules! limit {
    ($name:ident) => {
        $crate::limits::Limit::new(stringify!($name), $crate::limits::$name)
    };
}

/// What a limit's value is as a number: a count, or whole seconds.
pub trait Figure {
    /// The number.
    fn figure(self) -> u64;
}
impl Figure for usize {
    fn figure(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }
}
impl Figure for u64 {
    fn figure(self) -> u64 {
        self
    }
}
impl Figure for Micros {
    fn figure(self) -> u64 {
        self.as_seconds().unsigned_abs()
    }
}

limits! {
    /// Largest body of a management request.
    BODY_BYTES: usize = 256 * 1024, "bytes";
    /// Largest body of a request to a protocol endpoint.
    FORM_BYTES: usize = 64 * 1024, "bytes";
    /// Largest request head.
    HEAD_BYTES: usize = 32 * 1024, "bytes";
    /// Most parameters of a query or a form.
    PARAMETERS: usize = 64, "parameters";
    /// Most connections that one listener holds at once.
    CONNECTIONS: usize = 4_096, "connections";
    /// How long a client may take to send a request's head, and again its body, or to take in some of an answer.
    PATIENCE: Micros = Micros::seconds(10), "seconds";
    /// How long a connection is kept without a request, and twice as long at most.
    KEEP_ALIVE: Micros = Micros::seconds(75), "seconds";
    /// How long requests in flight may go on after the server was told to stop.
    DRAIN: Micros = Micros::seconds(20), "seconds";
    /// How long a request waits for the revision it names in `Cardea-At-Least`.
    AT_LEAST_WAIT: Micros = Micros::seconds(1), "seconds";
    /// Longest idempotency key.
    IDEMPOTENCY_KEY_CHARS: usize = 200, "characters";
    /// Longest token accepted by any verifier.
    TOKEN_BYTES: usize = 16 * 1024, "bytes";
    /// Deepest nesting of a JSON body.
    JSON_DEPTH: usize = 32, "levels";
    /// Longest name of anything.
    NAME_CHARS: usize = 200, "characters";
    /// Longest free text (purpose, reason, task).
    TEXT_CHARS: usize = 2_000, "characters";
    /// Longest slug of an organization.
    SLUG_CHARS: usize = 63, "characters";
    /// Most entries of one page.
    PAGE_MAX: usize = 200, "items";
    /// Entries of one page when nothing is asked for.
    PAGE_DEFAULT: usize = 50, "items";
    /// Most words of one search of a log.
    SEARCH_WORDS: usize = 8, "words";
    /// Most scopes in a ceiling, a connection, a role or a request.
    SCOPES: usize = 256, "scopes";
    /// Most ids in a token's lineage.
    LINEAGE: usize = 40, "ids";
    /// Deepest nesting of runs.
    RUN_DEPTH: usize = 8, "runs";
    /// Agents one owner may register in a day.
    AGENTS_PER_OWNER_DAY: usize = 1_000, "agents";
    /// Failed attempts of one client, source and reason written one by one in a minute; further ones are counted.
    FAILURES_PER_MINUTE: usize = 10, "failures";
    /// Life of an access token.
    ACCESS_LIFE: Micros = Micros::seconds(300), "seconds";
    /// Life of a capability token.
    CAPABILITY_LIFE: Micros = Micros::seconds(120), "seconds";
    /// Longest life of a run token before it is renewed.
    RUN_TOKEN_LIFE: Micros = Micros::seconds(900), "seconds";
    /// Longest deadline of a run.
    RUN_DEADLINE: Micros = Micros::days(7), "seconds";
    /// Longest life of an API token.
    API_TOKEN_LIFE: Micros = Micros::days(90), "seconds";
    /// Life of a bootstrap token.
    BOOTSTRAP_LIFE: Micros = Micros::days(1), "seconds";
    /// Life of a set-up secret.
    SETUP_LIFE: Micros = Micros::seconds(3_600), "seconds";
    /// Longest overlap of two secrets during a rotation.
    ROTATION_OVERLAP: Micros = Micros::days(7), "seconds";
    /// Difference between two clocks that is forgiven.
    CLOCK_SKEW: Micros = Micros::seconds(60), "seconds";
    /// How long an answer to an idempotent request is kept.
    IDEMPOTENCY_LIFE: Micros = Micros::days(1), "seconds";
    /// Entries, newest first, among which a revocation counts the tokens that fell with it.
    CASCADE_ENTRIES: usize = 50_000, "entries";
    /// Tokens whose signatures one node remembers as good; their life is looked up every time.
    VERIFIED_TOKENS: usize = 32_768, "tokens";
    /// Single tokens of one agent that are revoked and not forgotten; one more ends everything it was issued before.
    REVOKED_TOKENS_PER_CLIENT: usize = 2_048, "tokens";
    /// Clients that may follow the revocation feed of one organization on one node at once.
    FEED_FOLLOWERS: usize = 256, "clients";
    /// Clients that may follow revocation feeds on one node at once, all organizations together.
    FEED_FOLLOWERS_TOTAL: usize = 1_024, "clients";
    /// How far behind a follower may be, beyond which it takes a snapshot.
    FEED_BEHIND: usize = 10_000, "revisions";
    /// Longest silence of a revocation feed that is alive.
    FEED_HEARTBEAT: Micros = Micros::seconds(10), "seconds";
    /// Longest wait of one long poll of the revocation feed.
    FEED_WAIT: Micros = Micros::seconds(30), "seconds";
    /// How old a view may be when a permit leaves.
    STALENESS: Micros = Micros::seconds(2), "seconds";
    /// Organizations whose state one node holds in memory.
    CELLS: usize = 16_384, "organizations";
    /// How long an organization's state stays in memory after it was last asked for.
    CELL_REST: Micros = Micros::seconds(1_800), "seconds";
    /// How long a node is taken to be there after it was last heard of.
    NODE_LEASE: Micros = Micros::seconds(10), "seconds";
    /// How long the row of a node is kept after it was last heard of.
    NODE_KEPT: Micros = Micros::seconds(60), "seconds";
    /// Commands that may wait for one organization.
    QUEUE_PER_ORG: usize = 4_096, "commands";
    /// Commands that may wait for all organizations together; those that take authority away are not counted.
    QUEUE_TOTAL: usize = 32_768, "commands";
    /// Requests of one organization and one class that may wait for their turn.
    WAITING_PER_ORG: usize = 256, "requests";
    /// How long a request waits for its turn before it is refused.
    QUEUE_WAIT: Micros = Micros::seconds(1), "seconds";
    /// How late a refusal for asking too much is answered, give or take half, so that asking again at once gains nothing.
    REFUSAL_PAUSE_MILLIS: usize = 1_000, "milliseconds";
    /// Failed attempts of one source in one organization in a minute; further ones are answered with 429, late.
    FAILED_PER_SOURCE: usize = 6_000, "failures";
    /// Failed attempts in one organization in a second, on one node; further ones are answered with 429, late.
    FAILED_PER_SECOND: usize = 1_000, "failures";
    /// Largest quota of an organization; what is to be larger is left out, and then not bounded.
    QUOTA_MAX: u64 = 1_000_000_000, "of anything";
    /// Connections that one address may hold at once; trusted proxies are not counted.
    CONNECTIONS_PER_SOURCE: usize = 1_024, "connections";
    /// Room beside an embedded database that is kept for what takes authority away when its disk is full.
    DISK_RESERVE_BYTES: usize = 32 * 1024 * 1024, "bytes";
    /// Checkpoints that wait for a witness; one that is further behind is next given a checkpoint over every log.
    WITNESS_BEHIND_BYTES: usize = 16 * 1024 * 1024, "bytes";
    /// Longest text of an authorization model.
    MODEL_BYTES: usize = 256 * 1024, "bytes";
    /// Deepest nesting of operators in a relation of an authorization model.
    MODEL_NESTING: usize = 16, "levels";
    /// Most types of an authorization model.
    MODEL_TYPES: usize = 200, "types";
    /// Longest name of a type in an authorization model.
    TYPE_NAME_CHARS: usize = 254, "characters";
    /// Longest name of a relation or a condition in an authorization model.
    RELATION_NAME_CHARS: usize = 50, "characters";
    /// Longest object of a relation tuple, with its type.
    TUPLE_OBJECT_BYTES: usize = 256, "bytes";
    /// Names of types, relations and conditions that all models and tuples of one relation store may use.
    RELATION_SYMBOLS: usize = 32_000, "names";
    /// Usersets that lead from one to the next in one relation check.
    RELATION_DEPTH: usize = 256, "usersets";
    /// Usersets that one relation check may visit.
    RELATION_NODES: usize = 100_000, "usersets";
    /// Usersets that one listing of objects or users may visit.
    RELATION_LIST_NODES: usize = 10_000_000, "usersets";
    /// Most conditions of an authorization model.
    MODEL_CONDITIONS: usize = 500, "conditions";
    /// Most parameters of a condition.
    CONDITION_PARAMETERS: usize = 64, "parameters";
    /// Longest expression of a condition.
    CONDITION_BYTES: usize = 8 * 1024, "bytes";
    /// Deepest nesting of the expression of a condition.
    CONDITION_NESTING: usize = 64, "levels";
    /// What evaluating a condition once may cost, when it is saved by an estimate: steps, each about twenty nanoseconds.
    CONDITION_STEPS: usize = 100_000, "steps";
    /// What evaluating all conditions of one question may cost together.
    CONDITION_QUESTION_STEPS: usize = 10_000_000, "steps";
    /// Longest pattern of a regular expression in a condition.
    CONDITION_PATTERN_BYTES: usize = 1_024, "bytes";
    /// Largest context of a relation tuple, as JSON.
    TUPLE_CONTEXT_BYTES: usize = 32 * 1024, "bytes";
    /// Longest type, identifier or name of an action in a question to the decision API.
    ENTITY_BYTES: usize = 1_024, "bytes";
    /// Questions of one batch to the decision API.
    EVALUATIONS: usize = 500, "questions";
    /// Candidates that one page of a search of the decision API looks at; a page may end before it is full.
    SEARCH_CANDIDATES: usize = 10_000, "candidates";
    /// Decisions that one entry of the log tells of.
    DECISIONS_PER_ENTRY: usize = 200, "decisions";
    /// Decisions that may wait on one node until they are entered in the log; further ones are counted.
    DECISIONS_WAITING: usize = 65_536, "decisions";
    /// What those decisions may take in memory.
    DECISIONS_WAITING_BYTES: usize = 32 * 1024 * 1024, "bytes";
    /// Addresses of people that one node remembers for questions to the decision API.
    ADDRESSES: usize = 65_536, "addresses";
    /// Largest body of a request to a relation store.
    RELATION_BODY_BYTES: usize = 1024 * 1024, "bytes";
    /// Relation stores of one organization.
    RELATION_STORES: usize = 1_000, "stores";
    /// Relation tuples of one store.
    RELATION_TUPLES: usize = 50_000_000, "tuples";
    /// Relation tuples written and deleted by one request.
    RELATION_WRITES: usize = 100, "tuples";
    /// Relation tuples that one question brings along.
    CONTEXTUAL_TUPLES: usize = 100, "tuples";
    /// Questions of one batch of relation checks.
    BATCH_CHECKS: usize = 50, "checks";
    /// Objects or users that one listing of relations answers; a longer list is refused, not cut.
    RELATION_LISTED: usize = 100_000, "names";
    /// Most tuples, changes, stores or models of one page of the OpenFGA API.
    RELATION_PAGE: usize = 100, "items";
    /// Largest context that a relation tuple or a question carries for conditions.
    CONDITION_CONTEXT_BYTES: usize = 32 * 1024, "bytes";
    /// Assertions kept beside one authorization model.
    MODEL_ASSERTIONS: usize = 100, "assertions";
    /// Versions of authorization models that one node keeps compiled for one store.
    MODELS_COMPILED: usize = 16, "models";
    /// Times a decision is made again after a concurrent change.
    DECIDE_ATTEMPTS: usize = 12, "attempts";
}
