// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Refresh-ahead over a real L0 under a fake clock; it asks a list.

#include "controlplane/resolver/refresh.h"
#include "refresh_shipped.h"
#include "tests/unit/core/l0/l0_fixture.h"
#include "tests/unit/unit.h"

#include <weir/shm_abi.h>

enum { ASKED_MAX = 512 };

static struct box box;
static struct refresh *refresh;
static uint64_t now_ms;
static struct refresh_request *asked[ASKED_MAX];
static uint32_t asked_id[ASKED_MAX];
static unsigned asked_count;
static enum refresh_started start_says;

static inline uint32_t under_way(const struct refresh *f)
{
	struct refresh_report r;
	refresh_report(f, clock_mono_ms(), &r);
	return r.inflight;
}

static inline uint32_t id_of(const struct refresh_request *q)
{
	uint32_t id = 0;
	for (unsigned i = 0; i < 8; i++)
		id |= (uint32_t)(q->name[1 + i] - 'a') << 4 * i;
	return id;
}

static inline enum refresh_started on_start(void *, struct refresh_request *q)
{
	if (start_says != REFRESH_UNDER_WAY)
		return start_says;
	assert_true(asked_count < ASKED_MAX);
	asked_id[asked_count] = id_of(q);
	asked[asked_count++] = q;
	return REFRESH_UNDER_WAY;
}

static inline struct config_refresh settings(void)
{
	return refresh_shipped;
}

static inline void configure(const struct config_refresh *c)
{
	refresh_configure(refresh, c, &(struct config_cache){0}, 4096);
}

static inline int setup(void **)
{
	const struct refresh_ops ops = {.start = on_start};
	const struct config_refresh c = settings();
	assert_true(box_open(&box, 2 << 20, 2));
	(void)box_marks(&box, 0);
	assert_int_equal(refresh_new(&refresh, box.w, &ops), 0);
	configure(&c);
	now_ms = 1000000;
	asked_count = 0;
	start_says = REFRESH_UNDER_WAY;
	return 0;
}

static inline int teardown(void **)
{
	refresh_free(refresh);
	box_close(&box);
	return 0;
}

static inline struct l0_key key_of(uint32_t id, struct box_name *n)
{
	return box_key(l0_writer_reader(box.w), id, n);
}

static inline void put(uint32_t id, uint32_t ttl_s, unsigned hits)
{
	static struct box_put p;
	box_put_fill(l0_writer_reader(box.w), &p, id, 1, 48, now_ms, 0);
	p.put.soft_ms = ttl_s * 1000;
	p.put.hard_ms = (ttl_s + 3600) * 1000;
	p.put.auth_ttl_s = ttl_s;
	p.put.refresh_ms = refresh_told_ms(refresh_policy(refresh), p.put.soft_ms, ttl_s);
	p.put.hits = (uint16_t)hits;
	assert_int_equal(l0_writer_put(box.w, &p.put), 0);
	refresh_stored(refresh, &p.put.key, p.put.refresh_ms, now_ms);
}

static inline void tell(uint32_t id)
{
	struct box_name n;
	const struct l0_key key = key_of(id, &n);
	refresh_hit(refresh, &key, now_ms);
}

static inline void heat_up(uint32_t id, unsigned hits)
{
	struct box_name n;
	const struct l0_key key = key_of(id, &n);
	l0_writer_heat_add(box.w, &key, hits);
}

static inline void sweep(void)
{
	refresh_sweep_begin(refresh, now_ms);
	while (!refresh_sweep_step(refresh, now_ms, 64))
		;
}

// Runs what is due by then: so many are under way since the last end_all().
static inline void asked_after(uint64_t ms, unsigned count)
{
	now_ms += ms;
	refresh_run(refresh, now_ms);
	assert_int_equal(asked_count, count);
}

static inline struct refresh_counts counts(void)
{
	struct refresh_counts sum;
	refresh_stats_sum(refresh_stats(refresh), now_ms, REFRESH_MINUTES, &sum);
	return sum;
}

static inline void end_all(enum refresh_end end)
{
	unsigned n = asked_count;
	asked_count = 0;
	for (unsigned i = 0; i < n; i++)
		refresh_ended(refresh, asked[i], end, now_ms);
}
