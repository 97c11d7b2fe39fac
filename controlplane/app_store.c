// SPDX-License-Identifier: BSD-3-Clause
// The query store, a sink of the query log.

#include "app_reload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

int app_store_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config *c = a->started;
	const struct config_query_log_store *s = &c->query_log.store;
	char folder[PATH_MAX];
	if (!s->enabled)
		return 0;
	if (*s->directory)
		snprintf(folder, sizeof(folder), "%s", s->directory);
	else
		snprintf(folder, sizeof(folder), "%s/log", c->runtime.state_directory);
	const struct query_store_settings settings = {.folder = folder,
		.hours = s->hours,
		.max_bytes = (uint64_t)s->max_mb << 20,
		.max_rate = s->max_rate};
	int rc = query_store_open(&a->store, &settings);
	if (rc == 0) {
		struct querylog_sink sink = query_store_sink(a->store);
		rc = querylog_add(a->log, &sink);
	}
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "query store: %s", strerror(-rc));
	return rc;
}
