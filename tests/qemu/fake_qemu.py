"""Stands in for qemu-system-x86_64: plays what FAKE_QEMU (JSON, accelerator -> behaviour) says.

Behaviours: 'msr', 'denied', 'whpx', 'hvf' (exit with that message); 'internal' and 'internal-quiet' (the guest
is stopped, QEMU lives; quiet: QMP alone tells); 'silent'; 'life:N' (firmware output, then exit status N);
'die:N' (exit status N at once); 'reset' (life, then the guest crashes); 'late-internal' (life, then KVM internal
error); 'chat' (the whole program); 'hang' (the program never ends its reply); 'no-prompt' (banner, then nothing);
'refuse' (an error and a hint, cut in two, in the place of the prompt).
"""

import json
import os
import socket
import sys
import threading
import time

MESSAGES = {
    "msr": (1, "error: failed to set MSR 0x10a to 0x69"),
    "denied": (1, "Could not access KVM kernel module: Permission denied"),
    "whpx": (3, "WHPX: Failed to emulate MMIO access with EmulatorReturnStatus: 2"),
    "hvf": (1, "Error: HV_UNSUPPORTED\nqemu-system-x86_64: HVF error: HV_ERROR"),
}
FIRMWARE = b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe: starting Boot0001\r\n"
BANNER = (b"[boot] ingot\r\n[cpu] vendor=Fake features=sse2,avx,avx2 kernel=avx2\r\n"
          b"[model] name=fake params=1 context=64 tokenizer=bytes\r\n[keys] Esc\r\n")
status = "running"


def option(name):
    return sys.argv[sys.argv.index(name) + 1]


def chardev(name):
    for word in sys.argv:
        if word.startswith("socket,fd=") and word.endswith(f"id={name}"):
            return socket.socket(fileno=int(word.split(",")[1][3:]))
    raise SystemExit(f"no chardev {name}")


def monitor(sock):
    global say

    def say(value):
        sock.sendall(json.dumps(value).encode() + b"\n")

    version = {"qemu": {"micro": 0, "minor": 0, "major": 9}, "package": ""}
    say({"QMP": {"version": version, "capabilities": []}})
    got = ""
    while block := sock.recv(4096):
        got += block.decode()  # clients end requests with no newline
        try:
            request = json.loads(got)
        except ValueError:
            continue
        got = ""
        value = {"status": status, "running": status == "running"} if request["execute"] == "query-status" else {}
        say({"return": value, "id": request.get("id")})


class Program:
    """The EFI program's side of the serial line."""

    def __init__(self, sock, behaviour):
        self.sock, self.behaviour = sock, behaviour
        self.settings = {"seed": "?"}
        self.script = False

    def line(self):
        got = b""
        while not got.endswith(b"\r"):
            byte = self.sock.recv(1)
            if not byte:
                time.sleep(3600)
            if not self.script:
                self.sock.sendall(byte)
            got += byte
        return got[:-1].decode()

    def run(self):
        self.sock.sendall(FIRMWARE + BANNER)
        if self.behaviour == "no-prompt":
            time.sleep(3600)
        if self.behaviour == "refuse":
            self.sock.sendall(b"\r[load] m 1/9 MiB\r[load] m 2/9 MiB\nerror: m is not the file\r\nhint: write it ")
            time.sleep(0.3)
            self.sock.sendall(b"anew; a key powers off\r\n")
            time.sleep(3600)
        while True:
            self.sock.sendall(b"\x05" if self.script else b"\r\n> ")
            line = self.line()
            with open(os.environ["FAKE_LOG"], "a") as log:
                print("typed", repr(line), file=log)
            if line == "/quit":
                return
            if line == "/script":
                self.script = True
            elif line == "/nonsense" or line.startswith("/temp 9"):
                self.sock.sendall(b"error: no such thing\r\n")
            elif line.startswith("/") and not line.startswith("//"):
                name, _, value = line[1:].partition(" ")
                self.settings[name] = value
                self.sock.sendall(f"{name}={value}\r\n".encode())
            else:
                self.reply(line[1:] if line.startswith("//") else line)

    def reply(self, prompt):
        text = f"{prompt} and caf\u00e9 seed={self.settings['seed']}\nend.".encode()
        pieces = [b"\x02" + text[:7], text[7:len(prompt) + 9], text[len(prompt) + 9:]]  # cuts the e-acute in two
        for piece in pieces:
            self.sock.sendall(piece)
            time.sleep(0.01)
        if self.behaviour == "hang":
            time.sleep(3600)
        while self.behaviour == "babble":
            self.sock.sendall(b"la ")
            time.sleep(0.005)
        self.sock.sendall(b"\x03\r\n[stats] tokens=5 time_ms=50 tok_s=100.0 prompt_tokens=3\r\n")


def main():
    global status
    if "--version" in sys.argv:
        print("QEMU emulator version 9.0.0 (fake)")
        return 0
    accel = option("-accel").split(",")[0]
    behaviour = json.loads(os.environ["FAKE_QEMU"])[accel]
    with open(os.environ["FAKE_LOG"], "a") as log:
        print("start", os.getpid(), accel, option("-cpu"), file=log)
    if behaviour in MESSAGES:
        code, text = MESSAGES[behaviour]
        print(f"qemu-system-x86_64: {text}", file=sys.stderr)
        return code
    serial = chardev("serial")
    if behaviour.startswith("internal"):
        status = "internal-error"
    threading.Thread(target=monitor, args=(chardev("monitor"),), daemon=True).start()
    if behaviour == "internal":
        print("KVM internal error. Suberror: 1\nemulation failure\nEAX=00000000", file=sys.stderr, flush=True)
    if behaviour == "silent" or behaviour.startswith("internal"):
        time.sleep(3600)
    if behaviour.startswith("die:"):
        os._exit(int(behaviour[4:]))
    if behaviour == "reset":
        serial.sendall(FIRMWARE)
        time.sleep(0.5)
        say({"event": "SHUTDOWN", "data": {"guest": True, "reason": "guest-reset"},
             "timestamp": {"seconds": 1, "microseconds": 0}})
        return 0
    if behaviour.startswith("life:") or behaviour == "late-internal":
        serial.sendall(FIRMWARE)
        time.sleep(0.3)
        if behaviour == "late-internal":
            print("KVM internal error. Suberror: 1", file=sys.stderr, flush=True)
            time.sleep(3600)
        os._exit(int(behaviour[5:]))
    Program(serial, behaviour).run()
    return 0


sys.stderr.reconfigure(line_buffering=True)
sys.exit(main())
