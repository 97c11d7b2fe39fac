// SPDX-License-Identifier: BSD-3-Clause

#include "config_prove.h"

#include "config_certificates.h"
#include "pci_name.h"
#include "sysroot.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add(struct config_errors *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void add(struct config_errors *e, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (e->count < CONFIG_ERRORS_MAX)
		vsnprintf(e->text[e->count], CONFIG_WHY_MAX, fmt, args);
	va_end(args);
	e->count++;
}

static void lcore_prove(const char *key, unsigned lcore, struct config_errors *e)
{
	long cores = sysconf(_SC_NPROCESSORS_CONF);
	if (cores > 0 && lcore >= (unsigned long)cores)
		add(e, "config: %s: this machine has no core %u, its cores are 0 to %ld", key,
			lcore, cores - 1);
}

// Arguments of a driver stand between commas and begin with their names.
static bool has_nameless(const char *arguments)
{
	for (const char *p = arguments; *p == ','; p += 1 + strcspn(p + 1, ","))
		if (strcspn(p + 1, "=,") == 0)
			return true;
	return false;
}

static void device_prove(unsigned i, const char *device, struct config_errors *e)
{
	char name[64], pci[PCI_NAME_MAX];
	size_t len = strcspn(device, ",");
	snprintf(name, sizeof(name), "%.*s", (int)len, device);
	if (has_nameless(device + len))
		add(e, "config: dataplane.ports[%u].device: an argument has no name", i);
	if (pci_name_parse(name, pci)) {
		if (!sysroot_exists("/sys/bus/pci/devices/%s", pci))
			add(e,
				"config: dataplane.ports[%u].device: this machine has no PCI "
				"device %s",
				i, pci);
	} else if (strncmp(name, "net_", 4) != 0 || !name[4]) {
		add(e,
			"config: dataplane.ports[%u].device: \"%s\" is neither a PCI address nor a "
			"virtual device (net_...)",
			i, name);
	}
}

static void certificate_prove(
	unsigned i, const char *cert, const char *key, struct config_errors *e)
{
	bool is_of_key;
	const char *why = config_certificate_wrong(cert, key, &is_of_key);

	if (why)
		add(e, "config: tls.certificates[%u].%s: %s: %s", i, is_of_key ? "key" : "cert",
			is_of_key ? key : cert, why);
}

static void authorities_prove(const char *path, struct config_errors *e)
{
	const char *why = path[0] ? config_authorities_wrong(path) : NULL;

	if (why)
		add(e, "config: tls.client_ca: %s: %s", path, why);
}

void config_prove(const struct config *c, struct config_errors *e)
{
	const struct config_dataplane *d = &c->dataplane;
	if (c->runtime.group[0] && !getgrnam(c->runtime.group))
		add(e, "config: runtime.group: this machine has no group \"%s\"", c->runtime.group);
	lcore_prove("dataplane.main_lcore", d->main_lcore, e);
	for (unsigned i = 0; i < d->worker_count && !d->workers_auto; i++) {
		char key[64];
		snprintf(key, sizeof(key), "dataplane.worker_lcores[%u]", i);
		lcore_prove(key, d->worker_lcores[i], e);
	}
	for (unsigned i = 0; i < d->port_count; i++)
		if (!d->ports[i].xdp)
			device_prove(i, d->ports[i].device, e);
	for (unsigned i = 0; i < c->tls.count; i++)
		certificate_prove(i, c->tls.certificate[i].cert, c->tls.certificate[i].key, e);
	authorities_prove(c->tls.client_ca, e);
}
