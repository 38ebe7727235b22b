"""Hostile code in the local sandbox, judged by what it reached and not by what it says or how it failed."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from remit.adapters.sandbox.bubblewrap import Bubblewrap
from remit.ports.sandbox import Outcome, SandboxLimits

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        shutil.which("bwrap") is None and os.environ.get("CI") != "true",
        reason="bubblewrap is not installed: apt-get install bubblewrap",
    ),
]
LIMITS = SandboxLimits(
    wall_s=10.0, cpu_s=2.0, memory_bytes=256 << 20, output_bytes=20_000, file_bytes=2 << 20, files=10
)
CANARY = "canary-7f3a"
PRELUDE = """
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def reached(what):
    print("REACHED", what, flush=True)
def call(number, *arguments):
    return libc.syscall(number, *arguments)
"""


class World(NamedTuple):
    """What there is outside to be reached."""

    folder: Path
    port: int
    udp: socket.socket
    abstract: str

    def names(self) -> str:
        """Where it is, as the first lines of hostile code."""
        return (
            f"FOLDER, SECRET, PORT, UDP = {str(self.folder)!r}, {str(self.folder / 'secret')!r}, {self.port}, {self.udp.getsockname()[1]}\n"
            f"ABSTRACT, UNIX, PARENT, CANARY = {self.abstract!r}, {str(self.folder / 'socket')!r}, {os.getpid()}, {CANARY!r}\n"
        )


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    """As it is by default, without packages."""
    return Bubblewrap()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A folder open to everybody with a secret, three kinds of listening sockets, and a secret in the environment."""
    monkeypatch.setenv("REMIT_SECRET_CANARY", CANARY)
    before = children()
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o777)
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "secret").chmod(0o666)
    name = f"remit-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "socket"))
        abstract.bind(f"\0{name}")
        for listening in (tcp, unix, abstract):
            listening.listen()
            listening.setblocking(False)
        udp.setblocking(False)
        yield World(tmp_path, tcp.getsockname()[1], udp, name)
        for listening in (tcp, unix, abstract):
            with pytest.raises(BlockingIOError):
                listening.accept()
        with pytest.raises(BlockingIOError):
            udp.recv(1)
    assert (tmp_path / "secret").read_text() == CANARY
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret", "socket"]
    assert children() <= before


