"""The blocking client."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional

from . import _native
from ._connection import Connection, Event, Path, Resource, Visited, dump, place, wanted
from ._errors import Error, PreconditionFailed


class Client(Connection):
    """A blocking client of one Redfish service. Other threads run while a call waits, and Ctrl-C ends it; any number of threads may use one client.

    With ``username`` and ``password`` a session is opened when first needed (``auth="session"``), renewed when the service has ended it, and closed
    by ``close`` or at the end of a ``with`` block; with ``auth="basic"`` they go with each request. ``ca`` is a file of PEM certificates to trust,
    ``fingerprint`` the SHA-256 of the one certificate to trust (or several of them), ``insecure`` trusts any. ``timeout`` is in seconds, for one answer.
    ``token`` goes on with a session that is there already, and leaves it open.

    A request is sent ``attempts`` times at most, and again only where nothing can have been done by it; ``Retry-After`` is waited for. ``at_most`` so many
    requests are under way at once, others wait: BMCs are slow machines.

    URIs are those that the service gave. One that leads to another origin raises ``Refused`` before anything is sent.

    Every call may raise an ``Error`` of each kind; what is said below of errors comes on top.
    """

    def root(self) -> dict[str, Any]:
        """The service root, which needs no credentials."""
        return self._native.root().wait()

    def get(self, uri: str) -> dict[str, Any]:
        """The resource at ``uri``. Its ETag, if there is one, is its ``@odata.etag``."""
        return self._native.get(uri).wait()

    def members(self, uri: str) -> list[str]:
        """The URIs of all members of a collection, over all its pages."""
        return self._native.members(uri).wait()

    def resources(self, uri: str, *, select: Iterable[str] = ()) -> list[dict[str, Any]]:
        """All members of a collection, read, in its order: in one request for each page where the service can bring them in (``$expand``), else each by
        itself, some at once. ``select`` names the properties that are wanted, where the service can leave out the rest."""
        return self._native.resources(uri, list(select)).wait()

    def walk(
        self,
        start: str = "/redfish/v1/",
        *,
        at_most: Optional[int] = None,
        depth: Optional[int] = None,
        documents: bool = False,
        without: Iterable[str] = (),
    ) -> Iterator[Visited]:
        """What stands at ``start`` and whatever its links lead to, each resource once, nearest first. A link that leads to none has an ``error``, and the
        walk goes on.

        No more than ``at_most`` resources, and no further than ``depth`` links; with ``documents`` also the bodies of registries and schemas; ``without``
        are parts of URIs that are not followed, such as ``"/JsonSchemas"``.
        """
        return _walk(self._native.walk(start, at_most, depth, documents, list(without)))

    def events(
        self,
        *,
        last_id: Optional[str] = None,
        filter: Optional[str] = None,
        messages: Iterable[str] = (),
        registries: Iterable[str] = (),
        resource_types: Iterable[str] = (),
        origins: Iterable[str] = (),
        subordinate: bool = False,
        severities: Iterable[str] = (),
    ) -> "Events":
        """What the service tells from now on, or from after ``last_id`` on: an iterator that comes back by itself where a connection breaks, and goes
        on where it was. ``Unsupported`` for a service without a stream of events.

        ``messages`` (with registry and version, without the version, or the last part alone), ``registries``, ``resource_types``, ``origins``
        (``subordinate`` with all below them) and ``severities`` say what is wanted, all unless said: by the service's filter as far as it has one, by
        looking at what comes for the rest. ``filter`` is an expression that is sent as it is.
        """
        want = wanted(messages, registries, resource_types, origins, subordinate, severities)
        return Events(self._native.events(want, filter, last_id).wait(), last_id)

    def patch(
        self,
        resource: Resource,
        changes: Mapping[str, Any],
        *,
        wait: Optional[float] = None,
    ) -> Optional[dict[str, Any]]:
        """Change properties, and give back the resource as the service answers it; None where it answers nothing.

        Of a resource that was read, the ETag guards the change: ``PreconditionFailed`` when it has changed since. A URI alone is changed whatever stands
        there. Work in the background is waited for, at most ``wait`` seconds, then ``TimedOut``; ``TaskFailed`` when it fails.
        """
        uri, etag = place(resource)
        return self._native.change("PATCH", uri, etag, dump(changes), wait).wait()

    def update(
        self,
        uri: str,
        decide: Callable[[dict[str, Any]], Optional[Mapping[str, Any]]],
        *,
        attempts: int = 5,
        wait: Optional[float] = None,
    ) -> Optional[dict[str, Any]]:
        """Read a resource, have ``decide`` say what to change of it, and change that; where somebody else has changed it meanwhile, read and decide again.

        ``decide`` gets the resource and gives the changes, None for nothing to do. Gives back the resource as the service answers it, or as it was read
        where there was nothing to do. ``PreconditionFailed`` when others were quicker ``attempts`` times.
        """
        for left in range(attempts - 1, -1, -1):
            resource = self.get(uri)
            changes = decide(resource)
            if changes is None:
                return resource
            try:
                return self.patch({**resource, "@odata.id": uri}, changes, wait=wait)
            except PreconditionFailed:
                if not left:
                    raise
        raise ValueError("attempts is at least 1")

    def post(
        self, uri: str, body: Optional[Mapping[str, Any]] = None, *, wait: Optional[float] = None
    ) -> Optional[dict[str, Any]]:
        """Create a member of a collection, or call an action whose target is known. Work in the background is waited for as by ``patch``."""
        return self._native.change("POST", uri, None, dump(body), wait).wait()

    def action(
        self, resource: Mapping[str, Any], action: str, *, wait: Optional[float] = None, **parameters: Any
    ) -> Optional[dict[str, Any]]:
        """Call an action of a resource that was read; it is named as in the schema, ``ComputerSystem.Reset``. ``Unsupported`` where the resource does not
        list it. Work in the background is waited for as by ``patch``."""
        return self._native.action(dump(resource), action, dump(parameters), wait).wait()

    def start(self, resource: Mapping[str, Any], action: str, **parameters: Any) -> "Task":
        """Call an action as ``action`` does, and do not wait for work in the background: it is a ``Task``."""
        return Task(self._native.start_action(dump(resource), action, dump(parameters)).wait())

    def start_post(self, uri: str, body: Optional[Mapping[str, Any]] = None) -> "Task":
        """As ``post``, and do not wait for work in the background."""
        return Task(self._native.start_change("POST", uri, None, dump(body)).wait())

    def upload(self, uri: str, file: Path, parameters: Optional[Mapping[str, Any]] = None) -> "Task":
        """Send a file, such as firmware, read from disk as it is sent: with ``parameters`` as a form (``MultipartHttpPushUri`` of the update service; ``{}``
        where there are none to say), else as it is (``HttpPushUri``). What the service then does is a ``Task``. ``Refused`` for a file that cannot be read."""
        return Task(self._native.upload(uri, os.fspath(file), None if parameters is None else dump(parameters)).wait())

    def task(self, uri: str) -> "Task":
        """A task that the service has, by the URI of its monitor or its own."""
        return Task(self._native.task(uri))

    def delete(self, resource: Resource, *, wait: Optional[float] = None) -> Optional[dict[str, Any]]:
        """Delete a resource; of one that was read, only if it has not changed since."""
        uri, etag = place(resource)
        return self._native.change("DELETE", uri, etag, None, wait).wait()

    def close(self) -> None:
        """Close the session, if there is one. The client can be used again, and opens another."""
        self._native.logout().wait()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self.close()
        except Error:
            # What went wrong within the block matters more than a session that ends by itself.
            if error is None:
                raise


def _walk(flow: "_native.Flow[tuple[str, Optional[str], int, Optional[dict[str, Any]], Optional[Error]]]") -> Iterator[Visited]:
    while (found := flow.next().wait()) is not None:
        yield Visited(*found)


class Task:
    """Work that was begun. It goes on in the service, whatever becomes of this."""

    def __init__(self, native: "_native.Task") -> None:
        self._native = native
        self.uri: Optional[str] = native.uri
        """Where the service shows it; None where it was done at once."""

    def wait(self, timeout: Optional[float] = None) -> Optional[dict[str, Any]]:
        """What the change is answered with once it is done. ``TaskFailed`` when it fails, ``TimedOut`` when it is not done after so many seconds."""
        return self._native.wait(timeout).wait()

    def progress(self) -> Iterator[dict[str, Any]]:
        """The task as the service shows it, each time that it is asked, its end included where that is shown: TaskState, PercentComplete, Messages,
        ... ``TaskFailed`` when it fails."""
        flow = self._native.progress()
        while (shown := flow.next().wait()) is not None:
            yield shown

    def cancel(self) -> bool:
        """Ask the service to end the work, which ``wait`` then tells the end of. False where it was done already; ``Unsupported`` where the service cannot."""
        return self._native.cancel().wait()

    def __repr__(self) -> str:
        return f"<hawkfish.Task {self.uri}>"


class Events:
    """Events as they come, until ``close`` or the end of a ``with`` block."""

    def __init__(
        self,
        flow: "_native.Flow[tuple[Optional[str], list[dict[str, Any]], Optional[dict[str, Any]], bool]]",
        last_id: Optional[str],
    ) -> None:
        self._flow = flow
        self.last_id = last_id
        """The number after which a later stream goes on."""

    def __iter__(self) -> "Events":
        return self

    def __next__(self) -> Event:
        found = self._flow.next().wait()
        if found is None:
            raise StopIteration
        event = Event(*found)
        self.last_id = event.id or self.last_id
        return event

    def close(self) -> None:
        """Close the connection."""
        self._flow.close().wait()

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._flow.close().wait()
