// SPDX-License-Identifier: BSD-3-Clause
//
// What the query store takes for a row: bytes of disk and time of one core.
//
//   bench_query_store [ROWS [FOLDER]]
//
// ROWS rows (2,000,000) of 100,000 names by Zipf(1.0), 200 clients and some 40 kinds of answer go
// through query_file.h, a commit each 100,000, into FOLDER (a new one under /tmp), then all are
// read by a search for a verdict that is not there, and names that are not are looked for. Prints
// rates of CPU time of this thread and bytes a row; fails when a row is missing.

#include "controlplane/querylog/store/query_file.h"
#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 100000, CLIENTS = 200, COMMIT = 100000, HOUR = 472222 };

static double cumulated[NAMES];
static char name[NAMES][64], client[CLIENTS][24];
static uint64_t state = 0x9e3779b97f4a7c15;

static void die(const char *what)
{
	fprintf(stderr, "bench_query_store: %s\n", what);
	exit(1);
}

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static double cpu_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void corpus_make(void)
{
	double sum = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		unsigned len = 4 + (unsigned)(draw() % 20);
		for (unsigned j = 0; j < len; j++)
			name[i][j] = (char)('a' + draw() % 26);
		snprintf(name[i] + len, sizeof(name[i]) - len, ".site%u.example.", i % 9000);
		cumulated[i] = sum += 1.0 / (i + 1);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		snprintf(client[i], sizeof(client[i]), "192.168.%u.%u", i / 100, 10 + i % 100);
}

static unsigned zipf(void)
{
	double at = (double)(draw() >> 11) * 0x1p-53 * cumulated[NAMES - 1];
	unsigned low = 0, high = NAMES - 1;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (cumulated[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct querylog_text text_of(const char *s)
{
	return (struct querylog_text){.at = s, .len = (uint16_t)strlen(s)};
}

static struct querylog_row row_make(uint64_t i, uint64_t rows)
{
	static const char *const verdicts[] = {
		"hit", "hit", "hit", "hit", "hit_stale", "blocked", "upstream", "upstream"};
	static const uint16_t types[] = {1, 1, 1, 28, 65};
	unsigned kind = (unsigned)(draw() % 8), who = (unsigned)(draw() % CLIENTS);
	bool blocked = kind == 5, miss = kind > 5;
	return (struct querylog_row){
		.time_us = HOUR * UINT64_C(3600000000) + i * (UINT64_C(3600000000) / rows),
		.weight = 1,
		.qname = text_of(name[zipf()]),
		.client = text_of(client[who]),
		.client_name = text_of(who % 3 ? "" : "laptop"),
		.group = text_of(who % 2 ? "" : "children"),
		.verdict = text_of(verdicts[kind]),
		.list = text_of(blocked ? "ads" : ""),
		.upstream = text_of(miss ? "192.0.2.53" : ""),
		.dataplane_us = (uint32_t)(1 + draw() % 20),
		.total_us = (uint32_t)(miss ? 2000 + draw() % 60000 : 1 + draw() % 20),
		.qtype = types[draw() % 5],
		.qclass = 1,
		.rcode = blocked ? 3 : 0,
		.ede = blocked ? 15 : QUERYLOG_NO_EDE,
		.client_port = (uint16_t)(32768 + draw() % 28000),
		.query_len = (uint16_t)(30 + draw() % 40),
		.reply_len = (uint16_t)(60 + draw() % 400),
		.client_version = 4,
		.tier = blocked ? QUERYLOG_TIER_RULES
			: miss  ? QUERYLOG_TIER_UPSTREAM
				: QUERYLOG_TIER_L0,
		.is_answered = true,
		.is_blocked = blocked};
}

static void on_found(void *arg, const struct query_found *)
{
	++*(uint64_t *)arg;
}

// A name that is not there, over and over: the file's filter says so.
static void rule_out(const char *folder)
{
	enum { TIMES = 200 };
	const _Atomic bool stop = false;
	struct query_outcome end;
	uint64_t found = 0, looked_at = 0;
	double start = cpu_s();
	for (unsigned i = 0; i < TIMES; i++) {
		struct query_filter f = {
			.until_us = INT64_MAX, .rows = 1000, .for_ms = QUERY_SEARCH_MS};
		snprintf(f.name, sizeof(f.name), "nobody-%u.test", i);
		if (query_search(folder, &f, &stop, on_found, &found, &end) || found)
			die("search");
		looked_at += end.looked_at;
	}
	printf("absent  %.2f ms a file, %.4f of the rows read\n", 1e3 * (cpu_s() - start) / TIMES,
		(double)looked_at / TIMES);
}

// Reads all rows, page by page.
static void read_all(const char *folder, uint64_t rows)
{
	const _Atomic bool stop = false;
	struct query_filter f = {.until_us = INT64_MAX,
		.rows = 1000,
		.for_ms = QUERY_SEARCH_MS,
		.verdict = "nothing"};
	struct query_outcome end;
	uint64_t found = 0, looked_at = 0;
	double start = cpu_s();
	do {
		if (query_search(folder, &f, &stop, on_found, &found, &end))
			die("search");
		looked_at += end.looked_at;
		f.after = end.place;
	} while (!end.complete);
	if (looked_at != rows || found)
		die("rows are missing");
	printf("read    %.0f rows/s\n", (double)rows / (cpu_s() - start));
}

int main(int argc, char **argv)
{
	uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
	char folder[PATH_MAX] = "/tmp/weir-bench-store-XXXXXX", path[PATH_MAX],
	     remove[PATH_MAX + 16];
	struct query_file *f;
	if (argc > 2)
		snprintf(folder, sizeof(folder), "%s/weir-bench-store-XXXXXX", argv[2]);
	if (!rows || !mkdtemp(folder) || query_folder_path(folder, HOUR, 1, path))
		die("usage: bench_query_store [ROWS [FOLDER]]");
	corpus_make();
	if (query_file_new(&f) || query_file_open(f, path, HOUR))
		die("cannot open");
	double in_store = 0;
	enum { CHUNK = 2000 };
	static struct querylog_row chunk[CHUNK];
	for (uint64_t i = 0; i < rows; i += CHUNK) {
		unsigned count = rows - i < CHUNK ? (unsigned)(rows - i) : CHUNK;
		for (unsigned k = 0; k < count; k++)
			chunk[k] = row_make(i + k, rows);
		double start = cpu_s();
		for (unsigned k = 0; k < count; k++)
			if (query_file_put(f, "box", &chunk[k], 1))
				die("cannot write");
		if ((i + count) % COMMIT == 0 && query_file_commit(f))
			die("cannot commit");
		in_store += cpu_s() - start;
	}
	if (query_file_commit(f))
		die("cannot commit");
	double closing = cpu_s();
	query_file_free(f);
	printf("closed  in %.0f ms, with the filter\n", 1e3 * (cpu_s() - closing));
	printf("written %.0f rows/s\n", (double)rows / in_store);
	printf("bytes  %.1f a row\n", (double)query_folder_bytes(path) / (double)rows);
	read_all(folder, rows);
	rule_out(folder);
	snprintf(remove, sizeof(remove), "rm -rf %s", folder);
	return system(remove) ? 1 : 0;
}