def children() -> set[int]:
    """Processes of this one that are still there."""
    return {int(p) for p in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


REACHING = {
    # files
    "the users of the system": "open('/etc/passwd').read(); reached('passwd')",
    "a secret in a file": "reached(open(SECRET).read())",
    "other folders": "reached([f for d in ('/home', '/root', '/var', '/etc/ssh', '/tmp/..', '/proc', '/sys') for f in os.listdir(d)][0])",
    "the system's own files": "open('/usr/lib/x', 'w').close(); reached('wrote')",
    "the standard library": "open(os.__file__, 'a').close(); reached('wrote')",
    "the root folder": "open('/x', 'w').close(); reached('wrote')",
    "what this is run by": "open('/opt/inside.py', 'a').close(); reached('wrote')",
    "changing modes of the system": "os.chmod('/opt/inside.py', 0o777); reached('chmod')",
    "Remit and its neighbours": "\nfor name in ('remit', 'remit_packs', 'msgspec', 'boto3', 'pytest', 'pip'):\n    try:\n        __import__(name)\n    except ImportError:\n        continue\n    reached(name)",
    "devices": "\nfor d in os.listdir('/dev'):\n    if d not in ('null', 'zero', 'urandom', 'shm'):\n        reached(d)\nfor d in ('mem', 'kmsg', 'sda', 'vda', 'kvm', 'fuse', 'tty', 'ptmx'):\n    try:\n        open('/dev/' + d).close()\n    except OSError:\n        continue\n    reached(d)",
    "a device of its own": "os.mknod('disk', 0o60600, os.makedev(8, 0)); open('disk').read(1); reached('disk')",
    "memory outside its limits in /dev": "open('/dev/filled', 'w').write('x'); reached('dev')",
    "mapping the zero device over files": "open('/dev/null/../../etc/passwd').read(); reached('passwd')",
    # /proc and other processes
    "proc": "os.listdir('/proc/1'); reached('proc')",
    "its own memory by proc": "open('/proc/self/mem', 'r+b'); reached('mem')",
    "the root of another process": "os.listdir('/proc/1/root/root'); reached('root')",
    "open files of the parent": "\nfor fd in range(3, 256):\n    try:\n        target = os.fstat(fd)\n    except OSError:\n        continue\n    import stat\n    if not stat.S_ISFIFO(target.st_mode):\n        reached(fd)",
    "signalling the parent": "os.kill(PARENT, 0); reached('parent')",
    "signalling everybody": "\ntry:\n    os.kill(-1, 0)\nexcept OSError:\n    raise SystemExit\nreached('all')",
    "ending the first process": "\nos.kill(1, 9)\nimport time\ntime.sleep(0.05)",
    "tracing": "\nif call(101, 16, 1, 0, 0) == 0 or libc.ptrace(0, 0, 0, 0) == 0:\n    reached('ptrace')",
    "memory of others": "\nbuffer = ctypes.create_string_buffer(8)\nif call(310, 1, buffer, 1, buffer, 1, 0) >= 0:\n    reached('process_vm_readv')",
    "a handle on others": "\nif call(434, 1, 0) >= 0:\n    reached('pidfd_open')",
    "its parent's environment": "\nif CANARY in str(os.environ) or len(os.environ) > 12:\n    reached(os.environ)",
    "secrets on the stack": "\nvalues = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\ni = 0\nwhile values[i]:\n    if CANARY.encode() in values[i]:\n        reached('environ')\n    i += 1",
    # processes
    "a program": "import subprocess; subprocess.run(['/bin/sh', '-c', 'true']); reached('ran')",
    "a program that it brings": "\nopen('p', 'wb').write(open('/opt/python/bin/python3', 'rb').read())\nos.chmod('p', 0o755)\nimport subprocess\nsubprocess.run(['./p', '-c', '1'])\nreached('ran')",
    "forking": "\nif os.fork() == 0:\n    os._exit(0)\nreached('fork')",
    "a fork bomb": "\nfor _ in range(2000):\n    try:\n        os.fork()\n    except OSError:\n        continue\n    reached('fork')",
    "vfork": "\npid = call(58)\nif pid == 0:\n    os._exit(0)\nif pid > 0:\n    reached('vfork')",
    "clone3": "\narguments = struct.pack('QQQQQQQQ', 0, 0, 0, 0, 17, 0, 0, 0)\nif call(435, arguments, len(arguments)) >= 0:\n    reached('clone3')",
    "clone without a thread": "\nif call(56, 17, 0, 0, 0, 0) >= 0:\n    reached('clone')",
    "posix_spawn": "os.posix_spawn('/opt/python/bin/python3', ['python3', '-c', '1'], {}); reached('spawn')",
    "multiprocessing": "\nimport multiprocessing\np = multiprocessing.get_context('fork').Process(target=print)\np.start()\nreached('process')",
    "a daemon": "\nif libc.daemon(0, 0) == 0:\n    reached('daemon')",
    # network
    "a port of this machine": "socket.create_connection(('127.0.0.1', PORT), 2); reached('tcp')",
    "the internet": "socket.create_connection(('1.1.1.1', 53), 2); reached('internet')",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', UDP)); reached('udp')",
    "names": "socket.getaddrinfo('example.com', 80); reached('dns')",
    "raw sockets": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); reached('raw')",
    "packet sockets": "socket.socket(17, socket.SOCK_RAW); reached('packet')",
    "netlink": "socket.socket(16, socket.SOCK_RAW); reached('netlink')",
    "vsock to the host": "socket.socket(40, socket.SOCK_STREAM).connect((2, 1024)); reached('vsock')",
    "kernel cryptography sockets": "socket.socket(38, socket.SOCK_SEQPACKET); reached('alg')",
    "a unix socket": "socket.socket(socket.AF_UNIX).connect(UNIX); reached('unix')",
    "an abstract socket": "socket.socket(socket.AF_UNIX).connect(chr(0) + ABSTRACT); reached('abstract')",
    "a pair of other sockets": "socket.socketpair(socket.AF_INET); reached('pair')",
    "turning a pair outwards": "\na, b = socket.socketpair()\na.connect(chr(0) + ABSTRACT)\nreached('connected')",
    "io_uring": "\nif call(425, 8, ctypes.create_string_buffer(256)) >= 0:\n    reached('io_uring')",
    # rights
    "becoming root": "\nfor act in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgid(0), lambda: os.setgroups([0])):\n    try:\n        act()\n    except OSError:\n        continue\n    reached('root') if os.getuid() == 0 or 0 in os.getgroups() or os.getgid() == 0 else None",
    "a user namespace": "\nif libc.unshare(0x10000000) == 0:\n    reached('userns')",
    "a namespace by clone": "\nif call(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0:\n    reached('userns')",
    "another's namespace": "\nif call(308, 0, 0) == 0:\n    reached('setns')",
    "mounting": "\nif libc.mount(b'none', b'/work', b'tmpfs', 0, None) == 0 or libc.umount2(b'/work', 2) == 0:\n    reached('mount')",
    "the new way of mounting": "\nif call(430, b'tmpfs', 0) >= 0 or call(428, -100, b'/', 1) >= 0:\n    reached('fsopen')",
    "another root": "os.chroot('.'); reached('chroot')",
    "keys of the kernel": "\nif call(248, b'user', b'a', b'b', 1, -3) >= 0 or call(250, 0, -3, 1) >= 0:\n    reached('keys')",
    "another personality": "\nif libc.personality(0x0040000) >= 0:\n    reached('personality')",
    "programs in the kernel": "\nif call(321, 0, ctypes.create_string_buffer(128), 128) >= 0 or call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0) >= 0:\n    reached('bpf or perf')",
    "page faults of its own": "\nif call(323, 0) >= 0:\n    reached('userfaultfd')",
    "files by handle": "\nif call(304, -100, ctypes.create_string_buffer(128), 0) >= 0:\n    reached('handle')",
    "files in memory that run": "\nif call(319, b'x', 0) >= 0:\n    reached('memfd')",
    "typing into a terminal": "\nimport fcntl\nfor fd in (0, 1, 2):\n    try:\n        fcntl.ioctl(fd, 0x5412, b'x')\n    except OSError:\n        continue\n    reached('tiocsti')",
    "calls of the 32-bit architecture": "\nif call(0x40000000 + 57) >= 0:\n    reached('x32 fork')",
    "core dumps that somebody collects": "\nimport resource\nresource.setrlimit(resource.RLIMIT_CORE, (1, 1))\nreached('core')",
    "raising its own limits": "\nimport resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))\nreached('limits')",
    "the clock": "import time; time.clock_settime(time.CLOCK_REALTIME, 0); reached('clock')",
    "the host's name": "socket.sethostname('x'); reached('name')",
    "loading into the kernel": "\nif call(175, b'', 0, b'') == 0 or call(313, 0, b'', 0) == 0 or call(246, 0, 0, 0, 0) == 0:\n    reached('kernel')",
}


