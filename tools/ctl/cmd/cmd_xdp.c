// SPDX-License-Identifier: BSD-3-Clause

// `weirctl xdp`: the steering programs of AF_XDP ports. It asks the kernel, so no data plane need
// run. Run it as root in the network namespace of the interfaces.

#include "lib/ctl.h"
#include "lib/json_doc.h"
#include "lib/table_cell.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/stats_read.h>
#include <weir/xdp_steer.h>

static const char *const steer_texts[STEER_COUNTERS] = {
#define X(name, text) text,
	STEER_COUNTER_LIST(X)
#undef X
};

struct xdp_port {
	const char *interface;
	unsigned ifindex; // 0: no such interface here
	struct xdp_program program;
	bool owned; // a running data plane has claimed the interface
	uint64_t counters[STEER_COUNTERS];
};

static int port_read(struct xdp_port *p)
{
	p->ifindex = if_nametoindex(p->interface);
	if (p->ifindex == 0)
		return 0;
	int rc = xdp_program_find(p->ifindex, &p->program);
	if (rc)
		return rc;
	p->owned = xdp_claimed(XDP_CLAIMS, p->ifindex) == 1;
	struct xdp_steer maps;
	if (p->program.attached != XDP_OURS || xdp_steer_open(&maps, p->ifindex) != 0)
		return 0;
	rc = xdp_steer_counters(&maps, p->counters);
	xdp_steer_close(&maps);
	return rc;
}

static const char *attached_text(const struct xdp_port *p)
{
	if (p->ifindex == 0)
		return "no such interface";
	if (p->program.attached == XDP_NONE)
		return "nothing";
	return p->program.attached == XDP_OURS ? "ours" : "someone else's";
}

static void ports_json(const struct xdp_port *port, unsigned count)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *list = json_put_array(json_doc_root(doc), "ports");
	for (unsigned i = 0; i < count; i++) {
		const struct xdp_port *p = &port[i];
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "interface", p->interface);
		json_put_text(n, "attached", attached_text(p));
		json_put_count(n, "program", p->program.id);
		json_put_bool(n, "native", p->program.native);
		json_put_bool(n, "dataplane", p->owned);
		struct json_node *counters = json_put_object(n, "counters");
		for (unsigned c = 0; c < STEER_COUNTERS; c++)
			json_put_count(counters, steer_counter_names[c], p->counters[c]);
	}
	json_doc_end(doc);
}

static void ports_tables(const struct xdp_port *port, unsigned count)
{
	static const char *const heads[] = {
		"interface", "attached", ">program", "mode", "data plane", NULL};
	static const char *const counts[] = {"interface", "counter", ">total", "", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < count; i++) {
		const struct xdp_port *p = &port[i];
		table_cell(t, "%s", p->interface);
		table_cell(t, "%s", attached_text(p));
		table_cell_count(t, p->program.id);
		table_cell(t, !p->program.id ? "" : p->program.native ? "native" : "generic");
		table_cell(t, p->owned ? "lives" : "none");
		table_row_end(t);
	}
	table_print(t);
	printf("\n");
	t = table_new(counts);
	for (unsigned i = 0; i < count; i++) {
		for (unsigned c = 0; c < STEER_COUNTERS; c++) {
			table_cell(t, "%s", port[i].interface);
			table_cell(t, "%s", steer_counter_names[c]);
			table_cell_count(t, port[i].counters[c]);
			table_cell(t, "%s", steer_texts[c]);
			table_row_end(t);
		}
	}
	table_print(t);
}

// Fills in the interfaces that the configuration uses by AF_XDP. Returns their number.
static unsigned interfaces_of(const struct config_dataplane *dp, struct xdp_port *port)
{
	unsigned count = 0;
	for (unsigned i = 0; i < dp->port_count; i++) {
		if (dp->ports[i].xdp)
			port[count++].interface = dp->ports[i].xdp;
	}
	return count;
}

// Only root sees the owner of a program; to other users every program would look like another
// owner's.
static int root_check(struct ctl *c)
{
	return geteuid() == 0 ? CTL_OK : ctl_fail(c, "needs root");
}

static int cmd_xdp_status(struct ctl *c)
{
	struct xdp_port port[CONFIG_PORTS_MAX] = {0};
	int ret = root_check(c);
	if (ret == CTL_OK)
		ret = ctl_open_config(c);
	if (ret != CTL_OK)
		return ret;
	unsigned count = interfaces_of(&c->config->dataplane, port);
	if (count == 0)
		return ctl_fail(c, "no AF_XDP port in the configuration (dataplane.ports: xdp)");
	for (unsigned i = 0; i < count; i++) {
		int rc = port_read(&port[i]);
		if (rc)
			return ctl_fail(c, "%s: %s", port[i].interface, strerror(-rc));
	}
	if (c->json)
		ports_json(port, count);
	else
		ports_tables(port, count);
	return CTL_OK;
}

static int detach_one(const struct ctl *c, const char *interface)
{
	unsigned ifindex = if_nametoindex(interface);
	int rc = ifindex ? xdp_program_detach(ifindex, c->force)
			 : 0; // an interface that is gone has no program
	if (rc == 0)
		return CTL_OK;
	const char *why =
		rc == -EBUSY    ? "its data plane is running (--force detaches the program anyway)"
		: rc == -EEXIST ? "the attached XDP program is not weir's"
		: rc == -ENOTUNIQ ? "something that is no claim has its name; see and remove it: "
				    "ls -ld " XDP_CLAIMS "/weir_*"
				  : strerror(-rc);
	return ctl_fail(c, "%s: %s", interface, why);
}

static int cmd_xdp_detach(struct ctl *c)
{
	struct xdp_port port[CONFIG_PORTS_MAX] = {0};
	int ret = root_check(c);
	if (ret != CTL_OK)
		return ret;
	if (c->operand)
		return detach_one(c, c->operand);
	ret = ctl_open_config(c);
	if (ret != CTL_OK)
		return ret;
	unsigned count = interfaces_of(&c->config->dataplane, port);
	for (unsigned i = 0; i < count; i++) {
		int one = detach_one(c, port[i].interface);
		ret = one == CTL_OK ? ret : one;
	}
	return ret;
}

CTL_COMMANDS = {
	{"xdp", "status", 0, 0, CTL_OPT_LOCAL, cmd_xdp_status, "",
		"Show the XDP programs on AF_XDP interfaces, and their counters."},
	{"xdp", "detach", 0, 1, CTL_OPT_FORCE | CTL_OPT_LOCAL, cmd_xdp_detach, "[IFACE] [--force]",
		"Detach the XDP program that a killed data plane left; --force: also that of a "
		"running one."},
};
