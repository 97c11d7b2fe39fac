// SPDX-License-Identifier: BSD-3-Clause
#include "lease_names.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weir/heap_site.h>

enum { LEASE_FILES_MAX = 64 };

struct lease_names {
	_Atomic unsigned holds;
	struct dns_name domain;
	struct lease_counts counts[2]; // first leases, then PTR records
	unsigned names;                // leases and PTR records
	unsigned files;
	char path[LEASE_FILES_MAX][LEASE_PATH_MAX];
	struct lease_name *by_label; // [names], by label and version
	uint16_t *by_address;        // [names], places in by_label
};

// The address whose PTR record weir asks a server for (address_mark), or 0.
static _Atomic uint64_t asked_mark;

// Under the lock, but for the load of who looks whether it is still theirs.
static struct {
	pthread_mutex_t lock;
	struct lease_names *_Atomic now;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

void lease_own_find(const struct config *c, struct lease_own *out)
{
	struct dns_name name;
	char host[256] = "";
	*out = (struct lease_own){0};
	if (gethostname(host, sizeof(host) - 1) == 0)
		snprintf(out->label[out->count++], sizeof(out->label[0]), "%.*s",
			(int)strcspn(host, "."), host);
	if (c->tls.name && dns_name_from_text(c->tls.name, strlen(c->tls.name), &name) == 0
		&& name.labels == c->local.house.labels + 1
		&& dns_name_is_under(&name, &c->local.house))
		snprintf(out->label[out->count++], sizeof(out->label[0]), "%.*s", name.wire[0],
			(const char *)name.wire + 1);
}

static bool is_host_label(const char *text, size_t len)
{
	if (!len || len > LEASE_LABEL_MAX || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)text[i])
			|| (!isalnum((unsigned char)text[i]) && text[i] != '-'))
			return false;
	return true;
}

// The label of a lease's name: all of it, or what stands in front of the domain.
static bool label_take(const char *text, const struct dns_name *domain, uint8_t out[64])
{
	const size_t len = strcspn(text, ".");
	struct dns_name rest;
	if (!is_host_label(text, len))
		return false;
	if (text[len]
		&& (dns_name_from_text(text + len + 1, strlen(text + len + 1), &rest) < 0
			|| !dns_name_equal(&rest, domain)))
		return false;
	out[0] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		out[1 + i] = (uint8_t)tolower((unsigned char)text[i]);
	return true;
}

static bool label_is(const uint8_t *label, const char *text)
{
	return label[0] == strlen(text)
	       && strncasecmp((const char *)label + 1, text, label[0]) == 0;
}

static bool is_reserved(const uint8_t *label, const struct lease_own *own)
{
	static const char *const fixed[] = {"wpad", "isatap", "localhost"};
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (label_is(label, fixed[i]))
			return true;
	for (unsigned i = 0; i < own->count; i++)
		if (label_is(label, own->label[i]))
			return true;
	return false;
}

static bool is_of_house(const struct ip_address *a)
{
	const uint8_t *b = a->bytes;
	if (a->version == 6)
		return b[0] == 0xfd; // the half of fc00::/7 in use (RFC 4193 3.1)
	return a->version == 4
	       && (b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16)
		       || (b[0] == 192 && b[1] == 168));
}

// The file's number; LEASE_FILES_MAX: one more than there is room for.
static uint32_t file_number(struct lease_names *t, const char *path)
{
	unsigned i = 0;
	while (i < t->files && strcmp(t->path[i], path) != 0)
		i++;
	if (i == t->files && t->files < LEASE_FILES_MAX)
		snprintf(t->path[t->files++], sizeof(t->path[0]), "%s", path);
	return i;
}

static void lease_take(struct lease_names *t, const struct dns_name *domain,
	const struct lease_own *own, const struct lease_given *g)
{
	struct lease_name one = {.address = g->address, .ends_s = g->ends_s, .is_ptr = g->is_ptr};
	struct lease_counts *counts = &t->counts[g->is_ptr];
	one.address.prefix_len = g->address.version == 4 ? 32 : 128;
	if (!label_take(g->name, domain, one.label)) {
		counts->bad_name++;
	} else if (is_reserved(one.label, own)) {
		counts->reserved++;
	} else if (!is_of_house(&g->address)) {
		counts->bad_address++;
	} else if (t->names == LEASE_NAMES_MAX) {
		counts->over++;
	} else {
		one.file = file_number(t, g->path);
		t->by_label[t->names++] = one;
	}
}

static int label_order(const struct lease_name *a, const uint8_t *label, unsigned version)
{
	int order = memcmp(a->label, label, 1 + (size_t)label[0]); // the lengths come first
	return order ? order : (int)a->address.version - (int)version;
}

// The winner is first of those with one name and family.
static int by_label(const void *x, const void *y)
{
	const struct lease_name *a = x, *b = y;
	int order = label_order(a, b->label, b->address.version);
	if (order)
		return order;
	if (a->is_ptr != b->is_ptr)
		return a->is_ptr ? 1 : -1;
	if (a->ends_s != b->ends_s && !a->is_ptr)
		return !a->ends_s ? -1 : !b->ends_s ? 1 : a->ends_s > b->ends_s ? -1 : 1;
	return memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));
}

