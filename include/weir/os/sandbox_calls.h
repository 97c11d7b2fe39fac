// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Families of system calls, of which each program makes the lists of its threads. Whole families
// and not single calls: glibc, DPDK, OpenSSL, libunbound, SQLite and jemalloc choose others from
// release to release, and a call that is missing ends the process. None of them runs a program,
// changes an identity, a mount, a namespace or the kernel, reads another process or sends it a
// signal.

#include "calls_absent.h"
#include "sandbox.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define ANY(name)                    \
	{                            \
		.number = SYS_##name \
	}
#define WHERE(name, argument, bits, is)                                          \
	{                                                                        \
		.number = SYS_##name, .arg = argument, .mask = bits, .value = is \
	}
#define NOWHERE(name, argument, bits, is)                                                        \
	{                                                                                        \
		.number = SYS_##name, .arg = argument, .mask = bits, .value = is, .is_not = true \
	}
// Where two arguments are 0.
#define BOTH_ZERO(name, argument)                                                                  \
	{                                                                                          \
		.number = SYS_##name, .arg = argument, .mask = 0xffffffff, .next_mask = 0xffffffff \
	}
// Where an argument is the number of the process itself.
#define OWN(name, argument)                                                               \
	{                                                                                 \
		.number = SYS_##name, .arg = argument, .mask = 0xffffffff, .is_own = true \
	}
#define SOCKET(family) WHERE(socket, 0, 0xffffffff, family)
#define SOCKET_OF_TYPE(family, type)                                                 \
	{                                                                            \
		.number = SYS_socket, .arg = 0, .mask = 0xffffffff, .value = family, \
		.next_mask = 0xf, .next_value = type                                 \
	}

