// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/loop.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#include <sys/resource.h>
#include <weir/heap_site.h>

struct seen {
	struct loop *loop;
	unsigned count, out_of_order;
};

static struct seen seen;

static void count_call(void *arg)
{
	if ((uintptr_t)arg != seen.count)
		seen.out_of_order++;
	seen.count++;
}

static void stop_call(void *arg)
{
	loop_stop(arg);
}

static void wait_call(void *arg)
{
	clock_pass_ms((uint32_t)(uintptr_t)arg);
}

TEST(test_calls_run_in_order_before_a_stop)
{
	struct loop *l;
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	for (uintptr_t i = 0; i < 100; i++)
		assert_int_equal(loop_call(l, count_call, (void *)i), 0);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(seen.count, 100);
	assert_int_equal(seen.out_of_order, 0);
	loop_free(l);
}

TEST(test_full_mailbox_refuses_and_counts)
{
	struct loop *l;
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	for (uintptr_t i = 0; i < LOOP_CALLS_MAX; i++)
		assert_int_equal(loop_call(l, count_call, (void *)i), 0);
	assert_int_equal(loop_call(l, count_call, NULL), -EAGAIN);
	assert_int_equal(loop_calls_refused(l), 1);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(seen.count, LOOP_CALLS_MAX);
	assert_int_equal(loop_call(l, count_call, (void *)LOOP_CALLS_MAX), 0);
	loop_free(l);
}

struct back {
	struct loop_return way;
	struct loop *loop;
	unsigned again; // so often it goes once more
};

static void on_back(void *arg)
{
	struct back *b = arg;
	seen.count++;
	if (b->again--)
		loop_call_back(b->loop, &b->way, on_back, b);
}

// A waiting thread would wait forever.
TEST(test_a_full_mailbox_takes_what_comes_back)
{
	struct loop *l;
	struct back back[3];
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	for (uintptr_t i = 0; i < LOOP_CALLS_MAX; i++)
		assert_int_equal(loop_call(l, count_call, (void *)i), 0);
	for (unsigned i = 0; i < 3; i++) {
		back[i] = (struct back){.loop = l, .again = i};
		loop_call_back(l, &back[i].way, on_back, &back[i]);
	}
	assert_int_equal(loop_calls_refused(l), 0);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(seen.count, LOOP_CALLS_MAX + 6);
	loop_free(l);
}

struct watcher {
	struct loop *loop;
	struct event *found;
	unsigned begun, looked, heard, ended;
	unsigned looks_due; // no pause after the iteration that stops the loop
	bool rested, stopped;
};

enum { WATCHED_TURNS = 200, WATCHED_MOST = 100000 };

static bool on_begin(void *arg, bool resting)
{
	struct watcher *w = arg;

	assert_int_equal(w->begun, w->ended);
	assert_false(w->stopped);
	w->rested |= resting;
	w->looks_due += resting;
	if (++w->begun < WATCHED_TURNS || (!w->rested && w->begun < WATCHED_MOST))
		return true;
	loop_stop(w->loop);
	w->stopped = true;
	w->looks_due -= resting;
	return false;
}

static void on_look(void *arg)
{
	struct watcher *w = arg;

	assert_int_equal(w->begun, w->ended + 1);
	w->looked++;
	event_active(w->found, EV_READ, 0);
}

static void on_found(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	((struct watcher *)arg)->heard++;
}

// What a look found is done before the rest.
static void on_end(void *arg)
{
	struct watcher *w = arg;

	assert_int_equal(w->looked, w->looks_due);
	assert_int_equal(w->heard, w->looked);
	w->ended++;
}

// Nothing happens but that the lag timer rings, so a turn that waited would have waited for that.
TEST(test_a_watch_that_saw_something_is_not_waited_for)
{
	struct watcher w = {0};
	struct loop_lag_minute lag;
	assert_int_equal(loop_new("test", &w.loop), 0);
	w.found = event_new(loop_base(w.loop), -1, 0, on_found, &w);
	loop_set_watch(w.loop,
		&(struct loop_watch){.begin = on_begin, .look = on_look, .end = on_end, .arg = &w});
	assert_int_equal(loop_run(w.loop), 0);
	loop_lag_minute(w.loop, &lag);
	assert_int_equal(w.begun, w.ended);
	assert_true(w.rested);
	assert_true(w.looked > 0);
	event_free(w.found);
	assert_true(lag.samples < w.begun / 2);
	loop_free(w.loop);
}

static void *run_loop(void *arg)
{
	return (void *)(intptr_t)loop_run(arg);
}

TEST(test_other_threads_call_into_a_running_loop)
{
	struct loop *l;
	pthread_t thread;
	void *rc;
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	assert_int_equal(pthread_create(&thread, NULL, run_loop, l), 0);
	for (uintptr_t i = 0; i < 10000; i++)
		WAIT_FOR(loop_call(l, count_call, (void *)i) != -EAGAIN);
	WAIT_FOR(loop_call(l, stop_call, l) != -EAGAIN);
	pthread_join(thread, &rc);
	assert_int_equal((intptr_t)rc, 0);
	assert_int_equal(seen.count, 10000);
	assert_int_equal(seen.out_of_order, 0);
	loop_free(l);
}

