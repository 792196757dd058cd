"""Prints what machines several Redfish services have, asking all of them at once.

    python inventory.py https://bmc-1.example https://bmc-2.example

The user is admin unless HAWKFISH_USERNAME says otherwise; the password is taken from HAWKFISH_PASSWORD. HAWKFISH_CA names the certificates to trust, where
no public authority has signed them. A service that does not answer is told on stderr, and the program then ends with 1.
"""

import asyncio
import os
import sys
from typing import Any

import hawkfish


async def systems(url: str) -> list[dict[str, Any]]:
    async with hawkfish.AsyncClient(
        url,
        username=os.environ.get("HAWKFISH_USERNAME", "admin"),
        password=os.environ["HAWKFISH_PASSWORD"],
        ca=os.environ.get("HAWKFISH_CA"),
    ) as client:
        root = await client.root()
        return await client.resources(root["Systems"]["@odata.id"])


async def main(urls: list[str]) -> int:
    answers = await asyncio.gather(*(systems(url) for url in urls), return_exceptions=True)
    failed = 0
    for url, answer in zip(urls, answers):
        if isinstance(answer, hawkfish.Error):
            failed = 1
            print(f"{url}: {answer}", file=sys.stderr)
            continue
        if isinstance(answer, BaseException):
            raise answer
        for system in answer:
            print(url, system["Name"], system.get("PowerState", "-"), system.get("SerialNumber", "-"), sep="\t")
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1:])))