// The thread itself: memory, time, signals, locks, its descriptors. No memory is made
// executable. Of fcntl the commands 0 to 7, those of Linux's own range (F_DUPFD_CLOEXEC, seals,
// pipes) and locks: not F_SETOWN, F_SETOWN_EX and F_SETSIG, which send another process a signal.
static const struct sandbox_call calls_thread[] = {ANY(brk), WHERE(mmap, 2, PROT_EXEC, 0),
	WHERE(mprotect, 2, PROT_EXEC, 0), ANY(munmap), ANY(mremap), ANY(madvise), ANY(mincore),
	ANY(msync), ANY(mlock), ANY(mlock2), ANY(munlock), ANY(membarrier), ANY(mbind),
	ANY(get_mempolicy), ANY(set_mempolicy), ANY(futex), ANY(set_robust_list),
	ANY(get_robust_list), ANY(rseq), ANY(set_tid_address), ANY(clock_gettime),
	ANY(clock_getres), ANY(clock_nanosleep), ANY(nanosleep), ANY(gettimeofday), ANY(time),
	ANY(times), ANY(getcpu), ANY(sched_yield), ANY(sched_getaffinity), ANY(sched_getparam),
	ANY(sched_getscheduler), ANY(sched_get_priority_max), ANY(sched_get_priority_min),
	ANY(getpriority), BOTH_ZERO(setpriority, 0), ANY(getpid), ANY(gettid), ANY(getppid),
	ANY(getuid), ANY(geteuid), ANY(getgid), ANY(getegid), ANY(getgroups), ANY(getresuid),
	ANY(getresgid), ANY(getpgrp), ANY(getpgid), ANY(getsid), ANY(getrusage), ANY(getrlimit),
	WHERE(prlimit64, 0, 0xffffffff, 0), ANY(sysinfo), ANY(uname),
	WHERE(prctl, 0, 0xffffffff, PR_SET_NAME), WHERE(prctl, 0, 0xffffffff, PR_GET_NAME),
	WHERE(prctl, 0, 0xffffffff, PR_SET_TIMERSLACK), WHERE(prctl, 0, 0xffffffff, PR_SET_VMA),
	WHERE(prctl, 0, 0xffffffff,
		PR_CAPBSET_READ), // libcap, as glibc's modules for names load it
	ANY(arch_prctl), ANY(rt_sigaction), ANY(rt_sigprocmask), ANY(rt_sigreturn),
	ANY(rt_sigpending), ANY(rt_sigtimedwait), ANY(rt_sigsuspend), ANY(sigaltstack),
	OWN(tgkill, 0), ANY(restart_syscall), ANY(exit), ANY(exit_group), ANY(getrandom), ANY(read),
	ANY(readv), ANY(pread64), ANY(preadv), ANY(write), ANY(writev), ANY(pwrite64), ANY(pwritev),
	ANY(lseek), ANY(close), ANY(fstat), WHERE(newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
	WHERE(fcntl, 1, ~7U, F_DUPFD), WHERE(fcntl, 1, ~15U, F_SETLEASE),
	WHERE(fcntl, 1, ~3U, F_OFD_GETLK), ANY(poll), ANY(ppoll), ANY(select), ANY(pselect6),
	ANY(epoll_wait), ANY(epoll_pwait), ANY(epoll_pwait2), ANY(epoll_ctl), ANY(eventfd2),
	ANY(pipe2)};

// What glibc, libevent, libcrypto and weir ask of a socket, a terminal or a file.
static const struct sandbox_call calls_ioctl[] = {WHERE(ioctl, 1, 0xffffffff, FIONREAD),
	WHERE(ioctl, 1, 0xffffffff, FIONBIO), WHERE(ioctl, 1, 0xffffffff, TIOCOUTQ),
	WHERE(ioctl, 1, 0xffffffff, TCGETS), WHERE(ioctl, 1, 0xffffffff, SIOCGIFINDEX),
	WHERE(ioctl, 1, 0xffffffff, SIOCGIFNAME)};

// DPDK's drivers: each device has requests of its own. None is FIOSETOWN or SIOCSPGRP, as F_SETOWN.
static const struct sandbox_call calls_devices[] = {NOWHERE(ioctl, 1, ~3U, FIOSETOWN & ~3U)};

// Code that ld.so maps from a file; not writable memory.
static const struct sandbox_call calls_code[] = {WHERE(mmap, 2, PROT_WRITE, 0)};

// Bytes of sockets that are there.
static const struct sandbox_call calls_traffic[] = {ANY(sendto), ANY(sendmsg), ANY(sendmmsg),
	ANY(recvfrom), ANY(recvmsg), ANY(recvmmsg), ANY(getsockopt), ANY(setsockopt),
	ANY(getsockname), ANY(getpeername), ANY(shutdown)};

// Sockets to others.
static const struct sandbox_call calls_connect[] = {
	ANY(socket), ANY(socketpair), ANY(connect), ANY(bind)};

// Sockets to this machine: of interfaces, and of its other processes. None of TCP, which a peer
// that is handed one may have to wait for as it closes it (SO_LINGER), and whose other end may be
// far.
static const struct sandbox_call calls_connect_here[] = {SOCKET(AF_UNIX), SOCKET(AF_NETLINK),
	SOCKET(AF_PACKET), SOCKET(AF_XDP), SOCKET_OF_TYPE(AF_INET, SOCK_DGRAM),
	SOCKET_OF_TYPE(AF_INET6, SOCK_DGRAM), ANY(socketpair), ANY(connect), ANY(bind)};

// Sockets for others.
static const struct sandbox_call calls_listen[] = {ANY(listen), ANY(accept), ANY(accept4)};

static const struct sandbox_call calls_events[] = {ANY(epoll_create), ANY(epoll_create1),
	ANY(eventfd), ANY(timerfd_create), ANY(timerfd_settime), ANY(timerfd_gettime),
	ANY(timer_create), ANY(timer_settime), ANY(timer_gettime), ANY(timer_getoverrun),
	ANY(timer_delete), ANY(signalfd4), ANY(pipe), ANY(dup), ANY(dup2), ANY(dup3)};

// Threads: a process of its own is not one.
static const struct sandbox_call calls_threads[] = {WHERE(clone, 0, CLONE_THREAD, CLONE_THREAD),
	ANY(sched_setaffinity), ANY(sched_setscheduler), ANY(sched_setparam), ANY(sched_setattr),
	ANY(sched_getattr)};

static const struct sandbox_call calls_files_read[] = {
	WHERE(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
	WHERE(open, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY), ANY(stat), ANY(lstat),
	ANY(newfstatat), ANY(statx), ANY(statfs), ANY(fstatfs), ANY(access), ANY(faccessat),
	ANY(faccessat2), ANY(readlink), ANY(readlinkat), ANY(getcwd), ANY(getdents64),
	ANY(fadvise64), ANY(flock), ANY(inotify_init1), ANY(inotify_add_watch),
	ANY(inotify_rm_watch)};

// Own files: nobody's owner or mode but by a descriptor or a path of their own user.
static const struct sandbox_call calls_files_write[] = {ANY(openat), ANY(open), ANY(creat),
	ANY(memfd_create), ANY(ftruncate), ANY(fallocate), ANY(fsync), ANY(fdatasync),
	ANY(sync_file_range), ANY(copy_file_range), ANY(sendfile), ANY(fchmod), ANY(fchown),
	ANY(chmod), ANY(fchmodat), ANY(umask), ANY(utimensat), ANY(mkdir), ANY(mkdirat), ANY(rmdir),
	ANY(unlink), ANY(unlinkat), ANY(rename), ANY(renameat), ANY(renameat2), ANY(link),
	ANY(linkat), ANY(symlink), ANY(symlinkat)};

// A group for the control socket and the statistics.
static const struct sandbox_call calls_owner[] = {ANY(chown), ANY(lchown), ANY(fchownat)};

// Further filters and fewer capabilities: of a thread that has not settled, or is about to stop.
static const struct sandbox_call calls_settle[] = {
	ANY(seccomp), ANY(capget), ANY(capset), WHERE(prctl, 0, 0xffffffff, PR_SET_NO_NEW_PRIVS)};

// Entries of maps that are open: no program and no map can be loaded.
static const struct sandbox_call calls_maps[] = {WHERE(bpf, 0, 0xffffffff, BPF_MAP_LOOKUP_ELEM),
	WHERE(bpf, 0, 0xffffffff, BPF_MAP_UPDATE_ELEM),
	WHERE(bpf, 0, 0xffffffff, BPF_MAP_DELETE_ELEM),
	WHERE(bpf, 0, 0xffffffff, BPF_MAP_GET_NEXT_KEY)};

#undef ANY
#undef WHERE
#undef NOWHERE
#undef BOTH_ZERO
#undef OWN
#undef SOCKET
#undef SOCKET_OF_TYPE
