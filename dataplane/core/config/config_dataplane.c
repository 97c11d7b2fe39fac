// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

enum { DEVICE_TEXT_MAX = 512 };

// Lists every core that this process may run on, except the main lcore's.
static int lcores_auto(const struct config_doc *doc, const char *key, struct config_dataplane *d)
{
	cpu_set_t set;
	d->workers_auto = true;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return config_refuse(doc, key, "auto: there are too many cores, name them");
	for (unsigned i = 0; i < CPU_SETSIZE && d->worker_count < CONFIG_WORKERS_MAX; i++) {
		if (CPU_ISSET(i, &set) && i != d->main_lcore)
			d->worker_lcores[d->worker_count++] = i;
	}
	return d->worker_count ? 0
			       : config_refuse(doc, key,
				       "auto: there is no core beside dataplane.main_lcore");
}

static int lcore_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_dataplane *d)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long lcore = strtoul(text, NULL, 10);
	if (digits == 0 || digits > 4 || text[digits] || lcore > 1023)
		return config_refuse(doc, key, "must be a core number, 0 to 1023");
	for (unsigned i = 0; i < d->worker_count; i++)
		if (d->worker_lcores[i] == lcore)
			return config_refuse(doc, key, "given twice");
	d->worker_lcores[d->worker_count++] = (unsigned)lcore;
	return 0;
}

static int lcores_apply(
	const struct config_doc *doc, const struct config_node *node, struct config *out)
{
	struct config_dataplane *d = &out->dataplane;
	if (config_node_count(node, "worker_lcores") == 0) {
		d->worker_lcores[0] = d->main_lcore + 1;
		d->worker_count = 1;
		return 0;
	}
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "worker_lcores"); i++) {
		char key[CONFIG_PATH_MAX];
		config_item_key(key, "dataplane.worker_lcores", i, NULL);
		if (strcmp(config_node_item_text(node, "worker_lcores", i), "auto") == 0
			&& config_node_count(node, "worker_lcores") == 1)
			return lcores_auto(doc, key, d);
		rc = config_worse(rc,
			lcore_add(doc, key, config_node_item_text(node, "worker_lcores", i), d));
	}
	return rc;
}

static int exception_check(const struct config_doc *doc, const char *key, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	size_t len = strlen(name);
	if (len >= IF_NAMESIZE)
		return config_refuse(doc, key, "an interface name has at most 15 bytes");
	if (strspn(name, allowed) != len || name[0] == '.' || name[0] == '-')
		return config_refuse(doc, key, "is not an interface name");
	return 0;
}

static int port_mac_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_port *port)
{
	struct config_mac *mac = &port->macs[port->mac_count];
	if (config_mac_parse(text, mac) < 0)
		return config_refuse(doc, key, "is not a MAC address (\"02:00:5e:10:00:01\")");
	if (config_mac_check(doc, key, mac) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < port->mac_count; i++)
		if (memcmp(&port->macs[i], mac, sizeof(*mac)) == 0)
			return config_refuse(doc, key, "given twice");
	port->mac_count++;
	return 0;
}

static int port_macs_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_port *port)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	config_item_key(list, "dataplane.ports", i, "macs");
	for (unsigned k = 0; k < config_node_count(node, "macs"); k++)
		rc = config_worse(rc, port_mac_add(doc, config_item_key(key, list, k, NULL),
					      config_node_item_text(node, "macs", k), port));
	return rc;
}

// "eth0" or "eth0,busy_budget=0": the interface, and arguments of DPDK's driver. The steering
// program cannot be configured.
static int xdp_apply(const struct config_doc *doc, const char *key, const char *text, unsigned i,
	struct config_port *port)
{
	size_t len = strcspn(text, ",");
	if (strlen(text) >= DEVICE_TEXT_MAX)
		return config_refuse(doc, key, "is too long");
	if (strstr(text, ",iface=") || strstr(text, ",xdp_prog=") || strstr(text, "_queue=")
		|| strstr(text, ",queue_count="))
		return config_refuse(doc, key, "iface, queues and xdp_prog are weir's to set");
	port->xdp = heap_strndup(text, len);
	if (!port->xdp)
		return -ENOMEM;
	if (len == 0)
		return config_refuse(doc, key, "begins with no interface name");
	if (exception_check(doc, key, port->xdp) < 0)
		return -EINVAL;
	if (asprintf(&port->device, "net_af_xdp%u,iface=%s", i, text) < 0) {
		port->device = NULL;
		return -ENOMEM;
	}
	return 0;
}