static int address_order(const struct ip_address *a, const struct ip_address *b)
{
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int by_address(const void *x, const void *y, void *table)
{
	const struct lease_names *t = table;
	return address_order(&t->by_label[*(const uint16_t *)x].address,
		&t->by_label[*(const uint16_t *)y].address);
}

static void winners_keep(struct lease_names *t)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < t->names; i++) {
		const struct lease_name *l = &t->by_label[i];
		struct lease_counts *counts = &t->counts[l->is_ptr];
		if (kept
			&& label_order(&t->by_label[kept - 1], l->label, l->address.version) == 0) {
			counts->conflicts++;
			continue;
		}
		counts->names++;
		t->by_label[kept++] = *l;
	}
	t->names = kept;
}

int lease_names_make(const struct dns_name *domain, const struct lease_own *own,
	const struct lease_given *given, unsigned count, struct lease_names **out)
{
	const unsigned most = count < LEASE_NAMES_MAX ? count : LEASE_NAMES_MAX;
	struct lease_names *t = heap_calloc(1, sizeof(*t));
	if (t) {
		t->holds = 1;
		t->domain = *domain;
		t->by_label = heap_calloc(most + (size_t)1, sizeof(t->by_label[0]));
		t->by_address = heap_calloc(most + (size_t)1, sizeof(t->by_address[0]));
	}
	if (!t || !t->by_label || !t->by_address) {
		lease_names_release(t);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < count && domain->labels; i++)
		lease_take(t, domain, own, &given[i]);
	qsort(t->by_label, t->names, sizeof(t->by_label[0]), by_label);
	winners_keep(t);
	for (unsigned i = 0; i < t->names; i++)
		t->by_address[i] = (uint16_t)i;
	qsort_r(t->by_address, t->names, sizeof(t->by_address[0]), by_address, t);
	*out = t;
	return 0;
}

void lease_names_release(struct lease_names *t)
{
	if (!t || atomic_fetch_sub(&t->holds, 1) != 1)
		return;
	FREE_AND_NULL(t->by_label);
	FREE_AND_NULL(t->by_address);
	heap_free(t);
}

void lease_names_publish(struct lease_names *t)
{
	pthread_mutex_lock(&shared.lock);
	struct lease_names *before = shared.now;
	shared.now = t;
	pthread_mutex_unlock(&shared.lock);
	lease_names_release(before);
}

const struct lease_names *lease_names_now(struct lease_names **held)
{
	struct lease_names *before = *held;
	// Only compared: the table may go until the lock is taken. An address of a table that is
	// held is no other table's.
	if (shared.now == before)
		return before;
	pthread_mutex_lock(&shared.lock);
	*held = shared.now;
	if (*held)
		atomic_fetch_add(&(*held)->holds, 1);
	pthread_mutex_unlock(&shared.lock);
	lease_names_release(before);
	return *held;
}

bool lease_names_are_of(const struct lease_names *t, const struct dns_name *domain)
{
	return t && dns_name_equal(&t->domain, domain);
}

static const struct lease_name *living(const struct lease_name *l, int64_t now_s)
{
	return l && (!l->ends_s || l->ends_s > now_s) ? l : NULL;
}

const struct lease_name *lease_names_find(
	const struct lease_names *t, const uint8_t *label, unsigned version, int64_t now_s)
{
	unsigned low = 0, high = t ? t->names : 0;
	while (low < high) {
		const unsigned mid = low + (high - low) / 2;
		const int order = label_order(&t->by_label[mid], label, version);
		if (order == 0)
			return living(&t->by_label[mid], now_s);
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

// Never 0.
static uint64_t address_mark(const struct ip_address *a)
{
	uint64_t half[2];
	memcpy(half, a->bytes, sizeof(half));
	return (half[0] ^ half[1]) | 1;
}

void lease_names_asks(const struct ip_address *address)
{
	asked_mark = address ? address_mark(address) : 0;
}

const struct lease_name *lease_names_at(
	const struct lease_names *t, const struct ip_address *address, int64_t now_s)
{
	unsigned low = 0, high = t ? t->names : 0;
	while (low < high) {
		const unsigned mid = low + (high - low) / 2;
		const struct lease_name *l = &t->by_label[t->by_address[mid]];
		const int order = address_order(&l->address, address);
		if (order == 0)
			return l->is_ptr && asked_mark == address_mark(address) ? NULL
										: living(l, now_s);
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct lease_name *lease_names_nth(const struct lease_names *t, unsigned i)
{
	return t && i < t->names ? &t->by_label[i] : NULL;
}

const char *lease_names_path(const struct lease_names *t, const struct lease_name *l)
{
	return l->file < t->files ? t->path[l->file] : "";
}

struct lease_counts lease_names_counts(const struct lease_names *t, bool is_ptr)
{
	return t ? t->counts[is_ptr] : (struct lease_counts){0};
}

size_t lease_names_bytes(const struct lease_names *t)
{
	return t ? sizeof(*t) + t->names * (sizeof(t->by_label[0]) + sizeof(t->by_address[0])) : 0;
}
