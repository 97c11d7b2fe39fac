// SPDX-License-Identifier: BSD-3-Clause

// Files that the query log keeps for the next life: the word of rows in memory is the last one or
// the one before, and a query store file's filter never hides a row.

#include "controlplane/querylog/querylog_batch.h"
#include "controlplane/querylog/store/query_file.h"
#include "fault_run.h"
#include "tests/unit/cp/querylog/store/query_rows.h"

#include <stdio.h>
#include <unistd.h>

enum {
	ROUNDS = 60,
	HOUR = 472222,
	NAMES_FIRST = 3000, // their filter has two pages
};

struct ledger {
	unsigned put, trying; // rows in memory by the word
	unsigned names;       // in the store's file, committed
};

static struct ledger *ledger;
static char hand_path[SHM_PATH_MAX + 32], store_path[SHM_PATH_MAX + 32];

static void store_life(unsigned rows)
{
	struct query_file *f;
	char name[32];
	FAULT_CHECK(query_file_new(&f) == 0);
	FAULT_CHECK(query_file_open(f, store_path, HOUR) == 0);
	for (unsigned i = 0; i < rows; i++) {
		struct querylog_row row = query_rows_row(HOUR, 0);
		snprintf(name, sizeof(name), "n%u.test", ledger->names + i);
		row.qname = querylog_rig_text(name);
		row.time_us += ledger->names + i;
		FAULT_CHECK(query_file_put(f, "box", &row, 1) == 0);
	}
	FAULT_CHECK(query_file_commit(f) == 0);
	ledger->names += rows;
	query_file_free(f);
}

static void prepare(void)
{
	memset(ledger, 0, sizeof(*ledger));
	const char *folder = fault_folders()->run;
	snprintf(hand_path, sizeof(hand_path), "%s/hand", folder);
	snprintf(store_path, sizeof(store_path), "%s/store.db", folder);
	store_life(NAMES_FIRST);
}

static void hand_word(struct querylog_hand *h)
{
	unsigned n = ++ledger->trying;
	const struct querylog_hand_rows rows[] = {
		{.name = "clickhouse", .rows = n, .weight = 7 * n}, {.name = "files", .rows = n}};
	querylog_hand_put(h, rows, 2);
	ledger->put = n;
}

static void hand_life(void)
{
	struct querylog_hand h;
	FAULT_CHECK(querylog_hand_open(&h, hand_path) == 0);
	FAULT_CHECK(h.was_count == 0);
	querylog_hand_begin(&h);
	for (unsigned i = 0; i < 3; i++)
		hand_word(&h);
	ledger->trying = 0;
	querylog_hand_close(&h);
	ledger->put = 0;
}

static void work(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		hand_life();
		store_life(2);
	}
}

// A word that was being written is the old one or the new one, not a mixture.
static void hand_audit(void)
{
	struct querylog_hand h;
	FAULT_CHECK(querylog_hand_open(&h, hand_path) == 0);
	FAULT_CHECK(h.was_count == 2 || (h.was_count == 0 && (!ledger->put || !ledger->trying)));
	for (unsigned i = 0; i < h.was_count; i++) {
		uint64_t rows = h.was[i].rows;
		FAULT_CHECK(rows == ledger->put || rows == ledger->trying);
		FAULT_CHECK(rows == h.was[0].rows && h.was[i].weight == (i ? 0 : 7 * rows));
	}
	querylog_hand_begin(&h);
	querylog_hand_close(&h);
	ledger->put = ledger->trying = 0;
	hand_life();
}

static void store_look(bool has_filter)
{
	struct sql *db;
	char name[32];
	FAULT_CHECK(sql_open(&db, store_path, SQL_READ) == 0);
	for (unsigned i = 0; i < ledger->names; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		FAULT_CHECK(query_absent_may_have(db, name, "198.18.0.2"));
	}
	FAULT_CHECK(!has_filter || !query_absent_may_have(db, "nobody.invalid", ""));
	sql_close(db);
}

static void audit(enum fault_site)
{
	hand_audit();
	store_look(false);
	store_life(2);
	store_look(true);
}

FAULT_MAIN("log_files", 1u << FAULT_GROUP_LOG_FILES, ledger = fault_shared(sizeof(*ledger)))
