//! The file of credentials that a seeding leaves and a load reads: a line of tab-separated fields for each agent,
//! organization after organization. It holds secrets in clear, of a database that nobody uses for anything else.

/// One agent with what it needs to ask for a token, and its connection with what it needs to introspect it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The organization's slug.
    pub org: String,
    /// The agent's client id.
    pub agent: String,
    /// The agent's secret.
    pub secret: String,
    /// The connection's client id.
    pub connection: String,
    /// The connection's secret.
    pub connection_secret: String,
    /// The connection's audience.
    pub audience: String,
}

impl Credential {
    /// The line, with its end.
    pub fn line(&self) -> String {
        let fields = [
            &self.org,
            &self.agent,
            &self.secret,
            &self.connection,
            &self.connection_secret,
            &self.audience,
        ];
        let mut line = fields.map(String::as_str).join("\t");
        line.push('\n');
        line
    }
}
