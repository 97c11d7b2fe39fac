// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/text.h>

enum { QUERY_MAX = 8192 };

struct clickhouse_client {
	struct http_post *post;
	unsigned ask_ms, insert_ms;
	uint64_t until_ms; // deadline of all statements together; 0: each has its own time
	unsigned urls, at;
	char url[CLICKHOUSE_URLS_MAX][CLICKHOUSE_URL_MAX];                      // end in "/"
	char user[CLICKHOUSE_SECRET_MAX + 32], key[CLICKHOUSE_SECRET_MAX + 32]; // header lines
	struct http_post_reply reply;
};

int clickhouse_client_open(
	struct clickhouse_client **out, const struct clickhouse_client_settings *s)
{
	if (!s->urls[0] || strlen(s->user) >= CLICKHOUSE_SECRET_MAX
		|| strlen(s->password) >= CLICKHOUSE_SECRET_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < CLICKHOUSE_URLS_MAX && s->urls[i]; i++)
		if (!*s->urls[i] || strlen(s->urls[i]) + 2 > CLICKHOUSE_URL_MAX)
			return -EINVAL;
	struct clickhouse_client *c = heap_calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	int ret = http_post_open(&c->post, &s->post);
	if (ret) {
		heap_free(c);
		return ret;
	}
	c->ask_ms = s->ask_ms ? s->ask_ms : CLICKHOUSE_ASK_MS;
	c->insert_ms = s->insert_ms ? s->insert_ms : CLICKHOUSE_INSERT_MS;
	for (; c->urls < CLICKHOUSE_URLS_MAX && s->urls[c->urls]; c->urls++) {
		const char *url = s->urls[c->urls];
		snprintf(c->url[c->urls], sizeof(c->url[0]), "%s%s", url,
			url[strlen(url) - 1] == '/' ? "" : "/");
	}
	snprintf(c->user, sizeof(c->user), "X-ClickHouse-User: %s", s->user);
	if (*s->password)
		snprintf(c->key, sizeof(c->key), "X-ClickHouse-Key: %s", s->password);
	*out = c;
	return 0;
}

void clickhouse_client_close(struct clickhouse_client *c)
{
	if (!c)
		return;
	http_post_close(c->post);
	explicit_bzero(c->key, sizeof(c->key));
	heap_free(c);
}

unsigned clickhouse_client_urls(const struct clickhouse_client *c)
{
	return c->urls;
}

void clickhouse_client_use(struct clickhouse_client *c, unsigned url)
{
	c->at = url;
}

void clickhouse_client_share_time(struct clickhouse_client *c, bool is_shared)
{
	c->until_ms = is_shared ? clock_mono_ms() + c->ask_ms : 0;
}

// Returns at least 1, so that a late request fails with a timeout.
static unsigned ask_ms_left(const struct clickhouse_client *c)
{
	uint64_t now_ms = clock_mono_ms();
	if (!c->until_ms)
		return c->ask_ms;
	return now_ms < c->until_ms ? (unsigned)(c->until_ms - now_ms) : 1;
}

const char *clickhouse_client_url(const struct clickhouse_client *c)
{
	return c->url[c->at];
}

// FNV-1a: it only has to give the boxes of one table different ids.
void clickhouse_query_id(
	const char *box, const struct clickhouse_chunk *chunk, char out[CLICKHOUSE_QUERY_ID_MAX])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *box; box++)
		hash = (hash ^ (uint8_t)*box) * UINT64_C(0x100000001b3);
	snprintf(out, CLICKHOUSE_QUERY_ID_MAX, "weir-%016" PRIx64 "-%" PRIx64 "-%" PRIu64, hash,
		chunk->run, chunk->number);
}

bool clickhouse_quote(const char *text, char *out, size_t cap)
{
	size_t at = 0;
	if (cap < 3)
		return false;
	out[at++] = '\'';
	for (; *text; text++) {
		if (at + 4 > cap)
			return false;
		if (*text == '\'' || *text == '\\')
			out[at++] = '\\';
		out[at++] = *text;
	}
	out[at++] = '\'';
	out[at] = '\0';
	return true;
}

