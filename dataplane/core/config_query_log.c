// SPDX-License-Identifier: BSD-3-Clause

#include "config_query_log.h"

#include "config_clients.h"
#include "config_entries.h"
#include "config_lists.h"

#include <errno.h>
#include <stdlib.h>

static int domains_take(const struct config_doc *doc, const struct config_raw_query_log *raw,
	struct config_query_log *out)
{
	if (raw->exclude_domains_count == 0)
		return 0;
	out->exclude_domains = calloc(raw->exclude_domains_count, sizeof *out->exclude_domains);
	if (!out->exclude_domains)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->exclude_domains_count; i++) {
		char key[CONFIG_PATH_MAX];
		int ret = config_entry_name(doc,
			config_item_key(key, "query_log.exclude_domains", i, NULL),
			raw->exclude_domains[i], &out->exclude_domains[i]);
		if (ret < 0)
			return ret;
		out->exclude_domain_count++;
	}
	return 0;
}

static int clients_take(const struct config_doc *doc, const struct config_raw_query_log *raw,
	struct config_query_log *out)
{
	if (raw->exclude_clients_count == 0)
		return 0;
	out->exclude_clients = calloc(raw->exclude_clients_count, sizeof *out->exclude_clients);
	if (!out->exclude_clients)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->exclude_clients_count; i++) {
		struct ip_address *a = &out->exclude_clients[i];
		char key[CONFIG_PATH_MAX];
		config_item_key(key, "query_log.exclude_clients", i, NULL);
		if (ip_address_parse(raw->exclude_clients[i], a) < 0)
			return config_refuse(
				doc, key, "is not an IP address, with or without /prefix");
		int ret = config_prefix_check(doc, key, a);
		if (ret < 0)
			return ret;
		out->exclude_client_count++;
	}
	return 0;
}

int config_query_log_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	const char *directory = out->query_log.store.directory;
	if (*directory && *directory != '/')
		return config_refuse(doc, "query_log.store.directory", "must be an absolute path");
	int ret = domains_take(doc, raw->query_log, &out->query_log);
	return ret < 0 ? ret : clients_take(doc, raw->query_log, &out->query_log);
}

void config_query_log_free(struct config *c)
{
	free(c->query_log.exclude_domains);
	free(c->query_log.exclude_clients);
}
