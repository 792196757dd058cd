"""What both clients are: how they are set up, and what goes over the wire."""

from __future__ import annotations

import json
import os
from typing import Any, Iterable, Mapping, NamedTuple, Optional, Union

from . import _native
from ._errors import Error

Path = Union[str, "os.PathLike[str]"]
Resource = Union[str, Mapping[str, Any]]


class Connection:
    """A client of one service."""

    def __init__(
        self,
        url: str,
        *,
        username: Optional[str] = None,
        password: Optional[str] = None,
        auth: str = "session",
        ca: Optional[Path] = None,
        fingerprint: Union[str, Iterable[str], None] = None,
        insecure: bool = False,
        timeout: float = 60.0,
        token: Optional[str] = None,
        attempts: int = 4,
        at_most: int = 8,
    ) -> None:
        if auth not in ("session", "basic"):
            raise ValueError("auth is neither 'session' nor 'basic'")
        if (username is None) != (password is None):
            raise ValueError("username and password go together")
        if attempts < 1 or at_most < 1:
            raise ValueError("attempts and at_most are at least 1")
        authorities = None
        if ca is not None:
            with open(ca, encoding="ascii", errors="replace") as file:
                authorities = file.read()
        self._url = url
        setup = {
            "url": url,
            "credentials": None if username is None else (username, password),
            "basic": auth == "basic",
            "token": token,
            "ca": authorities,
            "fingerprints": _fingerprints(fingerprint),
            "insecure": insecure,
            "timeout": timeout,
            "attempts": attempts,
            "at_most": at_most,
        }
        self._native = _native.Client(json.dumps(setup).encode())

    @property
    def token(self) -> Optional[str]:
        """The token of the session that is open, as secret as a password; None where none is. Another client goes on with it by ``token=``."""
        return self._native.token

    def __repr__(self) -> str:
        return f"<hawkfish.{type(self).__name__} {self._url}>"


def _fingerprints(given: Union[str, Iterable[str], None]) -> list[list[int]]:
    if given is None:
        return []
    read = []
    for text in [given] if isinstance(given, str) else given:
        try:
            one = bytes.fromhex(text.replace(":", ""))
        except ValueError:
            one = b""
        if len(one) != 32:
            raise ValueError("a fingerprint is a SHA-256: 64 hexadecimal digits, with or without colons")
        read.append(list(one))
    return read


def dump(value: Optional[Mapping[str, Any]]) -> bytes:
    return json.dumps(value or {}).encode()


def place(resource: Resource) -> tuple[str, Optional[str]]:
    if isinstance(resource, str):
        return resource, None
    return resource["@odata.id"], resource.get("@odata.etag")


class Visited(NamedTuple):
    """What a walk came to."""

    uri: str
    """The link that led to it."""
    linked_from: Optional[str]
    """Where that link stood first; None where the walk began."""
    depth: int
    """How many links lie between it and the beginning."""
    resource: Optional[dict[str, Any]]
    """The resource; None where the link led to none."""
    error: Optional[Error]
    """Why it led to none."""


class Event(NamedTuple):
    """What came at once: events, or a report of metrics."""

    id: Optional[str]
    """Its number, from which a later stream goes on; not every service has one."""
    records: list[dict[str, Any]]
    """The events, as ``EventRecord`` of the schema ``Event``: MessageId, MessageArgs, OriginOfCondition, ...; empty where it is a report."""
    report: Optional[dict[str, Any]]
    """The report, as ``MetricReport``, where it is one."""
    is_loss: bool
    """Whether the service says that it has forgotten events that were to be told before this."""


def wanted(
    messages: Iterable[str],
    registries: Iterable[str],
    resource_types: Iterable[str],
    origins: Iterable[str],
    subordinate: bool,
    severities: Iterable[str],
) -> bytes:
    said = {
        "messages": list(messages),
        "registries": list(registries),
        "resource_types": list(resource_types),
        "origins": list(origins),
        "subordinate": subordinate,
        "severities": list(severities),
    }
    for name, value in (("messages", messages), ("registries", registries), ("origins", origins)):
        if isinstance(value, str):
            raise ValueError(f"{name} is a list, not a text")
    return json.dumps(said).encode()
