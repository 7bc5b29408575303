"""A loopback server of the part of Hugging Face's API that pushes and downloads use."""

import base64
import hashlib
import json
import re
from urllib.parse import urlsplit

import huggingface_hub
import pytest

from tests.loopback import LoopbackHandler, LoopbackServer

COMMIT = "c" * 40
TOKEN = "hf_secretSECRETsecret"


class _Handler(LoopbackHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._route()

    do_HEAD = do_POST = do_PUT = do_GET

    def _route(self):
        path = urlsplit(self.path).path
        body = self._body()
        self.server.asked.append(f"{self.command} {path}")
        status = self.server.refusals.get(path)
        if status is not None:
            return self._json({"error": "refused"}, status)
        if self.command in ("POST", "PUT") and not path.startswith("/lfs/"):
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._json({"error": "Invalid username or password."}, 401)
        for pattern, answer in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                return answer(self, body, *match.groups())
        self._json({"error": "Not Found"}, 404)

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _json(self, content, status=200, headers={}):
        self.answer(status, json.dumps(content).encode(), headers)

    def create(self, body):
        wanted = json.loads(body)
        name = f"{wanted['organization']}/{wanted['name']}"
        self.server.repositories.setdefault(name, {})
        self._json({"url": f"{self.server.url}/{name}"})

    def check_card(self, body):
        self._json({"errors": [], "warnings": []})

    def preupload(self, body, name):
        files = json.loads(body)["files"]
        modes = {True: "lfs", False: "regular"}
        answers = [
            {
                "path": file["path"],
                "uploadMode": modes[file["path"].endswith((".bin", ".safetensors"))],
                "shouldIgnore": False,
            }
            for file in files
        ]
        self._json({"files": answers})

    def batch(self, body, name):
        objects = json.loads(body)["objects"]
        for each in objects:
            each["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}}
        self._json({"transfer": "basic", "objects": objects})

    def put(self, body, oid):
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.objects[oid] = body
        self._json({})

    def commit(self, body, name):
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                content = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                content = self.server.objects[value["oid"]]
            else:
                continue
            self.server.repositories[name][value["path"]] = content
        url = f"{self.server.url}/{name}/commit/{COMMIT}"
        self._json({"commitUrl": url, "commitOid": COMMIT})

    def tree(self, body, name):
        files = self.server.repositories[name].items()
        self._json([{"type": "file", "path": p, "size": len(c), "oid": "0"} for p, c in files])

    def resolve(self, body, name, file):
        if name not in self.server.repositories:
            return self._json({}, 404, {"X-Error-Code": "RepoNotFound"})
        content = self.server.repositories[name].get(file)
        if content is None:
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            return self._json({}, 404, headers)
        etag = hashlib.sha256(content).hexdigest()
        self.answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})


_NAME = "([^/]+/[^/]+)"
_ROUTES = (
    ("/api/repos/create", _Handler.create),
    ("/api/validate-yaml", _Handler.check_card),
    (f"/api/models/{_NAME}/preupload/main", _Handler.preupload),
    (f"/{_NAME}.git/info/lfs/objects/batch", _Handler.batch),
    ("/lfs/(.*)", _Handler.put),
    (f"/api/models/{_NAME}/commit/main", _Handler.commit),
    (f"/api/models/{_NAME}/tree/main", _Handler.tree),
    (f"/{_NAME}/resolve/main/(.*)", _Handler.resolve),
)


class HubServer(LoopbackServer):
    """Repositories by name, each with its files by name; accepts only the token `TOKEN`.

    A path in `refusals` is answered by its status. `asked` notes what was asked for.
    """

    def __init__(self):
        super().__init__(_Handler)
        self.repositories, self.objects = {}, {}
        self.refusals, self.asked = {}, []


@pytest.fixture
def hub_server(monkeypatch):
    """The server, and huggingface_hub as HF_ENDPOINT and HF_TOKEN in its environment make it.

    It reads the address when it is imported, which here was long ago.
    """
    constants = huggingface_hub.constants
    with HubServer() as server:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + template)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server
