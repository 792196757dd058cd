"""python-redfish and DMTF's Tacklebox: subscribe by their helper, list what is there, unsubscribe.

Arguments: URL, user, certificate, destination. Prints a line of JSON for each step; a line on its input lets it go on.
"""

import contextlib
import json
import os
import sys

import redfish
import redfish_utilities

url, user, certificate, destination = sys.argv[1:]
client = redfish.redfish_client(
    base_url=url,
    username=user,
    password=os.environ["HAWKFISH_PASSWORD"],
    cafile=certificate,
)
client.login(auth="session")


def say(**what):
    print(json.dumps(what), flush=True)
    sys.stdin.readline()


system = client.get("/redfish/v1/Systems").dict["Members"][0]["@odata.id"]
events = redfish_utilities.create_event_subscription(
    client,
    destination,
    client_context="python",
    registries=["ResourceEvent", "HawkFish"],
    origins=[{"@odata.id": system}],
    subordinate_resources=True,
    http_headers=[{"X-Ours": "a secret"}],
)
reports = redfish_utilities.create_event_subscription(
    client, destination + "reports", format="MetricReport"
)
shown = redfish_utilities.get_event_subscriptions(client)
with contextlib.redirect_stdout(sys.stderr):
    redfish_utilities.print_event_service(redfish_utilities.get_event_service(client))
    redfish_utilities.print_event_subscriptions(shown)
say(
    made=[made.getheader("Location") for made in (events, reports)],
    shown=shown,
    system=system,
)
for one in shown:
    redfish_utilities.delete_event_subscription(client, one["Id"])
say(left=redfish_utilities.get_event_subscriptions(client))
client.logout()
