"""Which packages a root needs: apt itself decides, in an apt root of its own that sees one suite only."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors.children import started
from toolchain.roots.lockfile import Package

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_FOLDERS = ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "var/lib/apt/lists/partial",
            "var/lib/dpkg", "var/log/apt", "var/cache/apt/archives/partial")


class Apt:
    """An apt root in an empty folder, with nothing installed; it knows the packages of one suite."""

    def __init__(self, folder: Path, suite: str, mirrors: Sequence[str], keyring: Path = KEYRING) -> None:
        """Fetches and checks the suite's signed index, from the first mirror that has it."""
        for program in ("apt-get", "apt-cache"):
            if shutil.which(program) is None:
                raise UserError(f"locking needs apt, and there is no {program}",
                                "lock on a Debian or Ubuntu machine; a root that is locked already needs no apt")
        if not keyring.is_file():
            raise UserError(f"locking needs Debian's keys, and {keyring} is not there",
                            "apt-get install debian-archive-keyring")
        self._folder = folder
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True)
        (folder / "var/lib/dpkg/status").touch()
        self._config = folder / "apt.conf"
        self._config.write_text(
            f'Dir "{folder}";\nDir::State::status "{folder}/var/lib/dpkg/status";\n'
            'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Install-Recommends "false";\n'
            'APT::Sandbox::User "root";\nAPT::Update::Error-Mode "any";\nAcquire::Languages "none";\n'
            'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\n' + _proxies())
        reasons = []
        for mirror in mirrors:
            (folder / "etc/apt/sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {suite} main\n")
            status, said = self._run("apt-get", "--quiet", "update")
            if status == 0:
                break
            wrong = [line for line in said.splitlines() if line.startswith(("E:", "W:"))]
            reasons.append(f"{mirror}: {wrong[0] if wrong else said.strip()[-200:]}")
        else:
            raise UserError(f"apt cannot read the index of {suite}: {'; '.join(reasons)}",
                            "check the network, or name another mirror: DEBIAN_MIRROR=ADDRESS,…")

    def inrelease(self) -> str:
        """sha256 of the signed index."""
        found = list((self._folder / "var/lib/apt/lists").glob("*_InRelease"))
        if len(found) != 1:
            raise UserError("the mirror's index has no InRelease file", "name another mirror: DEBIAN_MIRROR=ADDRESS")
        return hashlib.sha256(found[0].read_bytes()).hexdigest()

    def resolve(self, wanted: Sequence[str]) -> tuple[Package, ...]:
        """The packages, and all that they depend on, sorted by name."""
        status, said = self._run("apt-get", "install", "--simulate", "--yes", "--quiet", "--", *wanted)
        if status:
            wrong = [line[2:].strip() for line in said.splitlines() if line.startswith("E:")]
            raise UserError(f"apt cannot resolve {', '.join(wanted)}: {'; '.join(wrong) or said.strip()[-200:]}",
                            "check the names in toolchain/packages.yaml")
        chosen = chosen_by(said)
        status, said = self._run("apt-cache", "show", "--", *(f"{name}={version}" for name, version in chosen.items()))
        known = {(package.name, package.version): package for package in described_in(said)}
        missing = [name for name, version in chosen.items() if (name, version) not in known]
        if status or missing:
            raise UserError(f"apt does not say where {', '.join(missing) or 'the packages'} lie", "run it again")
        return tuple(known[pair] for pair in sorted(chosen.items()))

    def _run(self, *argv: str) -> tuple[int, str]:
        """Exit status and output, both streams, of one program of apt."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        env |= {"APT_CONFIG": str(self._config), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        with started(list(argv), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                     text=True, errors="replace") as child:
            said = child.communicate()[0]
        return child.returncode, said


def chosen_by(simulation: str) -> dict[str, str]:
    """Name -> version of what `apt-get install --simulate` would install."""
    found = re.findall(r"^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) ", simulation, re.MULTILINE)
    return {name.partition(":")[0]: version for name, version in found}


def described_in(shown: str) -> Iterator[Package]:
    """The packages of `apt-cache show`."""
    for block in re.split(r"\n\s*\n", shown):
        fields = dict(re.findall(r"^(Package|Version|Filename|Size|SHA256): *(.*?) *$", block, re.MULTILINE))
        if len(fields) == 5:
            yield Package(fields["Package"], fields["Version"], fields["Filename"].removeprefix("./"),
                          int(fields["Size"]), fields["SHA256"])


def _proxies() -> str:
    """What this machine's apt is told of proxies, which the apt root would not know."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in done.stdout.splitlines() if re.match(r"Acquire::https?::Proxy", line)]
    return "".join(line + "\n" for line in lines)
