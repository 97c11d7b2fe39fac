// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_limit.h"

static bool is_known(const struct upstream_limit *l)
{
	return l->strikes >= UPSTREAM_LIMIT_STRIKES;
}

unsigned upstream_limit_now(const struct upstream_limit *l, uint64_t now_ms)
{
	if (!l->queries || now_ms >= l->until_ms)
		return 0;
	return is_known(l) && now_ms >= l->probe_ms ? l->queries * 2 : l->queries;
}

unsigned upstream_limit_known(const struct upstream_limit *l, uint64_t now_ms)
{
	return is_known(l) && now_ms < l->until_ms ? l->queries : 0;
}

bool upstream_limit_opened(struct upstream_limit *l, unsigned uses, uint64_t now_ms)
{
	bool probe = is_known(l) && now_ms < l->until_ms && uses > l->queries;

	if (!probe)
		return false;
	if (l->probe_wait_ms < UPSTREAM_LIMIT_KEEP_MS / 2)
		l->probe_wait_ms *= 2;
	l->probe_ms = now_ms + l->probe_wait_ms;
	return true;
}

bool upstream_limit_ended(struct upstream_limit *l, unsigned answered, uint64_t now_ms)
{
	if (answered == 0)
		return false;
	l->ends++;
	if (now_ms >= l->until_ms || answered > l->queries)
		l->strikes = 0;
	if (l->strikes == 0)
		l->probe_wait_ms = UPSTREAM_LIMIT_PROBE_MS;
	l->queries = answered;
	l->until_ms = now_ms + UPSTREAM_LIMIT_KEEP_MS;
	if (++l->strikes != UPSTREAM_LIMIT_STRIKES)
		return false;
	l->probe_ms = now_ms + l->probe_wait_ms;
	return true;
}

void upstream_limit_answered(struct upstream_limit *l, unsigned answered, unsigned uses)
{
	if (!l->queries)
		return;
	if (is_known(l) && answered > l->queries) {
		l->strikes = 0;
		l->queries = answered;
	}
	if (!is_known(l) && answered == uses && uses >= l->queries)
		l->queries = uses < UPSTREAM_LIMIT_USES / 2 ? uses * 2 : 0;
	if (!l->queries)
		l->strikes = 0;
}
