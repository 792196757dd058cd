"""Uses a replayed BMC by sushy and by DMTF's redfish, as they use a real one. Says each step that went well.

    use_replayed.py URL       the password of `root` comes in HAWKFISH_PASSWORD
"""

import http.server
import json
import os
import queue
import sys
import threading
import time

import redfish
import sushy
from sushy import auth

URL = sys.argv[1]
PASSWORD = os.environ["HAWKFISH_PASSWORD"]


def until(what, check, seconds=60):
    """Waits for something that takes time."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"it never came: {what}")
        time.sleep(0.2)


def by_sushy():
    root = sushy.Sushy(URL, auth=auth.SessionAuth("root", PASSWORD), verify=False)
    system = root.get_system_collection().get_members()[0]

    def power():
        system.refresh(force=True)
        return system.power_state

    assert power() == sushy.PowerState.ON
    system.reset_system(sushy.ResetType.FORCE_OFF)
    until("off", lambda: power() == sushy.PowerState.OFF)
    system.reset_system(sushy.ResetType.ON)
    until("on", lambda: power() == sushy.PowerState.ON)
    print("sushy power")

    system.set_system_boot_options(sushy.BootSource.PXE, enabled=sushy.BootSourceOverrideEnabled.ONCE)
    system.refresh(force=True)
    assert system.boot.target == sushy.BootSource.PXE, system.boot
    system.reset_system(sushy.ResetType.FORCE_RESTART)

    def used():
        system.refresh(force=True)
        return system.boot.enabled == sushy.BootSourceOverrideEnabled.DISABLED

    until("the override is used up", used)
    print("sushy boot")

    manager = root.get_manager_collection().get_members()[0]
    cd = [one for one in manager.virtual_media.get_members() if sushy.VirtualMediaType.CD in one.media_types][0]
    cd.insert_media("http://images.example/os.iso")
    cd.refresh(force=True)
    assert cd.inserted and cd.image == "http://images.example/os.iso"
    cd.eject_media()
    cd.refresh(force=True)
    assert not cd.inserted
    print("sushy media")

    sessions = root.get_session_service().sessions.get_members()
    assert any(one.username == "root" for one in sessions)
    root.get_task_service().tasks.get_members()
    print("sushy sessions")


def by_redfish():
    heard = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            heard.put(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    receiver = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()

    client = redfish.redfish_client(base_url=URL, username="root", password=PASSWORD)
    client.login(auth="session")
    print("redfish log-in")
    service = client.get(client.root["EventService"]["@odata.id"]).dict
    made = client.post(
        service["Subscriptions"]["@odata.id"],
        body={
            "Destination": f"http://127.0.0.1:{receiver.server_port}/",
            "Protocol": "Redfish",
            "Context": "replayed",
        },
    )
    assert made.status == 201, (made.status, made.text)
    location = made.getheader("Location")
    shown = client.get(location).dict
    assert shown["Context"] == "replayed", shown
    members = client.get(client.get(client.root["Systems"]["@odata.id"]).dict["Members"][0]["@odata.id"])
    system = members.dict
    client.post(system["Actions"]["#ComputerSystem.Reset"]["target"], body={"ResetType": "ForceOff"})
    origins = set()
    end = time.monotonic() + 60
    while system["@odata.id"] not in origins:
        events = heard.get(timeout=max(0.1, end - time.monotonic()))
        for event in events["Events"]:
            origins.add(event.get("OriginOfCondition", {}).get("@odata.id"))
    assert not any("/Systems/" in (one or "") and not one.startswith(system["@odata.id"]) for one in origins), origins
    assert client.delete(location).status in (200, 204)
    client.logout()
    print("redfish event")


by_sushy()
by_redfish()
