"""The client against HawkFish itself, on simulated machines."""

from __future__ import annotations

import time

import hawkfish
import pytest
from conftest import Service


def connect(service: Service, auth: str = "session") -> hawkfish.Client:
    return hawkfish.Client(service.url, username=service.username, password=service.password, auth=auth)


@pytest.mark.parametrize("auth", ["session", "basic"])
def test_a_machine_is_found_and_is_as_its_schema_says(service: Service, auth: str) -> None:
    with connect(service, auth) as client:
        for uri in client.members(client.root()["Systems"]["@odata.id"]):
            system = client.get(uri)
            assert system["@odata.id"] == uri
            assert hawkfish.validate("ComputerSystem", system) == []


def test_a_session_ends_with_the_block(service: Service) -> None:
    watcher = connect(service, "basic")
    sessions = watcher.root()["Links"]["Sessions"]["@odata.id"]
    before = watcher.members(sessions)
    with connect(service) as client:
        client.get(sessions)
        assert len(watcher.members(sessions)) == len(before) + 1
    assert watcher.members(sessions) == before


def test_a_machine_is_switched_on_and_off(service: Service) -> None:
    with connect(service) as client:
        uri = client.members(client.root()["Systems"]["@odata.id"])[0]

        def switched(reset: str, power: str) -> bool:
            client.action(client.get(uri), "ComputerSystem.Reset", ResetType=reset)
            deadline = time.monotonic() + 60
            while client.get(uri)["PowerState"] != power:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            return True

        if client.get(uri)["PowerState"] == "Off":
            assert switched("On", "On")
        assert switched("ForceOff", "Off")
        assert switched("On", "On")


def test_a_boot_override_is_set_and_a_stale_change_is_refused(service: Service) -> None:
    with connect(service) as client:
        uri = client.members(client.root()["Systems"]["@odata.id"])[-1]
        before = client.get(uri)
        once = {"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}}
        after = client.patch(before, once)
        assert after is not None and after["Boot"]["BootSourceOverrideTarget"] == "Pxe"
        with pytest.raises(hawkfish.PreconditionFailed):
            client.patch(before, once)
        client.patch(after, {"Boot": {"BootSourceOverrideEnabled": "Disabled"}})


def test_a_wrong_property_is_named(service: Service) -> None:
    with connect(service) as client:
        uri = client.members(client.root()["Systems"]["@odata.id"])[0]
        with pytest.raises(hawkfish.BadRequest) as caught:
            client.patch(uri, {"Nonsense": 1})
        assert caught.value.messages[0]["MessageArgs"] == ["Nonsense"]


def test_a_wrong_password_is_unauthorized(service: Service) -> None:
    client = hawkfish.Client(service.url, username="nobody-at-all", password="wrong")
    with pytest.raises(hawkfish.Unauthorized):
        client.get("/redfish/v1/Systems")
