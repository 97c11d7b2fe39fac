// SPDX-License-Identifier: BSD-3-Clause
#include "housekeep.h"

#include <string.h>
#include <weir/log.h>
#include <weir/mem_account.h>

static_assert((int)MEM_ACCOUNT_COUNT <= (int)STATS_ACCOUNTS_MAX);
static_assert((int)MEM_MAPS <= (int)STATS_MAPS_MAX && (int)MEM_FDS <= (int)STATS_FDS_MAX);

static uint64_t get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void set(_Atomic uint64_t *n, uint64_t value)
{
	atomic_store_explicit(n, value, memory_order_relaxed);
}

// Bytes in no account.
static uint64_t rest_read(struct stats_memory *m)
{
	struct mem_process p = {0};
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	mem_allocator_read(&p);
	const struct mem_sum all = mem_accounts(by);
	set(&m->allocated, p.allocated);
	set(&m->held, p.held);
	set(&m->accounted, all.bytes);
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		set(&m->account[i], by[i].bytes);
	return mem_unexplained(&p, &all);
}

void housekeep_memory_start(struct stats_memory *m)
{
	set(&m->libraries, rest_read(m));
}

void housekeep_memory_look(struct stats_memory *m)
{
	uint64_t rest = rest_read(m), libraries = get(&m->libraries);
	uint64_t unexplained = rest > libraries ? rest - libraries : 0;
	bool alarming = unexplained > MEM_DATAPLANE_ALARM;
	set(&m->unexplained, unexplained);
	if (unexplained > get(&m->unexplained_max))
		set(&m->unexplained_max, unexplained);
	if (alarming == (get(&m->alarming) != 0))
		return;
	set(&m->alarming, alarming);
	set(&m->alarms, get(&m->alarms) + alarming);
	if (alarming)
		log_warning("memory: %llu KiB allocated since the start are unaccounted",
			(unsigned long long)unexplained >> 10);
	else
		log_info("unaccounted memory back under the threshold");
}

static void failed(int rc)
{
	log_warning(
		"memory: /proc/self: %s; mappings and descriptors are not counted", strerror(-rc));
}

void housekeep_kinds_begin(struct mem_look *l)
{
	int rc = mem_look_begin(l);
	if (rc < 0)
		failed(rc);
}

void housekeep_kinds_step(struct mem_look *l, struct stats_kinds *out)
{
	struct mem_kinds k;
	int rc = mem_look_step(l, &k);
	if (rc < 0)
		failed(rc);
	if (rc <= 0)
		return;
	for (unsigned i = 0; i < MEM_MAPS; i++) {
		set(&out->maps[i], k.maps[i]);
		set(&out->bytes[i], k.bytes[i]);
	}
	for (unsigned i = 0; i < MEM_FDS; i++)
		set(&out->descriptors[i], k.descriptors[i]);
	for (unsigned i = 0; i < REGION_KINDS; i++) {
		struct stats_deleted *d = &out->deleted[i];
		set(&d->files, k.deleted[i].files);
		set(&d->bytes, k.deleted[i].bytes);
		set(&d->stale, k.deleted[i].stale);
		set(&d->stale_bytes, k.deleted[i].stale_bytes);
		set(&d->behind, k.deleted[i].behind);
	}
	set(&out->looks, get(&out->looks) + 1);
}