TEST(test_a_blocking_call_shows_as_lag)
{
	struct loop *l;
	pthread_t thread;
	assert_int_equal(loop_new("test", &l), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, l), 0);
	assert_int_equal(loop_call(l, wait_call, (void *)(uintptr_t)120), 0);
	clock_pass_ms(200);
	struct loop_lag seen_first, seen_then;
	loop_lag_now(l, &seen_first);
	clock_pass_ms(50);
	loop_lag_now(l, &seen_then);
	loop_stop(l);
	pthread_join(thread, NULL);
	struct loop_lag_minute minute;
	loop_lag_minute(l, &minute);
	uint64_t lag_us = loop_lag_us(&seen_first, NULL, 1000);
	assert_true(lag_us >= 90000);
	assert_true(loop_lag_us(&seen_then, NULL, 1000) >= lag_us); // nobody takes it away
	assert_true(loop_lag_us(&seen_then, &seen_first, 1000) < lag_us);
	assert_true(minute.max_us >= lag_us);
	assert_true(minute.p50_us <= minute.p99_us && minute.p99_us <= minute.max_us);
	// Of the six ringings that were slept through each counts: 100, 80, 60 ms late and so on.
	assert_true(loop_lag_us(&seen_first, NULL, 600) >= 20000);
	loop_free(l);
}

static void work_call(void *arg)
{
	clock_still_work_us((uint32_t)(uintptr_t)arg);
}

TEST(test_busy_is_work_and_not_waiting)
{
	struct loop *l;
	pthread_t thread;
	assert_int_equal(loop_new("test", &l), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, l), 0);
	assert_int_equal(loop_call(l, wait_call, (void *)(uintptr_t)100), 0);
	clock_pass_ms(10);
	assert_int_equal(loop_call(l, work_call, (void *)(uintptr_t)15000), 0);
	clock_pass_ms(150);
	for (unsigned i = 0; i < 100; i++) { // many short turns are no long one
		WAIT_FOR(loop_call(l, work_call, (void *)(uintptr_t)300) != -EAGAIN);
		clock_pass_ms(1);
	}
	loop_stop(l);
	pthread_join(thread, NULL);
	uint64_t busy_us = loop_busy_minute_us(l);
	assert_in_range(busy_us, 15000, 15000 + LOOP_BUSY_FINE_US);
	assert_int_equal(loop_busy_minute_us(l), busy_us); // nobody takes it away
	loop_free(l);
}

struct turner {
	struct loop *loop;
	struct event *event;
	uint64_t until_us, count_from_us;
	unsigned turns;
};

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct turner *t = arg;
	uint64_t now_us = clock_mono_us();
	(void)fd, (void)what;
	t->turns += now_us >= t->count_from_us;
	if (now_us >= t->until_us)
		loop_stop(t->loop);
	else
		event_add(t->event, &(struct timeval){0});
}

static bool on_quiet_begin(void *, bool)
{
	return false;
}

static void on_quiet(void *)
{
}

static const struct loop_watch quiet = {.begin = on_quiet_begin, .look = on_quiet, .end = on_quiet};

// Something to do in each turn: it is done in some thousand turns a second and not in a million. A
// loop that the machine keeps from running looks idle for a while, so each window may begin again.
TEST(test_a_busy_loop_rests)
{
	struct turner t;
	assert_int_equal(loop_new("test", &t.loop), 0);
	loop_set_watch(t.loop, &quiet);
	t.event = event_new(loop_base(t.loop), -1, 0, on_turn, &t);
	t.count_from_us = clock_mono_us() + 2 * LOOP_REST_WINDOW_US;
	t.until_us = t.count_from_us + 50000;
	t.turns = 0;
	event_add(t.event, &(struct timeval){0});
	assert_int_equal(loop_run(t.loop), 0);
	assert_in_range(t.turns, 1, (50000 / LOOP_REST_WINDOW_US + 2) * LOOP_REST_FROM);
	event_free(t.event);
	loop_free(t.loop);
}

// It knows no source that it could poll meanwhile, so a pause would only delay its events.
TEST(test_a_busy_loop_without_a_watch_never_pauses)
{
	struct turner t;
	struct rusage before, after;
	assert_int_equal(loop_new("test", &t.loop), 0);
	t.event = event_new(loop_base(t.loop), -1, 0, on_turn, &t);
	t.count_from_us = t.turns = 0;
	t.until_us = clock_mono_us() + 50000;
	event_add(t.event, &(struct timeval){0});
	assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
	assert_int_equal(loop_run(t.loop), 0);
	assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, t.turns / 8);
	event_free(t.event);
	loop_free(t.loop);
}

