// SPDX-License-Identifier: BSD-3-Clause
#include "query_file.h"

#include "query_schema.h"
#include "query_search.h"
#include "sql.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/log.h>

enum { PROBES = 6, PAGE_BITS = QUERY_ABSENT_PAGE * 8, NAME_BYTES = 2, CLIENT_BYTES = 4 };

struct filter {
	uint8_t *bits;
	unsigned pages;
};

// FNV-1a of the kind and the text in lower case, mixed once more.
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

// Adds the texts of all rows of a statement, one or two a row.
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

// Writes the filter in a transaction of its own. -errno: the file has no filter.
static int query_absent_write(struct sql *db)
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

static int query_absent_drop(struct sql *db)
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
	// Every name is below the root.
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

enum { INSERT_NAME, INSERT_CLIENT, INSERT_KIND, INSERT_ROW, INSERTS };

static const char *const inserts[INSERTS] = {
	[INSERT_NAME] = "INSERT INTO names(text) VALUES(?1)",
	[INSERT_CLIENT] = "INSERT INTO clients(address, name, grp, version) VALUES(?1,?2,?3,?4)",
	[INSERT_KIND] = ("INSERT INTO kinds(box, verdict, list, upstream, transport, tier, qtype,"
			 " qclass, rcode, ede, answered, blocked, validation)"
			 " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)"),
	[INSERT_ROW] = ("INSERT INTO rows(time, weight, name, client, kind, port, dataplane_us,"
			" total_us, query_len, reply_len) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"),
};

// The numbers of texts in a file of the query store: a cache of fixed size, by keyed 64-bit hash,
// in sets of two that evict the least recently used. An evicted text is written to the file once
// more under another number, so it costs bytes, never a wrong row. Two texts with the same hash
// would count as one; that cannot be provoked without the secret, and by chance it is one in 2^47
// for each lookup.
struct ids_entry {
	uint64_t hash;
	int64_t id; // 0: the entry is empty
};

struct ids {
	size_t sets; // a power of two
	struct ids_entry *entry;
	uint64_t used, evicted;
};

