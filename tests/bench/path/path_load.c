// SPDX-License-Identifier: BSD-3-Clause
#include "path_load.h"

#include "controlplane/rule_image/rule_build.h"
#include "tests/bench/corpus_l0.h"
#include "tests/dp/wire.h"
#include "tools/loadgen/corpus.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_name.h>

enum {
	HUGE_PAGE = 2 << 20,
	MISSING = 1000000,
	PCAP_SNAPLEN = 65535,
	PCAP_ETHERNET = 1,
};

// Little-endian words as they lie in memory, as every libpcap reads them.
static bool put_words(FILE *f, const uint32_t *words, unsigned n)
{
	return fwrite(words, sizeof(*words), n, f) == n;
}

// below[n]: the share of the traffic that is for the names up to n. NULL: no memory.
static double *zipf_shares(uint32_t names)
{
	double *below = malloc(names * sizeof(*below)), sum = 0;
	for (uint32_t i = 0; below && i < names; i++)
		below[i] = sum += 1.0 / (i + 1);
	for (uint32_t i = 0; below && i < names; i++)
		below[i] /= sum;
	return below;
}

static uint32_t draw_cached(const struct path_traffic *t, const double *below, uint32_t draw)
{
	if (!below)
		return draw % t->names;
	double at = draw / 4294967296.0;
	uint32_t low = 0, high = t->names - 1;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (below[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void draw_name(
	const struct path_traffic *t, const double *below, uint64_t draw, struct corpus_name *name)
{
	unsigned kind = draw % 100;
	uint32_t which = (uint32_t)(draw >> 32);
	if (kind < t->listed_percent)
		corpus_listed(which % t->listed, name);
	else if (kind < t->listed_percent + t->missed_percent)
		corpus_missing(PATH_NEGATIVES + which % MISSING, name);
	else if (kind < t->listed_percent + t->missed_percent + t->negative_percent)
		corpus_missing(which % PATH_NEGATIVES, name);
	else
		corpus_cached(draw_cached(t, below, which), name);
}

void path_cookie_terms(struct dns_cookie_terms *out)
{
	*out = (struct dns_cookie_terms){.is_on = 1, .count = 1};
	memset(out->secret[0], 0x5a, DNS_COOKIE_SECRET_LEN);
}

static size_t make_with_cookie(const struct wire_query *q, uint8_t frame[WIRE_MAX])
{
	enum { OPTION_HEAD = 4 };
	uint8_t dns[WIRE_MAX], address[4];
	struct dns_cookie_terms terms;
	size_t n = wire_make_dns(q, dns);
	path_cookie_terms(&terms);
	(void)inet_pton(AF_INET, WIRE_CLIENT4, address);
	const struct dns_cookie_client client = {address, 4, (uint32_t)time(NULL)};
	put_u16(dns + n - 2, OPTION_HEAD + DNS_COOKIE_LEN);
	put_u16(dns + n, DNS_EDNS_OPTION_COOKIE);
	put_u16(dns + n + 2, DNS_COOKIE_LEN);
	memset(dns + n + OPTION_HEAD, 0xc1, DNS_COOKIE_CLIENT_LEN);
	dns_cookie_make(&terms, &client, dns + n + OPTION_HEAD);
	return wire_make_udp(q, dns, n + OPTION_HEAD + DNS_COOKIE_LEN, frame);
}

static bool put_frame(FILE *f, const struct path_traffic *t, const double *below, uint32_t serial)
{
	uint8_t frame[WIRE_MAX];
	struct corpus_name name;
	uint64_t draw = corpus_mix(serial + UINT64_C(1));
	draw_name(t, below, draw, &name);
	char client[64];
	uint64_t who = corpus_mix(draw ^ 0x5bd1e995);
	unsigned net = (unsigned)(who % CLIENTS_NETS), host = (unsigned)(who >> 32) % 254 + 1;
	if (t->ipv6)
		snprintf(client, sizeof(client), "fd53:0:0:%x::%x", net, host);
	else
		snprintf(client, sizeof(client), "198.%u.%u.%u", 18 + net / 256, net % 256, host);
	const struct wire_query q = {
		.name = name.text,
		.src = t->clients ? client : NULL,
		.version = t->ipv6 ? 6 : 4,
		.has_vlan = t->vlan,
		.vlan_tci = 5,
		.edns = t->edns || t->cookies,
		.id = (uint16_t)(serial | 1),
		.src_port = (uint16_t)(1024 + corpus_mix(draw) % 60000),
	};
	uint32_t len = (uint32_t)(t->cookies ? make_with_cookie(&q, frame) : wire_make(&q, frame));
	return put_words(f, (const uint32_t[]){0, 0, len, len}, 4) && fwrite(frame, len, 1, f) == 1;
}

bool path_pcap_write(const char *path, const struct path_traffic *t)
{
	FILE *f = fopen(path, "wb");
	if (!f) {
		perror(path);
		return false;
	}
	double *below = t->zipf ? zipf_shares(t->names) : NULL;
	bool ok = (below || !t->zipf)
		  && put_words(f,
			  (const uint32_t[]){
				  0xa1b2c3d4, 4 << 16 | 2, 0, 0, PCAP_SNAPLEN, PCAP_ETHERNET},
			  6);
	for (uint32_t i = 0; ok && i < t->frames; i++)
		ok = put_frame(f, t, below, t->first + i);
	free(below);
	if (fclose(f) != 0 || !ok) {
		perror(path);
		return false;
	}
	return true;
}

// Huge pages, where the kernel gives them, as for the regions that this stands for.
static void *room(size_t size)
{
	size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *p = aligned_alloc(HUGE_PAGE, size);
	if (!p)
		return NULL;
	(void)madvise(p, size, MADV_HUGEPAGE);
	memset(p, 0, size);
	return p;
}

bool path_l0_fill(struct path_l0 *l, uint32_t names, uint32_t negatives, struct l0_reader *reader)
{
	*l = (struct path_l0){.epoch_now = 1};
	uint64_t geometry[SHM_GEOMETRY_WORDS] = {0};
	size_t data_size;
	// The units, the index, the writer's reserve and some air: nothing is evicted for space.
	uint64_t records = (uint64_t)names + negatives;
	uint64_t bytes = records * (CORPUS_RECORD_UNITS * 34 + 10) + (2 << 20);
	if (l0_plan(bytes, CORPUS_RECORD_UNITS, 1, geometry, &data_size) != 0)
		return false;
	l->size = SHM_PAGE + data_size;
	l->base = room(l->size);
	l->marks = room(geometry[1]);
	if (!l->base || !l->marks)
		return false;
	struct region_header *head = (struct region_header *)(void *)l->base;
	head->kind = REGION_L0;
	head->total_size = l->size;
	memcpy(head->geometry, geometry, sizeof(geometry));
	l->epoch.epoch = &l->epoch_now;
	uint64_t now_ms = clock_mono_coarse_ms(clock_suspended_ms(0));
	if (l0_region_init(l->base, l->size) != 0
		|| l0_writer_open(&l->writer, l->base, l->size, 0, true, &l->epoch, now_ms) != 0
		|| l0_reader_init(reader, l->base, l->size) != 0)
		return false;
	// Those that are drawn most often last, as a full bucket gives an older one away.
	for (uint32_t id = names; id-- > 0;) {
		if (corpus_l0_put(l->writer, id, now_ms) != 0)
			return false;
	}
	for (uint32_t id = 0; id < negatives; id++) {
		if (corpus_l0_put_negative(l->writer, id, now_ms) != 0)
			return false;
	}
	return true;
}

void path_l0_free(struct path_l0 *l)
{
	if (l->writer)
		l0_writer_close(l->writer);
	free(l->base);
	free((void *)(uintptr_t)l->marks);
	*l = (struct path_l0){0};
}

static bool put_listed(struct rule_builder *b, uint32_t count, uint32_t first, uint32_t step)
{
	for (uint32_t id = first; id < count; id += step) {
		struct corpus_name text;
		struct dns_name name;
		corpus_listed(id, &text);
		struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
		if (dns_name_from_text(text.text, strlen(text.text), &name) != 0
			|| rule_builder_rule(b, &rule) != 0)
			return false;
	}
	return true;
}

bool path_rules_build(void **image, uint32_t count, bool for_groups, struct rule_reader *reader)
{
	struct keyhash_secret secret;
	struct rule_builder *b;
	char why[128] = "", title[16];
	uint32_t common = for_groups ? PATH_LISTS_COMMON : 1;
	if (keyhash_secret_make(&secret) != 0 || rule_builder_new(&secret, NULL, 0, &b) != 0)
		return false;
	bool ok = rule_builder_source(b, "allow") == 0 && rule_builder_source(b, "deny") == 0;
	for (uint32_t i = 0; ok && i < common + (for_groups ? PATH_GROUPS : 0); i++) {
		snprintf(title, sizeof(title), "bench %u", i);
		// Another group's list for each of the names that share a common list.
		ok = rule_builder_source(b, title) == 0
		     && (i < common ? put_listed(b, count, i, common)
				    : put_listed(b, count, (i - common) * 5 % 31, PATH_GROUPS));
	}
	struct rule_arena built = {0};
	ok = ok && rule_builder_finish(b, 1, 1, &built) == 0;
	rule_builder_free(b);
	*image = ok ? room(built.size) : NULL;
	if (*image)
		memcpy(*image, built.base, built.size);
	ok = *image && rule_reader_init(reader, *image, built.size, true, why) == 0;
	rule_arena_free(&built);
	return ok;
}
