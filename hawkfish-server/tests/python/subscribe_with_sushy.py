"""sushy, the client of OpenStack Ironic: subscribes as Ironic does, submits a test event, and deletes what it made on request.

Arguments: URL, user, certificate, destination. Prints a line of JSON for each step; a line on its input lets it go on.
"""

import json
import os
import sys

import sushy
from sushy import auth

url, user, certificate, destination = sys.argv[1:]
root = sushy.Sushy(
    url,
    auth=auth.SessionOrBasicAuth(user, os.environ["HAWKFISH_PASSWORD"]),
    verify=certificate,
    server_side_retries=1,
)
service = root.get_event_service()


def say(**what):
    print(json.dumps(what), flush=True)
    sys.stdin.readline()


# What Ironic's create_subscription sends, with one more type of event.
made = service.subscriptions.create(
    {
        "Destination": destination,
        "EventTypes": ["Alert", "StatusChange"],
        "Context": "ironic",
        "Protocol": "Redfish",
        "HttpHeaders": [{"X-Ours": "a secret"}],
    }
)
say(
    id=made.identity,
    uri=made.path,
    destination=made.destination,
    context=made.context,
    protocol=made.protocol,
    headers=made.http_headers,
    enabled=service.service_enabled,
    attempts=service.delivery_retry_attempts,
)
service.submit_test_event(
    "77",
    "2026-01-02T03:04:05Z",
    "Alert",
    "It burns.",
    ["here"],
    "Alert.1.0.ItBurns",
    "/redfish/v1/Systems",
    "Critical",
)
say(submitted=True)
members = [one.identity for one in service.subscriptions.get_members()]
made.delete()
after = service.subscriptions
after.refresh()
say(before=members, after=[one.identity for one in after.get_members()])
