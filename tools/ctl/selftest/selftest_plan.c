// SPDX-License-Identifier: BSD-3-Clause
#include "selftest_plan.h"

#include <errno.h>
#include <stdio.h>

enum { L0_MB_MOST = 64 };

int selftest_cpus_choose(const struct config_dataplane *c, bool running, bool force,
	const bool allowed[], unsigned count, struct selftest_cpus *out)
{
	unsigned cpu[3], n = 0;
	bool apart = running && !force;
	if (!apart && c->worker_lcores[0] < count && allowed[c->worker_lcores[0]])
		cpu[n++] = c->worker_lcores[0];
	for (unsigned i = 0; i < count && n < 3; i++) {
		bool taken = n && i == cpu[0];
		for (unsigned k = 0; apart && k < c->worker_count; k++)
			taken |= i == c->worker_lcores[k];
		// Its housekeeping and our generator would wait for each other.
		taken |= apart && i == c->main_lcore;
		if (allowed[i] && !taken)
			cpu[n++] = i;
	}
	if (n < 2)
		return apart ? -EBUSY : -ENOENT;
	*out = (struct selftest_cpus){.worker = cpu[0], .main = cpu[1], .load = cpu[n - 1]};
	return 0;
}

// In a double-quoted YAML scalar these need no escape.
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\' || *text == 0x7f)
			return false;
	}
	return true;
}

static void lists_write(FILE *f, const struct config_blocking *b, unsigned *lists)
{
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *l = &b->lists[i];
		if (!l->path || l->format != LIST_FORMAT_AUTO || !is_plain(l->path))
			continue;
		fprintf(f, "%s{name: list%u, path: \"%s\", allow: %s}", *lists ? ", " : "", i,
			l->path, l->allow ? "true" : "false");
		++*lists;
	}
}

int selftest_config_write(const char *path, const char *dir, const struct config *c,
	const struct selftest_cpus *cpus, uint16_t upstream_port, unsigned *lists)
{
	unsigned l0_mb = c->cache.l0_mb < L0_MB_MOST ? c->cache.l0_mb : L0_MB_MOST;
	FILE *f = fopen(path, "wxe");
	if (!f)
		return -errno;
	fprintf(f,
		"runtime: {directory: %s/run, state_directory: %s/state, hugepages: \"%s\"}\n"
		"dataplane:\n  main_lcore: %u\n  worker_lcores: [%u]\n  poll: busy\n"
		"  ports: [{device: "
		"\"net_memif0,role=server,socket-abstract=no,socket=%s/memif.sock\"}]\n"
		"  service_addresses: [198.18.0.53/24]\n"
		"cache: {l0_mb: %u}\nquery_log: {enabled: false}\nlocal: {test_names: true}\n"
		"upstreams: {servers: [{address: \"127.0.0.1:%u\"}]}\nblocking: {lists: [",
		dir, dir, is_plain(c->runtime.hugepages) ? c->runtime.hugepages : "auto",
		cpus->main, cpus->worker, dir, l0_mb, upstream_port);
	*lists = 0;
	lists_write(f, &c->blocking, lists);
	fprintf(f, "]}\n");
	return fclose(f) == 0 ? 0 : -errno;
}
