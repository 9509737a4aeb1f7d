"""Stand-alone: enters surroundings that no variable can change, then becomes the program that is to see them.

    python3 -I -S enter.py '{"umask": 63, "cpus": [0], "hostname": "elsewhere"}' PROGRAM ARGUMENT…
"""

import ctypes
import json
import os
import signal
import socket
import sys

_NEWUTS, _NEWUSER, _PDEATHSIG = 0x04000000, 0x10000000, 1


def main() -> None:
    """Whatever cannot be had is left as it is: who asked looks at what came of it."""
    plan = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PDEATHSIG, signal.SIGTERM)  # the rebuild ends with who wanted it, even by SIGKILL
    os.umask(plan["umask"])
    if plan["cpus"]:
        os.sched_setaffinity(0, plan["cpus"])
    if plan["hostname"]:
        _name(libc, plan["hostname"])
    os.execvp(sys.argv[2], sys.argv[2:])


def _name(libc: ctypes.CDLL, name: str) -> None:
    """A host name of our own, in a namespace of our own; as an ordinary user that takes one of users too."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEWUTS if user == 0 else _NEWUTS | _NEWUSER) != 0:
        return
    try:
        if user != 0:
            maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
            for file, text in maps.items():
                with open(f"/proc/self/{file}", "w") as out:
                    out.write(text)
        socket.sethostname(name)
    except OSError:
        return


if __name__ == "__main__":
    main()