static int ids_open(struct ids *t, size_t entries)
{
	struct ids_entry *entry = heap_calloc(entries, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*t = (struct ids){.sets = entries / 2, .entry = entry};
	return 0;
}

static void ids_free(struct ids *t)
{
	FREE_AND_NULL(t->entry);
	*t = (struct ids){0};
}

static void ids_clear(struct ids *t)
{
	memset(t->entry, 0, 2 * t->sets * sizeof(*t->entry));
	t->used = 0;
}

static struct ids_entry *set_of(const struct ids *t, uint64_t hash)
{
	return &t->entry[2 * (hash & (t->sets - 1))];
}

static int64_t ids_find(struct ids *t, uint64_t hash)
{
	struct ids_entry *set = set_of(t, hash);
	if (set[0].hash == hash)
		return set[0].id;
	if (set[1].hash != hash)
		return 0;
	struct ids_entry found = set[1];
	set[1] = set[0];
	set[0] = found;
	return found.id;
}

static void ids_add(struct ids *t, uint64_t hash, int64_t id)
{
	struct ids_entry *set = set_of(t, hash);
	*(set[1].id ? &t->evicted : &t->used) += 1;
	set[1] = set[0];
	set[0] = (struct ids_entry){.hash = hash, .id = id};
}

struct query_file {
	struct sql *db;
	struct sql_statement *insert[INSERTS];
	int64_t middle_us;
	bool began; // a transaction has begun
	// Rows are out of order by late_us at most (query_schema.h). newest_us: no row is later;
	// from the middle of the hour, as late_us is not.
	int64_t newest_us, late_us;
	bool late_grew; // the file has a smaller bound
	struct keyhash_secret secret;
	struct ids names, clients, kinds;
};

int query_file_new(struct query_file **out)
{
	struct query_file *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	int rc = keyhash_secret_make(&f->secret);
	if (rc == 0)
		rc = ids_open(&f->names, QUERY_NAMES_CACHED);
	if (rc == 0)
		rc = ids_open(&f->clients, QUERY_CLIENTS_CACHED);
	if (rc == 0)
		rc = ids_open(&f->kinds, QUERY_KINDS_CACHED);
	if (rc) {
		query_file_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void query_file_free(struct query_file *f)
{
	if (!f)
		return;
	query_file_close(f);
	ids_free(&f->names);
	ids_free(&f->clients);
	ids_free(&f->kinds);
	heap_free(f);
}

uint64_t query_file_memory(void)
{
	return (QUERY_NAMES_CACHED + QUERY_CLIENTS_CACHED + QUERY_KINDS_CACHED)
	       * sizeof(struct ids_entry);
}

static void statements_free(struct query_file *f)
{
	for (unsigned i = 0; i < INSERTS; i++) {
		sql_free(f->insert[i]);
		f->insert[i] = NULL;
	}
}

#define JOURNAL_END "PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE"

// Writes the filter, and removes the WAL if no one reads the file; otherwise syncs the WAL to the
// disk.
void query_file_close(struct query_file *f)
{
	if (!f->db)
		return;
	statements_free(f);
	int rc = f->began ? 0 : query_absent_write(f->db);
	if (rc)
		log_debug("query store: a file is left without its filter: %s", strerror(-rc));
	rc = sql_run(f->db, f->began ? "ROLLBACK" : JOURNAL_END);
	rc = rc ? sql_checkpoint(f->db) : 0;
	if (rc)
		log_debug("query store: a file is left unsynced: %s", strerror(-rc));
	sql_close(f->db);
	f->db = NULL;
	f->began = false;
	ids_clear(&f->names);
	ids_clear(&f->clients);
	ids_clear(&f->kinds);
}

void query_file_settle(const char *path)
{
	struct sql *db;
	int rc = sql_open(&db, path, SQL_WRITE);
	if (rc == 0) {
		rc = sql_run(db, "PRAGMA user_version"); // opens the journal
		if (rc == 0)
			rc = sql_checkpoint(db); // searches go on meanwhile
		if (rc == 0)
			rc = sql_run(db, JOURNAL_END);
		sql_close(db);
	}
	if (rc)
		log_debug("query store: %s keeps its journal: %s", path, strerror(-rc));
}

static int schema_make(struct query_file *f)
{
	struct sql_statement *t;
	int rc = sql_run(f->db, "BEGIN IMMEDIATE;" QUERY_SCHEMA);
	if (rc == 0)
		rc = sql_prepare(f->db, "INSERT INTO file VALUES(?1)", &t);
	if (rc)
		return rc;
	sql_bind(t, 1, f->middle_us);
	rc = sql_do(t);
	sql_free(t);
	return rc ? rc : sql_run(f->db, "COMMIT");
}

static int schema_check(struct query_file *f)
{
	int64_t application, version, middle_us;
	int rc = sql_number(f->db, "PRAGMA application_id", &application);
	if (rc == 0)
		rc = sql_number(f->db, "PRAGMA user_version", &version);
	if (rc == 0 && application == 0 && version == 0)
		return schema_make(f);
	if (rc == 0 && application == QUERY_APPLICATION_ID && version == QUERY_SCHEMA_OLDEST)
		rc = sql_run(f->db, QUERY_UPGRADE);
	else if (rc == 0
		 && (application != QUERY_APPLICATION_ID || version != QUERY_SCHEMA_VERSION))
		rc = -EUCLEAN;
	if (rc == 0)
		rc = sql_number(f->db, "SELECT middle_us FROM file", &middle_us);
	return rc ? rc : middle_us == f->middle_us ? 0 : -EUCLEAN;
}

// Reads how far rows are out of order. The last row and that bound say how late a row may be.
static int order_read(struct query_file *f)
{
	int64_t last_us = -QUERY_SPAN_US, late_us = 0;
	int rc = sql_run(f->db, QUERY_LATE_MAKE);
	if (rc == 0)
		rc = sql_number(f->db, QUERY_LATE, &late_us);
	if (rc == 0)
		rc = sql_number(f->db, QUERY_LAST, &last_us);
	f->late_us = query_late_us(late_us);
	f->newest_us = last_us + f->late_us;
	f->late_grew = false;
	return rc;
}

static void order_note(struct query_file *f, int64_t time_us)
{
	if (time_us > f->newest_us)
		f->newest_us = time_us;
	if (f->newest_us - time_us > f->late_us) {
		f->late_us = f->newest_us - time_us;
		f->late_grew = true;
	}
}

static int order_write(struct query_file *f)
{
	struct sql_statement *t;
	int rc = sql_prepare(f->db, "UPDATE late SET us = ?1", &t);
	if (rc)
		return rc;
	sql_bind(t, 1, f->late_us);
	rc = sql_do(t);
	sql_free(t);
	f->late_grew = false;
	return rc;
}

int query_file_open(struct query_file *f, const char *path, int64_t hour)
{
	f->middle_us = hour * QUERY_HOUR_US + QUERY_HOUR_US / 2;
	int rc = sql_open(&f->db, path, SQL_WRITE);
	if (rc)
		return rc;
	rc = sql_run(f->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
			    "PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=8388608");
	if (rc == 0)
		rc = schema_check(f);
	if (rc == 0)
		rc = query_absent_drop(f->db);
	if (rc == 0)
		rc = order_read(f);
	for (unsigned i = 0; rc == 0 && i < INSERTS; i++)
		rc = sql_prepare(f->db, inserts[i], &f->insert[i]);
	if (rc) {
		f->began = true; // makes query_file_close undo the transaction
		query_file_close(f);
	}
	return rc;
}

static void bind_text(struct sql_statement *t, int at, const struct querylog_text *text)
{
	sql_bind_text(t, at, text->at, text->len);
}

static uint64_t hash_text(
	const struct query_file *f, uint64_t so_far, const struct querylog_text *text)
{
	return keyhash_fold(
		keyhash(&f->secret, text->at, text->len) ^ so_far, keyhash_key(&f->secret, 7));
}

static int insert_once(
	struct query_file *f, struct ids *ids, unsigned which, uint64_t hash, int64_t *id)
{
	int rc = sql_do(f->insert[which]);
	if (rc == 0) {
		*id = sql_last_id(f->db);
		ids_add(ids, hash, *id);
	}
	return rc;
}

static int name_id(struct query_file *f, const struct querylog_row *row, int64_t *id)
{
	uint64_t hash = hash_text(f, 1, &row->qname);
	*id = ids_find(&f->names, hash);
	if (*id)
		return 0;
	bind_text(f->insert[INSERT_NAME], 1, &row->qname);
	return insert_once(f, &f->names, INSERT_NAME, hash, id);
}

static int client_id(struct query_file *f, const struct querylog_row *row, int64_t *id)
{
	uint64_t hash = hash_text(f, 2 + row->client_version, &row->client);
	hash = hash_text(f, hash, &row->client_name);
	hash = hash_text(f, hash, &row->group);
	*id = ids_find(&f->clients, hash);
	if (*id)
		return 0;
	struct sql_statement *t = f->insert[INSERT_CLIENT];
	bind_text(t, 1, &row->client);
	bind_text(t, 2, &row->client_name);
	bind_text(t, 3, &row->group);
	sql_bind(t, 4, row->client_version);
	return insert_once(f, &f->clients, INSERT_CLIENT, hash, id);
}

static void kind_bind(
	struct sql_statement *t, const struct querylog_text *box, const struct querylog_row *row)
{
	const char *transport = querylog_transport_names[row->transport];
	const char *tier = querylog_tier_names[row->tier];
	const char *validation = querylog_validation_names[row->validation];
	const int64_t numbers[] = {
		row->qtype, row->qclass, row->rcode, row->ede, row->is_answered, row->is_blocked};
	bind_text(t, 1, box);
	bind_text(t, 2, &row->verdict);
	bind_text(t, 3, &row->list);
	bind_text(t, 4, &row->upstream);
	sql_bind_text(t, 5, transport, strlen(transport));
	sql_bind_text(t, 6, tier, strlen(tier));
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sql_bind(t, 7 + (int)i, numbers[i]);
	sql_bind_text(t, 13, validation, strlen(validation));
}

static int kind_id(
	struct query_file *f, const char *box, const struct querylog_row *row, int64_t *id)
{
	const struct querylog_text box_text = {.at = box, .len = (uint16_t)strlen(box)};
	uint64_t numbers[2] = {row->qtype | (uint64_t)row->qclass << 16 | (uint64_t)row->rcode << 32
				       | (uint64_t)row->ede << 48,
		row->transport | (uint64_t)row->tier << 8 | (uint64_t)row->is_answered << 16
			| (uint64_t)row->is_blocked << 17 | (uint64_t)row->validation << 18};
	uint64_t hash = keyhash(&f->secret, numbers, sizeof(numbers));
	hash = hash_text(f, hash, &box_text);
	hash = hash_text(f, hash, &row->verdict);
	hash = hash_text(f, hash, &row->list);
	hash = hash_text(f, hash, &row->upstream);
	*id = ids_find(&f->kinds, hash);
	if (*id)
		return 0;
	kind_bind(f->insert[INSERT_KIND], &box_text, row);
	return insert_once(f, &f->kinds, INSERT_KIND, hash, id);
}

int query_file_put(
	struct query_file *f, const char *box, const struct querylog_row *row, uint64_t weight)
{
	int64_t name = 0, client = 0, kind = 0;
	int rc = f->began ? 0 : sql_run(f->db, "BEGIN IMMEDIATE");
	if (rc)
		return rc;
	f->began = true;
	rc = name_id(f, row, &name);
	if (rc == 0)
		rc = client_id(f, row, &client);
	if (rc == 0)
		rc = kind_id(f, box, row, &kind);
	if (rc)
		return rc;
	order_note(f, (int64_t)row->time_us - f->middle_us);
	const int64_t values[] = {(int64_t)row->time_us - f->middle_us,
		(int64_t)(weight > INT64_MAX ? INT64_MAX : weight), name, client, kind,
		(int16_t)row->client_port, row->dataplane_us, row->total_us, row->query_len,
		row->reply_len};
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		sql_bind(f->insert[INSERT_ROW], 1 + (int)i, values[i]);
	return sql_do(f->insert[INSERT_ROW]);
}

int query_file_commit(struct query_file *f)
{
	if (!f->began)
		return 0;
	int rc = f->late_grew ? order_write(f) : 0;
	if (rc == 0)
		rc = sql_run(f->db, QUERY_LATE_ROWS "; COMMIT");
	if (rc == 0)
		f->began = false;
	return rc;
}

int query_file_sync(struct query_file *f)
{
	return sql_checkpoint(f->db);
}

void query_file_texts(const struct query_file *f, uint64_t *used, uint64_t *evicted)
{
	*used = f->names.used + f->clients.used + f->kinds.used;
	*evicted = f->names.evicted + f->clients.evicted + f->kinds.evicted;
}
