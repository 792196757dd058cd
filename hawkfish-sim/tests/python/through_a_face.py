"""Clients of others at one face of a simulator: sushy and python-redfish.

Arguments: URL, what stands in front of its paths (may be empty), an image. User and password come in HAWKFISH_USER and HAWKFISH_PASSWORD. Prints one line of JSON.
"""

import json
import os
import sys
import time

import redfish
import requests
import sushy

url, prefix, image = sys.argv[1:]
user, password = os.environ["HAWKFISH_USER"], os.environ["HAWKFISH_PASSWORD"]
root = prefix + "/redfish/v1/"

client = redfish.redfish_client(
    base_url=url, default_prefix=root, username=user, password=password
)
client.login(auth="session")
service = client.get(client.root["EventService"]["@odata.id"]).dict
events = requests.get(
    url + service["ServerSentEventUri"],
    headers={"X-Auth-Token": client.get_session_key(), "Accept": "text/event-stream"},
    stream=True,
    timeout=30,
)
events.raise_for_status()

bmc = sushy.Sushy(url, username=user, password=password, root_prefix=root)
systems = bmc.get_system_collection().get_members()
system = systems[0]
before = system.power_state.value
system.reset_system(sushy.RESET_ON)
cd = [
    medium
    for medium in system.virtual_media.get_members()
    if sushy.VIRTUAL_MEDIA_CD in medium.media_types
][0]
cd.insert_media(image)
cd.refresh(force=True)

origins, ids = [], []
for line in events.iter_lines(chunk_size=1):
    if not line.startswith(b"data: "):
        continue
    for event in json.loads(line[len("data: ") :])["Events"]:
        ids.append(event["MessageId"])
        origins.append(event.get("OriginOfCondition", {}).get("@odata.id"))
    if any("PowerOn" in one or "PoweredOn" in one for one in ids) and any(
        origin and "/VirtualMedia/" in origin for origin in origins
    ):
        break
events.close()
# A server takes its time to come on.
for _ in range(200):
    system.refresh(force=True)
    if system.power_state != sushy.SYSTEM_POWER_STATE_POWERING_ON:
        break
    time.sleep(0.1)
sessions = client.get(client.root["SessionService"]["@odata.id"] + "/Sessions").dict
client.logout()
print(
    json.dumps(
        {
            "systems": [one.path for one in systems],
            "names": [one.name for one in systems],
            "before": before,
            "after": system.power_state.value,
            "inserted": cd.inserted,
            "image": cd.image,
            "origins": [origin for origin in origins if origin],
            "messages": ids,
            "sessions": [one["@odata.id"] for one in sessions["Members"]],
        }
    ),
    flush=True,
)
