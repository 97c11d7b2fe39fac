// SPDX-License-Identifier: BSD-3-Clause
// Section client_names: files of leases, and servers for PTR records.

#include "config_entries.h"
#include "config_sections.h"

#include <stdio.h>
#include <string.h>

enum { DNS_PORT = 53 };

static int leases_take(const struct config_doc *doc, const struct config_raw_client_names *raw,
	struct config_client_names *out)
{
	char key[CONFIG_PATH_MAX];
	for (unsigned i = 0; i < raw->lease_files_count; i++) {
		const char *path = raw->lease_files[i];
		config_item_key(key, "client_names.lease_files", i, NULL);
		if (!path || path[0] != '/')
			return config_refuse(doc, key, "is no absolute path");
		if (strlen(path) > CONFIG_LEASE_PATH_MAX)
			return config_refuse(
				doc, key, "is longer than %d bytes", CONFIG_LEASE_PATH_MAX);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(out->lease_files[k], path) == 0)
				return config_refuse(doc, key, "given twice");
		snprintf(out->lease_files[i], sizeof(out->lease_files[i]), "%s", path);
		out->lease_file_count = i + 1;
	}
	return 0;
}

static int servers_take(const struct config_doc *doc, const struct config_raw_client_names *raw,
	struct config_client_names *out)
{
	char key[CONFIG_PATH_MAX];
	for (unsigned i = 0; i < raw->ptr_servers_count; i++) {
		struct socket_address *a = &out->ptr_servers[i];
		config_item_key(key, "client_names.ptr_servers", i, NULL);
		if (!raw->ptr_servers[i]
			|| socket_address_parse(raw->ptr_servers[i], DNS_PORT, a) < 0)
			return config_refuse(doc, key,
				"is not an IP address, with or without port (\"192.0.2.1\", "
				"\"[fd53::1]:5353\")");
		if (!config_address_is_host(&a->ip))
			return config_refuse(doc, key, "is not the address of a host");
		out->ptr_server_count = i + 1;
	}
	return 0;
}

int config_client_sources_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	int rc = leases_take(doc, raw->client_names, &out->client_names);
	return rc ? rc : servers_take(doc, raw->client_names, &out->client_names);
}
