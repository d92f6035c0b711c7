#!/usr/bin/env python3
"""The interface files are what musterd answers: GetInfo names them all, GetInterfaceDescription gives each as it stands.

    interfaces.py ROOT BIN
"""

import json
import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path

import tree


def call(address, method, **parameters):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        connection.connect(address)
        connection.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        reply = b""
        while not reply.endswith(b"\0"):
            part = connection.recv(65536)
            if not part:
                raise EOFError(f"{method}: the connection was closed after {reply!r}")
            reply += part
    reply = json.loads(reply[:-1])
    if "error" in reply:
        raise ValueError(f"{method}: {reply}")
    return reply["parameters"]


def compare(root, address):
    found = []
    files = {re.search(r"^interface (\S+)", path.read_text(encoding="utf-8"), re.M)[1]: path
             for path in sorted((root / "daemon/interfaces").glob("*.varlink"))}
    info = call(address, "org.varlink.service.GetInfo")
    if sorted(info["interfaces"]) != sorted(files):
        found.append(f"GetInfo names {info['interfaces']}, the files are {sorted(files)}")
    for name, path in files.items():
        description = call(address, "org.varlink.service.GetInterfaceDescription", interface=name)["description"]
        if description != path.read_text(encoding="utf-8"):
            found.append(f"{name}: what musterd describes is not {path.relative_to(root)}")
    return found


def check(root, programs):
    with tempfile.TemporaryDirectory(prefix="muster-") as folder:
        address = os.path.join(folder, "s")
        daemon = subprocess.Popen([Path(programs) / "musterd", "--address", f"unix:{address}"],
                                  stderr=subprocess.PIPE, text=True)
        try:
            for line in daemon.stderr:
                if line.startswith("musterd: ready on "):
                    break
            else:
                return ["musterd ended before it was ready"]
            return compare(root, address)
        finally:
            daemon.terminate()
            daemon.communicate(timeout=50)


if __name__ == "__main__":
    tree.run(check)
