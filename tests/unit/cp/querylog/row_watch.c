// SPDX-License-Identifier: BSD-3-Clause
#include "row_watch.h"

#include "controlplane/querylog/querylog_row.h"
#include "tests/unit/cp/resolver/resolver_rig.h"

static struct querylog *log_of_rig;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct row_watch_row last;

static bool take(void *, const struct querylog_batch *b)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < b->count; i++) {
		const struct querylog_row *row = &b->row[i];
		last.tier = row->tier;
		last.transport = row->transport;
		last.validation = row->validation;
		last.ede = row->ede;
		last.rows++;
		snprintf(last.qname, sizeof(last.qname), "%s", row->qname.at);
		snprintf(last.verdict, sizeof(last.verdict), "%s", row->verdict.at);
		snprintf(last.list, sizeof(last.list), "%s", row->list.at);
		snprintf(last.upstream, sizeof(last.upstream), "%s", row->upstream.at);
	}
	pthread_mutex_unlock(&lock);
	return true;
}

static void set_log(void *)
{
	rig.config.query_log.enabled = true;
	rig.config.query_log.sample = 1;
	assert_int_equal(resolver_set_log(rig.resolver, log_of_rig, &rig.config), 0);
	assert_int_equal(frontend_set_log(rig.frontend, log_of_rig, &rig.config), 0);
}

void row_watch_start(const char *const *lists, unsigned count)
{
	static struct rule_list_info info[16];
	assert_true(count <= ARRAY_LEN(info));
	for (unsigned i = 0; i < count; i++)
		snprintf(info[i].title, sizeof(info[i].title), "%s", lists[i]);
	last = (struct row_watch_row){0};
	querylog_close(
		log_of_rig); // of a resolver that is gone; its worker rings reported their end
	assert_int_equal(querylog_open(&log_of_rig, &(struct querylog_settings){.box = "rig"}), 0);
	const struct querylog_sink sink = {.name = "watch", .take = take};
	assert_int_equal(querylog_add(log_of_rig, &sink), 0);
	on_loop(set_log, NULL);
	struct querylog_names *n = querylog_names_new(&rig.config, info, count, rig.book);
	assert_non_null(n);
	querylog_set_names(log_of_rig, n);
	assert_int_equal(querylog_start(log_of_rig), 0);
}

void row_watch_stop(void)
{
	querylog_stop(log_of_rig);
}

static struct row_watch_row last_row(void)
{
	pthread_mutex_lock(&lock);
	const struct row_watch_row row = last;
	pthread_mutex_unlock(&lock);
	return row;
}

struct row_watch_row row_watch_await(uint64_t rows)
{
	struct row_watch_row out;
	WAIT_FOR((out = last_row(), out.rows >= rows));
	assert_int_equal(out.rows, rows);
	return out;
}
