"""OpenFGA's own Python SDK against a relation store: it makes the store, writes model and tuples, asks in every way, and
reads what changed. Prints what it was told."""

import json
import os

from openfga_sdk.client.models import (
    ClientBatchCheckItem,
    ClientBatchCheckRequest,
    ClientCheckRequest,
    ClientExpandRequest,
    ClientListObjectsRequest,
    ClientTuple,
    ClientWriteRequest,
)
from openfga_sdk.client import ClientConfiguration
from openfga_sdk.client.models.list_users_request import ClientListUsersRequest
from openfga_sdk.client.models.read_changes_request import ClientReadChangesRequest
from openfga_sdk.credentials import CredentialConfiguration, Credentials
from openfga_sdk.models.create_store_request import CreateStoreRequest
from openfga_sdk.models.fga_object import FgaObject
from openfga_sdk.models.relationship_condition import RelationshipCondition
from openfga_sdk.models.user_type_filter import UserTypeFilter
from openfga_sdk.sync import OpenFgaClient

credentials = Credentials(
    method="api_token", configuration=CredentialConfiguration(api_token=os.environ["API_TOKEN"])
)
configuration = ClientConfiguration(api_url=f"{os.environ['ISSUER']}/fga", credentials=credentials)
with OpenFgaClient(configuration) as client:
    store = client.create_store(CreateStoreRequest(name="python")).id
    client.set_store_id(store)
    model = client.write_authorization_model(json.loads(os.environ["MODEL"])).authorization_model_id
    client.set_authorization_model_id(model)
    anne, bob = "user:anne", "user:bob"
    in_office = RelationshipCondition(name="in_office", context={"from": "10.0.0.0/8"})
    client.write(
        ClientWriteRequest(
            writes=[
                ClientTuple(user=anne, relation="viewer", object="document:1"),
                ClientTuple(user=bob, relation="viewer", object="document:2", condition=in_office),
            ]
        )
    )

    def check(user, document, context=None):
        asked = ClientCheckRequest(user=user, relation="viewer", object=document, context=context)
        return client.check(asked).allowed

    told = {
        "anne": check(anne, "document:1"),
        "nobody": check("user:dora", "document:1"),
        "in the office": check(bob, "document:2", {"address": "10.1.2.3"}),
        "elsewhere": check(bob, "document:2", {"address": "192.0.2.1"}),
    }
    items = [
        ClientBatchCheckItem(user=anne, relation="viewer", object="document:1", correlation_id="one"),
        ClientBatchCheckItem(user=anne, relation="viewer", object="document:3", correlation_id="two"),
    ]
    answers = client.batch_check(ClientBatchCheckRequest(checks=items)).result
    told["batch"] = {answer.correlation_id: answer.allowed for answer in answers}
    listed = ClientListObjectsRequest(user=anne, relation="viewer", type="document")
    told["objects"] = client.list_objects(listed).objects
    of = ClientListUsersRequest(
        object=FgaObject(type="document", id="1"), relation="viewer", user_filters=[UserTypeFilter(type="user")]
    )
    told["users"] = [user.object.id for user in client.list_users(of).users]
    tree = client.expand(ClientExpandRequest(relation="viewer", object="document:1")).tree
    told["expanded"] = tree.root.leaf.users.users
    client.delete_tuples([ClientTuple(user=anne, relation="viewer", object="document:1")])
    told["taken away"] = check(anne, "document:1")
    changes = client.read_changes(ClientReadChangesRequest(type="document")).changes
    told["changes"] = [[str(getattr(one.operation, "value", one.operation)), one.tuple_key.object] for one in changes]
print(json.dumps(told))
