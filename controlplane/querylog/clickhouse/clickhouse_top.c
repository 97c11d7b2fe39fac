// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

const char *const clickhouse_top_names[CLICKHOUSE_TOPS_COUNT] = {
#define X(name, item, label, condition) #name,
	CLICKHOUSE_TOPS(X)
#undef X
};

static const struct {
	const char *item, *label, *condition;
} parts[CLICKHOUSE_TOPS_COUNT] = {
#define X(name, item, label, condition) {item, label, condition},
	CLICKHOUSE_TOPS(X)
#undef X
};

// Numbers, constants and the identifiers of the configuration are all that a statement has: a
// server of 2018 binds no parameters.
static void sql_write(const struct clickhouse_top_wanted *w, enum clickhouse_top_of of,
	char out[CLICKHOUSE_SQL_MAX])
{
	snprintf(out, CLICKHOUSE_SQL_MAX,
		"SELECT i AS item, max(n) AS name, sum(q) AS queries, sum(b) AS refused,"
		" groupArray(%d)(x) AS boxes, groupArray(%d)(q) AS of_boxes FROM"
		" (SELECT %s AS i, %s AS n, box AS x, sum(weight) AS q, sum(weight * blocked) AS b"
		" FROM `%s`.`%s` WHERE time >= now() - %u%s"
		" GROUP BY i, x ORDER BY q DESC) GROUP BY i ORDER BY queries DESC, i"
		" LIMIT %u FORMAT JSON",
		CLICKHOUSE_TOP_SPLIT_MAX, CLICKHOUSE_TOP_SPLIT_MAX, parts[of].item, parts[of].label,
		w->database, w->table, w->seconds, parts[of].condition,
		of == CLICKHOUSE_TOP_boxes ? CLICKHOUSE_TOP_ITEMS_MAX : w->limit);
}

static int list_read(struct clickhouse_client *c, const struct clickhouse_top_wanted *w,
	enum clickhouse_top_of of, char *text, struct clickhouse_top *out)
{
	char sql[CLICKHOUSE_SQL_MAX], parameters[64], why[JSON_IN_WHY_MAX];
	struct clickhouse_answer answer;
	sql_write(w, of, sql);
	snprintf(parameters, sizeof(parameters), "max_execution_time=%d", CLICKHOUSE_ASK_MS / 1000);
	if (clickhouse_select(c, sql, parameters, text, CLICKHOUSE_TOP_BYTES, &answer)
		!= CLICKHOUSE_DONE) {
		snprintf(out->why, sizeof(out->why), "%s", answer.why);
		return -EIO;
	}
	out->list[of] = json_in_read(text, strlen(text), why);
	if (json_in_kind(json_in_get(out->list[of], "data")) == JSON_IN_LIST)
		return 0;
	snprintf(out->why, sizeof(out->why), "the reply is no JSON of ClickHouse");
	return -EIO;
}

static int lists_read(struct clickhouse_client *c, const struct clickhouse_top_wanted *w,
	char *text, struct clickhouse_top *out)
{
	int rc = 0;
	for (unsigned of = 0; rc == 0 && of < CLICKHOUSE_TOPS_COUNT; of++)
		rc = list_read(c, w, (enum clickhouse_top_of)of, text, out);
	return rc;
}

int clickhouse_top_read(const struct clickhouse_client_settings *s,
	const struct clickhouse_top_wanted *w, struct clickhouse_top *out)
{
	struct clickhouse_client *c;
	*out = (struct clickhouse_top){0};
	int rc = clickhouse_client_open(&c, s);
	if (rc < 0)
		return rc;
	char *text = heap_malloc(CLICKHOUSE_TOP_BYTES);
	rc = text ? -EIO : -ENOMEM;
	clickhouse_client_share_time(c, true);
	for (unsigned i = 0; rc == -EIO && i < clickhouse_client_urls(c); i++) {
		clickhouse_top_free(out);
		clickhouse_client_use(c, i);
		rc = lists_read(c, w, text, out);
	}
	heap_free(text);
	clickhouse_client_close(c);
	if (rc < 0 && s->post.stop && atomic_load_explicit(s->post.stop, memory_order_relaxed))
		rc = -ECANCELED;
	return rc;
}

void clickhouse_top_free(struct clickhouse_top *t)
{
	for (unsigned of = 0; of < CLICKHOUSE_TOPS_COUNT; of++) {
		json_in_free(t->list[of]);
		t->list[of] = NULL;
	}
}

// ClickHouse writes numbers of 64 bits as texts, or as numbers, by a setting of the server.
static uint64_t number_of(const struct json_in *v)
{
	const int64_t n = json_in_kind(v) == JSON_IN_NUMBER ? json_in_number(v)
							    : strtoll(json_in_text(v), NULL, 10);
	return n > 0 ? (uint64_t)n : 0;
}

bool clickhouse_top_item(const struct clickhouse_top *t, enum clickhouse_top_of of, unsigned i,
	struct clickhouse_top_item *out)
{
	const struct json_in *data = json_in_get(t->list[of], "data");
	if (i >= json_in_count(data) || i >= CLICKHOUSE_TOP_ITEMS_MAX)
		return false;
	const struct json_in *row = json_in_at(data, i);
	const struct json_in *boxes = json_in_get(row, "boxes"),
			     *of_boxes = json_in_get(row, "of_boxes");
	*out = (struct clickhouse_top_item){.text = json_in_text(json_in_get(row, "item")),
		.name = json_in_text(json_in_get(row, "name")),
		.queries = number_of(json_in_get(row, "queries")),
		.blocked = number_of(json_in_get(row, "refused"))};
	for (; out->boxes < CLICKHOUSE_TOP_SPLIT_MAX && out->boxes < json_in_count(boxes);
		out->boxes++) {
		out->by[out->boxes].box = json_in_text(json_in_at(boxes, out->boxes));
		out->by[out->boxes].queries = number_of(json_in_at(of_boxes, out->boxes));
	}
	return true;
}
