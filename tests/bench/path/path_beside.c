// SPDX-License-Identifier: BSD-3-Clause
#include "path_beside.h"

#include "tests/bench/corpus_l0.h"
#include "tools/loadgen/corpus.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <weir/clock.h>

enum { TICK_US = 50, DEBT_US = 2000, IDLE_US = 1000, HUGE_PAGE = 2 << 20 };

static cpu_set_t all; // CPUs of the process before EAL took them away

bool path_beside_prepare(void)
{
	return sched_getaffinity(0, sizeof(all), &all) == 0 && CPU_COUNT(&all) > 1;
}

static void sleep_us(unsigned us)
{
	const struct timespec t = {.tv_nsec = us * 1000L};
	(void)nanosleep(&t, NULL);
}

static void write_one(struct path_beside *b, uint64_t draw)
{
	uint32_t id = (uint32_t)(corpus_mix(draw) % b->r->names);
	bool ok = corpus_l0_put(b->r->l0.writer, id, clock_mono_coarse_ms(clock_suspended_ms(0)))
		  == 0;
	atomic_fetch_add_explicit(ok ? &b->written : &b->refused, 1, memory_order_relaxed);
}

// As many as are due by the clock. Who was held up catches up on the last two milliseconds.
static void *write_records(void *arg)
{
	struct path_beside *b = arg;
	uint64_t draw = 0, then_us = clock_mono_us();
	(void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	while (!atomic_load(&b->stop)) {
		uint64_t now_us = clock_mono_us(), due_us = now_us - then_us;
		if (due_us > DEBT_US)
			due_us = DEBT_US;
		uint64_t due = atomic_load(&b->on) ? due_us * PATH_WRITES_PER_S / 1000000 : 0;
		then_us = now_us;
		l0_writer_reclaim(b->r->l0.writer);
		while (due--)
			write_one(b, draw++);
		sleep_us(TICK_US);
	}
	return NULL;
}

// A fresh image in fresh memory: a copy of the case's, or one built from its names.
static bool make_image(struct path_beside *b, void **image, struct rule_reader *reader)
{
	const struct rule_image_head *from = path_rig_rules(b->c);
	char why[128] = "";
	if (b->c->versus == VERSUS_BUILDS)
		return path_rules_build(image, b->c->traffic.listed, b->c->traffic.groups, reader);
	size_t size = (from->size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	*image = aligned_alloc(HUGE_PAGE, size);
	if (!*image)
		return false;
	(void)madvise(*image, size, MADV_HUGEPAGE);
	memcpy(*image, from, from->size);
	return rule_reader_init(reader, *image, from->size, true, why) == 0;
}

static bool hand_over(struct path_beside *b, const struct worker_tables *t)
{
	atomic_store_explicit(&b->r->w.next_tables, t, memory_order_release);
	while (atomic_load_explicit(&b->r->w.tables_in_use, memory_order_acquire) != t) {
		if (atomic_load(&b->stop))
			return false;
		sleep_us(TICK_US);
	}
	return true;
}

static void *publish_images(void *arg)
{
	struct path_beside *b = arg;
	uint64_t n = 0;
	while (!atomic_load(&b->stop)) {
		if (atomic_load(&b->wanted) == n) {
			sleep_us(IDLE_US);
			continue;
		}
		unsigned slot = n++ % 2;
		b->tables[slot] = b->r->tables;
		if (!make_image(b, &b->image[slot], &b->tables[slot].rules)) {
			atomic_store(&b->failed, true);
			break;
		}
		if (!hand_over(b, &b->tables[slot]))
			break;
		free(b->image[!slot]);
		b->image[!slot] = NULL;
		atomic_store(&b->published, n);
	}
	return NULL;
}

static void go_online(struct path_rig *r)
{
	r->l0.epoch.seen[0] = &r->dp.seen_epoch;
	r->w.epoch = path_rig_epoch(r);
	r->w.epoch.epoch = &r->l0.epoch_now;
	r->w.epoch.seen = &r->dp.seen_epoch;
	epoch_online(&r->w.epoch);
}

bool path_beside_start(struct path_beside *b, struct path_rig *r, const struct path_case *c)
{
	memset(b, 0, sizeof(*b));
	b->r = r;
	b->c = c;
	go_online(r);
	pthread_attr_t attr;
	cpu_set_t others = all;
	CPU_CLR((size_t)sched_getcpu(), &others); // EAL has fixed us to it
	pthread_attr_init(&attr);
	int rc = pthread_attr_setaffinity_np(&attr, sizeof(others), &others);
	if (rc == 0)
		rc = pthread_create(&b->thread, &attr,
			c->versus == VERSUS_WRITES ? write_records : publish_images, b);
	pthread_attr_destroy(&attr);
	if (rc)
		fprintf(stderr, "%s: no thread beside the worker: %s\n", c->name, strerror(rc));
	return rc == 0;
}

void path_beside_stop(struct path_beside *b)
{
	struct path_rig *r = b->r;
	atomic_store(&b->stop, true);
	pthread_join(b->thread, NULL);
	atomic_store(&r->w.next_tables, &r->tables);
	path_rig_top(r);
	epoch_offline(&r->w.epoch);
	r->w.epoch = path_rig_epoch(r);
	r->l0.epoch.seen[0] = NULL;
	l0_writer_reclaim(r->l0.writer);
	free(b->image[0]);
	free(b->image[1]);
}
