//! Why an outbound request gave no answer. No variant carries a credential, a body or a query.

/// What went wrong on the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is not an absolute `http` or `https` URL.
    #[error("`{0}` is not an address; expected an absolute http or https URL")]
    Address(String),
    /// A header's value cannot be sent.
    #[error("the value of header `{0}` cannot be sent; it holds a control character")]
    Header(&'static str),
    /// The body cannot be written as JSON or as a form.
    #[error("the body cannot be written: {0}")]
    Body(String),
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Nobody answered at that address.
    #[error("`{origin}` did not answer: {cause}; check the address and that the server runs")]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// What the network said.
        cause: String,
    },
    /// The answer did not come in time.
    #[error("`{origin}` did not answer in time; try again or allow more time")]
    TimedOut {
        /// Scheme, host and port.
        origin: String,
    },
    /// The answer is larger than the limit.
    #[error("the answer of `{origin}` is larger than {limit} bytes")]
    TooLarge {
        /// Scheme, host and port.
        origin: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer is not the JSON that was expected.
    #[error("the answer is not the JSON that was expected: {0}")]
    Answer(String),
}

impl Error {
    /// Whether nobody answered, as opposed to a wrong request or answer.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }
}
