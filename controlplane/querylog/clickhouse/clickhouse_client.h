// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Statements and inserts to a ClickHouse server over its HTTP interface, one after the other. With
// several URLs the owner selects the one in use.
//
// User and password go in headers, never in the URL. The server's text is truncated, and escaped
// before it is kept as a reason. Waits at most CLICKHOUSE_ASK_MS for a statement and
// CLICKHOUSE_INSERT_MS for an insert, and at most a second after *stop became true. One thread, the
// sender's.

#include "clickhouse_chunk.h"
#include "http/http_post.h"

#include <weir/config.h>

enum {
	CLICKHOUSE_ASK_MS = 10000,
	CLICKHOUSE_INSERT_MS = 30000,
	CLICKHOUSE_NAME_MAX = 64, // bytes of the name of a database or table, its NUL included
	CLICKHOUSE_SECRET_MAX = 256,
	CLICKHOUSE_URL_MAX = 512,
	CLICKHOUSE_URLS_MAX = CONFIG_CLICKHOUSE_URLS_MAX,
	CLICKHOUSE_SQL_MAX = 8192,
	CLICKHOUSE_WHY_MAX = 200,
	CLICKHOUSE_QUERY_ID_MAX = 96,
};

struct clickhouse_client_settings {
	const char *urls[CLICKHOUSE_URLS_MAX + 1]; // "http://host:8123"; NULL behind the last
	const char *user, *password;
	struct http_post_settings post;
	unsigned ask_ms, insert_ms; // 0: CLICKHOUSE_ASK_MS, CLICKHOUSE_INSERT_MS
};

struct clickhouse_client;

ATTR_MUST_CHECK int clickhouse_client_open(struct clickhouse_client **out,
	const struct clickhouse_client_settings *s);                // -ENOMEM, -EINVAL
void clickhouse_client_close(struct clickhouse_client *c);          // NULL is fine
unsigned clickhouse_client_urls(const struct clickhouse_client *c); // how many
// Selects the URL; the first one is in use at the start. The connection to the previous URL ends
// once the new one has a connection.
void clickhouse_client_use(struct clickhouse_client *c, unsigned url);
// `is_shared`: from here on all statements together take at most the time of one; false: each has
// its own time again.
void clickhouse_client_share_time(struct clickhouse_client *c, bool is_shared);
const char *clickhouse_client_url(const struct clickhouse_client *c); // the URL in use; ends in "/"

enum clickhouse_end {
	CLICKHOUSE_DONE,
	CLICKHOUSE_REFUSED, // the server refused it, with `code`
	CLICKHOUSE_UNSENT,  // the server got nothing
	CLICKHOUSE_UNCLEAR, // the server may have done it, or still do it
};

// Error codes of ClickHouse that the sender handles.
enum {
	CLICKHOUSE_NO_COLUMN = 16,
	CLICKHOUSE_NO_TABLE = 60,
	CLICKHOUSE_NO_DATABASE = 81,
	CLICKHOUSE_WRONG_PASSWORD = 193,
	CLICKHOUSE_REQUIRED_PASSWORD = 194,
	CLICKHOUSE_IS_RUNNING = 216,
	CLICKHOUSE_AUTHENTICATION_FAILED = 516,
};

struct clickhouse_answer {
	unsigned status, code; // HTTP status, 0: no reply; error code of ClickHouse, 0: no error
	const char *text;      // the reply's beginning, until the next call
	bool is_broken;        // the connection broke during the request or before the whole reply
	char why[CLICKHOUSE_WHY_MAX]; // "" when done; printable
};

// Interprets a reply; `err` is the result of http_post. Pure; for the fuzzer too. out->text points
// into the reply.
enum clickhouse_end clickhouse_answer_read(
	const struct http_post_reply *r, int err, struct clickhouse_answer *out);

// Runs a statement.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_ask(
	struct clickhouse_client *c, const char *sql, struct clickhouse_answer *out);
// Runs a SELECT with bound parameters: `parameters` is "param_a=b&..." for each `{a:Type}`,
// encoded. The reply's text goes into `text`. CLICKHOUSE_REFUSED also if it does not fit.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_select(struct clickhouse_client *c, const char *sql,
	const char *parameters, char *text, size_t cap, struct clickhouse_answer *out);
// Inserts a chunk's body by `sql` ("INSERT ... FORMAT RowBinary"); `parameters` ("&a=b") may be "".
// `id`: the query id; the server runs one query of an id at a time.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_insert(struct clickhouse_client *c, const char *sql,
	const char *id, const char *parameters, const struct clickhouse_spooled *what,
	const void *body, struct clickhouse_answer *out);
// The query id of a chunk of `box`, with a hash of the name of the box. Pure.
void clickhouse_query_id(
	const char *box, const struct clickhouse_chunk *chunk, char out[CLICKHOUSE_QUERY_ID_MAX]);

// `text` as a string of SQL, quotes included. False: it does not fit.
ATTR_MUST_CHECK bool clickhouse_quote(const char *text, char *out, size_t cap);
