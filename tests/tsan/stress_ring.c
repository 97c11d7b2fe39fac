// SPDX-License-Identifier: BSD-3-Clause

// Two worker rings, three threads: each worker polls, sends numbered misses and checks that an
// answer to each comes back, whole and in order; the control thread reads both worker rings,
// answers, and sleeps on one eventfd whenever it finds nothing. A lost wake-up shows as a sleep
// that ends by its deadline although a ring is not empty.

#include "stress.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weir/shm_msg.h>
#include <weir/shm_ring.h>

// A message is put and got twice, there and back.
enum { OPERATIONS_A_MESSAGE = 4 };
enum { LANES = 2, UNITS = 256, BATCH = 32, LEN_MAX = UNITS / 4 * RING_UNIT - 8, SLEEP_MS = 2000 };

struct rings {
	struct ring_index miss_tail, miss_head, answer_tail, answer_head;
	alignas(CACHE_LINE) uint8_t miss[UNITS * RING_UNIT];
	uint8_t answer[UNITS * RING_UNIT];
	uint64_t rounds;
	uint64_t full; // times the miss ring took no more
	int doorbell;
};

static struct rings worker_rings[LANES];
static uint64_t sleeps; // of the control thread

static uint32_t length_of(uint64_t n)
{
	// Mostly short, as questions are; sometimes as long as the ring takes.
	return n % 64 == 0 ? LEN_MAX - (uint32_t)(n / 64 % 200) : 16 + (uint32_t)(n * 29 % 300);
}

static bool message_put(struct ring_producer *p, uint16_t type, uint64_t n)
{
	uint32_t len = length_of(n);
	uint8_t *m = ring_reserve(p, type, len);
	if (!m)
		return false;
	memset(m, (uint8_t)n, len);
	memcpy(m, &n, sizeof(n));
	return true;
}

// Reads one message if there is one, and checks all of it against its number.
static bool message_get(struct ring_consumer *c, uint16_t type, uint64_t n)
{
	uint8_t buf[LEN_MAX];
	uint16_t got_type = 0;
	uint64_t got;
	int len = ring_read(c, buf, sizeof(buf), &got_type);
	if (len == 0)
		return false;
	CHECK(len > 0);
	memcpy(&got, buf, sizeof(got));
	CHECK(got == n && got_type == type && (uint32_t)len == length_of(n));
	CHECK(buf[8] == (uint8_t)n && memcmp(buf + 8, buf + 9, (size_t)len - 9) == 0);
	return true;
}

static unsigned worker_send(struct rings *l, struct ring_producer *p, uint64_t *next)
{
	unsigned sent = 0;
	while (sent < BATCH && *next < l->rounds && message_put(p, MSG_MISS, *next)) {
		++*next;
		sent++;
	}
	l->full += sent < BATCH && *next < l->rounds;
	if (sent == 0)
		return 0;
	ring_publish(p);
	uint64_t one = 1;
	if (ring_wants_wake(p))
		CHECK(write(l->doorbell, &one, sizeof(one)) == sizeof(one));
	return sent;
}

static void *worker_main(void *arg)
{
	struct rings *l = arg;
	struct ring_producer p;
	struct ring_consumer c;
	ring_producer_init(&p, &l->miss_tail, &l->miss_head, l->miss, UNITS);
	ring_consumer_init(&c, &l->answer_tail, &l->answer_head, l->answer, UNITS);
	uint64_t sent = 0, answered = 0, deadline = stress_now_ms() + STRESS_WAIT_MS;
	while (answered < l->rounds) {
		unsigned done = worker_send(l, &p, &sent);
		while (message_get(&c, MSG_ANSWER, answered)) {
			answered++;
			done++;
		}
		ring_release(&c);
		// Now and then all is drained first, so that the control thread falls asleep.
		while (sent % 4096 < BATCH && answered < sent) {
			answered += message_get(&c, MSG_ANSWER, answered);
			ring_release(&c);
			CHECK(stress_now_ms() < deadline);
		}
		if (done) {
			deadline = stress_now_ms() + STRESS_WAIT_MS;
			continue;
		}
		CHECK(stress_now_ms() < deadline);
		sched_yield();
	}
	CHECK(p.anomalies + c.anomalies == 0);
	return NULL;
}

