"""Drives sushy by lines of JSON: one request on standard input, one answer on standard output.

    drive_sushy.py URL USER CERTIFICATE       the password comes in HAWKFISH_PASSWORD

A request is {"system": NAME, "do": VERB, "with": {...}}, an answer {"gave": ...} or {"raised": CLASS, "text": ...}.
"""

import json
import os
import sys
import time

import sushy


def main():
    url, user, certificate = sys.argv[1:]
    root = sushy.Sushy(
        url,
        username=user,
        password=os.environ["HAWKFISH_PASSWORD"],
        verify=certificate,
        server_side_retries=1,
    )
    for line in sys.stdin:
        request = json.loads(line)
        try:
            verb = VERBS[request["do"]]
            answer = {"gave": verb(root, request["system"], **request["with"])}
        except Exception as error:  # whatever it is, the test wants to know
            answer = {"raised": type(error).__name__, "text": str(error)}
        print(json.dumps(answer), flush=True)


def members(root):
    collection = root.get_system_collection()
    collection.refresh(force=True)
    return collection.get_members()


def find(root, name):
    for system in members(root):
        if system.name == name:
            return system
    raise LookupError(f"there is no system {name}")


def slot(root, name, kind):
    wanted = getattr(sushy, f"VIRTUAL_MEDIA_{kind.upper()}")
    for medium in find(root, name).virtual_media.get_members():
        if wanted in medium.media_types:
            medium.refresh(force=True)
            return medium
    raise LookupError(f"{name} has no {kind}")


def names(root, _name):
    return [system.name for system in members(root)]


def system(root, name):
    found = find(root, name)
    return {
        "power": found.power_state.value,
        "target": found.boot.target.value,
        "enabled": found.boot.enabled.value,
        "mode": found.boot.mode.value,
        "uuid": found.uuid,
        "state": found.status.state.value,
    }


def medium(root, name, kind):
    found = slot(root, name, kind)
    return {
        "inserted": found.inserted,
        "image": found.image,
        "name": found.image_name,
        "user_name": found.user_name,
    }


def insert(root, name, kind, **how):
    image = how.pop("image")
    slot(root, name, kind).insert_media(image, **how)


def eject(root, name, kind):
    slot(root, name, kind).eject_media()


def boot(root, name, target, enabled, mode=None):
    found = find(root, name)
    found.set_system_boot_options(
        sushy.BootSource(target),
        enabled=sushy.BootSourceOverrideEnabled(enabled),
        mode=mode and sushy.BootSourceOverrideMode(mode),
    )


def reset(root, name, how):
    find(root, name).reset_system(sushy.ResetType(how))


def wait(root, name, state, seconds):
    found = find(root, name)
    end = time.monotonic() + seconds
    while found.power_state.value != state:
        if time.monotonic() > end:
            raise TimeoutError(f"{name} is {found.power_state.value}, not {state}")
        time.sleep(0.1)
        found.refresh(force=True)


VERBS = {
    "names": names,
    "system": system,
    "medium": medium,
    "insert": insert,
    "eject": eject,
    "boot": boot,
    "reset": reset,
    "wait": wait,
}

if __name__ == "__main__":
    main()