@pytest.mark.parametrize("code", REACHING.values(), ids=REACHING.keys())
async def test_nothing_outside_is_reached(sandbox: Bubblewrap, world: World, code: str) -> None:
    """Whatever it tries: no file, process, socket, right or secret of this machine."""
    outcome = await sandbox.run(f"{world.names()}{PRELUDE}{code}", limits=LIMITS)
    assert outcome.ending in ("ok", "error"), outcome
    assert "REACHED" not in outcome.stdout
    assert CANARY not in outcome.stdout + outcome.stderr.replace(f"CANARY = {CANARY!r}", "")


BREAKING = {
    "a loop": ("while True: pass", ("timeout",)),
    "a loop that ignores signals": (
        "import signal\nfor s in range(1, 65):\n    try:\n        signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True: pass",
        ("timeout",),
    ),
    "sleeping": ("import time\ntime.sleep(1000)", ("timeout",)),
    "memory, bit by bit": ("x = []\nwhile True: x.append(bytearray(1 << 20))", ("memory",)),
    "memory at once": ("x = bytearray(2 << 30)", ("memory",)),
    "memory by mapping": (
        "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 64 << 20))",
        ("error", "memory"),
    ),
    "a large number": ("x = 3 ** (10 ** 9)", ("timeout", "memory")),
    "a slow pattern": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", ("timeout",)),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nf()",
        ("error", "memory", "timeout"),
    ),
    "many threads": (
        "import threading, time\nn = 0\ntry:\n    while True:\n        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n        n += 1\nexcept (RuntimeError, MemoryError):\n    assert n < 100, n\n    raise",
        ("error", "memory"),
    ),
    "a flood of output": ("while True: print('x' * 10_000)", ("stopped",)),
    "a flood of errors": ("import os\nwhile True: os.write(2, b'x' * 10_000)", ("stopped",)),
    "a flood in the report": (
        "import os, sys\nwhile True: os.write(int(sys.argv[8]), b'x' * 10_000)",
        ("stopped",),
    ),
    "a full disk": ("with open('f', 'wb') as f:\n    while True: f.write(bytes(1 << 20))", ("error",)),
    "many files on a full disk": (
        "import os\nfor i in range(10 ** 6):\n    with open(f'f{i}', 'wb') as f: f.write(bytes(1 << 20))",
        ("error",),
    ),
    "a sparse file": ("with open('f', 'wb') as f: f.truncate(1 << 40)", ("error",)),
    "no end of open files": ("x = [open('/dev/null') for _ in range(10_000)]", ("error",)),
    "killing itself": ("import os\nos.kill(os.getpid(), 9)", ("memory", "error")),
    "crashing": ("import ctypes\nctypes.string_at(0)", ("error",)),
}