// DPDK's default is an abstract socket. Every user of the host may connect to that, send frames
// with any source address and read the replies. A socket in the file system has an owner.
static int memif_check(const struct config_doc *doc, const char *key, const char *device)
{
	static const char owned[] = ",socket-abstract=no";
	const char *at = strstr(device, owned);
	bool is_owned = at && (at[sizeof(owned) - 1] == ',' || at[sizeof(owned) - 1] == '\0');
	if (strncmp(device, "net_memif", 9) != 0 || is_owned)
		return 0;
	return config_refuse(doc, key,
		"a memif needs socket-abstract=no: every user of this host may connect to an "
		"abstract socket");
}

// A driver of drivers, such as net_failsafe, may name it too.
static int af_xdp_check(const struct config_doc *doc, const char *key, const char *device)
{
	static const char names[] = "iface=";
	const char *at = strstr(device, names);
	const char *iface = at ? at + sizeof(names) - 1 : "INTERFACE";
	if (!strstr(device, "af_xdp"))
		return 0;
	return config_refuse(doc, key,
		"an interface with AF_XDP goes under xdp: write `xdp: %.*s` in place of device and "
		"exception; its steering program and queues are weir's to set",
		(int)strcspn(iface, ","), iface);
}

static int device_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_port *port)
{
	char key[CONFIG_PATH_MAX];
	if (config_node_text(node, "xdp")) {
		config_item_key(key, "dataplane.ports", i, "xdp");
		if (config_node_text(node, "device"))
			return config_refuse(doc, key, "goes without device");
		if (config_node_text(node, "exception") && *config_node_text(node, "exception"))
			return config_refuse(doc, key,
				"goes without exception: the kernel has that interface itself");
		return xdp_apply(doc, key, config_node_text(node, "xdp"), i, port);
	}
	config_item_key(key, "dataplane.ports", i, "device");
	int rc = config_text_take(
		doc, key, config_node_text(node, "device"), DEVICE_TEXT_MAX, &port->device);
	if (rc == 0)
		rc = af_xdp_check(doc, key, port->device);
	if (rc == 0 && strncmp(port->device, "net_failsafe", 12) == 0)
		rc = config_refuse(doc, key, "net_failsafe can run programs: name its device here");
	return rc < 0 ? rc : memif_check(doc, key, port->device);
}

// Refuses a device or an interface that an earlier port has.
static int device_check(const struct config_doc *doc, unsigned i, const struct config_dataplane *d)
{
	char key[CONFIG_PATH_MAX];
	const struct config_port *port = &d->ports[i];
	config_item_key(key, "dataplane.ports", i, port->xdp ? "xdp" : "device");
	for (unsigned j = 0; j < i; j++) {
		const struct config_port *before = &d->ports[j];
		if ((before->device && strcmp(before->device, port->device) == 0)
			|| (port->xdp && before->xdp && strcmp(before->xdp, port->xdp) == 0))
			return config_refuse(doc, key, "given twice");
	}
	return 0;
}

static int exception_apply(
	const struct config_doc *doc, const char *text, unsigned i, struct config_dataplane *d)
{
	char key[CONFIG_PATH_MAX];
	struct config_port *port = &d->ports[i];
	config_item_key(key, "dataplane.ports", i, "exception");
	port->exception = heap_strdup(text ? text : "");
	if (!port->exception)
		return -ENOMEM;
	if (!*port->exception)
		return 0;
	for (unsigned j = 0; j < i; j++)
		if (d->ports[j].exception && strcmp(d->ports[j].exception, port->exception) == 0)
			return config_refuse(doc, key, "given twice");
	return exception_check(doc, key, port->exception);
}

int config_vlan_parse(const char *text, uint16_t *out)
{
	enum { DIGITS_MAX = 4 };
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > DIGITS_MAX || text[digits])
		return -EINVAL;
	unsigned long id = strtoul(text, NULL, 10);
	if (id > CONFIG_VLAN_MAX)
		return -EINVAL;
	*out = (uint16_t)id;
	return 0;
}

// Number 0 stands for frames without a tag.
static int port_vlan_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_port *port)
{
	uint16_t id;
	if (config_vlan_parse(text, &id) < 0)
		return config_refuse(doc, key, "must be a VLAN number, 1 to 4094, or 0: no tag");
	if (port->vlans[id / 64] >> id % 64 & 1)
		return config_refuse(doc, key, "given twice");
	port->vlans[id / 64] |= UINT64_C(1) << id % 64;
	return 0;
}

static int port_vlans_apply(const struct config_doc *doc, const struct config_node *node,
	unsigned i, struct config_port *port)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	config_item_key(list, "dataplane.ports", i, "vlans");
	for (unsigned k = 0; k < config_node_count(node, "vlans"); k++)
		rc = config_worse(rc, port_vlan_add(doc, config_item_key(key, list, k, NULL),
					      config_node_item_text(node, "vlans", k), port));
	port->has_vlans = config_node_count(node, "vlans") > 0;
	return rc;
}

