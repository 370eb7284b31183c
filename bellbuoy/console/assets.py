"""Assets of the pages: compressed files with a hash in their address, so that a browser may keep them."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Assets"]

_FOLDER = Path(__file__).with_name("assets")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_FONT = "inter.woff2"


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    packed: bytes | None
    type: str


class Assets:
    """The files of the assets' folder by their hashed names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._assets: dict[str, _Asset] = {}
        font = self._add(_FOLDER / _FONT, {})
        for path in sorted(_FOLDER.iterdir()):
            if path.suffix in _TYPES and path.name != _FONT:
                self._add(path, {_FONT: font})

    def url(self, name: str) -> str:
        """Return the address of a file of the folder."""
        return self._names[name]

    async def serve(self, request: Request) -> Response:
        """Answer with an asset."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.packed, headers=headers, media_type=asset.type)
        return Response(asset.body, headers=headers, media_type=asset.type)

    def _add(self, path: Path, replaced: dict[str, str]) -> str:
        body = path.read_bytes()
        for name, url in replaced.items():
            body = body.replace(f"/assets/{name}".encode(), url.encode())
        digest = hashlib.sha256(body).hexdigest()[:12]
        hashed = f"{path.stem}.{digest}{path.suffix}"
        packed = None if path.suffix == ".woff2" else gzip.compress(body, 9, mtime=0)
        self._assets[hashed] = _Asset(body, packed, _TYPES[path.suffix])
        self._names[path.name] = f"/assets/{hashed}"
        return self._names[path.name]
