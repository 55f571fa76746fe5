//! What every governed thing has in common: a table, an identity, a body that is stored whole, and the change
//! that tells the live state about it. Storing one writes both, so that the feed cannot miss a row.

use crate::{Change, Stream};
use serde::{Serialize, de::DeserializeOwned};

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident $table:literal;)*) => {
        /// The governed tables that hold one kind of thing each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Table { $($(#[$doc])* $name,)* }
        impl Table {
            /// Every table.
            pub const ALL: &'static [Table] = &[$(Table::$name,)*];
            /// The table's name in SQL.
            pub const fn name(self) -> &'static str {
                match self { $(Table::$name => $table,)* }
            }
        }
    };
}

tables! {
    /// Organizations, in the instance's stream.
    Organization "organization";
    /// Human accounts, in the instance's stream.
    Account "account";
    /// An account's place in an organization.
    Membership "membership";
    /// Roles.
    Role "role";
    /// Roles given to people.
    Assignment "role_assignment";
    /// Agents.
    Agent "agent";
    /// Secrets of agents and connections.
    Secret "secret";
    /// API tokens.
    ApiToken "api_token";
    /// Connections.
    Connection "connection";
    /// Runs.
    Run "run";
    /// Events that move trust.
    TrustEvent "trust_event";
    /// Kill switches.
    KillSwitch "kill_switch";
    /// Security settings, one row an organization.
    Settings "settings";
    /// Signing keys, sealed.
    SigningKey "signing_key";
    /// Keys that seal one subject's personal fields in the log.
    SubjectKey "subject_key";
    /// Revoked grants and tokens.
    Revocation "revocation";
    /// Set-up secrets, in the instance's stream.
    SetupSecret "setup_secret";
    /// Stores of relation tuples.
    RelationStore "relation_store";
    /// Versions of the stores' models.
    AuthorizationModel "authorization_model";
    /// What is expected of versions of models.
    RelationAssertions "relation_assertions";
}

/// A governed thing. Its body is its serde form; a reader must accept every earlier form.
pub trait Entity: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Where it is stored.
    const TABLE: Table;
    /// Its sixteen bytes within the stream.
    fn key(&self) -> [u8; 16];
    /// What the live state needs to know of it; none when no decision reads it.
    fn change(&self) -> Option<Change>;
    /// What tells the live state that it is gone.
    fn removal(&self) -> Option<Change> {
        None
    }
    /// The stream it must be stored in, when it can live in only one.
    fn fixed_stream() -> Option<Stream> {
        None
    }
}