static int port_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_dataplane *d)
{
	struct config_port *port = &d->ports[i];
	d->port_count = i + 1;
	int rc = device_apply(doc, node, i, port);
	if (rc == 0)
		rc = device_check(doc, i, d);
	rc = config_worse(rc, exception_apply(doc, config_node_text(node, "exception"), i, d));
	rc = config_worse(rc, port_macs_apply(doc, node, i, port));
	return config_worse(rc, port_vlans_apply(doc, node, i, port));
}

static int ports_apply(
	const struct config_doc *doc, const struct config_node *node, struct config *out)
{
	if (config_node_count(node, "ports") == 0)
		return config_refuse(doc, "dataplane.ports", "at least one port is needed");
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "ports"); i++)
		rc = config_worse(rc,
			port_apply(doc, config_node_item(node, "ports", i), i, &out->dataplane));
	return rc;
}

// The unspecified address, multicast and IPv4 broadcast belong to no host.
bool config_address_is_host(const struct ip_address *a)
{
	static const uint8_t zero[16];
	size_t len = a->version == 4 ? 4 : 16;
	if (memcmp(a->bytes, zero, len) == 0)
		return false;
	return a->version == 4 ? a->bytes[0] < 224 : a->bytes[0] != 0xff;
}

bool config_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool config_address_is_public(const struct config_dataplane *dp, unsigned i)
{
	if (i >= dp->own_count)
		return true;
	for (unsigned v = dp->own_count; v < dp->address_count; v++)
		if (dp->addresses[v].version == dp->addresses[i].version)
			return false;
	return true;
}

static int address_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_dataplane *d)
{
	struct ip_address a;
	if (ip_address_parse(text, &a) < 0)
		return config_refuse(
			doc, key, "is not an IP address, with or without /prefix length");
	if (!config_address_is_host(&a) || a.prefix_len == 0)
		return config_refuse(doc, key, "no host can have this address");
	for (unsigned i = 0; i < d->address_count; i++)
		if (config_address_equal(&d->addresses[i], &a))
			return config_refuse(doc, key, "given twice");
	if (d->address_count == CONFIG_ADDRESSES_MAX)
		return config_refuse(doc, key, "is one more than 16, with service_addresses");
	d->addresses[d->address_count++] = a;
	return 0;
}

static int address_list_add(const struct config_doc *doc, const struct config_node *node,
	const char *name, struct config_dataplane *d)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	snprintf(list, sizeof(list), "dataplane.%s", name);
	for (unsigned i = 0; i < config_node_count(node, name); i++)
		rc = config_worse(rc, address_add(doc, config_item_key(key, list, i, NULL),
					      config_node_item_text(node, name, i), d));
	return rc;
}

// weir itself answers ARP on a port that no kernel interface belongs to, as every box would.
static int virtual_check(const struct config_doc *doc, const struct config_dataplane *d)
{
	if (d->address_count == d->own_count)
		return 0;
	for (unsigned i = 0; i < d->port_count; i++)
		if (!d->ports[i].xdp && !(d->ports[i].exception && *d->ports[i].exception))
			return config_refuse(doc, "dataplane.virtual_addresses",
				"every port needs exception, or xdp: the kernel answers ARP for "
				"these addresses where they are");
	return 0;
}

static int addresses_apply(
	const struct config_doc *doc, const struct config_node *node, struct config *out)
{
	struct config_dataplane *d = &out->dataplane;
	if (config_node_count(node, "service_addresses") == 0)
		return config_refuse(
			doc, "dataplane.service_addresses", "at least one address is needed");
	int rc = address_list_add(doc, node, "service_addresses", d);
	d->own_count = d->address_count;
	rc = config_worse(rc, address_list_add(doc, node, "virtual_addresses", d));
	return config_worse(rc, virtual_check(doc, d));
}

static int dataplane_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *d = config_section(doc, "dataplane");
	int rc = lcores_apply(doc, d, out);
	rc = config_worse(rc, ports_apply(doc, d, out));
	return config_worse(rc, addresses_apply(doc, d, out));
}

static void dataplane_free(struct config *c)
{
	for (unsigned i = 0; i < c->dataplane.port_count; i++) {
		FREE_AND_NULL(c->dataplane.ports[i].device);
		FREE_AND_NULL(c->dataplane.ports[i].exception);
		FREE_AND_NULL(c->dataplane.ports[i].xdp);
	}
}

// The section `dataplane`: cores, ports, service addresses.
const struct config_step config_dataplane_step = {.apply = dataplane_apply, .free = dataplane_free};
