// SPDX-License-Identifier: BSD-3-Clause
#include "loop.h"

#include "wheel.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum {
	LAG_PERIOD_US = 20000,
	LAG_MISSED_MAX = 1000, // expiries counted at once
	LAG_KEPT = 7,
	SETTLE_MAX = 16, // more rounds of calls than any question takes
	LAG_KEPT_US = 10000000,
};

struct loop_mail {
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event *bell, *lag_timer;
	struct wheel *wheel;
	const char *name;
	struct loop_watch watch; // begin NULL: not set
	int bell_fd, lag_fd;
	_Atomic bool stop;
	_Atomic uint64_t refused;
	struct loop_lag_live lag;
	uint64_t lag_due_us;                // the timer's next expiry
	struct loop_lag lag_kept[LAG_KEPT]; // readings, one each 10 s
	uint64_t busy_max_us[LAG_KEPT];     // longest turn since the reading of that index
	unsigned lag_last;
	uint64_t lag_kept_us;
	uint64_t began_us;  // when this turn began
	uint64_t window_us; // when the window of `turns` began
	unsigned turns;     // turns begun in the window
	bool resting;
	uint64_t rest_end_us;         // when turns are counted without pauses again
	uint64_t cpu_read_us, cpu_us; // time and value of the last reading of the CPU clock
	pthread_mutex_t lock;         // protects the fields below; held for a few stores only
	struct loop_return *returns, **returns_end;
	unsigned first, count;
	struct loop_mail mail[LOOP_CALLS_MAX];
};

static void loop_ring(struct loop *l)
{
	// A full counter already wakes the loop, so a refused write loses nothing.
	ssize_t n = write(l->bell_fd, &(uint64_t){1}, sizeof(uint64_t));
	(void)n;
}

static bool mail_take(struct loop *l, struct loop_mail *out)
{
	pthread_mutex_lock(&l->lock);
	bool any = l->count > 0;
	if (any) {
		*out = l->mail[l->first];
		l->first = (l->first + 1) % LOOP_CALLS_MAX;
		l->count--;
	}
	pthread_mutex_unlock(&l->lock);
	return any;
}

static void returns_run(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	struct loop_return *r = l->returns;
	l->returns = NULL;
	l->returns_end = &l->returns;
	pthread_mutex_unlock(&l->lock);
	while (r) {
		struct loop_return *next = r->next;
		r->fn(r->arg);
		r = next;
	}
}

// Runs at most LOOP_CALLS_MAX calls, so that calls that make calls do not starve other events.
// True: there are more.
static bool box_run(struct loop *l)
{
	struct loop_mail m;
	for (unsigned i = 0; i < LOOP_CALLS_MAX && mail_take(l, &m); i++)
		m.fn(m.arg);
	returns_run(l);
	pthread_mutex_lock(&l->lock);
	bool more = l->count > 0 || l->returns;
	pthread_mutex_unlock(&l->lock);
	return more;
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t rung;

	(void)what;
	if (read(fd, &rung, sizeof(rung)) < 0 && errno != EAGAIN)
		return;
	if (box_run(l))
		loop_ring(l);
	else if (atomic_load(&l->stop))
		event_base_loopbreak(l->base);
}

static int lag_arm(struct loop *l)
{
	const struct timespec period = {.tv_nsec = LAG_PERIOD_US * 1000};

	l->lag_due_us = clock_us_of(CLOCK_MONOTONIC) + LAG_PERIOD_US; // the timer's clock
	l->lag_kept_us = l->lag_due_us;
	return timerfd_settime(l->lag_fd, 0,
		&(struct itimerspec){.it_interval = period, .it_value = period}, NULL);
}

static void on_lag_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t now = clock_us_of(CLOCK_MONOTONIC), rung;

	(void)what;
	if (read(fd, &rung, sizeof(rung)) != sizeof(rung))
		return;
	for (uint64_t i = 0; i < rung; i++, l->lag_due_us += LAG_PERIOD_US)
		if (i < LAG_MISSED_MAX)
			loop_lag_add(&l->lag, now > l->lag_due_us ? now - l->lag_due_us : 0);
	if (now < l->lag_kept_us + LAG_KEPT_US)
		return;
	l->lag_kept_us = now;
	l->lag_last = (l->lag_last + 1) % LAG_KEPT;
	loop_lag_read(&l->lag, &l->lag_kept[l->lag_last]);
	l->busy_max_us[l->lag_last] = 0;
}

