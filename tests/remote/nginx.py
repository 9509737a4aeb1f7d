"""Debian's nginx on the loopback as a cache server: WebDAV PUT into a folder, nothing else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

_PLACES = "/usr/sbin:/sbin"  # where Debian has it, and a user's PATH has not


def program() -> str | None:
    """nginx on this machine."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":" + _PLACES)


class Nginx:
    """A server over `folder`/data; `extra` goes into its location, `most` is the largest body (0: any)."""

    def __init__(self, folder: Path, extra: str = "", most: str = "0") -> None:
        self.folder = folder
        self.data = folder / "data"
        self._extra, self._most = extra, most
        self._process: subprocess.Popen[bytes] | None = None
        self.data.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/cache"

    def start(self) -> Nginx:
        """Returns when it answers."""
        (self.folder / "nginx.conf").write_text(self._config())
        self._process = subprocess.Popen(
            [str(program()), "-p", str(self.folder), "-c", "nginx.conf", "-e", str(self.folder / "error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self._process.poll() is None, (self.folder / "error.log").read_text()
            time.sleep(0.02)
        raise AssertionError("nginx does not answer")

    def stop(self) -> None:
        """At once; what it has stays, and start() serves it again."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def requests(self) -> list[tuple[str, str, int, int]]:
        """Method, path, status and the connection's number of each request so far."""
        lines = (self.folder / "access.log").read_text().splitlines()
        rows = [line.split(" ") for line in lines]
        return [(method, path.removeprefix("/cache"), int(status), int(link)) for method, path, status, link in rows]

    def _config(self) -> str:
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
            daemon off; pid nginx.pid; worker_processes 1; {user}
            events {{ worker_connections 64; }}
            http {{
                log_format brief '$request_method $uri $status $connection';
                access_log access.log brief;
                client_body_temp_path body; proxy_temp_path t1; fastcgi_temp_path t2; uwsgi_temp_path t3;
                scgi_temp_path t4;
                default_type application/octet-stream;
                {self.server()}
            }}
            """

    def server(self) -> str:
        """The server's block."""
        return f"""
            server {{
                listen 127.0.0.1:{self.port};
                location /cache/ {{
                    alias {self.data}/;
                    dav_methods PUT; create_full_put_path on; client_max_body_size {self._most};
                    {self._extra}
                }}
            }}
            """
