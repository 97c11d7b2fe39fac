// SPDX-License-Identifier: BSD-3-Clause
#include "process.h"
#include "profile.h"
#include "profile_out.h"
#include "profile_signal.h"
#include "stacks.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

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
	profile_maps_write(f);
}

static void samples_gather(struct stacks *t, unsigned seconds, const _Atomic bool *stop)
{
	struct timers timers = {0};
	const uint64_t end_ms = clock_mono_ms() + (uint64_t)seconds * 1000;
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	profile_signal_to(t);
	while (clock_mono_ms() < end_ms && !atomic_load(stop)) {
		threads_follow(&timers);
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < timers.count; i++)
		timer_delete(timers.of[i].timer);
	profile_signal_to(NULL);
}

int profile_cpu(unsigned seconds, const _Atomic bool *stop, char **out, size_t *len)
{
	int rc = profile_signal_start();
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
	return f ? profile_finish(f, out, 0) : -ENOMEM;
}
