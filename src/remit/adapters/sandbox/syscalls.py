"""The system calls that code in the sandbox may make, by number: what Python and numeric libraries need, and nothing else.

An allow-list: a call that a future kernel brings is refused before anybody here has heard of it. Numbers are those of the kernel's
`unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64), which a test compares where the headers are installed.
"""

from __future__ import annotations

from collections.abc import Mapping

_ON_BOTH = """
    read:0:63 write:1:64 close:3:57 fstat:5:80 lseek:8:62 mmap:9:222 mprotect:10:226 munmap:11:215 brk:12:214
    rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 pread64:17:67 pwrite64:18:68 readv:19:65
    writev:20:66 sched_yield:24:124 mremap:25:216 msync:26:227 mincore:27:232 madvise:28:233 dup:32:23
    nanosleep:35:101 getitimer:36:102 setitimer:38:103 getpid:39:172 sendfile:40:71 sendto:44:206 recvfrom:45:207
    shutdown:48:210 getsockname:51:204 getpeername:52:205 setsockopt:54:208 getsockopt:55:209 execve:59:221 exit:60:93
    wait4:61:260 kill:62:129 uname:63:160 fcntl:72:25 flock:73:32 fsync:74:82 fdatasync:75:83 truncate:76:45
    ftruncate:77:46 getcwd:79:17 chdir:80:49 fchdir:81:50 fchmod:91:52 umask:95:166 gettimeofday:96:169
    getrlimit:97:163 getrusage:98:165 sysinfo:99:179 times:100:153 getuid:102:174 getgid:104:176 setuid:105:146
    setgid:106:144 geteuid:107:175 getegid:108:177 getppid:110:173 getgroups:115:158 setgroups:116:159
    setresuid:117:147 getresuid:118:148 setresgid:119:149 getresgid:120:150 getpgid:121:155 getsid:124:156
    rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132 statfs:137:43
    fstatfs:138:44 getpriority:140:141 setrlimit:160:164 gettid:186:178 futex:202:98 sched_getaffinity:204:123
    sched_getparam:143:121 sched_getscheduler:145:120 getdents64:217:61 set_tid_address:218:96 restart_syscall:219:128
    fadvise64:221:223 clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 exit_group:231:94
    epoll_ctl:233:21 tgkill:234:131 tkill:200:130 waitid:247:95 openat:257:56 mkdirat:258:34 newfstatat:262:79
    unlinkat:263:35 renameat:264:38 linkat:265:37 symlinkat:266:36 readlinkat:267:78 fchmodat:268:53 faccessat:269:48
    pselect6:270:72 ppoll:271:73 set_robust_list:273:99 get_robust_list:274:100 utimensat:280:88 epoll_pwait:281:22
    fallocate:285:47 timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87 eventfd2:290:19
    epoll_create1:291:20 dup3:292:24 pipe2:293:59 preadv:295:69 pwritev:296:70 prlimit64:302:261 renameat2:316:276
    getrandom:318:278 copy_file_range:326:285 preadv2:327:286 pwritev2:328:287 statx:332:291 rseq:334:293
    faccessat2:439:439 close_range:436:436 membarrier:324:283 getcpu:309:168
"""
"""`name:x86_64:aarch64`."""

_ON_X86_64 = """
    open:2 stat:4 lstat:6 poll:7 access:21 pipe:22 select:23 dup2:33 pause:34 alarm:37 getdents:78 rename:82 mkdir:83
    rmdir:84 creat:85 link:86 unlink:87 symlink:88 readlink:89 chmod:90 getpgrp:111 utime:132 arch_prctl:158 time:201
    epoll_create:213 epoll_wait:232 utimes:235 eventfd:284
"""
"""Calls that newer architectures have no more: `name:number`."""

_CONDITIONAL = "clone:56:220 ioctl:16:29 prctl:157:167 socketpair:53:199 socket:41:198"
"""Allowed for some arguments only, or refused in words that a program understands."""

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""`AUDIT_ARCH_*` of the kernel, by `platform.machine()`."""


def allowed(machine: str) -> Mapping[str, int]:
    """The calls that are always allowed, by name."""
    own = dict(_pairs(_ON_X86_64)) if machine == "x86_64" else {}
    return {**_of(_ON_BOTH, machine), **own}


def conditional(machine: str) -> Mapping[str, int]:
    """The calls that are judged by their arguments, by name."""
    return _of(_CONDITIONAL, machine)


def forks(machine: str) -> tuple[int, ...]:
    """The old calls that make a process: there is nothing to judge in their arguments."""
    return (57, 58) if machine == "x86_64" else ()


def _of(table: str, machine: str) -> dict[str, int]:
    column = 1 if machine == "x86_64" else 2
    return {row[0]: int(row[column]) for row in (entry.split(":") for entry in table.split())}


def _pairs(table: str) -> list[tuple[str, int]]:
    return [(name, int(number)) for name, number in (entry.split(":") for entry in table.split())]
