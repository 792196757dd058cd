"""What the package is: its version, its names, validation."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import hawkfish
import pytest


def test_the_version_is_that_of_the_wheel() -> None:
    assert hawkfish.__version__ == version("hawkfish")


def test_every_public_name_is_there_and_the_package_is_typed() -> None:
    for name in hawkfish.__all__:
        assert hasattr(hawkfish, name), name
    assert (Path(hawkfish.__file__).parent / "py.typed").exists()


def test_importing_brings_neither_asyncio_nor_ssl() -> None:
    code = "import sys, hawkfish; sys.exit(bool({'asyncio', 'ssl'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_kind_of_failure_is_an_error_and_can_be_sent_between_processes() -> None:
    for name in hawkfish.__all__:
        kind = getattr(hawkfish, name)
        if isinstance(kind, type) and issubclass(kind, hawkfish.Error):
            error = kind("text", 503, [{"MessageId": "a"}], 2.0)
            again = pickle.loads(pickle.dumps(error))
            assert type(again) is kind and str(again) == "text"
            assert (again.status, again.messages, again.retry_after) == (503, [{"MessageId": "a"}], 2.0)


SESSION = {
    "@odata.id": "/redfish/v1/SessionService/Sessions/1",
    "@odata.type": "#Session.v1_7_0.Session",
    "Id": "1",
    "Name": "Session",
    "UserName": "admin",
}


def test_a_good_resource_has_no_findings_in_any_form() -> None:
    text = json.dumps(SESSION)
    for form in (SESSION, text, text.encode()):
        assert hawkfish.validate("Session", form) == []


def test_a_bad_resource_is_told_where_and_what() -> None:
    bad = {**SESSION, "Nonsense": 1, "UserName": 7}
    del bad["Name"]
    found = {(finding.pointer, finding.problem) for finding in hawkfish.validate("Session", bad)}
    assert found == {("/Nonsense", "unknown"), ("/UserName", "type"), ("/Name", "missing")}
    assert all(finding.message for finding in hawkfish.validate("Session", bad))


def test_what_cannot_be_validated_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Toaster"):
        hawkfish.validate("Toaster", {})
    for broken in ("", "[]", "{", '{"a": 1, "a": 2}'):
        with pytest.raises(ValueError):
            hawkfish.validate("Session", broken)
