// SPDX-License-Identifier: BSD-3-Clause

#include "import_write.h"

#include "import_server.h"
#include "import_write_groups.h"
#include "import_write_yaml.h"

#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

static bool has_values(const struct import_model *m, const char *section)
{
	for (unsigned i = 0; i < m->value_count; i++)
		if (strcmp(m->value[i].section, section) == 0)
			return true;
	return false;
}

static void values_write(
	const struct import_model *m, FILE *out, const char *section, unsigned indent)
{
	for (unsigned i = 0; i < m->value_count; i++) {
		const struct import_value *v = &m->value[i];
		if (strcmp(v->section, section) != 0)
			continue;
		fprintf(out, "%*s%s: %s", (int)indent, "", v->key, v->text ? v->text : "");
		import_write_note(out, v->note);
	}
}

// A section that has keys with one value and nothing else.
static void section_write(const struct import_model *m, FILE *out, const char *section)
{
	if (!has_values(m, section))
		return;
	fprintf(out, "%s:\n", section);
	values_write(m, out, section, 2);
	putc('\n', out);
}

static void head_write(const struct import_model *m, FILE *out)
{
	fprintf(out,
		"# weir: made by `weirctl import` from the configuration of %s.\n"
		"# Look through it, set what says CHANGE, then: weirctl config check FILE\n"
		"# docs/how-to/import.md says what differs; docs/reference/config.md has every "
		"key.\n",
		m->source);
	if (m->misses.count)
		fprintf(out, "# %u thing%s of the source ha%s no counterpart: see the end.\n",
			m->misses.count, m->misses.count == 1 ? "" : "s",
			m->misses.count == 1 ? "s" : "ve");
	fputs("\nversion: 1\n\n"
	      "dataplane:\n"
	      "  ports:                           # CHANGE: the network card (docs/how-to/nic.md)\n"
	      "    - device: net_tap0,iface=wt0,persist\n"
	      "      exception: weir0\n"
	      "  service_addresses:               # CHANGE: the addresses that clients ask\n"
	      "    - 198.18.0.53/24\n\n",
		out);
}

static void list_write(const struct import_list *l, FILE *out)
{
	fputs("    - name: ", out);
	import_write_text(out, l->name);
	import_write_note(out, l->note);
	fprintf(out, "      %s: ", l->place[0] == '/' ? "path" : "url");
	import_write_text(out, l->place);
	putc('\n', out);
	if (l->allow)
		fputs("      allow: true\n", out);
	if (l->exact)
		fputs("      exact: true                  # a plain name is that name alone, as "
		      "there\n",
			out);
}

static void blocking_write(const struct import_model *m, FILE *out)
{
	fputs("blocking:\n", out);
	if (!has_values(m, "blocking"))
		fputs("  enabled: true\n", out);
	values_write(m, out, "blocking", 2);
	if (has_values(m, "blocking.rebinding") || m->rebinding_allow.count) {
		fputs("  rebinding:\n    enabled: true\n", out);
		import_write_items(out, 4, "allow", &m->rebinding_allow);
	}
	if (m->list_count)
		fputs("  lists:\n", out);
	for (unsigned i = 0; i < m->list_count; i++)
		list_write(&m->list[i], out);
	if (has_values(m, "blocking.update"))
		fputs("  update:\n", out);
	values_write(m, out, "blocking.update", 4);
	import_write_items(out, 2, "deny", &m->deny);
	import_write_items(out, 2, "allow", &m->allow);
	import_write_services(out, 2, &m->services);
	import_write_engines(out, 2, &m->safe_search);
	putc('\n', out);
}

static bool has_named(const struct import_items *servers)
{
	for (unsigned i = 0; i < servers->count; i++)
		if (import_server_is_named(servers->item[i].text))
			return true;
	return false;
}

static bool needs_bootstrap(const struct import_model *m)
{
	bool needs = has_named(&m->upstreams);
	for (unsigned i = 0; i < m->zone_count; i++)
		needs |= has_named(&m->zone[i].servers);
	for (unsigned i = 0; i < m->group_count; i++)
		needs |= has_named(&m->group[i].upstreams);
	return needs;
}

static void upstreams_write(const struct import_model *m, FILE *out)
{
	fputs("upstreams:\n", out);
	if (m->is_recursive && m->upstreams.count == 0)
		fputs("  mode: recursive                  # no forwarding there\n", out);
	else
		fputs("  servers:\n", out);
	import_write_servers(out, 4, &m->upstreams);
	if (!m->is_recursive && m->upstreams.count == 0)
		fputs("    - {address: 9.9.9.9}           # CHANGE: the source names no server\n",
			out);
	import_write_items(out, 2, "bootstrap", &m->bootstrap);
	if (m->bootstrap.count == 0 && needs_bootstrap(m))
		fputs("  bootstrap: [9.9.9.9, 1.1.1.1]    # CHANGE: resolve the host names above, "
		      "and "
		      "those of groups and zones\n",
			out);
	values_write(m, out, "upstreams", 2);
	putc('\n', out);
}

