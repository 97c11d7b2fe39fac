// SPDX-License-Identifier: BSD-3-Clause
#include "query_absent.h"

#include "query_reader.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/heap_site.h>

enum { PROBES = 6, PAGE_BITS = QUERY_ABSENT_PAGE * 8, NAME_BYTES = 2, CLIENT_BYTES = 4 };

struct filter {
	uint8_t *bits;
	unsigned pages;
};

// FNV-1a of the kind and the text in lower case, well mixed.
static uint64_t hash_of(char kind, const char *text, size_t len)
{
	uint64_t h = (UINT64_C(0xcbf29ce484222325) ^ (uint8_t)kind) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)tolower((unsigned char)text[i])) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

static unsigned page_of(uint64_t hash, unsigned pages)
{
	return (unsigned)(hash >> 32) % pages;
}

static unsigned bit_of(uint64_t hash, unsigned probe)
{
	return ((unsigned)hash + probe * ((unsigned)(hash >> 15) | 1)) % PAGE_BITS;
}

static void put(struct filter *f, char kind, const char *text, size_t len)
{
	uint64_t hash = hash_of(kind, text, len);
	uint8_t *page = f->bits + (size_t)page_of(hash, f->pages) * QUERY_ABSENT_PAGE;
	for (unsigned i = 0; i < PROBES; i++) {
		unsigned bit = bit_of(hash, i);
		page[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

static void name_put(struct filter *f, const char *name)
{
	size_t len = query_name_len(name);
	put(f, 'n', name, len);
	for (size_t at = 0; at + 1 < len; at++)
		if (query_name_dot_at(name, at))
			put(f, 'n', name + at + 1, len - at - 1);
}

// All rows of a statement of one or two texts.
static int texts_put(struct filter *f, struct sql *db, const char *select, bool is_name)
{
	char text[QUERY_NAME_TEXT_MAX];
	struct sql_statement *t;
	int rc = sql_prepare(db, select, &t);
	if (rc)
		return rc;
	while ((rc = sql_step(t)) > 0) {
		sql_column_text(t, 0, text, sizeof(text));
		if (is_name)
			name_put(f, text);
		else
			put(f, 'c', text, strlen(text));
	}
	sql_free(t);
	return rc;
}

static int filter_make(struct sql *db, struct filter *f)
{
	int64_t names = 0, clients = 0;
	int rc = sql_number(db, "SELECT count(*) FROM names", &names);
	if (rc == 0)
		rc = sql_number(db, "SELECT count(*) FROM clients", &clients);
	if (rc)
		return rc;
	int64_t pages = (names * NAME_BYTES + clients * CLIENT_BYTES) / QUERY_ABSENT_PAGE + 1;
	f->pages = pages < QUERY_ABSENT_PAGES_MAX ? (unsigned)pages : QUERY_ABSENT_PAGES_MAX;
	f->bits = heap_calloc(f->pages, QUERY_ABSENT_PAGE);
	if (!f->bits)
		return -ENOMEM;
	rc = texts_put(f, db, "SELECT text FROM names", true);
	if (rc == 0)
		rc = texts_put(f, db, "SELECT address FROM clients", false);
	if (rc == 0)
		rc = texts_put(f, db, "SELECT name FROM clients WHERE name != ''", false);
	return rc;
}

static int pages_write(struct sql *db, const struct filter *f)
{
	struct sql_statement *t;
	int rc = sql_prepare(db, "INSERT INTO absent(page, bits) VALUES(?1, ?2)", &t);
	if (rc)
		return rc;
	for (unsigned i = 0; rc == 0 && i < f->pages; i++) {
		sql_bind(t, 1, i);
		sql_bind_bytes(t, 2, f->bits + (size_t)i * QUERY_ABSENT_PAGE, QUERY_ABSENT_PAGE);
		rc = sql_do(t);
		FAULT_POINT(absent_page_written);
	}
	sql_free(t);
	return rc;
}

int query_absent_write(struct sql *db)
{
	struct filter f = {0};
	int rc = sql_run(db, "BEGIN IMMEDIATE; DROP TABLE IF EXISTS absent;"
			     "CREATE TABLE absent(page INTEGER PRIMARY KEY, bits BLOB NOT NULL)");
	FAULT_POINT(absent_begun);
	if (rc == 0)
		rc = filter_make(db, &f);
	if (rc == 0)
		rc = pages_write(db, &f);
	heap_free(f.bits);
	FAULT_POINT(absent_before_commit);
	int end = sql_run(db, rc ? "ROLLBACK" : "COMMIT");
	FAULT_POINT(absent_written);
	return rc ? rc : end;
}

int query_absent_drop(struct sql *db)
{
	int rc = sql_run(db, "DROP TABLE IF EXISTS absent");
	FAULT_POINT(absent_dropped);
	return rc;
}

static bool may_have(struct sql_statement *t, unsigned pages, uint64_t hash)
{
	uint8_t page[QUERY_ABSENT_PAGE];
	bool all = true;
	sql_bind(t, 1, page_of(hash, pages));
	if (sql_step(t) > 0 && sql_column_bytes(t, 0, page, sizeof(page)) == sizeof(page))
		for (unsigned i = 0; i < PROBES; i++) {
			unsigned bit = bit_of(hash, i);
			all = all && page[bit / 8] >> bit % 8 & 1;
		}
	sql_reset(t);
	return all;
}

bool query_absent_may_have(struct sql *db, const char *name, const char *client)
{
	int64_t pages = 0;
	struct sql_statement *t;
	bool may = true;
	size_t len = query_name_len(name);
	// The root has no name that is not below it.
	if (strcmp(name, ".") == 0)
		len = 0;
	if ((!len && !*client)
		|| sql_number(db, "SELECT coalesce(max(page), -1) + 1 FROM absent", &pages)
		|| pages < 1 || pages > QUERY_ABSENT_PAGES_MAX
		|| sql_prepare(db, "SELECT bits FROM absent WHERE page = ?1", &t))
		return true;
	if (len)
		may = may_have(t, (unsigned)pages, hash_of('n', name, len));
	if (may && *client)
		may = may_have(t, (unsigned)pages, hash_of('c', client, strlen(client)));
	sql_free(t);
	return may;
}
