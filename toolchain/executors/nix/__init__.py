"""The `nix` executor: each program is a real Nix derivation, in Nix's own sandbox. nixpkgs is not needed.

The locked root is a path of the Nix store, mounted where a Debian program looks for its files.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors import FOLDER, INSIDE, Job
from toolchain.executors.children import started
from toolchain.executors.nix.staging import bring_back, stage
from toolchain.executors.pinned import Pinned
from toolchain.files import disk_errors, flock, remove_tree
from toolchain.roots import Root, Roots, run_on

_STATE = Path("/nix/var/nix")
_LINES = "/dev/ingot"  # a named pipe: what the program prints comes out as it is, apart from what Nix itself says

_INSTEAD = "toolchain=sandbox or toolchain=docker gives the same results without Nix"
# What the daemon says of an option that it has ignored; older ones say nothing, and the root is not there.
_UNTRUSTED = re.compile("ignoring .* setting 'sandbox-paths'|executing '/bin/bash'|this is not Nix's sandbox")
_CHATTER = re.compile(
    r"this derivation|these \d+ derivations|building |warning: |/nix/store/|nix log |nix-store -l|reason: |"
    r"for full logs|output paths|\(use '--show-trace'|error: (builder for|cannot build) |last \d+ log", re.IGNORECASE)

# Nothing of the job is put into code: Nix reads it as JSON, and the builder gets it as arguments.
_DERIVATION = """
{ request }:
let job = builtins.fromJSON (builtins.readFile request);
in derivation {
  inherit (job) name args;
  system = "x86_64-linux";
  builder = "/bin/bash";
  input = builtins.path { path = job.input; name = job.name; };
  root = builtins.storePath job.root;
}
"""

# How many blobs, the blobs, then env's arguments. It ends well even if the program does not, so that its
# files come back; only for want of Nix's mounts, or of space, does it fail.
_BUILDER = f"""
if [[ ! -p {_LINES} || $PWD != {FOLDER} || $NIX_BUILD_TOP != {FOLDER} ]]; then
  echo "this is not Nix's sandbox, with the paths that were asked for"
  exit 1
