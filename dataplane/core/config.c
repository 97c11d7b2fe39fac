// SPDX-License-Identifier: BSD-3-Clause

#include "config_access.h"
#include "config_check.h"
#include "config_clients.h"
#include "config_cookies.h"
#include "config_forward.h"
#include "config_groups.h"
#include "config_keys.h"
#include "config_lists.h"
#include "config_local.h"
#include "config_metrics.h"
#include "config_net.h"
#include "config_query_log.h"
#include "config_raw.h"
#include "config_redis.h"
#include "config_update.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

static int config_fill(const struct config_doc *doc, const struct config_raw *raw, struct config *c)
{
	c->path = strdup(doc->absolute);
	int ret = c->path ? 0 : -ENOMEM;
	if (ret == 0)
		ret = config_keys_apply(doc, raw, c);
	if (ret == 0)
		ret = config_net_apply(doc, raw, c);
	if (ret == 0)
		ret = config_access_apply(doc, raw, c);
	if (ret == 0)
		ret = config_cookies_apply(doc, raw, c);
	if (ret == 0)
		ret = config_metrics_apply(doc, raw, c);
	if (ret == 0)
		ret = config_lists_apply(doc, raw, c);
	if (ret == 0)
		ret = config_update_apply(doc, raw, c);
	if (ret == 0)
		ret = config_redis_apply(doc, raw, c);
	if (ret == 0)
		ret = config_clients_apply(doc, raw, c);
	if (ret == 0)
		ret = config_local_apply(doc, raw, c);
	if (ret == 0)
		ret = config_groups_apply(doc, raw, c);
	if (ret == 0)
		ret = config_records_check(doc, c);
	if (ret == 0)
		ret = config_forwards_apply(doc, raw, c);
	if (ret == 0)
		ret = config_query_log_apply(doc, raw, c);
	if (ret == 0)
		ret = config_check(doc, c);
	return ret;
}

static int config_from_doc(const struct config_doc *doc, struct config **out)
{
	struct config_raw *raw;
	int ret = config_doc_check(doc);
	if (ret == 0)
		ret = config_raw_load(doc, &raw);
	if (ret < 0)
		return ret;

	struct config *c = calloc(1, sizeof *c);
	ret = c ? config_fill(doc, raw, c) : -ENOMEM;
	config_raw_free(raw);
	if (ret < 0) {
		config_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

int config_load(const char *path, struct config **out, char why[CONFIG_WHY_MAX])
{
	struct config_doc doc = {.path = path, .why = why};
	int ret = config_doc_read(&doc);
	if (ret < 0)
		return ret;
	ret = config_from_doc(&doc, out);
	if (ret == -ENOMEM)
		snprintf(why, CONFIG_WHY_MAX, "%s: out of memory", path);
	config_doc_free(&doc);
	return ret;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	config_redis_wipe(c);
	config_cookies_wipe(c);
	config_keys_free(c);
	config_net_free(c);
	config_access_free(c);
	config_lists_free(c);
	config_forwards_free(c);
	config_local_free(c);
	config_query_log_free(c);
	config_groups_free(c);
	config_clients_free(c);
	free(c->path);
	free(c);
}
