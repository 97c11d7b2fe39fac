// SPDX-License-Identifier: BSD-3-Clause

#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/config/pci_name.h>
#include <weir/config_tools.h>

static void lcore_prove(const char *key, unsigned lcore, const struct config_proof *p)
{
	long cores = sysconf(_SC_NPROCESSORS_CONF);
	if (cores > 0 && lcore >= (unsigned long)cores)
		config_proof_refuse(p, key, "this machine has no core %u, its cores are 0 to %ld",
			lcore, cores - 1);
}

// Has a driver's argument no name? Commas separate arguments, and each begins with its name.
static bool has_nameless(const char *arguments)
{
	for (const char *p = arguments; *p == ','; p += 1 + strcspn(p + 1, ","))
		if (strcspn(p + 1, "=,") == 0)
			return true;
	return false;
}

static bool is_there(const char *root, const char *pci)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", root, pci);
	return n < (int)sizeof(path) && access(path, F_OK) == 0;
}

static void device_prove(
	unsigned i, const char *device, const char *root, const struct config_proof *p)
{
	char key[64], name[64], pci[PCI_NAME_MAX];
	size_t len = strcspn(device, ",");
	snprintf(key, sizeof(key), "dataplane.ports[%u].device", i);
	snprintf(name, sizeof(name), "%.*s", (int)len, device);
	if (has_nameless(device + len))
		config_proof_refuse(p, key, "an argument has no name");
	if (pci_name_parse(name, pci)) {
		if (!is_there(root, pci))
			config_proof_refuse(p, key, "this machine has no PCI device %s", pci);
	} else if (strncmp(name, "net_", 4) != 0 || !name[4]) {
		config_proof_refuse(p, key,
			"\"%s\" is neither a PCI address nor a virtual device (net_...)", name);
	}
}

static void group_prove(const char *key, const char *name, const struct config_proof *p)
{
	if (name[0] && !getgrnam(name))
		config_proof_refuse(p, key, "this machine has no group \"%s\"", name);
}

void config_machine_prove(const struct config *c, const char *root, const struct config_proof *p)
{
	const struct config_dataplane *d = &c->dataplane;
	group_prove("runtime.group", c->runtime.group, p);
	group_prove("runtime.stats_group", c->runtime.stats_group, p);
	lcore_prove("dataplane.main_lcore", d->main_lcore, p);
	for (unsigned i = 0; i < d->worker_count && !d->workers_auto; i++) {
		char key[64];
		snprintf(key, sizeof(key), "dataplane.worker_lcores[%u]", i);
		lcore_prove(key, d->worker_lcores[i], p);
	}
	for (unsigned i = 0; i < d->port_count; i++)
		if (!d->ports[i].xdp)
			device_prove(i, d->ports[i].device, root, p);
}

void config_machine_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, const char *root, struct config_errors *errors)
{
	struct config_errors known = {0};
	config_machine_prove(running, root, &(struct config_proof){.errors = &known});
	config_machine_prove(
		c, root, &(struct config_proof){.texts = texts, .known = &known, .errors = errors});
}
