"""What both clients do with what goes over the wire."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, Optional, Union

from ._errors import ProtocolError

Arguments = tuple[str, Optional[tuple[str, str]], bool, Optional[bytes], bool, float]


def arguments(
    url: str,
    username: Optional[str],
    password: Optional[str],
    auth: str,
    ca: Union[str, "os.PathLike[str]", None],
    insecure: bool,
    timeout: float,
) -> Arguments:
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
    return url, credentials, auth == "basic", pem, insecure, timeout


def dump(value: Optional[Mapping[str, Any]]) -> bytes:
    return json.dumps(value or {}).encode()


def to_object(body: bytes) -> dict[str, Any]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ProtocolError("the answer is no JSON object")
    return value


def answer(body: bytes) -> Optional[dict[str, Any]]:
    return to_object(body) if body else None


def place(resource: Union[str, Mapping[str, Any]]) -> tuple[str, Optional[str]]:
    if isinstance(resource, str):
        return resource, None
    return resource["@odata.id"], resource.get("@odata.etag")
