"""The server embedded: real time, a real database, TLS, and what outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import hawkfish
import pytest
import sushy  # type: ignore[import-untyped]

from hawkfish import _native

SYSTEMS = "/redfish/v1/Systems"


def test_sushy_drives_a_machine_of_an_embedded_server_by_tls() -> None:
    with hawkfish.serve(systems=2, seed=7) as server:
        assert server.url.startswith("https://127.0.0.1:") and server.password and server.ca
        trust: Any = server.ca
        root = sushy.Sushy(server.url, username=server.username, password=server.password, verify=trust)
        system = root.get_system_collection().get_members()[0]
        system.reset_system(sushy.ResetType.ON)
        until = time.monotonic() + 60
        while system.power_state != sushy.PowerState.ON:
            assert time.monotonic() < until
            time.sleep(0.02)
            system.refresh(force=True)
        with server.client() as client:
            assert len(client.members(SYSTEMS)) == 2
            assert client.token is not None
        with pytest.raises(hawkfish.TransportError):
            hawkfish.Client(server.url).root()


def test_all_of_it_is_gone_at_the_end() -> None:
    with hawkfish.serve() as server:
        folder = Path(server.ca or "").parent
        assert (folder / "hawkfish.db").exists() or list(folder.glob("*.db"))
        host, port = server.url.removeprefix("https://").split(":")
        server.close()
    assert not folder.exists()
    with pytest.raises(OSError), socket.create_connection((host, int(port)), timeout=5):
        pass
    server.close()


SERVES = """
import sys, hawkfish
server = hawkfish.serve(data=sys.argv[1], password="choose-your-own-1")
with server.client() as client:
    client.patch(client.members("/redfish/v1/Systems")[0], {"AssetTag": "kept"})
print(server.url, flush=True)
sys.stdin.read()
"""


def test_what_was_acknowledged_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVES, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        assert process.stdout.readline().startswith("https://")
        with pytest.raises(hawkfish.Conflict, match="in use"):
            hawkfish.serve(data=tmp_path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
    for _ in range(2):
        with hawkfish.serve(data=tmp_path) as again:
            assert again.password is None and again.data == str(tmp_path)
            with pytest.raises(ValueError, match="password"):
                again.client()
            client = hawkfish.Client(again.url, username="admin", password="choose-your-own-1", auth="basic", ca=again.ca)
            assert client.get(client.members(SYSTEMS)[0])["AssetTag"] == "kept"
    assert tmp_path.exists()


def test_it_serves_a_program_of_asyncio() -> None:
    async def program() -> str:
        async with await hawkfish.aserve(tls=False) as server, server.async_client() as client:
            assert server.url.startswith("http://") and server.ca is None
            uri = (await client.members(SYSTEMS))[0]
            await client.action(await client.get(uri), "ComputerSystem.Reset", ResetType="On")
            until = time.monotonic() + 60
            while (await client.get(uri))["PowerState"] != "On":
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            return server.url

    url = asyncio.run(program())
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=5)


def test_settings_of_the_program_are_taken_by_name(tmp_path: Path) -> None:
    with hawkfish.serve(require_if_match=True, media_allow=["127.0.0.0/8", "images.example"], tls=False) as server:
        client = server.client(auth="basic")
        uri = client.members(SYSTEMS)[0]
        with pytest.raises(hawkfish.PreconditionFailed):
            client.patch(uri, {"AssetTag": "x"})
        client.patch(client.get(uri), {"AssetTag": "x"})


def test_what_makes_no_server_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="backend"):
        hawkfish.serve(backend="vmware")
    with pytest.raises(ValueError, match="media-alow"):
        hawkfish.serve(media_alow="x")
    with pytest.raises(ValueError, match="listen"):
        hawkfish.serve(listen="nowhere")
    with pytest.raises(ValueError, match="otherwise"):
        hawkfish.serve(data_dir="x")
    data = tmp_path / "data"
    with pytest.raises(ValueError):
        hawkfish.serve(data=data, password="x")
    # A start that failed holds nothing.
    with hawkfish.serve(data=data, password="choose-your-own-1") as server:
        with pytest.raises(OSError, match="cannot listen"):
            hawkfish.serve(listen=server.url.removeprefix("https://"))
    with pytest.raises(OSError, match="nothing.pem"):
        hawkfish.serve(data=data, tls=(tmp_path / "nothing.pem", tmp_path / "nothing.key"))
    with hawkfish.serve(data=data, password="choose-your-own-1") as server:
        server.client().members(SYSTEMS)


def test_a_certificate_of_ones_own_is_shown(tmp_path: Path) -> None:
    with hawkfish.serve(data=tmp_path) as first:
        ca = first.ca
    assert ca is not None
    with hawkfish.serve(tls=(ca, Path(ca).with_name("tls-key.pem"))) as server:
        host, port = server.url.removeprefix("https://").split(":")
        assert ssl.get_server_certificate((host, int(port))).strip() == Path(ca).read_text().strip()


if not _native.HAS_LIBVIRT:

    def test_a_wheel_without_libvirt_says_so() -> None:
        with pytest.raises(hawkfish.Unsupported, match="without libvirt"):
            hawkfish.serve(backend="libvirt")
        with hawkfish.serve(backend="auto") as server:
            assert any("without libvirt" in line for line in server.machines), server.machines

else:

    def test_machines_of_libvirts_test_driver_are_served() -> None:
        with hawkfish.serve(backend="libvirt", libvirt="test:///default", tls=False) as server, server.client() as client:
            assert any("test:///default" in line for line in server.machines)
            (uri,) = client.members(SYSTEMS)
            system = client.get(uri)
            assert system["Name"] == "test" and system["PowerState"] == "On"
            client.action(system, "ComputerSystem.Reset", ResetType="ForceOff")
            until = time.monotonic() + 60
            while client.get(uri)["PowerState"] != "Off":
                assert time.monotonic() < until
                time.sleep(0.02)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_neither_ends_it_nor_takes_its_folder() -> None:
    with hawkfish.serve(tls=False) as server:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                server.close()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        server.client().members(SYSTEMS)