static pthread_once_t counted = PTHREAD_ONCE_INIT;

static void count_memory(void)
{
	event_set_mem_functions(heap_libevent_malloc, heap_libevent_realloc, heap_free);
}

// Makes libevent allocate its slots. It keeps a slot for each number that a descriptor of the loop
// ever had, and sockets that come and go carry the numbers from loop to loop: otherwise the heap
// would grow for hours, until each loop has had all numbers. Skips numbers in use.
static void slots_take(struct loop *l)
{
	for (int next = 0, fd; next < LOOP_SLOTS; next = fd + 1) {
		fd = fcntl(l->bell_fd, F_DUPFD_CLOEXEC, next);
		if (fd < 0)
			return; // the limit of this process
		struct event *e =
			fd < LOOP_SLOTS ? event_new(l->base, fd, EV_READ, on_bell, l) : NULL;
		if (e) {
			(void)event_add(e, NULL);
			event_free(e);
		}
		close(fd);
	}
}

int loop_new(const char *name, struct loop **out)
{
	pthread_once(&counted, count_memory);
	struct loop *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->name = name;
	l->returns_end = &l->returns;
	pthread_mutex_init(&l->lock, NULL);
	l->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->lag_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->bell_fd < 0 || l->lag_fd < 0) {
		int err = -errno;
		loop_free(l);
		return err;
	}
	l->base = event_base_new();
	if (l->base) {
		l->bell = event_new(l->base, l->bell_fd, EV_READ | EV_PERSIST, on_bell, l);
		l->lag_timer = event_new(l->base, l->lag_fd, EV_READ | EV_PERSIST, on_lag_timer, l);
	}
	if (!l->bell || !l->lag_timer || event_add(l->bell, NULL) < 0
		|| wheel_new(&l->wheel, l->base) < 0) {
		loop_free(l);
		return -ENOMEM;
	}
	slots_take(l);
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->lag_timer)
		event_free(l->lag_timer);
	if (l->bell)
		event_free(l->bell);
	wheel_free(l->wheel);
	if (l->base)
		event_base_free(l->base);
	if (l->bell_fd >= 0)
		close(l->bell_fd);
	if (l->lag_fd >= 0)
		close(l->lag_fd);
	pthread_mutex_destroy(&l->lock);
	heap_free(l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

struct wheel *loop_wheel(struct loop *l)
{
	return l->wheel;
}

// CPU time of this thread, without the time that it waits or is preempted. A system call.
static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void busy_begin(struct loop *l)
{
	l->cpu_read_us = clock_mono_us();
	l->cpu_us = cpu_us();
}

// Called after an iteration. Its CPU time is at most the time that passed, so a short iteration
// needs no reading.
static void busy_note(struct loop *l)
{
	uint64_t now_us = clock_mono_us();
	uint64_t before_us = l->cpu_us;

	if (now_us < l->cpu_read_us + LOOP_BUSY_FINE_US)
		return;
	l->cpu_read_us = now_us;
	l->cpu_us = cpu_us();
	if (l->cpu_us - before_us > l->busy_max_us[l->lag_last])
		l->busy_max_us[l->lag_last] = l->cpu_us - before_us;
}

// Pauses between two turns, if the loop pauses. A signal may end a pause early.
static void rest(struct loop *l)
{
	if (!l->watch.begin)
		return;
	uint64_t now_us = clock_mono_us();
	if (!l->resting && l->turns >= LOOP_REST_FROM) {
		l->resting = true;
		l->rest_end_us = now_us + LOOP_REST_FOR_US;
	}
	if (now_us >= l->window_us + LOOP_REST_WINDOW_US) {
		l->resting &= l->turns >= LOOP_REST_UNTIL && now_us < l->rest_end_us;
		l->window_us = now_us;
		l->turns = 0;
	}
	if (l->resting && now_us < l->began_us + LOOP_REST_US) {
		uint64_t left_us = l->began_us + LOOP_REST_US - now_us;
		nanosleep(&(struct timespec){.tv_nsec = (long)left_us * 1000}, NULL);
		now_us += left_us;
	}
	l->began_us = now_us;
	l->turns++;
}

static int turn(struct loop *l)
{
	if (!l->watch.begin)
		return event_base_loop(l->base, EVLOOP_ONCE);
	bool more = l->watch.begin(l->watch.arg, l->resting);
	int rc = event_base_loop(l->base, more ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
	// A second event_base_loop would clear the break.
	if (l->resting && rc == 0 && !event_base_got_break(l->base)) {
		l->watch.look(l->watch.arg);
		rc = event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	l->watch.end(l->watch.arg);
	return rc;
}

int loop_run(struct loop *l)
{
	if (lag_arm(l) < 0 || event_add(l->lag_timer, NULL) < 0)
		return -EIO;
	int rc = 0;
	busy_begin(l);
	while (rc == 0 && !event_base_got_break(l->base)) {
		rc = turn(l);
		busy_note(l);
		rest(l);
	}
	event_del(l->lag_timer);
	return rc < 0 ? -EIO : 0;
}

void loop_set_watch(struct loop *l, const struct loop_watch *watch)
{
	l->watch = *watch;
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	loop_ring(l);
}

void loops_settle(struct loop *const *loops, unsigned count)
{
	bool more = true;
	for (unsigned i = 0; i < SETTLE_MAX && more; i++) {
		more = false;
		for (unsigned n = 0; n < count; n++)
			more |= box_run(loops[n]);
	}
}

int loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&l->lock);
	bool room = l->count < LOOP_CALLS_MAX;
	if (room) {
		l->mail[(l->first + l->count) % LOOP_CALLS_MAX] =
			(struct loop_mail){.fn = fn, .arg = arg};
		l->count++;
	}
	pthread_mutex_unlock(&l->lock);
	if (!room) {
		atomic_fetch_add(&l->refused, 1);
		return -EAGAIN;
	}
	loop_ring(l);
	return 0;
}

void loop_call_back(struct loop *l, struct loop_return *r, void (*fn)(void *arg), void *arg)
{
	*r = (struct loop_return){.fn = fn, .arg = arg};
	pthread_mutex_lock(&l->lock);
	*l->returns_end = r;
	l->returns_end = &r->next;
	pthread_mutex_unlock(&l->lock);
	loop_ring(l);
}

uint64_t loop_calls_refused(const struct loop *l)
{
	return atomic_load(&l->refused);
}

void loop_lag_now(const struct loop *l, struct loop_lag *out)
{
	loop_lag_read(&l->lag, out);
}

void loop_lag_minute(const struct loop *l, struct loop_lag_minute *out)
{
	const struct loop_lag *before = &l->lag_kept[(l->lag_last + 1) % LAG_KEPT];
	struct loop_lag now;

	loop_lag_read(&l->lag, &now);
	*out = (struct loop_lag_minute){
		.p50_us = loop_lag_us(&now, before, 500),
		.p99_us = loop_lag_us(&now, before, 990),
		.max_us = loop_lag_us(&now, before, 1000),
		.samples = loop_lag_samples(&now),
		.late = loop_lag_above(&now, LOOP_LATE_US),
	};
}

uint64_t loop_busy_minute_us(const struct loop *l)
{
	uint64_t longest_us = 0;

	for (unsigned i = 0; i < LAG_KEPT; i++)
		if (l->busy_max_us[i] > longest_us)
			longest_us = l->busy_max_us[i];
	return longest_us;
}

int loop_ask(struct loop *l, void *block)
{
	const struct loop_ask *ask = block;
	int rc = ask ? loop_call(l, ask->work, block) : -ENOMEM;
	if (rc < 0)
		heap_free(block);
	return rc;
}

static void deliver(void *arg)
{
	struct loop_ask *block = arg;
	block->deliver(block);
	heap_free(block);
}

void loop_answer(struct loop_ask *block)
{
	loop_call_back(block->reply_to, &block->back, deliver, block);
}

enum { LOOK_MS = 250 };

static void fan_deliver(struct loop_fan *f)
{
	wheel_stop(&f->look);
	f->delivered = true;
	f->deliver(f);
}

// Whether every loop that is not back hangs. False while no loop is back, as there is nothing to
// deliver.
static bool rest_hangs(const struct loop_fan *f)
{
	if (!f->hangs || f->back == 0)
		return false;
	for (unsigned i = 0; i < LOOP_FAN_MAX; i++)
		if ((f->asked & ~f->back) >> i & 1 && !f->hangs(f, i))
			return false;
	return true;
}

static void look_again(struct loop_fan *f);

static void on_look(void *arg)
{
	struct loop_fan *f = arg;
	if (rest_hangs(f))
		fan_deliver(f);
	else
		look_again(f);
}

static void look_again(struct loop_fan *f)
{
	wheel_start(loop_wheel(f->reply_to), &f->look, LOOK_MS, clock_mono_ms());
}

static void reference_drop(struct loop_fan *f)
{
	if (--f->references == 0)
		heap_free(f);
}

static void part_back(void *arg)
{
	struct loop_fan_part *p = arg;
	struct loop_fan *f = p->fan;

	if (!f->delivered) {
		f->back |= 1U << (p - f->part);
		if (f->back == f->asked)
			fan_deliver(f);
	}
	reference_drop(f);
}

// Runs on the loop that gets the reply.
static void looks_begin(void *arg)
{
	struct loop_fan *f = arg;
	if (f->hangs && !f->delivered) {
		f->look.fn = on_look;
		f->look.arg = f;
		look_again(f);
	}
	reference_drop(f);
}

static void part_work(void *arg)
{
	struct loop_fan_part *p = arg;
	struct loop_fan *f = p->fan;
	f->work(f, (unsigned)(p - f->part));
	loop_call_back(f->reply_to, &p->back, part_back, p);
}

static int refused(struct loop_fan *f, int err)
{
	heap_free(f);
	return err;
}

// The mailbox of the first loop that does not hang may refuse. `looks_begin` is sent last and holds
// a reference, so the block lives until then.
int loop_fan(struct loop *const *loops, unsigned count, void *block)
{
	struct loop_fan *f = block;
	unsigned first = count;

	if (!f)
		return -ENOMEM;
	f->references = 1;
	for (unsigned i = count; i-- > 0;) {
		f->part[i].fan = f;
		if (f->hangs && f->hangs(f, i))
			continue;
		f->asked |= 1U << i;
		f->references++;
		first = i;
	}
	if (first == count)
		return refused(f, -ETIMEDOUT);
	const unsigned rest = f->asked & ~(1U << first);
	int rc = loop_call(loops[first], part_work, &f->part[first]);
	if (rc < 0)
		return refused(f, rc);
	for (unsigned i = first + 1; i < count; i++)
		if (rest >> i & 1)
			loop_call_back(loops[i], &f->part[i].go, part_work, &f->part[i]);
	loop_call_back(f->reply_to, &f->begin, looks_begin, f);
	return 0;
}

static void end(struct loop_wait *w)
{
	wheel_stop(&w->look);
	w->then(w->arg);
}

static bool wait_rest_hangs(const struct loop_wait *w)
{
	for (unsigned i = 0; i < sizeof(w->left) * CHAR_BIT; i++)
		if ((w->left >> i & 1) && !w->hangs(w->arg, i))
			return false;
	return true;
}

static void wait_look_again(struct loop_wait *w);

static void wait_on_look(void *arg)
{
	struct loop_wait *w = arg;

	if (!wait_rest_hangs(w)) {
		wait_look_again(w);
		return;
	}
	atomic_store_explicit(&w->late, w->left, memory_order_relaxed);
	w->left = 0;
	end(w);
}

static void wait_look_again(struct loop_wait *w)
{
	w->look.fn = wait_on_look;
	w->look.arg = w;
	wheel_start(loop_wheel(w->loop), &w->look, LOOP_WAIT_LOOK_MS, clock_mono_ms());
}

void loop_wait_begin(struct loop_wait *w, unsigned count)
{
	w->left = (1U << count) - 1;
	if (w->hangs)
		wait_look_again(w);
}

void loop_wait_done(struct loop_wait *w, unsigned part)
{
	const unsigned bit = 1U << part;

	// Release: a thread that reads that no part is late sees what this part has written.
	if (!(w->left & bit)) {
		atomic_fetch_and_explicit(&w->late, ~bit, memory_order_release);
		return;
	}
	w->left &= ~bit;
	if (w->left == 0)
		end(w);
}
