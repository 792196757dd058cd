"""The client against small services of the test's own."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import Any, Callable

import hawkfish
import pytest
from conftest import Answer, Asked, Start

KINDS = {
    400: hawkfish.BadRequest,
    401: hawkfish.Unauthorized,
    403: hawkfish.Forbidden,
    404: hawkfish.NotFound,
    405: hawkfish.Unsupported,
    409: hawkfish.Conflict,
    412: hawkfish.PreconditionFailed,
    500: hawkfish.ServiceError,
    501: hawkfish.Unsupported,
    503: hawkfish.Unavailable,
}


@pytest.mark.parametrize("status", KINDS)
def test_each_status_is_an_exception_of_its_kind_with_the_messages_of_the_service(mock: Start, status: int) -> None:
    message = {"MessageId": "Base.1.22.InternalError", "Message": "It broke.", "MessageArgs": ["x"]}
    body = {"error": {"code": "Base.1.22.InternalError", "message": "It broke.", "@Message.ExtendedInfo": [message]}}
    service = mock(lambda asked: Answer(status, body, {"Retry-After": "7"}))
    with pytest.raises(hawkfish.Error) as caught:
        hawkfish.Client(service.url, attempts=1).get("/redfish/v1/x")
    error = caught.value
    assert type(error) is KINDS[status]
    assert error.status == status
    assert error.messages[0]["MessageArgs"] == ["x"]
    assert "It broke." in str(error)
    assert error.retry_after == (7.0 if status == 503 else None)


def test_every_kind_of_failure_is_reached_by_what_a_service_really_does(mock: Start) -> None:
    """No exception is there for show."""
    task = {"@odata.id": "/t", "@odata.type": "#Task.v1_7_0.Task", "TaskState": "Exception", "Messages": [{"MessageId": "Base.1.0.InternalError"}]}

    def answer(asked: Asked) -> Answer:
        if asked.path == "/task":
            return Answer(200, task)
        if asked.path == "/list":
            return Answer(200, headers={"X": "no body"})
        if asked.path == "/long":
            return Answer(202, {}, {"Location": "/long", "Retry-After": "0"})
        return Answer(int(asked.path[1:]))

    service = mock(answer)
    client = hawkfish.Client(service.url, attempts=1)
    gone = mock(lambda asked: Answer(200))
    gone.close()
    ways: list[Callable[[], object]] = [partial(client.get, f"/{status}") for status in KINDS]
    ways += [
        lambda: client.task("/task").wait(),
        lambda: client.post("/long", wait=0.1),
        lambda: client.get("/list"),
        lambda: hawkfish.Client(gone.url, attempts=1).root(),
        lambda: client.get("http://192.0.2.1/x"),
    ]
    reached = set()
    for way in ways:
        with pytest.raises(hawkfish.Error) as caught:
            way()
        reached.add(type(caught.value))
    assert reached == set(hawkfish.Error.__subclasses__())


def test_a_change_of_what_was_read_is_guarded_by_its_etag(mock: Start) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.method == "GET":
            return Answer(200, {"@odata.id": "/s"}, {"ETag": '"1"'})
        return Answer(200 if asked.headers.get("if-match") == '"1"' else 412, {"Changed": True})

    service = mock(answer)
    client = hawkfish.Client(service.url)
    system = client.get("/s")
    assert client.patch(system, {"AssetTag": "x"}) == {"Changed": True}
    system["@odata.etag"] = '"0"'
    with pytest.raises(hawkfish.PreconditionFailed):
        client.patch(system, {"AssetTag": "x"})
    assert service.asked[1].body == {"AssetTag": "x"}


def test_an_action_is_called_at_its_target_and_an_unlisted_one_is_not_sent(mock: Start) -> None:
    system: dict[str, Any] = {"@odata.id": "/s", "Actions": {"#ComputerSystem.Reset": {"target": "/go"}}}
    service = mock(lambda asked: Answer(204))
    client = hawkfish.Client(service.url)
    assert client.action(system, "ComputerSystem.Reset", ResetType="On") is None
    assert service.asked[0][:2] == ("POST", "/go")
    assert service.asked[0].body == {"ResetType": "On"}
    with pytest.raises(hawkfish.Unsupported):
        client.action(system, "ComputerSystem.Explode")
    assert len(service.asked) == 1


def test_work_in_the_background_is_waited_for_as_long_as_wanted(mock: Start) -> None:
    polls: list[int] = []

    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            return Answer(202, {}, {"Location": asked.path + "/monitor", "Retry-After": "0"})
        polls.append(1)
        if asked.path == "/quick/monitor" and len(polls) == 3:
            return Answer(200, {"Done": True})
        return Answer(202, {}, {"Retry-After": "0"})

    client = hawkfish.Client(mock(answer).url)
    assert client.post("/quick") == {"Done": True}
    with pytest.raises(hawkfish.TimedOut):
        client.post("/slow", wait=0.2)


def test_a_link_to_another_origin_is_refused(mock: Start) -> None:
    ours, other = (mock(lambda asked: Answer(200, {})) for _ in range(2))
    with pytest.raises(hawkfish.Refused):
        hawkfish.Client(ours.url, username="u", password="p").get(other.url + "/redfish/v1/")
    assert not ours.asked and not other.asked


def test_where_nobody_listens_it_is_a_transport_error(mock: Start) -> None:
    gone = mock(lambda asked: Answer(200))
    gone.close()
    with pytest.raises(hawkfish.TransportError):
        hawkfish.Client(gone.url).root()


def test_what_makes_no_sense_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        hawkfish.Client("https://bmc.example", username="u")
    with pytest.raises(ValueError):
        hawkfish.Client("https://bmc.example", auth="magic")
    with pytest.raises(ValueError):
        hawkfish.Client("https://bmc.example", timeout=-1)
    with pytest.raises(hawkfish.Refused):
        hawkfish.Client("bmc.example")


def test_other_threads_run_while_a_call_waits(mock: Start) -> None:
    free = threading.Event()

    def answer(asked: Asked) -> Answer:
        # Answers only once another thread of this process has run; with the lock held that would be never.
        return Answer(200 if free.wait(20) else 500, {})

    service = mock(answer)
    caught: list[BaseException] = []

    def call() -> None:
        try:
            hawkfish.Client(service.url).get("/x")
        except BaseException as error:
            caught.append(error)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(service.asked) < len(threads) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(service.asked) == len(threads)
    free.set()
    for thread in threads:
        thread.join()
    assert not caught


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_client_refuses_to_work_in_a_forked_child_and_a_new_one_works(mock: Start) -> None:
    service = mock(lambda asked: Answer(200, {"Id": "x"}))
    client = hawkfish.Client(service.url)
    assert client.get("/x") == {"Id": "x"}
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.get("/x")
        except RuntimeError:
            code = 0 if hawkfish.Client(service.url).get("/x") == {"Id": "x"} else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
