"""The EFI program signed for Secure Boot: sbsign of the locked toolchain root, its work checked by ourselves.

No two signatures are the same (sbsign writes the time into them), so nothing that is pinned holds one.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from toolchain.errors import UserError
from toolchain.executors.children import started
from toolchain.files import atomic
from toolchain.formats import FormatError, pe
from toolchain.release.authenticode import SignatureError, verify_efi
from toolchain.release.sign import Key, load_certificate
from toolchain.roots import LIBRARIES, Roots, run_on

TOOL = "sbsign"


def sign_efi(roots: Roots | None, unsigned: Path, signed: Path, key: Key, cert: Path) -> str:
    """Writes `unsigned`, with a signature by the key and its certificate, to `signed`; returns the certificate's
    subject. `roots` None means this machine's sbsign (toolchain=host)."""
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = load_certificate(cert, key)
    before = unsigned.read_bytes()
    try:
        if pe.read(before).signature is not None:
            raise UserError(f"{unsigned} is signed already", "build the image anew: stages make unsigned programs")
    except FormatError as exc:
        raise UserError(f"{unsigned} cannot be signed: {exc}", "build the image anew") from exc
    signed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{signed.name}.", dir=signed.parent) as name:
        folder = Path(name).absolute()
        (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "unsigned").write_bytes(before)
        _run(roots, folder, key)
        after = (folder / "signed").read_bytes()
    try:
        if pe.unsigned(after) != pe.unsigned(before):
            raise SignatureError("it has changed the program")
        subject = verify_efi(after, key.public_pem)
    except (FormatError, SignatureError) as exc:
        raise UserError(f"{TOOL} has made no good signature for {unsigned}: {exc}",
                        "./doit toolchain checks the root that it comes from") from exc
    with atomic(signed) as out:
        out.write(after)
    return subject


def _run(roots: Roots | None, folder: Path, key: Key) -> None:
    """sbsign, which reads the key from a pipe: it is in no file, in no argument and in no environment."""
    argv, environ = _tool(roots)
    read, write = os.pipe()
    words = ["--key", f"/dev/fd/{read}", "--cert", str(folder / "cert.pem"), "--output", str(folder / "signed")]
    try:
        with started([*argv, *words, str(folder / "unsigned")], cwd="/", env=environ, stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", umask=0o022,
                     pass_fds=[read]) as child:
            os.close(read)
            read = -1
            with contextlib.suppress(BrokenPipeError), open(write, "wb") as pipe:
                write = -1
                pipe.write(key.secret_pem())
            said, _ = child.communicate()
    except OSError as exc:
        raise UserError(f"{TOOL} cannot be started: {exc.strerror}", "./doit doctor says what is missing") from exc
    finally:
        for handle in (read, write):
            if handle != -1:
                os.close(handle)
    if child.returncode != 0 or not (folder / "signed").is_file():
        lines = said.strip().splitlines()
        raise UserError(f"{TOOL} has failed: {lines[-1] if lines else f'status {child.returncode}'}",
                        "check that key and certificate are those that openssl made together")


def _tool(roots: Roots | None) -> tuple[list[str], dict[str, str]]:
    """How it is started, and its environment: that of the root by the root's own loader, as it needs no sandbox."""
    from toolchain.executors.host import find, search_path

    if roots is not None:
        if not run_on(sys.platform, platform.machine()):
            raise UserError(f"the toolchain's {TOOL} is for Linux on x86-64",
                            "sign there, or with toolchain=host by this machine's own")
        root = roots.ensure("cc").path
        libraries = root / LIBRARIES
        loader = [str(libraries / "ld-linux-x86-64.so.2"), "--inhibit-cache", "--library-path", str(libraries)]
        return [*loader, str(root / "usr/bin" / TOOL)], {"LC_ALL": "C", "OPENSSL_CONF": "/dev/null"}
    found = find(TOOL)
    if found is None:
        raise UserError(f"{TOOL} is not on this machine", "install the package sbsigntool, or leave toolchain=host out")
    return [found], {"LC_ALL": "C", "PATH": search_path()}
