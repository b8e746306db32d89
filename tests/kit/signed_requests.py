"""What stores under test share: who one is there, requests that no client library makes (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
import ssl
import subprocess
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.kit.patience import PATIENCE


@dataclass(frozen=True)
class Account:
    """Where, and as whom."""

    endpoint: str
    key: str
    secret: str
    region: str = "default"
    authority: bytes | None = None

    @property
    def settings(self) -> str:
        """What a client must know, as a file of settings."""
        known = {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key_id": self.key,
            "secret_access_key": self.secret,
        }
        return "".join(f'{name} = "{value}"\n' for name, value in known.items())

    @property
    def context(self) -> ssl.SSLContext | None:
        """By which certificate the store is known; None: by the system's, or it speaks without TLS."""
        return ssl.create_default_context(cadata=self.authority.decode()) if self.authority else None


def send(
    account: Account, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> HTTPResponse:
    """One request. Raises urllib.error.HTTPError when it is refused."""
    now = datetime.now(UTC)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    parts = urlsplit(path)
    sent = {
        "content-md5": b64encode(hashlib.md5(body).digest()).decode(),
        "host": urlsplit(account.endpoint).netloc,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": stamp,
        **(headers or {}),
    }
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
    request = f"{method}\n{parts.path}\n{parts.query}\n{lines}\n{names}\n{sent['x-amz-content-sha256']}"
    scope = f"{day}/{account.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{account.secret}".encode()
    for part in (day, account.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={account.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    sent["authorization"] = f"AWS4-HMAC-SHA256 {credential}"
    asked = urllib.request.Request(f"{account.endpoint}{path}", data=body or None, headers=sent, method=method)
    answer: HTTPResponse = urllib.request.urlopen(asked, timeout=PATIENCE, context=account.context)
    answer.read()
    return answer


def kill_all(running: list[subprocess.Popen[bytes]]) -> None:
    """Every process of a store, at once; none is left in the list."""
    for process in running:
        process.kill()
    for process in running:
        process.wait()
    running.clear()
