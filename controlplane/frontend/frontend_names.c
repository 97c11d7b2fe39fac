// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>

static int by_label(const void *a, const void *b)
{
	const struct frontend_name *x = a, *y = b;
	return strcmp(x->label, y->label);
}

void frontend_names_of(const struct config *c, struct frontend_names *out)
{
	out->count = 0;
	(void)snprintf(out->server, sizeof(out->server), "%s", c->tls.name ? c->tls.name : "");
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		for (unsigned k = 0;
			k < g->client_name_count && out->count < CONFIG_CLIENT_NAMES_MAX; k++) {
			struct frontend_name *one = &out->one[out->count++];
			(void)snprintf(one->label, sizeof(one->label), "%s", g->client_names[k]);
			one->group = (uint8_t)(i + 1);
		}
	}
	qsort(out->one, out->count, sizeof(out->one[0]), by_label);
}

unsigned frontend_names_find(const struct frontend_names *n, const char *label, size_t len)
{
	struct frontend_name wanted = {0};

	if (len == 0 || len > CONFIG_CLIENT_NAME_MAX || n->count == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		wanted.label[i] = (char)ascii_lower((uint8_t)label[i]);
	const struct frontend_name *found =
		bsearch(&wanted, n->one, n->count, sizeof(n->one[0]), by_label);
	return found ? found->group : 0;
}

unsigned frontend_names_find_server(const struct frontend_names *n, const char *server)
{
	if (!server || n->count == 0 || !n->server[0])
		return 0;
	const size_t len = strcspn(server, ".");
	return server[len] == '.' && strcasecmp(server + len + 1, n->server) == 0
		       ? frontend_names_find(n, server, len)
		       : 0;
}

unsigned frontend_names_find_certified(const struct frontend_names *n, const char *name)
{
	if (!name)
		return 0;
	return strchr(name, '.') ? frontend_names_find_server(n, name)
				 : frontend_names_find(n, name, strlen(name));
}