@pytest.mark.parametrize(("code", "endings"), BREAKING.values(), ids=BREAKING.keys())
async def test_limits_hold(sandbox: Bubblewrap, code: str, endings: tuple[str, ...]) -> None:
    """Time, memory, threads, output and files end where they are said to, and soon; nothing is left running."""
    began, before = time.monotonic(), children()
    limits = SandboxLimits(
        wall_s=0.8 if "timeout" in endings else 5.0,
        cpu_s=5.0,
        memory_bytes=256 << 20,
        output_bytes=20_000,
        file_bytes=2 << 20,
        files=10,
    )
    outcome = await sandbox.run(code, limits=limits)
    assert outcome.ending in endings, outcome
    assert time.monotonic() - began < 8
    assert len(outcome.stdout) + len(outcome.stderr) < 45_000
    assert sum(len(f.data) for f in outcome.files) <= 2 << 20
    assert children() <= before


LEAVING = {
    "a symbolic link": ("os.symlink('/etc/passwd', 'out')", set()),
    "a link to a folder": ("os.symlink('/usr', 'out')", set()),
    "a hard link to a link": (
        "os.symlink('/etc/passwd', 'a'); os.link('a', 'b', follow_symlinks=False)",
        set(),
    ),
    "a pipe": ("os.mkfifo('out')", set()),
    "a pipe under a name that was a file": ("open('a', 'w').close(); os.remove('a'); os.mkfifo('a')", set()),
    "a sparse file": ("open('out', 'wb').truncate(1 << 20)", {"out"}),
    "a file without rights": ("open('out', 'w').close(); os.chmod('out', 0)", set()),
    "a set-user-id file": ("open('out', 'w').close(); os.chmod('out', 0o6755)", {"out"}),
    "a name that is no text": ("open(b'\\xff\\xfe', 'w').close(); open('good', 'w').close()", {"good"}),
    "a name of control characters": ("open('a\\n\\x1b[2J', 'w').close()", set()),
    "a name with a backslash": ("open('..\\\\..\\\\x', 'w').close()", set()),
    "a name of spaces": ("open('   ', 'w').close(); open('x ', 'w').close()", set()),
    "a very long name": ("open('x' * 250, 'w').close()", set()),
    "a folder without end": (
        "os.makedirs('/'.join('d' * 90)); open('/'.join('d' * 90) + '/' + 'x' * 40, 'w').close()",
        set(),
    ),
}


