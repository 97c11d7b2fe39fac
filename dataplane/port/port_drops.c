// SPDX-License-Identifier: BSD-3-Clause

#include "port_drops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>

void drops_init(struct drops *d, const uint16_t *port_ids, unsigned count)
{
	*d = (struct drops){.port_count = count};
	memcpy(d->port_id, port_ids, count * sizeof(d->port_id[0]));
}

static bool is_same(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && a->prefix_len == b->prefix_len
	       && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static struct drop_entry *find(struct drops *d, const struct ip_address *source)
{
	for (unsigned i = 0; i < d->count; i++) {
		if (is_same(&d->entry[i].source, source))
			return &d->entry[i];
	}
	return NULL;
}

static unsigned put_on_ports(struct drops *d, struct drop_entry *e, char why[DROPS_WHY_MAX])
{
	unsigned taken = 0;
	for (unsigned i = 0; i < d->port_count; i++) {
		if (port_flow_drop(&e->rule[i], d->port_id[i], &e->source, why, DROPS_WHY_MAX) == 0)
			taken++;
	}
	return taken;
}

int drops_add(struct drops *d, const struct ip_address *source, uint64_t expires_ms,
	char why[DROPS_WHY_MAX])
{
	if (!drop_source_is_sane(source->version, source->prefix_len)) {
		snprintf(why, DROPS_WHY_MAX, "so short a prefix is never dropped");
		return -EINVAL;
	}
	struct drop_entry *e = find(d, source);
	if (e) {
		e->expires_ms = expires_ms;
		return 0;
	}
	if (d->count == DROPS_MAX) {
		d->full++;
		snprintf(why, DROPS_WHY_MAX, "%d sources are dropped already", DROPS_MAX);
		return -ENOSPC;
	}
	e = &d->entry[d->count];
	*e = (struct drop_entry){.source = *source, .expires_ms = expires_ms};
	if (put_on_ports(d, e, why) == 0) {
		d->refused++;
		return -ENOTSUP;
	}
	d->count++;
	return 0;
}

static void take_away(struct drops *d, struct drop_entry *e)
{
	for (unsigned i = 0; i < d->port_count; i++) {
		port_flow_drop_end(&e->rule[i], d->port_id[i]);
	}
	*e = d->entry[--d->count];
}

void drops_expire(struct drops *d, uint64_t now_ms)
{
	for (unsigned i = d->count; i-- > 0;) {
		if (d->entry[i].expires_ms <= now_ms)
			take_away(d, &d->entry[i]);
	}
}

unsigned drops_partial(const struct drops *d)
{
	unsigned partial = 0;
	for (unsigned i = 0; i < d->count; i++) {
		bool is_whole = true;
		for (unsigned p = 0; p < d->port_count; p++)
			is_whole &= d->entry[i].rule[p].plain && d->entry[i].rule[p].tagged;
		partial += !is_whole;
	}
	return partial;
}

void drops_clear(struct drops *d)
{
	while (d->count > 0)
		take_away(d, &d->entry[d->count - 1]);
}

// Makes a consistent copy. False: it was being written; try again.
static bool copy_asked(const struct directory *dir, struct directory_drops *out)
{
	uint64_t before = atomic_load_explicit(&dir->drops.sequence, memory_order_acquire);
	if (before % 2)
		return false;
	memcpy(out->entry, dir->drops.entry, sizeof(out->entry));
	atomic_thread_fence(memory_order_acquire);
	out->sequence = before;
	return atomic_load_explicit(&dir->drops.sequence, memory_order_relaxed) == before;
}

static struct ip_address address_of(const struct directory_drop *e)
{
	struct ip_address a = {.version = e->version, .prefix_len = e->prefix_len};
	memcpy(a.bytes, e->bytes, sizeof(a.bytes));
	return a;
}

static bool is_asked(const struct directory_drops *asked, const struct ip_address *source)
{
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		struct ip_address a = address_of(&asked->entry[i]);
		if (a.version && is_same(&a, source))
			return true;
	}
	return false;
}

static uint64_t sequence_of(const struct directory *dir)
{
	return atomic_load_explicit(&dir->drops.sequence, memory_order_relaxed);
}

void drops_take(struct drops *d, const struct directory *dir, uint64_t now_ms)
{
	struct directory_drops asked;
	if (!dir || (dir == d->from && sequence_of(dir) == d->taken) || !copy_asked(dir, &asked))
		return;
	d->from = dir;
	d->taken = asked.sequence;
	for (unsigned i = 0; i < d->count; i++) {
		if (!is_asked(&asked, &d->entry[i].source))
			d->entry[i].expires_ms = 0;
	}
	drops_expire(d, now_ms);
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		struct ip_address source = address_of(&asked.entry[i]);
		uint64_t expires_ms = asked.entry[i].expires_ms;
		// Too far ahead is no time that a control plane wrote.
		if (!source.version || expires_ms <= now_ms
			|| expires_ms - now_ms > DROP_MINUTES_MAX * UINT64_C(60000))
			continue;
		char why[DROPS_WHY_MAX] = "", text[SOCKET_ADDRESS_TEXT_MAX];
		int rc = drops_add(d, &source, expires_ms, why);
		if (rc && rc != -EINVAL)
			log_warning("no port drops frames from %s: %s",
				ip_address_text(&source, true, text), why);
	}
}
