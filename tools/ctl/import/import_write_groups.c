// SPDX-License-Identifier: BSD-3-Clause

#include "import_write_groups.h"

#include "import_write_yaml.h"

#include <stdlib.h>
#include <string.h>

void import_write_engines(FILE *out, unsigned indent, const struct import_items *engines)
{
	if (engines->count == 0)
		return;
	fprintf(out, "%*ssafe_search: {", (int)indent, "");
	for (unsigned i = 0; i < engines->count; i++)
		fprintf(out, "%s%s: %s", i ? ", " : "", engines->item[i].text,
			engines->item[i].note ? engines->item[i].note : "strict");
	fputs("}\n", out);
}

void import_write_services(FILE *out, unsigned indent, const struct import_items *services)
{
	if (services->count == 0)
		return;
	fprintf(out, "%*sservices: ", (int)indent, "");
	import_write_flow(out, services);
	putc('\n', out);
}

void import_write_servers(FILE *out, unsigned indent, const struct import_items *servers)
{
	for (unsigned i = 0; i < servers->count; i++) {
		fprintf(out, "%*s- {address: ", (int)indent, "");
		import_write_text(out, servers->item[i].text);
		putc('}', out);
		import_write_note(out, servers->item[i].note);
	}
}

void import_write_clients(const struct import_model *m, FILE *out)
{
	bool began = false;
	for (unsigned i = 0; i < m->client_count; i++) {
		struct import_items kind[2] = {0}; // addresses, MACs; they borrow the texts
		const struct import_items *all = &m->client[i].members;
		for (unsigned k = 0; k < 2; k++)
			kind[k].item = calloc(all->count + 1, sizeof(*kind[k].item));
		for (unsigned k = 0; kind[0].item && kind[1].item && k < all->count; k++) {
			const char *text = all->item[k].text;
			const bool is_mac = strlen(text) == 17 && text[2] == ':' && text[5] == ':'
					    && text[14] == ':' && !strchr(text, '/');
			kind[is_mac].item[kind[is_mac].count++] = all->item[k];
		}
		if (kind[0].count + kind[1].count > 0) {
			fprintf(out, "%s  - {name: ", began ? "" : "clients:\n");
			began = true;
			import_write_text(out, m->client[i].name);
			for (unsigned k = 0; k < 2; k++) {
				if (!kind[k].count)
					continue;
				fputs(k ? ", macs: " : ", addresses: ", out);
				import_write_flow(out, &kind[k]);
			}
			fputs("}\n", out);
		}
		free(kind[0].item);
		free(kind[1].item);
	}
	if (began)
		putc('\n', out);
}

static void group_write(const struct import_group *g, FILE *out)
{
	fputs("  - name: ", out);
	import_write_text(out, g->name);
	import_write_note(out, g->note);
	import_write_items(out, 4, "clients", &g->clients);
	if (g->no_blocking)
		fputs("    blocking: false\n", out);
	if (g->no_inherit || (g->own_lists && g->lists.count == 0))
		fprintf(out, "    inherit: false                 # %s\n",
			g->lists.count ? "it has what stands here" : "no list applies");
	import_write_items(out, 4, "lists", &g->lists);
	if (!g->no_blocking)
		import_write_items(out, 4, "deny", &g->deny);
	import_write_items(out, 4, "allow", &g->allow);
	if (!g->no_blocking)
		import_write_services(out, 4, &g->services);
	import_write_engines(out, 4, &g->safe_search);
	if (g->no_cache)
		fputs("    disable_cache: true\n", out);
	if (g->upstreams.count)
		fputs("    upstreams:\n", out);
	import_write_servers(out, 4, &g->upstreams);
}

void import_write_groups(const struct import_model *m, FILE *out)
{
	bool began = false;
	for (unsigned i = 0; i < m->group_count; i++) {
		if (m->group[i].clients.count == 0)
			continue;
		if (!began)
			fputs("groups:\n", out);
		began = true;
		group_write(&m->group[i], out);
	}
	if (began)
		putc('\n', out);
}
