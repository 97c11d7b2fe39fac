// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// System calls of x86-64 that arm64 never had, so that one list of calls serves both: numbers below
// 0, which sandbox_load passes over.

#include <sys/syscall.h>

#ifdef __aarch64__
enum {
	SYS_access = -1,
	SYS_arch_prctl = -1,
	SYS_chmod = -1,
	SYS_chown = -1,
	SYS_creat = -1,
	SYS_dup2 = -1,
	SYS_epoll_create = -1,
	SYS_epoll_wait = -1,
	SYS_eventfd = -1,
	SYS_getpgrp = -1,
	SYS_lchown = -1,
	SYS_link = -1,
	SYS_lstat = -1,
	SYS_mkdir = -1,
	SYS_open = -1,
	SYS_pipe = -1,
	SYS_poll = -1,
	SYS_readlink = -1,
	SYS_rename = -1,
	SYS_rmdir = -1,
	SYS_select = -1,
	SYS_stat = -1,
	SYS_symlink = -1,
	SYS_time = -1,
	SYS_unlink = -1,
};
#endif
