"""A Hub on this machine: as much of its HTTP protocol as huggingface_hub and datasets use.

Repos, commits and large files are kept in memory, so that a server that died can be started again on its port.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKENS = {"hf_writer_0123456789": "writer", "hf_reader_0123456789": "reader"}


@dataclass
class Repo:
    private: bool
    branches: dict[str, list[str]] = field(default_factory=dict)  # revisions, oldest first
    trees: dict[str, dict[str, bytes]] = field(default_factory=dict)  # revision to files

    def commit(self, branch, files):
        revision = hashlib.sha1(f"{len(self.trees)} {sorted(files)}".encode()).hexdigest()
        self.trees[revision] = files
        self.branches.setdefault(branch, []).append(revision)
        return revision

    def revision(self, name):
        return self.branches[name][-1] if name in self.branches else name if name in self.trees else None


class Hub:
    """`with Hub() as hub:` serves at `hub.url`; `hub.die_at_put = n` kills it when the n-th large file arrives."""

    def __init__(self):
        self.repos, self.large, self.puts, self.die_at_put, self.port = {}, {}, 0, None, 0
        self.alive = False

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.alive = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.alive = False  # connections that are open already get no answer either
        self._server.shutdown()
        self._server.server_close()

    def tree(self, name, branch="main"):
        repo = self.repos[name]
        return repo.trees[repo.branches[branch][-1]]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._route("GET")

    def do_HEAD(self):
        self._route("HEAD")

    def do_POST(self):
        self._route("POST")

    def do_PUT(self):
        self._route("PUT")

    def _route(self, method):
        url = urlsplit(self.path)
        path, self.query = unquote(url.path), parse_qs(url.query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.user = TOKENS.get(token)
        if not self.hub.alive:
            self.close_connection = True
            return None
        if token and not self.user and not path.startswith("/large/"):
            return self._answer(401, {"error": "Invalid credentials in Authorization header"})
        for verb, pattern, action in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method in verb:
                return action(self, **match.groupdict())
        return self._answer(404, {"error": f"no such page: {method} {path}"})

    def _answer(self, status, content=b"", **headers):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.pop("length", str(len(data))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _found(self, name, revision="main"):
        """The repo and the revision, or None after an answer that says what is missing."""
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and not self.user):
            return self._answer(401 if repo else 404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        found = repo.revision(revision)
        if found is None:
            return self._answer(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        return repo, found

    def whoami(self):
        self._answer(200, {"name": self.user, "type": "user"}) if self.user else self._answer(401, {"error": "who?"})

    def create(self):
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if self.user != "writer":
            return self._answer(403, {"error": "You don't have the rights to create a dataset there"})
        if name in self.hub.repos:
            return self._answer(409, {"error": "You already created this dataset repo"})
        self.hub.repos[name] = Repo(private=asked.get("visibility") == "private" or bool(asked.get("private")))
        self.hub.repos[name].commit("main", {".gitattributes": b"*.parquet filter=lfs\n"})
        return self._answer(200, {"url": f"{self.hub.url}/datasets/{name}"})

    def validate(self):
        text = json.loads(self.body)["content"]
        data = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
        missing = [key for key in ("license", "configs", "dataset_info", "tags") if not data.get(key)]
        self._answer(400 if missing else 200, {"errors": [{"message": key} for key in missing], "warnings": []})

    def info(self, name, revision="main"):
        if found := self._found(name, revision):
            repo, sha = found
            files = [{"rfilename": path} for path in repo.trees[sha]]
            self._answer(200, {"_id": "0", "id": name, "sha": sha, "private": repo.private, "siblings": files})

    def branch(self, name, branch):
        if found := self._found(name):
            repo, sha = found
            if branch in repo.branches:
                return self._answer(409, {"error": "Reference already exists"})
            repo.branches[branch] = [sha]
            self._answer(200, {})

    def preupload(self, name, revision):
        if self.user != "writer":
            return self._answer(403, {"error": "Forbidden: you must use a write token"})
        if found := self._found(name, revision):
            repo, sha = found
            files = []
            for file in json.loads(self.body)["files"]:
                large = file["path"].endswith(".parquet")
                content = repo.trees[sha].get(file["path"])
                oid = None if content is None else _oid(content, large)
                mode = "lfs" if large else "regular"
                files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
            self._answer(200, {"files": files})

    def batch(self, name):
        objects = []
        for item in json.loads(self.body)["objects"]:
            known = item["oid"] in self.hub.large
            actions = {} if known else {"actions": {"upload": {"href": f"{self.hub.url}/large/{item['oid']}"}}}
            objects.append({**item, **actions})
        self._answer(200, {"transfer": "basic", "objects": objects})

    def put(self, oid):
        self.hub.puts += 1
        if self.hub.puts == self.hub.die_at_put:
            self.hub.die_at_put = None
            self.hub.__exit__()
            self.close_connection = True
            return
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._answer(400, {"error": "another hash"})
        self.hub.large[oid] = self.body
        self._answer(200)

    def commit(self, name, revision):
        if found := self._found(name, revision):
            repo, sha = found
            lines = [json.loads(line) for line in self.body.splitlines()]
            parent = lines[0]["value"].get("parentCommit")
            if parent and parent != sha:
                return self._answer(412, {"error": "A commit has happened since"})
            files = dict(repo.trees[sha])
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.hub.large[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            new = repo.commit(revision, files)
            self._answer(200, {"commitUrl": f"{self.hub.url}/datasets/{name}/commit/{new}", "commitOid": new})

    def listing(self, name, revision, folder):
        if found := self._found(name, revision):
            repo, sha = found
            inside = f"{folder}/" if folder else ""
            entries = {}
            for path, content in repo.trees[sha].items():
                if path.startswith(inside):
                    entries[path] = _entry(path, content)
                    parts = path[len(inside) :].split("/")
                    for depth in range(1, len(parts)):
                        up = inside + "/".join(parts[:depth])
                        entries[up] = {"type": "directory", "path": up, "oid": "0" * 40, "size": 0}
            if folder and not entries:
                return self._answer(404, {"error": "no such folder"}, X_Error_Code="EntryNotFound")
            if self.query.get("recursive", ["false"])[0].lower() != "true":
                entries = {path: entry for path, entry in entries.items() if "/" not in path[len(inside) :]}
            self._answer(200, list(entries.values()))

    def paths_info(self, name, revision):
        if found := self._found(name, revision):
            repo, sha = found
            asked = json.loads(self.body) if self.body.startswith(b"{") else parse_qs(self.body.decode())
            files = repo.trees[sha]
            entries = [_entry(path, files[path]) for path in asked["paths"] if path in files]
            above = {path.rpartition("/")[0] for path in files} - {""}
            entries += [{"type": "directory", "path": p, "oid": "0" * 40} for p in asked["paths"] if p in above]
            self._answer(200, entries)

    def resolve(self, name, revision, path):
        if found := self._found(name, revision):
            repo, sha = found
            content = repo.trees[sha].get(path)
            if content is None:
                return self._answer(404, {"error": "no such file"}, X_Error_Code="EntryNotFound", X_Repo_Commit=sha)
            oid = _oid(content, path.endswith(".parquet"))
            headers = {"ETag": f'"{oid}"', "X_Repo_Commit": sha, "Accept_Ranges": "bytes"}
            part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if part:
                stop = int(part[2]) + 1 if part[2] else len(content)
                headers["Content_Range"] = f"bytes {part[1]}-{stop - 1}/{len(content)}"
                return self._answer(206, content[int(part[1]) : stop], **headers)
            return self._answer(200, content, **headers)


def _oid(content, large):
    return hashlib.sha256(content).hexdigest() if large else _git_hash(content)


def _git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path, content):
    entry = {"type": "file", "path": path, "oid": _git_hash(content), "size": len(content)}
    if path.endswith(".parquet"):
        entry["lfs"] = {"oid": _oid(content, True), "size": len(content), "pointerSize": 130}
    return entry


_NAME, _REV = r"(?P<name>[\w.-]+/[\w.-]+)", r"(?P<revision>[^/]+)"
_ROUTES = [
    ("GET", "/api/whoami-v2", _Handler.whoami),
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.validate),
    ("GET", f"/api/datasets/{_NAME}", _Handler.info),
    ("GET", f"/api/datasets/{_NAME}/revision/{_REV}", _Handler.info),
    ("POST", f"/api/datasets/{_NAME}/branch/(?P<branch>.+)", _Handler.branch),
    ("POST", f"/api/datasets/{_NAME}/preupload/{_REV}", _Handler.preupload),
    ("POST", rf"/datasets/{_NAME}\.git/info/lfs/objects/batch", _Handler.batch),
    ("PUT", r"/large/(?P<oid>[0-9a-f]{64})", _Handler.put),
    ("POST", f"/api/datasets/{_NAME}/commit/{_REV}", _Handler.commit),
    ("GET", f"/api/datasets/{_NAME}/tree/{_REV}(?:/(?P<folder>.*))?", _Handler.listing),
    ("POST", f"/api/datasets/{_NAME}/paths-info/{_REV}", _Handler.paths_info),
    ("GET HEAD", f"/datasets/{_NAME}/resolve/{_REV}/(?P<path>.+)", _Handler.resolve),
]
