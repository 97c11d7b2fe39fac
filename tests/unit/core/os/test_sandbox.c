// SPDX-License-Identifier: BSD-3-Clause

// Each filter of both programs in a process of its own: what it allows works, and any call that
// gives power ends the process with SIGSYS.
#include "controlplane/app/app_privilege_calls.h"
#include "dataplane/privilege_calls.h"
#include "tests/unit/unit.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <weir/os/caps.h>

#ifdef __aarch64__ // nor these, which no filter allows
enum {
	SYS_fork = -1,
	SYS_ioperm = -1,
	SYS_iopl = -1,
	SYS_mknod = -1,
	SYS_modify_ldt = -1,
	SYS_vfork = -1,
};
#endif

static const struct sandbox_kind *const kinds[] = {&privilege_main, &privilege_worker,
	&privilege_service, &privilege_resolver, &privilege_frontend, &privilege_helper};

struct call {
	long number;
	long arg[4];
};

// The status of a child that makes the call under the filter; it exits with 0 afterwards.
static int status_of(const struct sandbox_kind *kind, enum sandbox_mode mode, const struct call *c)
{
	int status;
	if (!sandbox_is_possible())
		skip();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (caps_no_new() != 0 || sandbox_load(kind, mode, true) != 0)
			_exit(2);
		(void)syscall(c->number, c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

// The same of one that calls a function.
static int status_after(const struct sandbox_kind *kind, void (*act)(void))
{
	int status;
	if (!sandbox_is_possible())
		skip();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (caps_no_new() == 0 && sandbox_load(kind, SANDBOX_KILL, true) == 0)
			act();
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

// Not all machines have all of them.
static bool is_here(const struct call *c)
{
	return c->number >= 0;
}

static bool dies(const struct sandbox_kind *kind, const struct call *c)
{
	int status = status_of(kind, SANDBOX_KILL, c);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static bool lives(const struct sandbox_kind *kind, const struct call *c)
{
	int status = status_of(kind, SANDBOX_KILL, c);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Arguments are wrong where the call would do harm if it were made.
static const struct call powers[] = {{SYS_execve, {0}}, {SYS_execveat, {-1}}, {SYS_ptrace, {-1}},
	{SYS_fork, {0}}, {SYS_vfork, {0}}, {SYS_clone, {SIGCHLD}},
	{SYS_clone, {CLONE_NEWUSER | SIGCHLD}}, {SYS_mount, {0}}, {SYS_umount2, {0}},
	{SYS_pivot_root, {0}}, {SYS_chroot, {0}}, {SYS_unshare, {CLONE_NEWUSER}}, {SYS_setns, {-1}},
	{SYS_init_module, {0}}, {SYS_finit_module, {-1}}, {SYS_delete_module, {0}},
	{SYS_kexec_load, {-1, -1}}, {SYS_bpf, {BPF_PROG_LOAD}}, {SYS_bpf, {BPF_MAP_CREATE}},
	{SYS_bpf, {BPF_OBJ_PIN}}, {SYS_perf_event_open, {0}}, {SYS_add_key, {0}},
	{SYS_keyctl, {-1}}, {SYS_request_key, {0}}, {SYS_process_vm_readv, {0}},
	{SYS_process_vm_writev, {0}}, {SYS_io_uring_setup, {0}}, {SYS_userfaultfd, {0}},
	{SYS_setuid, {0}}, {SYS_setgid, {0}}, {SYS_setresuid, {0}}, {SYS_setresgid, {0}},
	{SYS_setgroups, {0}}, {SYS_setfsuid, {0}}, {SYS_personality, {-1}}, {SYS_kill, {0, 0}},
	{SYS_tkill, {0}}, {SYS_rt_sigqueueinfo, {0}}, {SYS_pidfd_open, {-1}},
	{SYS_pidfd_getfd, {-1}}, {SYS_reboot, {0}}, {SYS_swapon, {0}}, {SYS_sethostname, {0, -1}},
	{SYS_settimeofday, {0}}, {SYS_clock_settime, {-1}}, {SYS_adjtimex, {0}}, {SYS_iopl, {0}},
	{SYS_ioperm, {0}}, {SYS_acct, {-1}}, {SYS_quotactl, {0}}, {SYS_mknod, {0}},
	{SYS_name_to_handle_at, {-1}}, {SYS_open_by_handle_at, {-1}}, {SYS_fanotify_init, {-1}},
	{SYS_open_tree, {-1}}, {SYS_move_mount, {-1}}, {SYS_fsopen, {0}}, {SYS_syslog, {-1}},
	{SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}}, {SYS_pkey_mprotect, {0}},
	{SYS_modify_ldt, {-1}},
	{SYS_mmap, {0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
	{SYS_prlimit64, {1}}, {SYS_memfd_secret, {-1}}, {SYS_prctl, {PR_SET_DUMPABLE, 1}},
	{SYS_prctl, {PR_SET_MM, -1}}, {SYS_prctl, {PR_SET_SECCOMP, -1}},
	{SYS_prctl, {PR_CAP_AMBIENT, -1}}, {SYS_prctl, {PR_SET_SECUREBITS, -1}},
	{SYS_prctl, {PR_SET_PTRACER, -1}}};

TEST(test_powers)
{
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned i = 0; i < sizeof(powers) / sizeof(powers[0]); i++)
			if (is_here(&powers[i]) && !dies(kinds[k], &powers[i]))
				fail_msg("%s lives after system call %ld", kinds[k]->name,
					powers[i].number);
}

TEST(test_allowed)
{
	static const struct call calls[] = {{SYS_getpid, {0}}, {SYS_futex, {0}}, {SYS_write, {-1}},
		{SYS_sendto, {-1}}, {SYS_poll, {0}}, {SYS_madvise, {0}}, {SYS_clone3, {0}},
		{SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
		{SYS_mprotect, {0, 0, PROT_READ}}, {SYS_prctl, {PR_SET_NAME, (long)"name"}},
		{SYS_prctl, {PR_SET_VMA, -1}}, {SYS_ioctl, {-1, FIONREAD}}};
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			if (is_here(&calls[i]) && !lives(kinds[k], &calls[i]))
				fail_msg("%s dies of system call %ld", kinds[k]->name,
					calls[i].number);
}

// What distinguishes the kinds.
TEST(test_kinds)
{
	static const struct call open_read = {SYS_openat, {-1, 0, O_RDONLY}},
				 open_write = {SYS_openat, {-1, 0, O_WRONLY}},
				 open_make = {SYS_openat, {-1, 0, O_RDONLY | O_CREAT}},
				 new_socket = {SYS_socket, {-1}}, accepts = {SYS_accept4, {-1}},
				 update = {SYS_bpf, {BPF_MAP_UPDATE_ELEM}},
				 thread = {SYS_clone, {CLONE_THREAD}}, owner = {SYS_fchownat, {-1}},
				 caps = {SYS_capset, {0}}, device = {SYS_ioctl, {-1, TUNSETIFF}},
				 type_in = {SYS_ioctl, {-1, TIOCSTI}},
				 no_new = {SYS_prctl, {PR_SET_NO_NEW_PRIVS, -1}},
				 code = {SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE}};
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const bool dp = kinds[k] == &privilege_main || kinds[k] == &privilege_worker;
		assert_true(dp ? lives(kinds[k], &device) : dies(kinds[k], &device));
		assert_true(dp || dies(kinds[k], &type_in));
		assert_true(kinds[k] == &privilege_worker ? dies(kinds[k], &no_new)
							  : lives(kinds[k], &no_new));
	}
	assert_true(dies(&privilege_worker, &code));
	assert_true(dies(&privilege_frontend, &code));
	assert_true(lives(&privilege_main, &code));
	assert_true(lives(&privilege_service, &code));
	assert_true(dies(&privilege_worker, &open_read));
	assert_true(dies(&privilege_worker, &new_socket));
	assert_true(dies(&privilege_worker, &accepts));
	assert_true(dies(&privilege_worker, &update));
	assert_true(dies(&privilege_worker, &thread));
	assert_true(dies(&privilege_worker, &caps));
	assert_true(lives(&privilege_main, &open_read));
	assert_true(lives(&privilege_main, &update));
	assert_true(lives(&privilege_main, &thread));
	assert_true(dies(&privilege_main, &owner));
	assert_true(lives(&privilege_frontend, &open_read));
	assert_true(lives(&privilege_frontend, &accepts));
	assert_true(dies(&privilege_frontend, &open_write));
	assert_true(dies(&privilege_frontend, &open_make));
	assert_true(lives(&privilege_helper, &open_write));
	assert_true(lives(&privilege_helper, &thread));
	assert_true(dies(&privilege_helper, &accepts));
	assert_true(dies(&privilege_helper, &update));
	assert_true(lives(&privilege_resolver, &accepts));
	assert_true(dies(&privilege_resolver, &owner));
	assert_true(lives(&privilege_service, &owner));
	assert_true(dies(&privilege_service, &update));
}

// The data plane's sockets: none that a process that is handed it waits for at its close, or that
// leads to other machines by TCP.
TEST(test_sockets)
{
	static const struct call here[] = {{SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}},
		{SYS_socket, {AF_UNIX, SOCK_SEQPACKET}}, {SYS_socket, {AF_NETLINK, SOCK_RAW}},
		{SYS_socket, {AF_PACKET, SOCK_RAW}}, {SYS_socket, {AF_XDP, SOCK_RAW}},
		{SYS_socket, {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC}},
		{SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK}}};
	static const struct call others[] = {{SYS_socket, {AF_INET, SOCK_STREAM}},
		{SYS_socket, {AF_INET6, SOCK_STREAM | SOCK_CLOEXEC}},
		{SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_UDP}},
		{SYS_socket, {AF_INET, SOCK_SEQPACKET}}, {SYS_socket, {AF_VSOCK, SOCK_STREAM}},
		{SYS_socket, {AF_SMC, SOCK_STREAM}}};
	for (unsigned i = 0; i < ARRAY_LEN(here); i++)
		assert_true(lives(&privilege_main, &here[i]));
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		assert_true(dies(&privilege_main, &others[i]));
		assert_true(lives(&privilege_resolver, &others[i]));
	}
}