static void access_write(const struct import_model *m, FILE *out)
{
	if (!m->access_allow.count && !m->access_deny.count && !has_values(m, "access"))
		return;
	fputs("access:\n", out);
	import_write_items(out, 2, "allow", &m->access_allow);
	import_write_items(out, 2, "deny", &m->access_deny);
	values_write(m, out, "access", 2);
	putc('\n', out);
}

static void dnssec_write(const struct import_model *m, FILE *out)
{
	if (!has_values(m, "dnssec") && !m->negative_anchors.count)
		return;
	fputs("dnssec:\n", out);
	values_write(m, out, "dnssec", 2);
	import_write_items(out, 2, "negative_anchors", &m->negative_anchors);
	putc('\n', out);
}

static void records_write(const struct import_model *m, FILE *out)
{
	if (m->record_count)
		fputs("  records:\n", out);
	for (unsigned i = 0; i < m->record_count; i++) {
		const struct import_record *r = &m->record[i];
		fputs("    - {name: ", out);
		import_write_text(out, r->name);
		fprintf(out, ", type: %s, value: ", r->type);
		import_write_text(out, r->value);
		if (r->ttl >= 0)
			fprintf(out, ", ttl: %ld", r->ttl);
		fputs("}\n", out);
	}
}

static void local_write(const struct import_model *m, FILE *out)
{
	if (!m->record_count && !m->hosts_files.count && !m->closed_zones.count
		&& !m->open_zones.count && !has_values(m, "local"))
		return;
	fputs("local:\n", out);
	values_write(m, out, "local", 2);
	records_write(m, out);
	import_write_items(out, 2, "hosts_files", &m->hosts_files);
	if (m->closed_zones.count || m->open_zones.count)
		fputs("  zones:\n", out);
	for (unsigned i = 0; i < m->closed_zones.count + m->open_zones.count; i++) {
		const bool is_open = i >= m->closed_zones.count;
		const struct import_items *of = is_open ? &m->open_zones : &m->closed_zones;
		fputs("    - {name: ", out);
		import_write_text(out, of->item[is_open ? i - m->closed_zones.count : i].text);
		fprintf(out, ", unknown: %s}\n", is_open ? "forward" : "nxdomain");
	}
	putc('\n', out);
}

static void zones_write(const struct import_model *m, FILE *out)
{
	bool began = false;
	for (unsigned i = 0; i < m->zone_count; i++) {
		const struct import_zone *z = &m->zone[i];
		if (z->servers.count == 0) // all refused, and that is said
			continue;
		fprintf(out, "%s  - {name: ", began ? "" : "forward_zones:\n");
		began = true;
		import_write_text(out, z->name);
		fputs(", servers: ", out);
		import_write_flow(out, &z->servers);
		fputs("}\n", out);
	}
	if (began)
		putc('\n', out);
}

static void misses_write(const struct import_model *m, FILE *out)
{
	char place[800], text[1600];
	if (m->misses.count)
		fprintf(out, "# Without a counterpart in weir:\n");
	for (unsigned i = 0; i < m->misses.count; i++)
		fprintf(out, "# - %s: %s\n",
			text_escape(m->misses.item[i].note ? m->misses.item[i].note : "", place,
				sizeof(place)),
			text_escape(m->misses.item[i].text, text, sizeof(text)));
	if (m->beyond)
		fprintf(out, "# - %u entries over the bounds of weir's configuration\n", m->beyond);
}

void import_write(const struct import_model *m, FILE *out)
{
	static const char *const plain[] = {"query_log", "ipv6"};
	head_write(m, out);
	section_write(m, out, "cache");
	blocking_write(m, out);
	upstreams_write(m, out);
	section_write(m, out, "limits");
	access_write(m, out);
	dnssec_write(m, out);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		section_write(m, out, plain[i]);
	local_write(m, out);
	zones_write(m, out);
	import_write_clients(m, out);
	import_write_groups(m, out);
	misses_write(m, out);
}

void import_write_misses(const struct import_model *m, FILE *out)
{
	char place[800], text[1600];
	for (unsigned i = 0; i < m->misses.count; i++)
		fprintf(out, "weirctl: import: %s: %s\n",
			text_escape(m->misses.item[i].note ? m->misses.item[i].note : "", place,
				sizeof(place)),
			text_escape(m->misses.item[i].text, text, sizeof(text)));
	if (m->beyond)
		fprintf(out,
			"weirctl: import: %u entries are left out: they are over the bounds of "
			"weir's configuration\n",
			m->beyond);
}
