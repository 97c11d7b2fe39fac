// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The ClickHouse sink between batches of querylog_rig.h and the server of fake_clickhouse.h, all
// times short. One at a time.

#include "controlplane/querylog/clickhouse/clickhouse.h"
#include "fake_clickhouse.h"
#include "tests/unit/cp/querylog/querylog_rig.h"

enum { LONG_MS = 30000, NEVER_MS = 3600000 };

extern struct fake_clickhouse server, second;
extern char second_url[64];
extern struct querylog_rig rig;
extern struct clickhouse *sink; // NULL: the test has closed it
extern struct clickhouse_settings settings;
extern struct clickhouse_status status; // as `until` saw it last
extern uint64_t fed_rows, fed_weight;

int clickhouse_rig_open(void **); // server and settings, no sink yet
int clickhouse_rig_close(void **);
int clickhouse_rig_open_two(void **); // and `second` behind a second URL
int clickhouse_rig_close_two(void **);
void sink_open(void); // each time as another run
#define SINK_OPEN(key, value) ((void)(server.key = (value)), sink_open()) // to such a server
void sink_close(void);
int64_t in_2026(void); // for settings.unix_s
void feed(unsigned batches, unsigned rows);
void send_all(unsigned batches, unsigned rows); // feed, until all is sent
// Until the status is so.
#define until(is_so) WAIT_FOR((clickhouse_status(sink, &status), is_so()))
#define FEED_UNTIL(is_so, batches, rows) \
	do {                             \
		feed(batches, rows);     \
		until(is_so);            \
	} while (0)
bool all_sent(void);
bool is_up(void);
bool is_failing(void);
bool is_failing_and_spooled(void); // all that was fed is on disk
void fault_set(enum fake_fault fault);
#define server_set(server, field, value)               \
	do {                                           \
		pthread_mutex_lock(&(server)->lock);   \
		(server)->field = (value);             \
		pthread_mutex_unlock(&(server)->lock); \
	} while (0)
// Bytes of the heap without the batches of the rig, and the rows not yet sealed, which the status
// tells. 0: a sanitizer's heap does not say.
size_t heap_used(void);
// Of a test that repeats itself: what is kept after a cycle comes down to what was after the
// first (0).
void expect_flat_heap(unsigned cycle);
void expect_sent_once(void);                     // that, once all is sent
void feed_once(unsigned batches, unsigned rows); // both
uint64_t rows_taken(void);                       // by the server
void expect_each_once(void);                     // the server has what was fed, and nothing twice
