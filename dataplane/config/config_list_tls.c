// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/url.h>

// The name before "@", or that of the server unless it is an address.
static int name_apply(const struct config_doc *doc, unsigned i, const struct url *url,
	struct config_list_tls *tls)
{
	char key[CONFIG_PATH_MAX], host[CONFIG_TLS_NAME_MAX + 1];
	struct socket_address literal;
	config_item_key(key, "blocking.lists", i, "url");
	if (url->userinfo_len) {
		if (config_tls_name_take(url->userinfo, url->userinfo_len, tls->name))
			return 0;
		return config_refuse(doc, key, "the name before \"@\" is not that of a host");
	}
	if (url->host[0] == '[')
		return 0;
	snprintf(host, sizeof(host), "%.*s", (int)url->host_len, url->host);
	if (socket_address_parse(host, 1, &literal) == 0)
		return 0;
	return config_tls_name_take(url->host, url->host_len, tls->name)
		       ? 0
		       : config_refuse(doc, key, "the server is no address and no name of a host");
}

static int ca_file_apply(
	const struct config_doc *doc, unsigned i, const char *path, struct config_list_tls *tls)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "blocking.lists", i, "ca_file");
	if (!path)
		return 0;
	if (path[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strlen(path) > CONFIG_CA_FILE_MAX)
		return config_refuse(doc, key, "has more than %d bytes", CONFIG_CA_FILE_MAX);
	strcpy(tls->ca_file, path);
	return 0;
}

int config_list_tls_apply(const struct config_doc *doc, const struct config_raw_list *raw,
	unsigned i, struct config_list *list)
{
	static const char only[] = "is for lists with axfr+tls:// or ixfr+tls://";
	char key[CONFIG_PATH_MAX];
	struct url url;
	bool is_tls = list->url && url_parse_list(list->url, &url) == 0 && url.axfr_tls;
	config_item_key(key, "blocking.lists", i, "ca_file");
	if (!is_tls && raw->ca_file)
		return config_refuse(doc, key, only);
	config_item_key(key, "blocking.lists", i, "pin");
	if (!is_tls && raw->pin_count)
		return config_refuse(doc, key, only);
	if (!is_tls)
		return 0;
	list->tls = calloc(1, sizeof(*list->tls));
	if (!list->tls)
		return -ENOMEM;
	list->tls->pin_count = raw->pin_count;
	int rc = config_pins_take(doc, key, raw->pin, raw->pin_count, list->tls->pin);
	if (rc == 0)
		rc = ca_file_apply(doc, i, raw->ca_file, list->tls);
	return rc < 0 ? rc : name_apply(doc, i, &url, list->tls);
}
