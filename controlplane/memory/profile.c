// SPDX-License-Identifier: BSD-3-Clause
#include "profile.h"

#include "process.h"
#include "signal_pc.h"
#include "stacks.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <weir/attr.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// The handler of SIGPROF, which stays from its first use on: a signal that comes late must find it.

enum { WAIT_MS = 50 };

// The one thread that is asked for its stack.
enum { NOBODY, WANTED, TAKING, TAKEN };
static struct {
	_Atomic int state;
	_Atomic pid_t thread;
	unsigned depth;
	void *frame[STACK_DEPTH_MAX];
} wanted;

static _Atomic(struct stacks *) samples;
static _Atomic unsigned inside; // handlers that may use it
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void sample_take(const void *at)
{
	void *frame[STACK_DEPTH_MAX];
	atomic_fetch_add(&inside, 1);
	struct stacks *t = atomic_load(&samples);
	if (t)
		stacks_add(t, frame, stack_take(frame, at, true), 0);
	atomic_fetch_sub(&inside, 1);
}

static void thread_take(const void *at)
{
	int state = WANTED;
	if (atomic_load(&wanted.thread) != gettid()
		|| !atomic_compare_exchange_strong(&wanted.state, &state, TAKING))
		return;
	wanted.depth = stack_take(wanted.frame, at, true);
	atomic_store(&wanted.state, TAKEN);
}

static void on_signal(int, siginfo_t *info, void *context)
{
	const void *at = signal_pc(context);
	int err = errno;
	if (info->si_code == SI_TIMER)
		sample_take(at);
	else if (info->si_code == SI_TKILL && info->si_pid == getpid())
		thread_take(at);
	errno = err;
}

static int signal_start(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	stack_prepare();
	sigfillset(&action.sa_mask);
	return sigaction(SIGPROF, &action, NULL) < 0 ? -errno : 0;
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

// Samples of timers go there; NULL: nowhere, and no handler uses the former table any more.
static void samples_to(struct stacks *t)
{
	atomic_store(&samples, t);
	while (!t && atomic_load(&inside))
		pause_ms(1);
}

// False: it has ended, or blocks the signal.
static bool thread_ask(pid_t thread)
{
	atomic_store(&wanted.thread, thread);
	atomic_store(&wanted.state, WANTED);
	if (syscall(SYS_tgkill, getpid(), thread, SIGPROF) == 0)
		for (unsigned ms = 0; ms < WAIT_MS && atomic_load(&wanted.state) != TAKEN; ms++)
			pause_ms(1);
	int state = WANTED;
	bool is_silent = atomic_compare_exchange_strong(&wanted.state, &state, NOBODY);
	while (!is_silent && atomic_load(&wanted.state) != TAKEN)
		pause_ms(1);
	return !is_silent;
}

static void thread_write(FILE *f, const struct process_thread *t)
{
	bool is_self = t->id == gettid();
	bool is_there = !is_self && thread_ask(t->id);
	fprintf(f, "# %s id %d state %c cpu_ms %" PRIu64 "%s\n", t->name, t->id, t->state,
		t->cpu_ms,
		is_self    ? ": takes this profile"
		: is_there ? ""
			   : ": no stack, it blocks SIGPROF or has ended");
	if (!is_there)
		return;
	fputs("1 @", f);
	for (unsigned i = 0; i < wanted.depth; i++)
		fprintf(f, " 0x%" PRIxPTR, (uintptr_t)wanted.frame[i]);
	fputs("\n\n", f);
}

static void maps_write(FILE *f)
{
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps))
		fputs(line, f);
	if (maps)
		fclose(maps);
}

static int text_finish(FILE *f, char **out, int rc)
{
	if (fclose(f) != 0 && rc == 0)
		rc = -ENOMEM;
	if (rc < 0)
		FREE_AND_NULL(*out);
	return rc;
}

int profile_threads(char **out, size_t *len)
{
	struct process_thread thread[PROCESS_THREADS_MAX];
	int rc = signal_start();
	if (rc < 0)
		return rc;
	if (pthread_mutex_trylock(&one_at_a_time) != 0)
		return -EBUSY;
	unsigned count = process_threads(thread, PROCESS_THREADS_MAX);
	FILE *f = open_memstream(out, len);
	if (f) {
		fprintf(f, "threads profile: total %u\n", count);
		for (unsigned i = 0; i < count && i < PROCESS_THREADS_MAX; i++)
			thread_write(f, &thread[i]);
		fputs("\nMAPPED_LIBRARIES:\n", f);
		maps_write(f);
	}
	pthread_mutex_unlock(&one_at_a_time);
	return f ? text_finish(f, out, 0) : -ENOMEM;
}

enum { SAMPLE = 512 << 10 };

static struct stacks *made; // NULL: not started

// Random distances give each byte the same chance to be sampled, even if the program allocates in
// step with the samples.
static uint64_t distance_draw(void)
{
	static __thread uint64_t state;
	if (!state)
		state = clock_mono_ms() * 0x9e3779b97f4a7c15 ^ (uint64_t)(uintptr_t)&state;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	double part = (double)((state >> 11) + 1) / (double)(UINT64_C(1) << 53);
	return (uint64_t)(-log(part) * SAMPLE) + 1;
}

// Called by sampling_follow for a function of heap_site.c, which is left out too.
static uint64_t on_sample(size_t n)
{
	void *frame[STACK_DEPTH_MAX];
	if (n) {
		unsigned depth = stack_take(frame, __builtin_return_address(0), false);
		if (depth > 1)
			stacks_add(made, frame + 1, depth - 1, n);
	}
	return distance_draw();
}

