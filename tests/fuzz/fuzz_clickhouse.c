// SPDX-License-Identifier: BSD-3-Clause

// What a ClickHouse server, or whatever is in its place, says: the reason that is kept is short and
// printable, and only a plain 200 counts as done. The first byte chooses the status.

#include "controlplane/querylog/clickhouse/clickhouse_client.h"
#include "fuzz.h"

#include <weir/attr.h>

static struct http_post_reply reply;

FUZZ_BODY(data, len)
{
	static const unsigned status[] = {0, 200, 200, 204, 302, 401, 404, 500, 503};
	struct clickhouse_answer a;
	if (len < 1)
		return 0;
	size_t body = len - 1 < sizeof(reply.body) ? len - 1 : sizeof(reply.body) - 1;
	memcpy(reply.body, data + 1, body);
	reply.body[body] = '\0';
	reply.status = status[data[0] % ARRAY_LEN(status)];
	reply.is_unsent = data[0] & 0x80;
	int err = reply.status ? 0 : -EIO;
	strcpy(reply.why, err ? "no reply" : "");
	enum clickhouse_end end = clickhouse_answer_read(&reply, err, &a);
	bool is_done = end == CLICKHOUSE_DONE;
	FUZZ_CHECK(is_done == (reply.status == 200 && strncmp(reply.body, "Code: ", 6) != 0));
	FUZZ_CHECK(is_done == !a.why[0]);
	FUZZ_CHECK(end != CLICKHOUSE_UNSENT || err);
	FUZZ_CHECK(strnlen(a.why, sizeof(a.why)) < sizeof(a.why));
	for (const char *at = a.why; *at; at++)
		FUZZ_CHECK(*at >= 0x20 && *at < 0x7f);
	return 0;
}
