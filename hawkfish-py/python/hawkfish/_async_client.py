"""The client for asyncio."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Mapping, Optional, Union

from . import _native
from ._errors import Error
from ._wire import answer, arguments, dump, place, to_object


class AsyncClient:
    """A client of one Redfish service for asyncio. Any number of calls may be under way at once.

    With ``username`` and ``password`` a session is opened when first needed (``auth="session"``), renewed when the service has ended it, and closed
    by ``close`` or at the end of an ``async with`` block; with ``auth="basic"`` they go with each request. ``ca`` is a file of PEM certificates to trust,
    ``insecure`` trusts any. ``timeout`` is in seconds, for one answer.

    A call that is cancelled sends nothing more; what was sent may have been done.

    URIs are those that the service gave. One that leads to another origin raises ``Refused`` before anything is sent.
    """

    def __init__(
        self,
        url: str,
        *,
        username: Optional[str] = None,
        password: Optional[str] = None,
        auth: str = "session",
        ca: Union[str, "os.PathLike[str]", None] = None,
        insecure: bool = False,
        timeout: float = 60.0,
    ) -> None:
        self._native = _native.AsyncClient(*arguments(url, username, password, auth, ca, insecure, timeout))

    async def root(self) -> dict[str, Any]:
        """The service root, which needs no credentials."""
        return to_object(await self._native.root())

    async def get(self, uri: str) -> dict[str, Any]:
        """The resource at ``uri``. Its ETag, if there is one, is its ``@odata.etag``."""
        return to_object(await self._native.get(uri))

    async def members(self, uri: str) -> list[str]:
        """The URIs of all members of a collection, over all its pages."""
        return await self._native.members(uri)

    async def patch(
        self,
        resource: Union[str, Mapping[str, Any]],
        changes: Mapping[str, Any],
        *,
        wait: Optional[float] = None,
    ) -> Optional[dict[str, Any]]:
        """Change properties, and give back the resource as the service answers it.

        Of a resource that was read, the ETag guards the change; a URI alone is changed whatever stands there. Work in the background is waited for,
        at most ``wait`` seconds.
        """
        uri, etag = place(resource)
        return answer(await self._native.change("PATCH", uri, etag, dump(changes), wait))

    async def post(
        self, uri: str, body: Optional[Mapping[str, Any]] = None, *, wait: Optional[float] = None
    ) -> Optional[dict[str, Any]]:
        """Create a member of a collection, or call an action whose target is known."""
        return answer(await self._native.change("POST", uri, None, dump(body), wait))

    async def action(
        self, resource: Mapping[str, Any], action: str, *, wait: Optional[float] = None, **parameters: Any
    ) -> Optional[dict[str, Any]]:
        """Call an action of a resource that was read; it is named as in the schema, ``ComputerSystem.Reset``."""
        body = dump(parameters)
        return answer(await self._native.action(dump(resource), action, body, wait))

    async def delete(
        self, resource: Union[str, Mapping[str, Any]], *, wait: Optional[float] = None
    ) -> Optional[dict[str, Any]]:
        """Delete a resource; of one that was read, only if it has not changed since."""
        uri, etag = place(resource)
        return answer(await self._native.change("DELETE", uri, etag, None, wait))

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