void profile_alloc_start(void)
{
	stack_prepare();
	made = heap_calloc(1, sizeof(*made));
	if (made)
		heap_sampling_start(on_sample);
}

static void stack_write(FILE *f, const struct stack *s)
{
	fprintf(f, "%6d: %8d [%6" PRIu64 ": %8" PRIu64 "] @", 0, 0,
		atomic_load_explicit(&s->count, memory_order_relaxed),
		atomic_load_explicit(&s->bytes, memory_order_relaxed));
	for (unsigned i = 0; i < s->depth; i++)
		fprintf(f, " 0x%016" PRIxPTR, (uintptr_t)s->frame[i]);
	fputc('\n', f);
}

int profile_alloc(char **out, size_t *len)
{
	FILE *f = open_memstream(out, len);
	if (!f)
		return -ENOMEM;
	uint64_t count = 0, bytes = 0;
	const unsigned count_max = made ? STACKS_MAX : 0;
	for (unsigned i = 0; i < count_max; i++) {
		const struct stack *s = stacks_at(made, i);
		count += s ? atomic_load_explicit(&s->count, memory_order_relaxed) : 0;
		bytes += s ? atomic_load_explicit(&s->bytes, memory_order_relaxed) : 0;
	}
	fprintf(f, "heap profile: %6d: %8d [%6" PRIu64 ": %8" PRIu64 "] @ heap_v2/%d\n", 0, 0,
		count, bytes, SAMPLE);
	for (unsigned i = 0; i < count_max; i++)
		if (stacks_at(made, i))
			stack_write(f, stacks_at(made, i));
	fputs("\nMAPPED_LIBRARIES:\n", f);
	maps_write(f);
	return text_finish(f, out, 0);
}

void profile_alloc_count(struct profile_alloc_counts *out)
{
	*out = (struct profile_alloc_counts){.cap = STACKS_MAX};
	if (!made)
		return;
	stacks_count(made, &out->used, &out->lost);
	out->bytes = sizeof(*made);
}

enum { LOOK_MS = 200 };

struct timers {
	unsigned count;
	struct {
		pid_t thread;
		timer_t timer;
	} of[PROCESS_THREADS_MAX];
};

static _Atomic bool runs;

// The kernel's number for the clock of a thread's CPU time (pthread_getcpuclockid has no id).
static clockid_t thread_clock(pid_t thread)
{
	return (clockid_t)((~(unsigned)thread << 3) | 6);
}

static bool has_timer(const struct timers *t, pid_t thread)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->of[i].thread == thread)
			return true;
	return false;
}

static void timer_add(struct timers *t, pid_t thread)
{
	const struct timespec period = {.tv_nsec = PROFILE_PERIOD_US * 1000L};
	const struct itimerspec each = {.it_interval = period, .it_value = period};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
	event._sigev_un._tid = thread;
	timer_t timer;
	if (t->count == PROCESS_THREADS_MAX
		|| timer_create(thread_clock(thread), &event, &timer) < 0)
		return;
	(void)timer_settime(timer, 0, &each, NULL);
	t->of[t->count].thread = thread;
	t->of[t->count++].timer = timer;
}

// Threads begin and end meanwhile.
static void threads_follow(struct timers *t)
{
	struct process_thread thread[PROCESS_THREADS_MAX];
	unsigned count = process_threads(thread, PROCESS_THREADS_MAX);
	for (unsigned i = 0; i < count && i < PROCESS_THREADS_MAX; i++)
		if (!has_timer(t, thread[i].id))
			timer_add(t, thread[i].id);
}

static void word_write(FILE *f, uint64_t word)
{
	fwrite(&word, sizeof(word), 1, f);
}

// A header, a record for each stack, one that ends them, the mapped files.
static void samples_write(FILE *f, const struct stacks *t)
{
	const uint64_t head[] = {0, 3, 0, PROFILE_PERIOD_US, 0}, end[] = {0, 1, 0};
	fwrite(head, sizeof(head), 1, f);
	for (unsigned i = 0; i < STACKS_MAX; i++) {
		const struct stack *s = stacks_at(t, i);
		if (!s || !s->depth)
			continue;
		word_write(f, atomic_load_explicit(&s->count, memory_order_relaxed));
		word_write(f, s->depth);
		fwrite(s->frame, sizeof(s->frame[0]), s->depth, f);
	}
	fwrite(end, sizeof(end), 1, f);
	maps_write(f);
}

static void samples_gather(struct stacks *t, unsigned seconds, const _Atomic bool *stop)
{
	struct timers timers = {0};
	const uint64_t end_ms = clock_mono_ms() + (uint64_t)seconds * 1000;
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	samples_to(t);
	while (clock_mono_ms() < end_ms && !atomic_load(stop)) {
		threads_follow(&timers);
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < timers.count; i++)
		timer_delete(timers.of[i].timer);
	samples_to(NULL);
}

int profile_cpu(unsigned seconds, const _Atomic bool *stop, char **out, size_t *len)
{
	int rc = signal_start();
	if (rc < 0)
		return rc;
	if (atomic_exchange(&runs, true))
		return -EBUSY;
	struct stacks *t = heap_calloc(1, sizeof(*t));
	FILE *f = t ? open_memstream(out, len) : NULL;
	if (f) {
		samples_gather(t, seconds, stop);
		samples_write(f, t);
	}
	heap_free(t);
	atomic_store(&runs, false);
	return f ? text_finish(f, out, 0) : -ENOMEM;
}
