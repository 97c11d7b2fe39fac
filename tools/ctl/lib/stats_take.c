// SPDX-License-Identifier: BSD-3-Clause
#include "stats_take.h"

#include "http_get.h"
#include "json_doc.h"
#include "stats_remote.h"

#include <errno.h>
#include <stdio.h>

bool stats_ask(const struct ctl *c, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX])
{
	char text[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	bool has_stats = false;
	*state = PROCESS_UNKNOWN;
	if (http_call(c, false, "/dataplane", NULL, HTTP_SHORT_MS, &doc, text) == HTTP_OK)
		has_stats = stats_remote(json_doc_root(doc), state, out, why);
	else
		snprintf(why, SHM_WHY_MAX, "%.255s", text);
	json_doc_free(doc);
	return has_stats;
}

bool stats_take(const struct ctl *c, bool asks, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX])
{
	char asked[SHM_WHY_MAX];
	const int rc = stats_read(&c->paths, out, why);
	if (rc == -EACCES && asks && stats_ask(c, state, out, asked))
		return true;
	*state = dataplane_state(&c->paths, rc == 0 ? out : NULL);
	return rc == 0;
}
