"""The client for asyncio."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Iterable, Mapping, Optional

from . import _native
from ._connection import Connection, Event, Path, Resource, Visited, dump, place, wanted
from ._errors import Error, PreconditionFailed


class AsyncClient(Connection):
    """A client of one Redfish service for asyncio: ``Client`` with calls that are awaited, any number of them at once.

    It is set up with what ``Client`` is. A call that is cancelled sends nothing more, and its connection is given up; what was sent may have been done.
    """

    async def root(self) -> dict[str, Any]:
        """The service root, which needs no credentials."""
        return await self._native.root()

    async def get(self, uri: str) -> dict[str, Any]:
        """The resource at ``uri``. Its ETag, if there is one, is its ``@odata.etag``."""
        return await self._native.get(uri)

    async def members(self, uri: str) -> list[str]:
        """The URIs of all members of a collection, over all its pages."""
        return await self._native.members(uri)

    async def resources(self, uri: str, *, select: Iterable[str] = ()) -> list[dict[str, Any]]:
        """All members of a collection, read, in its order: in one request for each page where the service can bring them in (``$expand``), else each by
        itself, some at once. ``select`` names the properties that are wanted, where the service can leave out the rest."""
        return await self._native.resources(uri, list(select))

    def walk(
        self,
        start: str = "/redfish/v1/",
        *,
        at_most: Optional[int] = None,
        depth: Optional[int] = None,
        documents: bool = False,
        without: Iterable[str] = (),
    ) -> AsyncIterator[Visited]:
        """What stands at ``start`` and whatever its links lead to, each resource once, nearest first. A link that leads to none has an ``error``, and the
        walk goes on.

        No more than ``at_most`` resources, and no further than ``depth`` links; with ``documents`` also the bodies of registries and schemas; ``without``
        are parts of URIs that are not followed, such as ``"/JsonSchemas"``.
        """
        return _walk(self._native.walk(start, at_most, depth, documents, list(without)))

    async def events(
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
    ) -> "AsyncEvents":
        """What the service tells from now on, or from after ``last_id`` on: an asynchronous iterator that comes back by itself where a connection breaks, and goes
        on where it was. ``Unsupported`` for a service without a stream of events.

        ``messages`` (with registry and version, without the version, or the last part alone), ``registries``, ``resource_types``, ``origins``
        (``subordinate`` with all below them) and ``severities`` say what is wanted, all unless said: by the service's filter as far as it has one, by
        looking at what comes for the rest. ``filter`` is an expression that is sent as it is.
        """
        want = wanted(messages, registries, resource_types, origins, subordinate, severities)
        return AsyncEvents(await self._native.events(want, filter, last_id), last_id)

    async def patch(
        self,
        resource: Resource,
        changes: Mapping[str, Any],
        *,
        wait: Optional[float] = None,
    ) -> Optional[dict[str, Any]]:
        """Change properties; see ``Client.patch``."""
        uri, etag = place(resource)
        return await self._native.change("PATCH", uri, etag, dump(changes), wait)

    async def update(
        self,
        uri: str,
        decide: Callable[[dict[str, Any]], Optional[Mapping[str, Any]]],
        *,
        attempts: int = 5,
        wait: Optional[float] = None,
    ) -> Optional[dict[str, Any]]:
        """Read, decide, change, and again where somebody else was quicker; see ``Client.update``."""
        for left in range(attempts - 1, -1, -1):
            resource = await self.get(uri)
            changes = decide(resource)
            if changes is None:
                return resource
            try:
                return await self.patch({**resource, "@odata.id": uri}, changes, wait=wait)
            except PreconditionFailed:
                if not left:
                    raise
        raise ValueError("attempts is at least 1")

    async def post(
        self, uri: str, body: Optional[Mapping[str, Any]] = None, *, wait: Optional[float] = None
    ) -> Optional[dict[str, Any]]:
        """Create a member of a collection, or call an action whose target is known."""
        return await self._native.change("POST", uri, None, dump(body), wait)

    async def action(
        self, resource: Mapping[str, Any], action: str, *, wait: Optional[float] = None, **parameters: Any
    ) -> Optional[dict[str, Any]]:
        """Call an action of a resource that was read; see ``Client.action``."""
        return await self._native.action(dump(resource), action, dump(parameters), wait)

    async def start(self, resource: Mapping[str, Any], action: str, **parameters: Any) -> "AsyncTask":
        """Call an action as ``action`` does, and do not wait for work in the background: it is a ``AsyncTask``."""
        return AsyncTask(await self._native.start_action(dump(resource), action, dump(parameters)))

    async def start_post(self, uri: str, body: Optional[Mapping[str, Any]] = None) -> "AsyncTask":
        """As ``post``, and do not wait for work in the background."""
        return AsyncTask(await self._native.start_change("POST", uri, None, dump(body)))

    async def upload(self, uri: str, file: Path, parameters: Optional[Mapping[str, Any]] = None) -> "AsyncTask":
        """Send a file, such as firmware, read from disk as it is sent: with ``parameters`` as a form (``MultipartHttpPushUri`` of the update service; ``{}``
        where there are none to say), else as it is (``HttpPushUri``). What the service then does is a ``AsyncTask``. ``Refused`` for a file that cannot be read."""
        return AsyncTask(await self._native.upload(uri, os.fspath(file), None if parameters is None else dump(parameters)))

    def task(self, uri: str) -> "AsyncTask":
        """A task that the service has, by the URI of its monitor or its own."""
        return AsyncTask(self._native.task(uri))

    async def delete(self, resource: Resource, *, wait: Optional[float] = None) -> Optional[dict[str, Any]]:
        """Delete a resource; of one that was read, only if it has not changed since."""
        uri, etag = place(resource)
        return await self._native.change("DELETE", uri, etag, None, wait)

    async def close(self) -> None:
        """Close the session, if there is one. The client can be used again, and opens another."""
        await self._native.logout()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            await self.close()
        except Error:
            # What went wrong within the block matters more than a session that ends by itself.
            if error is None:
                raise


async def _walk(flow: "_native.Flow[tuple[str, Optional[str], int, Optional[dict[str, Any]], Optional[Error]]]") -> AsyncIterator[Visited]:
    while (found := await flow.next()) is not None:
        yield Visited(*found)


class AsyncTask:
    """Work that was begun. It goes on in the service, whatever becomes of this."""

    def __init__(self, native: "_native.Task") -> None:
        self._native = native
        self.uri: Optional[str] = native.uri
        """Where the service shows it; None where it was done at once."""

    async def wait(self, timeout: Optional[float] = None) -> Optional[dict[str, Any]]:
        """What the change is answered with once it is done. ``TaskFailed`` when it fails, ``TimedOut`` when it is not done after so many seconds."""
        return await self._native.wait(timeout)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The task as the service shows it, each time that it is asked, its end included where that is shown: TaskState, PercentComplete, Messages,
        ... ``TaskFailed`` when it fails."""
        flow = self._native.progress()
        while (shown := await flow.next()) is not None:
            yield shown

    async def cancel(self) -> bool:
        """Ask the service to end the work, which ``wait`` then tells the end of. False where it was done already; ``Unsupported`` where the service cannot."""
        return await self._native.cancel()

    def __repr__(self) -> str:
        return f"<hawkfish.AsyncTask {self.uri}>"


class AsyncEvents:
    """Events as they come, until ``aclose`` or the end of an ``async with`` block."""

    def __init__(
        self,
        flow: "_native.Flow[tuple[Optional[str], list[dict[str, Any]], Optional[dict[str, Any]], bool]]",
        last_id: Optional[str],
    ) -> None:
        self._flow = flow
        self.last_id = last_id
        """The number after which a later stream goes on."""

    def __aiter__(self) -> "AsyncEvents":
        return self

    async def __anext__(self) -> Event:
        found = await self._flow.next()
        if found is None:
            raise StopAsyncIteration
        event = Event(*found)
        self.last_id = event.id or self.last_id
        return event

    async def aclose(self) -> None:
        """Close the connection."""
        await self._flow.close()

    async def __aenter__(self) -> "AsyncEvents":
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self._flow.close()