// "Code: 60, e.displayText() = DB::Exception: Table ... doesn't exist., e.what() = ..."
static void exception_read(const char *text, struct clickhouse_answer *out)
{
	char cut[CLICKHOUSE_WHY_MAX], printable[CLICKHOUSE_WHY_MAX - 40];
	if (sscanf(text, "Code: %9u", &out->code) != 1)
		out->code = 0;
	const char *from = strstr(text, "DB::Exception: ");
	snprintf(cut, sizeof(cut), "%s", from ? from + 15 : text);
	char *end = strstr(cut, ", e.what()");
	if (!end)
		end = strchr(cut, '\n');
	if (end)
		*end = '\0';
	text_escape(cut, printable, sizeof(printable));
	if (out->code)
		snprintf(out->why, sizeof(out->why), "code %u: %s", out->code, printable);
	else
		snprintf(out->why, sizeof(out->why), "HTTP status %u: %s", out->status, printable);
}

enum clickhouse_end clickhouse_answer_read(
	const struct http_post_reply *r, int rc, struct clickhouse_answer *out)
{
	*out = (struct clickhouse_answer){.status = r->status, .text = r->body};
	if (rc) {
		out->is_broken = rc == -EIO && !r->is_unsent;
		snprintf(out->why, sizeof(out->why), "%s", r->why);
		return r->is_unsent ? CLICKHOUSE_UNSENT : CLICKHOUSE_UNCLEAR;
	}
	if (r->status == 200 && strncmp(r->body, "Code: ", 6) != 0)
		return CLICKHOUSE_DONE;
	exception_read(r->body, out);
	// A proxy's reply does not show the state of the server.
	return out->code || r->status < 500 ? CLICKHOUSE_REFUSED : CLICKHOUSE_UNCLEAR;
}

enum clickhouse_end clickhouse_ask(
	struct clickhouse_client *c, const char *sql, struct clickhouse_answer *out)
{
	const struct http_post_request request = {.url = c->url[c->at],
		.header = {c->user, *c->key ? c->key : NULL},
		.body = sql,
		.len = strlen(sql),
		.timeout_ms = ask_ms_left(c)};
	int rc = http_post(c->post, &request, &c->reply);
	return clickhouse_answer_read(&c->reply, rc, out);
}

enum clickhouse_end clickhouse_select(struct clickhouse_client *c, const char *sql,
	const char *parameters, char *text, size_t cap, struct clickhouse_answer *out)
{
	char url[CLICKHOUSE_URL_MAX + 512];
	const int len = snprintf(url, sizeof(url), "%s?%s", c->url[c->at], parameters);
	if (len < 0 || (size_t)len >= sizeof(url)) {
		*out = (struct clickhouse_answer){.text = "", .why = "the parameters are too long"};
		return CLICKHOUSE_UNSENT;
	}
	const struct http_post_request request = {.url = url,
		.header = {c->user, *c->key ? c->key : NULL},
		.body = sql,
		.len = strlen(sql),
		.keep = text,
		.keep_cap = cap,
		.timeout_ms = ask_ms_left(c)};
	const int rc = http_post(c->post, &request, &c->reply);
	const enum clickhouse_end end = clickhouse_answer_read(&c->reply, rc, out);
	if (end != CLICKHOUSE_DONE || strlen(text) + 1 < cap)
		return end;
	snprintf(out->why, sizeof(out->why), "the reply is longer than %zu bytes", cap);
	return CLICKHOUSE_REFUSED;
}

enum clickhouse_end clickhouse_insert(struct clickhouse_client *c, const char *sql, const char *id,
	const char *parameters, const struct clickhouse_spooled *what, const void *body,
	struct clickhouse_answer *out)
{
	char url[QUERY_MAX], escaped[QUERY_MAX], coding[64];
	int len = http_url_escape(sql, escaped, sizeof(escaped)) ? snprintf(url, sizeof(url),
			  "%s?query=%s&query_id=%s%s", c->url[c->at], escaped, id, parameters)
								 : -1;
	if (len < 0 || (size_t)len >= sizeof(url)) {
		*out = (struct clickhouse_answer){.text = "", .why = "the statement is too long"};
		return CLICKHOUSE_UNSENT;
	}
	snprintf(coding, sizeof(coding), "Content-Encoding: %s",
		clickhouse_coding_names[what->coding]);
	const struct http_post_request request = {.url = url,
		.header = {coding, c->user, *c->key ? c->key : NULL},
		.body = body,
		.len = what->bytes,
		.timeout_ms = c->insert_ms};
	int rc = http_post(c->post, &request, &c->reply);
	return clickhouse_answer_read(&c->reply, rc, out);
}
