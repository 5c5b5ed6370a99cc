"""SMART's own Python client, unmodified: from a signed assertion to an answer of a model.

Reads what to do as JSON from stdin and writes what came of it as JSON to stdout.
"""

import json
import sys

from fhirclient.client import FHIRClient
from fhirclient.server import FHIRUnauthorizedException


def call_model(wish: dict) -> dict:
    smart = restore_client(wish)
    try:
        smart.authorize()
    except FHIRUnauthorizedException as error:
        return {"ready": smart.ready, "raised": type(error).__name__, **error.response.json()}
    models = smart.server.request_json("models")
    response = smart.server.post_json("chat/completions", wish["chat"])
    return {
        "ready": smart.ready,
        "granted": smart.launch_context,
        "models": [model["id"] for model in models["data"]],
        "answer": response.json(),
        "request_id": response.headers["x-request-id"],
    }


def restore_client(wish: dict) -> FHIRClient:
    """From its own kind of saved state: it would else look for the token URL in a FHIR server's CapabilityStatement."""
    auth = {"app_id": wish["client_id"], "token_uri": wish["token_url"], "jwt_token": wish["assertion"]}
    server = {"base_uri": wish["base_url"], "auth_type": "oauth2", "auth": auth}
    smart = FHIRClient(state={"app_id": wish["client_id"], "scope": wish["scope"], "server": server})
    smart.wants_patient = False  # or it asks for the scope `launch/patient` as well
    return smart


if __name__ == "__main__":
    json.dump(call_model(json.load(sys.stdin)), sys.stdout)