struct rester {
	struct loop *loop;
	uint64_t until_us;
	unsigned changes; // between turns by time and turns by events
	bool is_resting;
};

static bool on_rester_begin(void *arg, bool resting)
{
	struct rester *r = arg;
	r->changes += resting != r->is_resting;
	r->is_resting = resting;
	if (r->changes < 3 && clock_mono_us() < r->until_us)
		return true;
	loop_stop(r->loop);
	return false;
}

// It pauses, counts its turns without pauses for a while, and pauses again.
TEST(test_pauses_are_earned_again)
{
	struct rester r = {.until_us = clock_mono_us() + 20000000};
	assert_int_equal(loop_new("test", &r.loop), 0);
	loop_set_watch(r.loop,
		&(struct loop_watch){
			.begin = on_rester_begin, .look = on_quiet, .end = on_quiet, .arg = &r});
	assert_int_equal(loop_run(r.loop), 0);
	assert_int_equal(r.changes, 3);
	loop_free(r.loop);
}

TEST(test_quantiles_are_never_too_low)
{
	static struct loop_lag_live live;
	struct loop_lag before, now;
	loop_lag_read(&live, &before);
	assert_int_equal(loop_lag_us(&before, NULL, 990), 0);
	for (unsigned us = 1; us <= 1000; us++)
		loop_lag_add(&live, us);
	loop_lag_read(&live, &now);
	assert_in_range(loop_lag_us(&now, &before, 500), 500, 600);
	assert_in_range(loop_lag_us(&now, &before, 990), 990, 1190);
	assert_in_range(loop_lag_us(&now, NULL, 1000), 1000, 1200);
	assert_int_equal(loop_lag_us(&now, &before, 5), 5);
	assert_int_equal(loop_lag_samples(&now), 1000);
	assert_int_equal(loop_lag_above(&now, 511), 1000 - 511);
	assert_int_equal(loop_lag_above(&now, LOOP_LATE_US), 0);
	loop_lag_add(&live, LOOP_LATE_US + 1);
	loop_lag_read(&live, &now);
	assert_int_equal(loop_lag_above(&now, LOOP_LATE_US), 1);
	for (uint64_t us = 1; us < UINT64_MAX / 3; us *= 3) {
		struct loop_lag was = now;
		loop_lag_add(&live, us);
		loop_lag_read(&live, &now);
		uint64_t is = loop_lag_us(&now, &was, 990);
		assert_true(us > 29000000 ? is >= 29000000 : is >= us && is - us <= us / 4 + 1);
	}
}

struct asked {
	struct loop *from, *to;
	struct loop_return back;
	bool answered;
};

static void answer_deliver(void *arg)
{
	struct asked *a = arg;
	a->answered = true;
}

static void answer_make(void *arg)
{
	struct asked *a = arg;
	loop_call_back(a->from, &a->back, answer_deliver, a);
}

// A question that is on its way when both loops end gets its answer, for what that gives back.
TEST(test_questions_of_ended_loops_are_answered)
{
	struct asked one = {0}, two = {0};
	assert_int_equal(loop_new("from", &one.from), 0);
	assert_int_equal(loop_new("to", &one.to), 0);
	two.from = one.from;
	loop_stop(one.from);
	loop_stop(one.to);
	assert_int_equal(loop_run(one.to), 0);
	assert_int_equal(loop_run(one.from), 0);
	assert_int_equal(loop_call(one.to, answer_make, &one), 0);
	answer_make(&two);
	assert_false(one.answered || two.answered);
	loops_settle((struct loop *[]){one.to, one.from}, 2);
	assert_true(one.answered && two.answered);
	loop_free(one.from);
	loop_free(one.to);
}

static uint64_t libevent_bytes(void)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	uint64_t bytes = 0;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(site[i]->file, "libevent") == 0)
			bytes += atomic_load(&site[i]->bytes);
	return bytes;
}

// What the loop keeps for the number of a descriptor is there from the start on.
TEST(test_new_descriptors_take_no_memory)
{
	struct loop *l;
	assert_int_equal(loop_new("test", &l), 0);
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LOOP_SLOTS - 1);
	if (fd < 0)
		skip(); // so few descriptors are allowed here
	close(fd);
	uint64_t before = libevent_bytes();
	assert_true(before > 0);
	for (int at = 100; at < LOOP_SLOTS; at++) {
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		fd = fcntl(ends[0], F_DUPFD_CLOEXEC, at);
		assert_in_range(fd, at, LOOP_SLOTS - 1);
		struct event *e = event_new(loop_base(l), fd, EV_READ, NULL, NULL);
		assert_non_null(e);
		assert_int_equal(event_add(e, NULL), 0);
		event_free(e);
		close(fd);
		close(ends[0]);
		close(ends[1]);
	}
	assert_int_equal(libevent_bytes(), before);
	loop_free(l);
}