@pytest.mark.parametrize(("code", "names"), LEAVING.values(), ids=LEAVING.keys())
async def test_only_plain_files_come_out(sandbox: Bubblewrap, code: str, names: set[str]) -> None:
    """Under names that are safe wherever they are put, and never anything that a link, pipe or right leads to."""
    outcome = await sandbox.run(f"import os\n{code}", limits=LIMITS)
    assert {f.name for f in outcome.files} == names, outcome


FORGED = {
    "a name that leads out": [b"ok", b"", b"", b"../../etc/cron.d/x", b"x"],
    "an absolute name": [b"ok", b"", b"", b"/etc/x", b"x"],
    "the same name twice": [b"ok", b"", b"", b"a", b"1", b"a", b"2"],
    "more files than may be": [b"ok", b"", b"", *(b for i in range(50) for b in (b"f%d" % i, b"x"))],
    "an ending that there is not": [b"root", b"", b""],
    "a name without a file": [b"ok", b"", b"", b"a"],
    "nothing at all": [],
}


@pytest.mark.parametrize("blobs", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_report_is_taken_for_what_it_is(sandbox: Bubblewrap, blobs: list[bytes]) -> None:
    """Code can write the report itself; that gives it nothing that files of its own would not."""
    forged = b"".join(len(b).to_bytes(4, "big") + b for b in blobs)
    code = f"import os, sys\nfd = int(sys.argv[8])\nos.write(fd, {forged!r})\nos._exit(0)"
    outcome = await sandbox.run(code, limits=LIMITS)
    assert outcome.ending in ("ok", "error")
    assert len(outcome.files) <= LIMITS.files
    assert all(".." not in f.name and f.name[0] != "/" for f in outcome.files)
    assert len({f.name for f in outcome.files}) == len(outcome.files)


async def test_runs_at_the_same_time_do_not_meet(sandbox: Bubblewrap) -> None:
    """Neither files, shared memory, processes nor sockets of one are there for another."""
    code = (
        "import os, socket, time\n"
        "open('/tmp/mine', 'x').close(); open('/work/mine', 'x').close()\n"
        "time.sleep(0.3)\n"
        "print(os.getpid(), sorted(os.listdir('/work')), sorted(os.listdir('/tmp')))"
    )
    outcomes: list[Outcome] = await asyncio.gather(*(sandbox.run(code, limits=LIMITS) for _ in range(4)))
    assert {o.stdout for o in outcomes} == {"2 ['mine'] ['mine']\n"}


async def test_no_end_of_empty_files_is_held_by_computing_time(sandbox: Bubblewrap) -> None:
    """Empty files take room in the kernel that no size covers: a second makes so many, and they go with the run."""
    code = "import os\nfor i in range(10 ** 9):\n    os.close(os.open(f'/tmp/{i}', os.O_CREAT))"
    outcome = await sandbox.run(code, limits=SandboxLimits(wall_s=5.0, cpu_s=1.0))
    assert outcome.ending == "timeout"
