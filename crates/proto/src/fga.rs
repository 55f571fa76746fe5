//! The OpenFGA HTTP API on the wire: requests, answers and error codes, with the names of that API. Fields that a request
//! has beside these are ignored there and here; `null` is as good as nothing. No decisions.

mod answer;
mod error;
mod request;

pub use answer::{
    Assertions, BatchCheckResponse, ChangeOperation, ChangesResponse, CheckError, CheckResponse,
    CheckResult, Difference, ExpandResponse, Leaf, ListObjectsResponse, ListUsersResponse,
    ModelResponse, ModelsResponse, Node, Nodes, ReadResponse, Store, StoresResponse,
    StreamedObject, Tree, Tuple, TupleChange, User, WrittenModel,
};
pub use error::{ErrorAnswer, ErrorName};
pub use request::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Condition, Consistency, ContextualTuples,
    CreateStoreRequest, Deletes, ExpandRequest, ListObjectsRequest, ListUsersRequest, ObjectRef,
    ReadRequest, TupleKey, UserFilter, WriteAssertionsRequest, WriteRequest, Writes,
};
