// SPDX-License-Identifier: BSD-3-Clause
#include "path_count.h"

#include <rte_lcore.h>

#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

// The interposed functions and the signal handler can reach nothing else.
// Volatile, because the compiler knows that malloc reads no variable of this file.
static _Thread_local volatile bool counting;
static _Atomic uint64_t allocations, locks, syscalls;

static void count(_Atomic uint64_t *what)
{
	if (counting)
		atomic_fetch_add_explicit(what, 1, memory_order_relaxed);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

void *malloc(size_t size)
{
	count(&allocations);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count(&allocations);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count(&allocations);
	return __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	count(&allocations);
	return __libc_memalign(align, size);
}

void *memalign(size_t align, size_t size)
{
	count(&allocations);
	return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	count(&allocations);
	void *p = __libc_memalign(align, size);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	count(&allocations);
	__libc_free(p);
}

// The next definition behind ours. dlsym gives an object pointer; POSIX promises that it holds.
#define NEXT(name, type)                                                   \
	int name(type *lock)                                               \
	{                                                                  \
		static int (*_Atomic next)(type *);                        \
		int (*call)(type *) = next;                                \
		if (!call) {                                               \
			*(void **)(void *)&call = dlsym(RTLD_NEXT, #name); \
			next = call;                                       \
		}                                                          \
		count(&locks);                                             \
		return call(lock);                                         \
	}

NEXT(pthread_mutex_lock, pthread_mutex_t)
NEXT(pthread_mutex_trylock, pthread_mutex_t)
NEXT(pthread_rwlock_rdlock, pthread_rwlock_t)
NEXT(pthread_rwlock_wrlock, pthread_rwlock_t)

int pthread_spin_lock(pthread_spinlock_t *lock)
{
	count(&locks);
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		continue;
	return 0;
}

static void on_syscall(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info;
	count(&syscalls);
	ucontext_t *u = context;
#ifdef __aarch64__
	u->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#else
	u->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#endif
}

// Leaves the thread only the way back from the handler and the way out.
static int filter_install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		|| prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}

struct job {
	void (*work)(void *);
	void *arg;
	int rc;
	pthread_mutex_t lock;
	bool blind; // what was done on purpose was not seen
};

static void *run(void *arg)
{
	struct job *j = arg;
	// Outside the filter, because a thread's first allocation maps an arena.
	counting = true;
	void *volatile room = malloc(1); // volatile, or the compiler leaves both calls out
	free(room);
	pthread_mutex_lock(&j->lock);
	pthread_mutex_unlock(&j->lock);
	counting = false;
	j->rc = rte_thread_register() ? -EIO : filter_install();
	if (j->rc)
		return NULL;
	counting = true;
	(void)syscall(__NR_getppid);
	j->blind = atomic_exchange(&syscalls, 0) != 1 || atomic_exchange(&allocations, 0) != 2
		   || atomic_exchange(&locks, 0) != 1;
	j->work(j->arg);
	counting = false;
	return NULL;
}

int path_count_run(void (*work)(void *arg), void *arg, struct path_counts *out)
{
	const struct sigaction trap = {.sa_sigaction = on_syscall, .sa_flags = SA_SIGINFO};
	struct job j = {.work = work, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t thread;
	if (sigaction(SIGSYS, &trap, NULL))
		return -errno;
	allocations = locks = syscalls = 0;
	int rc = pthread_create(&thread, NULL, run, &j);
	if (rc)
		return -rc;
	pthread_join(thread, NULL);
	*out = (struct path_counts){allocations, locks, syscalls};
	return j.rc ? j.rc : j.blind ? -ENOSYS : 0;
}
