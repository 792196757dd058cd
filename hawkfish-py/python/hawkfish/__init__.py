"""Redfish from Python: a client, and validation against the schema."""

from __future__ import annotations

import json as _json
import os as _os
from types import TracebackType
from typing import Any, Mapping, NamedTuple, Optional, Union

from . import _native
from ._errors import (
    BadRequest,
    Conflict,
    Error,
    Forbidden,
    NotFound,
    PreconditionFailed,
    ProtocolError,
    Refused,
    ServiceError,
    TaskFailed,
    TimedOut,
    TransportError,
    Unauthorized,
    Unavailable,
    Unsupported,
)

__version__: str = _native.__version__

__all__ = [
    "BadRequest",
    "Client",
    "Conflict",
    "Error",
    "Finding",
    "Forbidden",
    "NotFound",
    "PreconditionFailed",
    "ProtocolError",
    "Refused",
    "ServiceError",
    "TaskFailed",
    "TimedOut",
    "TransportError",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "__version__",
    "validate",
]


class Finding(NamedTuple):
    """One thing wrong with a resource."""

    pointer: str
    """JSON pointer to it, such as ``/Boot/BootSourceOverrideTarget``."""
    problem: str
    """``unknown``, ``type``, ``not-in-list``, ``format``, ``out-of-range``, ``too-long``, ``too-short``, ``array-too-long``,
    ``array-too-short``, ``missing``, ``duplicate`` or ``not-writable``."""
    message: str
    """What is wrong, in words."""


def validate(entity: str, resource: Union[Mapping[str, Any], str, bytes]) -> list[Finding]:
    """Hold a resource against the schema of its entity, in the newest version that HawkFish serves.

    ``entity`` is the bare name, such as ``ComputerSystem``; ``resource`` is a mapping, or JSON. The list is empty when nothing is wrong. A standard
    property that HawkFish does not serve is reported as ``unknown``.

    Raises ``ValueError`` for an entity that HawkFish does not serve, and for what is not a JSON object.
    """
    body = _json.dumps(resource).encode() if isinstance(resource, Mapping) else resource
    if isinstance(body, str):
        body = body.encode()
    return [Finding(*found) for found in _native.validate(entity, body)]


class Client:
    """A blocking client of one Redfish service.

    With ``username`` and ``password`` a session is opened when first needed (``auth="session"``), renewed when the service has ended it, and closed
    by ``close`` or at the end of a ``with`` block; with ``auth="basic"`` they go with each request. ``ca`` is a file of PEM certificates to trust,
    ``insecure`` trusts any. ``timeout`` is in seconds, for one answer.

    URIs are those that the service gave. One that leads to another origin raises ``Refused`` before anything is sent.
    """

    def __init__(
        self,
        url: str,
        *,
        username: Optional[str] = None,
        password: Optional[str] = None,
        auth: str = "session",
        ca: Union[str, "_os.PathLike[str]", None] = None,
        insecure: bool = False,
        timeout: float = 60.0,
    ) -> None:
        if auth not in ("session", "basic"):
            raise ValueError("auth is neither 'session' nor 'basic'")
        if username is not None and password is not None:
            credentials: Optional[tuple[str, str]] = (username, password)
        elif username is None and password is None:
            credentials = None
        else:
            raise ValueError("username and password go together")
        pem = None
        if ca is not None:
            with open(ca, "rb") as file:
                pem = file.read()
        self._native = _native.Client(url, credentials, auth == "basic", pem, insecure, timeout)

    def root(self) -> dict[str, Any]:
        """The service root, which needs no credentials."""
        return _object(self._native.root())

    def get(self, uri: str) -> dict[str, Any]:
        """The resource at ``uri``. Its ETag, if there is one, is its ``@odata.etag``."""
        return _object(self._native.get(uri))

    def members(self, uri: str) -> list[str]:
        """The URIs of all members of a collection, over all its pages."""
        return self._native.members(uri)

    def patch(
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
        uri, etag = _place(resource)
        return _answer(self._native.change("PATCH", uri, etag, _json.dumps(changes).encode(), wait))

    def post(
        self, uri: str, body: Optional[Mapping[str, Any]] = None, *, wait: Optional[float] = None
    ) -> Optional[dict[str, Any]]:
        """Create a member of a collection, or call an action whose target is known."""
        return _answer(self._native.change("POST", uri, None, _json.dumps(body or {}).encode(), wait))

    def action(
        self, resource: Mapping[str, Any], action: str, *, wait: Optional[float] = None, **parameters: Any
    ) -> Optional[dict[str, Any]]:
        """Call an action of a resource that was read; it is named as in the schema, ``ComputerSystem.Reset``."""
        body = _json.dumps(parameters).encode()
        return _answer(self._native.action(_json.dumps(resource).encode(), action, body, wait))

    def delete(
        self, resource: Union[str, Mapping[str, Any]], *, wait: Optional[float] = None
    ) -> Optional[dict[str, Any]]:
        """Delete a resource; of one that was read, only if it has not changed since."""
        uri, etag = _place(resource)
        return _answer(self._native.change("DELETE", uri, etag, None, wait))

    def close(self) -> None:
        """Close the session, if there is one. The client can be used again, and opens another."""
        self._native.logout()

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


def _object(body: bytes) -> dict[str, Any]:
    value = _json.loads(body)
    if not isinstance(value, dict):
        raise ProtocolError("the answer is no JSON object")
    return value


def _answer(body: bytes) -> Optional[dict[str, Any]]:
    return _object(body) if body else None


def _place(resource: Union[str, Mapping[str, Any]]) -> tuple[str, Optional[str]]:
    if isinstance(resource, str):
        return resource, None
    return resource["@odata.id"], resource.get("@odata.etag")