// A thread's signals reach its own process alone, by whatever call.
TEST(test_signals)
{
	const pid_t other = getppid();
	const struct call others[] = {{SYS_tgkill, {other, other, 0}}, {SYS_tgkill, {0, other, 0}},
		{SYS_fcntl, {-1, F_SETOWN, other}}, {SYS_fcntl, {-1, F_SETOWN_EX, 0}},
		{SYS_fcntl, {-1, F_SETSIG, SIGKILL}},
		{SYS_fcntl, {-1, (long)(1UL << 32) | F_SETOWN, other}},
		{SYS_ioctl, {-1, FIOSETOWN}}, {SYS_ioctl, {-1, SIOCSPGRP}},
		{SYS_ioctl, {-1, (long)(1UL << 32) | FIOSETOWN}},
		{SYS_setpriority, {PRIO_PROCESS, other, 0}}, {SYS_setpriority, {PRIO_USER, 0, 0}}};
	static const struct call own[] = {{SYS_fcntl, {-1, F_GETFL}}, {SYS_fcntl, {-1, F_SETLKW}},
		{SYS_fcntl, {-1, F_DUPFD_CLOEXEC}}, {SYS_fcntl, {-1, F_ADD_SEALS}},
		{SYS_fcntl, {-1, F_OFD_SETLK}}, {SYS_setpriority, {PRIO_PROCESS, 0, 19}}};
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		for (unsigned i = 0; i < ARRAY_LEN(others); i++)
			if (!dies(kinds[k], &others[i]))
				fail_msg("%s reaches others by call %ld, %u", kinds[k]->name,
					others[i].number, i);
		for (unsigned i = 0; i < ARRAY_LEN(own); i++)
			if (!lives(kinds[k], &own[i]))
				fail_msg("%s dies of call %ld, %u", kinds[k]->name, own[i].number,
					i);
		assert_int_equal(WTERMSIG(status_after(kinds[k], abort)), SIGABRT);
	}
	const struct call affinity = {SYS_sched_setaffinity, {other, 0, 0}};
	assert_true(dies(&privilege_worker, &affinity));
}

// A call that this machine does not have is none that a filter is refused for.
TEST(test_absent)
{
	static const struct sandbox_call absent[] = {{.number = -1}};
	static const struct sandbox_kind kind = {
		.name = "absent", .family = {SANDBOX_FAMILY(absent), SANDBOX_FAMILY(calls_thread)}};
	static const struct call own = {SYS_getpid, {0}}, other = {SYS_execve, {0}};
	assert_true(lives(&kind, &own));
	assert_true(dies(&kind, &other));
}

TEST(test_modes)
{
	static const struct call c = {SYS_ptrace, {-1}};
	assert_int_equal(status_of(&privilege_worker, SANDBOX_LOG, &c), 0);
	assert_int_equal(status_of(&privilege_worker, SANDBOX_OFF, &c), 0);
	assert_true(dies(&privilege_worker, &c));
}

// Rows of the control plane's threads: the last one fits any name.
TEST(test_rows)
{
	const unsigned last = sizeof(privilege_threads) / sizeof(privilege_threads[0]) - 1;
	assert_string_equal(privilege_threads[last].name, "");
	assert_false(privilege_threads[last].binds);
}
