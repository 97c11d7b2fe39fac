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

enum { DEVICE_TEXT_MAX = 512 };

// Every core that this process may run on, but the main one.
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

static int lcores_apply(
	const struct config_doc *doc, const struct config_raw_dataplane *raw, struct config *out)
{
	struct config_dataplane *d = &out->dataplane;
	if (raw->worker_lcores_count == 0) {
		d->worker_lcores[0] = d->main_lcore + 1;
		d->worker_count = 1;
		return 0;
	}
	for (unsigned i = 0; i < raw->worker_lcores_count; i++) {
		char key[CONFIG_PATH_MAX];
		config_item_key(key, "dataplane.worker_lcores", i, NULL);
		if (strcmp(raw->worker_lcores[i], "auto") == 0 && raw->worker_lcores_count == 1)
			return lcores_auto(doc, key, d);
		const char *text = raw->worker_lcores[i];
		size_t digits = strspn(text, "0123456789");
		unsigned long lcore = strtoul(text, NULL, 10);
		if (digits == 0 || digits > 4 || text[digits] || lcore > 1023)
			return config_refuse(doc, key, "must be a core number, 0 to 1023");
		for (unsigned j = 0; j < i; j++) {
			if (d->worker_lcores[j] == lcore)
				return config_refuse(doc, key, "given twice");
		}
		d->worker_lcores[i] = (unsigned)lcore;
	}
	d->worker_count = raw->worker_lcores_count;
	return 0;
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

static int port_macs_apply(const struct config_doc *doc, const struct config_raw_port *raw,
	unsigned i, struct config_port *port)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	config_item_key(list, "dataplane.ports", i, "macs");
	for (unsigned k = 0; k < raw->macs_count; k++) {
		config_item_key(key, list, k, NULL);
		if (config_mac_parse(raw->macs[k], &port->macs[k]) < 0)
			return config_refuse(
				doc, key, "is not a MAC address (\"02:00:5e:10:00:01\")");
		if (config_mac_check(doc, key, &port->macs[k]) < 0)
			return -EINVAL;
		for (unsigned j = 0; j < k; j++) {
			if (memcmp(&port->macs[j], &port->macs[k], sizeof(port->macs[k])) == 0)
				return config_refuse(doc, key, "given twice");
		}
	}
	port->mac_count = raw->macs_count;
	return 0;
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
	port->xdp = strndup(text, len);
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

// DPDK's default is an abstract socket, to which every user of the host may connect, and so send
// frames with any source address and read the replies. One in the file system has an owner.
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

static int device_apply(const struct config_doc *doc, const struct config_raw_port *raw, unsigned i,
	struct config_port *port)
{
	char key[CONFIG_PATH_MAX];
	if (raw->xdp) {
		config_item_key(key, "dataplane.ports", i, "xdp");
		if (raw->device)
			return config_refuse(doc, key, "goes without device");
		if (raw->exception && *raw->exception)
			return config_refuse(doc, key,
				"goes without exception: the kernel has that interface itself");
		return xdp_apply(doc, key, raw->xdp, i, port);
	}
	config_item_key(key, "dataplane.ports", i, "device");
	int rc = config_text_take(doc, key, raw->device, DEVICE_TEXT_MAX, &port->device);
	return rc < 0 ? rc : memif_check(doc, key, port->device);
}

static int port_apply(const struct config_doc *doc, const struct config_raw_port *raw, unsigned i,
	struct config_dataplane *d)
{
	char key[CONFIG_PATH_MAX];
	struct config_port *port = &d->ports[i];
	d->port_count = i + 1;
	int rc = device_apply(doc, raw, i, port);
	if (rc < 0)
		return rc;
	config_item_key(key, "dataplane.ports", i, port->xdp ? "xdp" : "device");
	for (unsigned j = 0; j < i; j++) {
		if (strcmp(d->ports[j].device, port->device) == 0
			|| (port->xdp && d->ports[j].xdp
				&& strcmp(d->ports[j].xdp, port->xdp) == 0))
			return config_refuse(doc, key, "given twice");
	}
	const char *exception = raw->exception ? raw->exception : "";
	config_item_key(key, "dataplane.ports", i, "exception");
	if (*exception && exception_check(doc, key, exception) < 0)
		return -EINVAL;
	for (unsigned j = 0; j < i; j++) {
		if (*exception && strcmp(d->ports[j].exception, exception) == 0)
			return config_refuse(doc, key, "given twice");
	}
	port->exception = strdup(exception);
	if (!port->exception)
		return -ENOMEM;
	rc = port_macs_apply(doc, raw, i, port);
	return rc < 0 ? rc : config_port_vlans_apply(doc, raw, i, port);
}

static int ports_apply(
	const struct config_doc *doc, const struct config_raw_dataplane *raw, struct config *out)
{
	if (raw->ports_count == 0)
		return config_refuse(doc, "dataplane.ports", "at least one port is needed");
	for (unsigned i = 0; i < raw->ports_count; i++) {
		int rc = port_apply(doc, &raw->ports[i], i, &out->dataplane);
		if (rc < 0)
			return rc;
	}
	return 0;
}

// No host answers on these: the unspecified address, multicast, IPv4 broadcast.
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

static int addresses_apply(
	const struct config_doc *doc, const struct config_raw_dataplane *raw, struct config *out)
{
	struct config_dataplane *d = &out->dataplane;
	if (raw->service_addresses_count == 0)
		return config_refuse(
			doc, "dataplane.service_addresses", "at least one address is needed");
	for (unsigned i = 0; i < raw->service_addresses_count; i++) {
		char key[CONFIG_PATH_MAX];
		config_item_key(key, "dataplane.service_addresses", i, NULL);
		struct ip_address a;
		if (ip_address_parse(raw->service_addresses[i], &a) < 0)
			return config_refuse(
				doc, key, "is not an IP address, with or without /prefix length");
		if (!config_address_is_host(&a) || a.prefix_len == 0)
			return config_refuse(doc, key, "no host can have this address");
		for (unsigned j = 0; j < i; j++) {
			if (config_address_equal(&d->addresses[j], &a))
				return config_refuse(doc, key, "given twice");
		}
		d->addresses[i] = a;
	}
	d->address_count = raw->service_addresses_count;
	return 0;
}

static int sources_apply(const struct config_doc *doc, const struct config_raw_upstreams *raw,
	struct config_upstreams *u)
{
	for (unsigned i = 0; i < raw->source_count; i++) {
		char key[CONFIG_PATH_MAX];
		struct ip_address a;
		config_item_key(key, "upstreams.source", i, NULL);
		if (ip_address_parse(raw->source[i], &a) < 0
			|| a.prefix_len != (a.version == 4 ? 32 : 128))
			return config_refuse(doc, key, "is not an IP address");
		if (i > 0 && a.version == u->source[0].version)
			return config_refuse(doc, key, "one IPv4 and one IPv6 address at most");
		u->source[u->source_count++] = a;
	}
	return 0;
}

static int servers_apply(
	const struct config_doc *doc, const struct config_raw_upstreams *raw, struct config *out)
{
	struct config_upstreams *u = &out->upstreams;
	if (dns_name_from_text(u->check_text, strlen(u->check_text), &u->check_name) < 0)
		return config_refuse(doc, "upstreams.check_name", "is not a domain name");
	int rc = config_bootstrap_apply(doc, "upstreams.bootstrap", raw->bootstrap,
		raw->bootstrap_count, out, u->bootstrap, &u->bootstrap_count);
	for (unsigned i = 0; rc == 0 && i < raw->servers_count; i++) {
		rc = config_server_apply(doc, &raw->servers[i], "upstreams.servers", out,
			out->upstreams.server, &out->upstreams.count);
		if (rc < 0)
			return rc;
	}
	rc = config_servers_strict(doc, "upstreams.servers", out, u->server, u->count);
	if (rc == 0)
		rc = config_recursion_apply(doc, u);
	return rc < 0 ? rc : sources_apply(doc, raw, u);
}

int config_net_apply(const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	int rc = lcores_apply(doc, raw->dataplane, out);
	if (rc == 0)
		rc = ports_apply(doc, raw->dataplane, out);
	if (rc == 0)
		rc = addresses_apply(doc, raw->dataplane, out);
	if (rc == 0)
		rc = servers_apply(doc, raw->upstreams, out);
	return rc;
}

void config_net_free(struct config *c)
{
	for (unsigned i = 0; i < c->dataplane.port_count; i++) {
		FREE_AND_NULL(c->dataplane.ports[i].device);
		FREE_AND_NULL(c->dataplane.ports[i].exception);
		FREE_AND_NULL(c->dataplane.ports[i].xdp);
	}
	for (unsigned i = 0; i < c->upstreams.count; i++)
		FREE_AND_NULL(c->upstreams.server[i].name);
}