struct control {
	struct ring_consumer c[LANES];
	struct ring_producer p[LANES];
	uint64_t next[LANES];
};

static void answer(struct control *ctl, unsigned i)
{
	uint64_t deadline = stress_now_ms() + STRESS_WAIT_MS;
	while (!message_put(&ctl->p[i], MSG_ANSWER, ctl->next[i])) {
		ring_publish(&ctl->p[i]);
		CHECK(stress_now_ms() < deadline);
		sched_yield();
	}
	ctl->next[i]++;
}

static unsigned control_poll(struct control *ctl)
{
	unsigned done = 0;
	for (unsigned i = 0; i < LANES; i++) {
		for (unsigned k = 0; k < BATCH; k++, done++) {
			if (!message_get(&ctl->c[i], MSG_MISS, ctl->next[i]))
				break;
			answer(ctl, i);
		}
		ring_release(&ctl->c[i]);
		ring_publish(&ctl->p[i]);
	}
	return done;
}

static bool control_finished(const struct control *ctl)
{
	for (unsigned i = 0; i < LANES; i++)
		if (ctl->next[i] < worker_rings[i].rounds)
			return false;
	return true;
}

static void control_sleep(struct control *ctl, int doorbell)
{
	bool empty = true;
	for (unsigned i = 0; i < LANES; i++)
		empty = ring_prepare_sleep(&ctl->c[i]) && empty;
	if (empty) {
		struct pollfd pfd = {.fd = doorbell, .events = POLLIN};
		int n = poll(&pfd, 1, SLEEP_MS);
		CHECK(n >= 0 || errno == EINTR);
		for (unsigned i = 0; i < LANES && n == 0; i++) {
			if (ring_consumer_used(&ctl->c[i]) == 0)
				continue;
			// It came just now, and the bell comes when its thread has a CPU again; or
			// it is lost.
			n = poll(&pfd, 1, STRESS_WAIT_MS);
			CHECK(n == 1);
		}
		uint64_t rung;
		if (n == 1)
			CHECK(read(doorbell, &rung, sizeof(rung)) == sizeof(rung));
		sleeps++;
	}
	for (unsigned i = 0; i < LANES; i++)
		ring_awake(&ctl->c[i]);
}

int main(int argc, char **argv)
{
	static struct control ctl;
	uint64_t rounds = stress_rounds_of(argc, argv, OPERATIONS_A_MESSAGE);
	int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(doorbell >= 0);
	pthread_t thread[LANES];
	for (unsigned i = 0; i < LANES; i++) {
		struct rings *l = &worker_rings[i];
		l->rounds = rounds / LANES;
		l->doorbell = doorbell;
		ring_consumer_init(&ctl.c[i], &l->miss_tail, &l->miss_head, l->miss, UNITS);
		ring_producer_init(&ctl.p[i], &l->answer_tail, &l->answer_head, l->answer, UNITS);
		CHECK(pthread_create(&thread[i], NULL, worker_main, l) == 0);
	}
	uint64_t start = stress_now_ms();
	while (!control_finished(&ctl))
		if (control_poll(&ctl) == 0)
			control_sleep(&ctl, doorbell);
	for (unsigned i = 0; i < LANES; i++) {
		CHECK(pthread_join(thread[i], NULL) == 0);
		CHECK(ctl.c[i].anomalies + ctl.p[i].anomalies == 0);
	}
	printf("%llu messages there and back in %llu ms; slept %llu times, full %llu times\n",
		(unsigned long long)rounds, (unsigned long long)(stress_now_ms() - start),
		(unsigned long long)sleeps,
		(unsigned long long)(worker_rings[0].full + worker_rings[1].full));
	CHECK(sleeps > 0);
	close(doorbell);
	return 0;
}
