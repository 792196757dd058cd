"""Reading much at once, changing what others change, work that goes on, and what is told: blocking and for asyncio."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any, Optional

import hawkfish
import pytest
from conftest import Answer, Asked, Start

SYSTEMS = "/redfish/v1/Systems"


def test_members_are_read_in_one_request_where_the_service_can() -> None:
    with hawkfish.Simulator(systems=30) as simulator, simulator.client(auth="basic") as client:
        client.root()
        uris = client.members(SYSTEMS)
        before = simulator.report["requests"]
        systems = client.resources(SYSTEMS)
        assert [system["@odata.id"] for system in systems] == uris
        assert all(system["@odata.etag"] and system["PowerState"] for system in systems)
        names = client.resources(SYSTEMS, select=["Name"])
        assert [name["Name"] for name in names] == [system["Name"] for system in systems]
        assert before is not None
        asked = [line for line in simulator.trace.splitlines() if "GET " in line and "$expand" in line]
        assert len(asked) == 2
        assert not [line for line in simulator.trace.splitlines() if "GET " in line and uris[7] in line]
        client.patch(systems[0], {"AssetTag": "x"})
        with pytest.raises(hawkfish.PreconditionFailed):
            client.patch(systems[0], {"AssetTag": "y"})


def test_a_walk_comes_to_each_resource_once() -> None:
    with hawkfish.Simulator(systems=2) as simulator, simulator.client(auth="basic") as client:
        found = list(client.walk(without=["/JsonSchemas", "/Registries"]))
        uris = [visited.uri for visited in found]
        assert len(uris) == len(set(uris)) and set(client.members(SYSTEMS)) <= set(uris)
        assert all(visited.resource is not None for visited in found), [v for v in found if v.error]
        assert found[0].depth == 0 and found[0].linked_from is None
        assert all(later.depth >= earlier.depth for earlier, later in zip(found, found[1:]))
        assert len(list(client.walk(SYSTEMS, at_most=3))) == 3
        assert {visited.depth for visited in client.walk(SYSTEMS, depth=1)} == {0, 1}
        simulator.fault({"name": "broken", "when": {"uri": "/redfish/v1/Systems"}, "then": {"answer": {"status": 500}}})
        (missed,) = [v for v in client.walk(without=["/JsonSchemas", "/Registries"]) if v.error is not None]
        assert missed.resource is None and isinstance(missed.error, hawkfish.ServiceError)

        async def program() -> list[str]:
            async with simulator.async_client(auth="basic") as other:
                return [visited.uri async for visited in other.walk(SYSTEMS, depth=0)]

        assert asyncio.run(program()) == [SYSTEMS]


def contended(changes: int) -> Any:
    """A resource that somebody else changes so often, each time just before a change of ours comes."""
    left = [changes]

    def answer(asked: Asked) -> Answer:
        tag = f'"{left[0]}"'
        if asked.method == "GET":
            return Answer(200, {"@odata.id": "/s", "Count": left[0]}, {"ETag": tag})
        if left[0] > 0:
            left[0] -= 1
        elif asked.headers.get("if-match") == tag:
            return Answer(200, {"@odata.id": "/s", **asked.body})
        return Answer(412)

    return answer


def test_an_update_is_decided_again_where_somebody_else_was_quicker(mock: Start) -> None:
    seen: list[int] = []

    def decide(resource: dict[str, Any]) -> Optional[dict[str, Any]]:
        seen.append(resource["Count"])
        return {"Was": resource["Count"]}

    service = mock(contended(2))
    assert hawkfish.Client(service.url).update("/s", decide) == {"@odata.id": "/s", "Was": 0}
    assert seen == [2, 1, 0]
    with pytest.raises(hawkfish.PreconditionFailed):
        hawkfish.Client(mock(contended(9)).url).update("/s", decide, attempts=3)
    still = mock(contended(0))
    assert hawkfish.Client(still.url).update("/s", lambda resource: None) == {
        "@odata.id": "/s",
        "@odata.etag": '"0"',
        "Count": 0,
    }
    assert [asked.method for asked in still.asked] == ["GET"]
    seen.clear()

    async def program() -> Any:
        return await hawkfish.AsyncClient(mock(contended(1)).url).update("/s", decide)

    assert asyncio.run(program()) == {"@odata.id": "/s", "Was": 0}
    assert seen == [1, 0]


def running(percent: int) -> dict[str, Any]:
    return {
        "@odata.id": "/task",
        "@odata.type": "#Task.v1_7_0.Task",
        "Id": "1",
        "Name": "Task",
        "TaskState": "Running",
        "PercentComplete": percent,
    }


def test_work_in_the_background_shows_how_far_it_is(mock: Start) -> None:
    def service(polls: list[int]) -> Any:
        def answer(asked: Asked) -> Answer:
            if asked.method == "POST":
                return Answer(202, running(0), {"Location": "/monitor", "Retry-After": "0"})
            polls.append(1)
            done = len(polls) * 25
            if done > 75:
                return Answer(200, {"@odata.id": "/made"})
            return Answer(202, running(done), {"Retry-After": "0"})

        return answer

    client = hawkfish.Client(mock(service([])).url)
    task = client.start_post("/volumes", {"Name": "x"})
    assert task.uri == "/task"
    assert [shown["PercentComplete"] for shown in task.progress()] == [25, 50, 75]
    assert task.wait() == {"@odata.id": "/made"} == task.wait(1.0)
    assert client.task("/monitor").wait() == {"@odata.id": "/made"}

    async def program() -> tuple[list[int], Any]:
        later = hawkfish.AsyncClient(mock(service([])).url)
        begun = await later.start_post("/volumes")
        return [shown["PercentComplete"] async for shown in begun.progress()], await begun.wait()

    assert asyncio.run(program()) == ([25, 50, 75], {"@odata.id": "/made"})
    failed = {"@odata.id": "/t", "@odata.type": "#Task.v1_7_0.Task", "TaskState": "Exception", "TaskStatus": "Critical"}
    broken = hawkfish.Client(mock(lambda asked: Answer(200, failed)).url)
    with pytest.raises(hawkfish.TaskFailed):
        broken.task("/t").wait()
    with pytest.raises(hawkfish.TaskFailed):
        list(broken.task("/t").progress())
    def cancelled(asked: Asked) -> Answer:
        if asked.method == "DELETE":
            ended.append(asked.path)
            return Answer(204)
        return Answer(202, running(5), {"Location": "/monitor", "Retry-After": "0"})

    ended: list[str] = []
    assert hawkfish.Client(mock(cancelled).url).start_post("/x").cancel() is True
    assert ended == ["/monitor"]
    done = hawkfish.Client(mock(lambda asked: Answer(200, {"A": 1})).url).start_post("/x")
    assert done.cancel() is False
    assert done.uri is None and list(done.progress()) == [] and done.wait() == {"A": 1}


def test_firmware_is_sent_from_a_file_and_in_use_after_its_task(tmp_path: Path) -> None:
    image = tmp_path / "bios.json"

    def form(system: dict[str, Any], version: str) -> dict[str, Any]:
        image.write_text(json.dumps({"HawkFishFirmware": 1, "Target": system["Model"], "Version": version}))
        return {"@Redfish.OperationApplyTime": "Immediate", "Targets": [system["@odata.id"]]}

    with hawkfish.serve(tls=False, systems=1) as server, server.client() as client:
        (system,) = client.resources(SYSTEMS)
        push = client.get(client.root()["UpdateService"]["@odata.id"])["MultipartHttpPushUri"]
        client.upload(push, image, form(system, "X-1")).wait(60)
        assert client.get(system["@odata.id"])["BiosVersion"] == "X-1"

        async def program() -> None:
            async with server.async_client() as other:
                await (await other.upload(push, image, form(system, "X-2"))).wait(60)

        asyncio.run(program())
        assert client.get(system["@odata.id"])["BiosVersion"] == "X-2"
        with pytest.raises(hawkfish.Refused, match="nothing.json"):
            client.upload(push, tmp_path / "nothing.json", {})


def test_events_come_as_they_happen() -> None:
    with hawkfish.Simulator(systems=2, time="real") as simulator, simulator.client() as client:
        system = client.members(SYSTEMS)[1]
        with client.events(origins=[system]) as events:
            other = client.members(SYSTEMS)[0]
            client.patch(other, {"AssetTag": "a"})
            client.patch(system, {"AssetTag": "b"})
            event = next(events)
            assert [record["OriginOfCondition"]["@odata.id"] for record in event.records] == [system]
            assert event.id is not None and events.last_id == event.id and not event.is_loss
        client.patch(system, {"AssetTag": "c"})
        # What happened meanwhile is told to who says where they were.
        with client.events(last_id=event.id, origins=[system]) as again:
            later = next(again)
            assert later.id is not None and later.id != event.id

        async def program() -> list[dict[str, Any]]:
            async with simulator.async_client() as asynchronous, await asynchronous.events(origins=[other]) as told:
                await asynchronous.patch(other, {"AssetTag": "d"})
                async for found in told:
                    return found.records
            return []

        assert [record["OriginOfCondition"]["@odata.id"] for record in asyncio.run(program())] == [other]


def test_a_service_without_a_stream_of_events_is_told_from_one(mock: Start) -> None:
    service = mock(lambda asked: Answer(200, {"@odata.id": "/redfish/v1/"}))
    with pytest.raises(hawkfish.Unsupported):
        hawkfish.Client(service.url).events()


def test_waiting_for_an_event_leaves_other_threads_alone_and_can_be_cancelled() -> None:
    with hawkfish.Simulator(time="real") as simulator, simulator.client() as client:
        events = client.events(severities=["Critical"])
        got: list[hawkfish.Event] = []
        waiting = threading.Thread(target=lambda: got.append(next(events)), daemon=True)
        waiting.start()
        assert len(client.members(SYSTEMS)) == 1 and not got

        async def program() -> None:
            async with simulator.async_client() as other:
                told = await other.events(severities=["Critical"])
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(told.__anext__(), 0.2)
                await told.aclose()
                with pytest.raises(StopAsyncIteration):
                    await told.__anext__()

        asyncio.run(program())


def test_a_session_is_handed_on_by_its_token() -> None:
    with hawkfish.Simulator() as simulator, simulator.client() as client:
        client.get(SYSTEMS)
        with hawkfish.Client(simulator.url, token=client.token) as other:
            other.get(SYSTEMS)
        # Who was given a session does not end it.
        assert len(client.members("/redfish/v1/SessionService/Sessions")) == 1
        with pytest.raises(hawkfish.Unauthorized):
            hawkfish.Client(simulator.url, token="no such token").get(SYSTEMS)


def test_a_request_is_sent_again_only_where_nothing_was_done(mock: Start) -> None:
    answers = iter([Answer(503, {}, {"Retry-After": "0"}), Answer(200, {"Done": True})])
    patient = mock(lambda asked: next(answers))
    assert hawkfish.Client(patient.url).get("/x") == {"Done": True}
    busy = mock(lambda asked: Answer(503, {}, {"Retry-After": "0"}))
    with pytest.raises(hawkfish.Unavailable):
        hawkfish.Client(busy.url, attempts=2).get("/x")
    assert len(busy.asked) == 2
    broken = mock(lambda asked: Answer(503))
    with pytest.raises(hawkfish.Unavailable):
        hawkfish.Client(broken.url).post("/x", {})
    assert len(broken.asked) == 1
    with pytest.raises(ValueError):
        hawkfish.Client(busy.url, attempts=0)


def test_only_so_many_requests_are_under_way_at_once(mock: Start) -> None:
    under_way: list[int] = [0, 0]
    lock = threading.Lock()
    gate = threading.Event()

    def answer(asked: Asked) -> Answer:
        with lock:
            under_way[0] += 1
            under_way[1] = max(under_way)
            if under_way[1] == 2:
                gate.set()
        gate.wait(20)
        with lock:
            under_way[0] -= 1
        return Answer(200, {})

    async def program(url: str) -> None:
        client = hawkfish.AsyncClient(url, at_most=2)
        await asyncio.gather(*(client.get(f"/{number}") for number in range(20)))

    asyncio.run(program(mock(answer).url))
    assert under_way == [0, 2]
