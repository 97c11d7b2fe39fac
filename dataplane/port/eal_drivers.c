// SPDX-License-Identifier: BSD-3-Clause
#include "eal_drivers.h"

#include <dirent.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY_PREFIX "librte_"

// A virtual device has the name of its driver and a suffix of its own.
static const char *const virtual_drivers[] = {
	"net_af_packet", "net_af_xdp", "net_memif", "net_null", "net_pcap", "net_ring", "net_tap"};

static _Thread_local const struct config_dataplane *wanted; // NULL: all drivers

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *driver_of(const char *device)
{
	for (unsigned i = 0; i < sizeof(virtual_drivers) / sizeof(virtual_drivers[0]); i++) {
		if (begins(device, virtual_drivers[i]))
			return virtual_drivers[i];
	}
	return NULL;
}

void eal_drivers_begin(const struct config_dataplane *dp)
{
	wanted = dp;
	for (unsigned i = 0; i < dp->port_count; i++) {
		if (!driver_of(dp->ports[i].device))
			wanted = NULL;
	}
}

void eal_drivers_end(void)
{
	wanted = NULL;
}

// "librte_net_tap.so.23.0" is of "net_tap".
static bool is_of(const char *file, const char *driver)
{
	const char *name = file + strlen(LIBRARY_PREFIX);
	return begins(name, driver) && begins(name + strlen(driver), ".so");
}

static bool needs(const struct config_dataplane *dp, const char *file)
{
	if (!begins(file, LIBRARY_PREFIX) || is_of(file, "bus_vdev") || is_of(file, "mempool_ring"))
		return true;
	for (unsigned i = 0; i < dp->port_count; i++) {
		const struct config_port *port = &dp->ports[i];
		if (is_of(file, driver_of(port->device))
			|| (port->exception[0] && is_of(file, "net_tap")))
			return true;
	}
	return false;
}

// glibc has two names for one function, and <dirent.h> turns the first into the second.
struct dirent *libc_readdir(DIR *folder) __asm__("readdir");

static struct dirent *program_readdir(DIR *folder)
{
	struct dirent *entry = libc_readdir(folder);
	while (entry && wanted && !needs(wanted, entry->d_name))
		entry = libc_readdir(folder);
	return entry;
}

struct dirent64 *readdir64(DIR *) __attribute__((alias("program_readdir")));