fi
set -e
umask 022
PATH=/usr/bin:/usr/sbin
shopt -s dotglob globstar nullglob
cp -R --reflink=auto "$input/." .
chmod -R u+w .
chmod 555 / /etc 2>/dev/null || true
count=$1; shift
blobs=("${{@:1:count}}"); shift "$count"
status=0
(exec -c /usr/bin/env "$@") >{_LINES} 2>&1 </dev/null || status=$?
chmod -R u+rwX .
rm -rf -- "${{blobs[@]}}"
for file in **; do if [[ -p $file || -S $file ]]; then rm -f -- "$file"; fi; done
mkdir "$out" "$out/work"
for file in *; do mv -- "$file" "$out/work/"; done
echo "$status" >"$out/status"
"""

# Whatever becomes of us, SIGKILL included: when Nix has ended and the files are taken out (the end of
# standard input), nothing of the job stays in the Nix store. $1, $2: folders of ours; $3: its name there.
_RUN = """
trap stopped=1 TERM
ours=$1 staged=$2 name=$3; shift 3
"$@" >"$ours/out"
exec >/dev/null
[ -n "$stopped" ] || read -r _
trap '' TERM
rm -rf -- "$ours" "$staged"
for try in 1 2 3; do
  set --
  for path in /nix/store/*-"$name" /nix/store/*-"$name".*; do
    if [ -e "$path" ]; then set -- "$@" "$path"; fi
  done
  [ $# != 0 ] || break
  nix-store --delete --option keep-outputs false --option keep-derivations false "$@" 2>/dev/null && break
  sleep 1
done
"""


class Nix(Pinned):
    """Runs a stage's program as a derivation of its own, which is deleted from the Nix store afterwards.

    A scratch folder goes in and comes out as a whole: a program that is stopped leaves no checkpoint.
    """

    name = "nix"

    def __init__(self, roots: Roots, store_folder: Path) -> None:
        """`store_folder` is where inputs are put together: on the file system of their blobs."""
        super().__init__(roots)
        self._temporary = store_folder.absolute() / "tmp"

    def run(self, job: Job, on_line: Callable[[str], None]) -> int:
        """About a tenth of a second more than the program itself, and copying what it reads and writes."""
        reason = trouble()
        if reason is not None:
            raise UserError(f"stage {job.stage}: Nix cannot be used: {reason}", _INSTEAD)
        root = self.roots.ensure(job.root)
        if not (root.path / "usr/bin/bash").is_file():
            raise UserError(f"stage {job.stage}: its root {root.name} holds no bash, which Nix starts programs with",
                            f"add bash to the root {root.name} in toolchain/packages.yaml; or {_INSTEAD}")
        tree = added(root)
        self._temporary.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix="nix-", dir=self._temporary))
        # here no path holds a space, which an option of Nix could not name, and its daemon sees what we see
        ours = Path(tempfile.mkdtemp(prefix="ingot-nix-", dir="/tmp"))
        try:
            with disk_errors(f"stage {job.stage}"):
                return _run(job, root, tree, staged, ours, on_line)
        finally:
            remove_tree(ours)
            remove_tree(staged)


def _run(job: Job, root: Root, tree: str, staged: Path, ours: Path, on_line: Callable[[str], None]) -> int:
    stage(job, staged)
    name = f"ingot-{secrets.token_hex(8)}"  # never one that Nix knows: the program is to run
    environment = [f"{key}={value}" for key, value in INSIDE.items()]
    blobs = sorted(job.blobs)
    args = ["-c", _BUILDER, "ingot", str(len(blobs)), *blobs, *environment, *job.argv]
    (ours / "request").write_text(json.dumps({"name": name, "args": args, "input": str(staged), "root": tree}))
    ours.chmod(0o711)  # a build user of Nix's daemon goes through it
    os.mkfifo(ours / "lines")
    (ours / "lines").chmod(0o622)
    lines = os.open(ours / "lines", os.O_RDONLY | os.O_NONBLOCK)  # does not wait for one who writes
    os.set_blocking(lines, True)
    mounts = [*(f"/{link}={tree}/usr/{link}" for link in _links(root)), f"/usr={tree}/usr", f"{_LINES}={ours}/lines"]
    argv = ["nix-build", "--no-out-link", *_options(mounts), "-E", _DERIVATION, "--argstr", "request",
            str(ours / "request")]
    with open(lines, encoding="utf-8", errors="replace") as printed, (ours / "said").open("wb") as said, \
            (ours / "lines").open("wb") as writing, \
            started(["/bin/sh", "-c", _RUN, "sh", str(ours), str(staged), name, *argv], cwd="/",
                    stdin=subprocess.PIPE, stdout=writing, stderr=said) as child:
        writing.close()
        for line in printed:
            on_line(line.rstrip("\n"))
        out, heard = (ours / "out").read_text().strip(), (ours / "said").read_text(errors="replace")
        status = int(Path(out, "status").read_text()) if out else None
        if status is not None:
            bring_back(Path(out, "work"), job)
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    if status is None or _UNTRUSTED.search(heard):
        raise _error(f"stage {job.stage}", heard)
    return status


def added(root: Root) -> str:
    """The root's path in the Nix store, added where it is not there yet.

    The link beside the tree names it, and keeps Nix from collecting it as long as the tree is there.
    """
    link = root.path.parent / "nix"
    with (root.path.parent / "nix.lock").open("w") as lock:
        flock(lock)
        if not link.exists():  # the Nix store may have been emptied since
            path = _ask("nix-store", "--add-fixed", "--recursive", "sha256", str(root.path))
            _ask("nix-store", "--realise", path, "--add-root", str(link), "--indirect")
        return os.readlink(link)


def trouble() -> str | None:
    """Why Nix cannot be used on this machine, in a few words; None when it can."""
    if not run_on(sys.platform, platform.machine()):
        return "the toolchain's programs are for Linux on x86-64"
    for program in ("nix-build", "nix-store"):
        if shutil.which(program) is None:
            return f"{program} is not on PATH"
    place = next(folder for folder in (_STATE, *_STATE.parents) if folder.exists())  # Nix makes what is not there
    if not os.access(place, os.W_OK) and not (_STATE / "daemon-socket/socket").is_socket():
        return f"its daemon does not run, and {_STATE} is not ours to write"
    return None


def _error(doing: str, heard: str) -> UserError:
    """What to tell of what Nix said: its last line, or the builder's, that says something."""
    if _UNTRUSTED.search(heard):
        return UserError(f"{doing}: Nix's daemon does not let this user choose what its sandbox holds",
                         "name the user in trusted-users in /etc/nix/nix.conf; or " + _INSTEAD)
    lines = [line.strip().removeprefix("> ") for line in heard.splitlines() if line.strip(" \t>")]
    said = [line for line in lines if not _CHATTER.match(line)] or lines or ["nothing"]
    hint = "free some space" if "No space left" in heard else _INSTEAD
    return UserError(f"{doing}: Nix says: {said[-1].removeprefix('error: ')}", hint)


def _ask(*argv: str) -> str:
    """What a program of Nix answers."""
    with started([*argv, *_options([])], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 text=True, errors="replace") as child:
        answer, heard = child.communicate()
    if child.returncode != 0:
        raise _error("the toolchain cannot be put into the Nix store", heard)
    return str(answer).strip()


def _options(mounts: list[str]) -> list[str]:
    """What nix.conf may not decide."""
    options = {"sandbox": "true", "sandbox-fallback": "false", "sandbox-build-dir": FOLDER,
               "sandbox-paths": " ".join(mounts), "substituters": "", "builders": "", "max-jobs": "1",
               "system-features": "", "keep-build-log": "false"}
    if os.geteuid() == 0 and not _has_group("nixbld"):
        options["build-users-group"] = ""  # root without build users: Nix asks for the group by default
    return [word for name, value in options.items() for word in ("--option", name, value)]


def _has_group(name: str) -> bool:
    import grp

    return any(group.gr_name == name for group in grp.getgrall())


def _links(root: Root) -> list[str]:
    return sorted(path.name for path in root.path.iterdir() if path.is_symlink())
