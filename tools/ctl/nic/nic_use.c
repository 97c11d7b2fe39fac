// SPDX-License-Identifier: BSD-3-Clause
#include "nic_use.h"

#include "lib/proc_fds.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <glob.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(char out[NIC_USE_MAX], const char *between, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void add(char out[NIC_USE_MAX], const char *between, const char *fmt, ...)
{
	char text[NIC_USE_MAX];
	size_t len = strlen(out);
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(out + len, NIC_USE_MAX - len, "%s%s", len ? between : "", text);
}

// The kernel gives each interface a link-local address of IPv6 by itself.
static bool is_set_up(const struct sockaddr *address)
{
	return address->sa_family == AF_INET
	       || (address->sa_family == AF_INET6
		       && !IN6_IS_ADDR_LINKLOCAL(
			       &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr));
}

// "eth0", or the label of an address of IPv4: "eth0:1".
static bool is_of(const char *label, const char *interface)
{
	size_t len = strcspn(label, ":");
	return len == strlen(interface) && strncmp(label, interface, len) == 0;
}

static void addresses_find(const char *interface, char out[NIC_USE_MAX])
{
	struct ifaddrs *all;
	bool has = false;
	if (getifaddrs(&all) != 0) {
		add(out, ", ", "its addresses cannot be read: %s", strerror(errno));
		return;
	}
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		has |= a->ifa_addr && is_of(a->ifa_name, interface) && is_set_up(a->ifa_addr);
	freeifaddrs(all);
	if (has)
		add(out, ", ", "has an address");
}

// Its interface is the first word of a line of /proc/net/route.
static bool is_route_v4(const char *line, const char *interface)
{
	char name[IF_NAMESIZE];
	return sscanf(line, "%15s", name) == 1 && strcmp(name, interface) == 0;
}

// A default route: the interface has routes of its own to its link and to groups in any case.
static bool is_default_v6(const char *line, const char *interface)
{
	char name[IF_NAMESIZE], to[33];
	unsigned len;
	return sscanf(line, "%32s %x %*s %*s %*s %*s %*s %*s %*s %15s", to, &len, name) == 3
	       && len == 0 && strspn(to, "0") == 32 && strcmp(name, interface) == 0;
}

// 1: a line is one of it, 0: none is, -errno.
static int routes_look(const char *file, const char *interface,
	bool (*is_one)(const char *line, const char *interface))
{
	char path[SYSROOT_PATH_MAX], line[256];
	FILE *f = fopen(sysroot_path(path, "%s", file), "re");
	int has = 0;
	if (!f)
		return -errno;
	while (!has && fgets(line, sizeof(line), f))
		has = is_one(line, interface);
	has = ferror(f) ? -EIO : has;
	fclose(f);
	return has;
}

static void routes_find(const char *interface, char out[NIC_USE_MAX])
{
	int v4 = routes_look("/proc/net/route", interface, is_route_v4);
	int v6 = routes_look("/proc/net/ipv6_route", interface, is_default_v6);
	if (v6 == -ENOENT) // a kernel without IPv6
		v6 = 0;
	if (v4 > 0 || v6 > 0)
		add(out, ", ", "has a route");
	else if (v4 < 0 || v6 < 0)
		add(out, ", ", "its routes cannot be read: %s", strerror(v4 < 0 ? -v4 : -v6));
}

// A VLAN or a macvlan: that one has the addresses.
static void uppers_find(const char *interface, char out[NIC_USE_MAX])
{
	char pattern[SYSROOT_PATH_MAX];
	glob_t found;
	sysroot_path(pattern, "/sys/class/net/%s/upper_*", interface);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		add(out, ", ", "carries %s", strrchr(found.gl_pathv[i], '/') + strlen("/upper_"));
	globfree(&found);
}

void nic_use_find(const struct nic_device *d, char out[NIC_USE_MAX])
{
	char master[NIC_WORD_MAX];
	*out = '\0';
	if (!d->interface[0])
		return;
	if (sysroot_link(master, sizeof(master), "/sys/class/net/%s/master", d->interface) == 0)
		add(out, ", ", "belongs to %s", master);
	else
		uppers_find(d->interface, out);
	addresses_find(d->interface, out);
	routes_find(d->interface, out);
}

// The other devices of its IOMMU group with a driver of the kernel: vfio gives a group to a program
// whole or not at all. Bridges may stay.
static void fellows_find(const struct nic_device *d, char out[NIC_USE_MAX])
{
	char pattern[SYSROOT_PATH_MAX], driver[NIC_WORD_MAX];
	glob_t found;
	*out = '\0';
	sysroot_path(pattern, "/sys/kernel/iommu_groups/%s/devices/*", d->group);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *other = strrchr(found.gl_pathv[i], '/') + 1;
		nic_device_driver(other, driver);
		if (*driver && strcmp(driver, "vfio-pci") != 0 && strcmp(driver, "pci-stub") != 0
			&& strcmp(other, d->pci) != 0 && !nic_device_is_bridge(other))
			add(out, " ", "%s", other);
	}
	globfree(&found);
}

void nic_use_group(const struct nic_device *d, char out[NIC_USE_MAX])
{
	char part[NIC_USE_MAX];
	*out = '\0';
	if (!d->group[0])
		add(out, "", "no IOMMU group (docs/how-to/nic.md, step 1)");
	else
		fellows_find(d, part);
	if (d->group[0] && *part)
		add(out, "", "IOMMU group shared with %s", part);
}

void nic_use_obstacles(const struct nic_device *d, char out[NIC_USE_MAX])
{
	char part[NIC_USE_MAX];
	*out = '\0';
	nic_use_find(d, part);
	if (*part)
		add(out, "; ", "in use: %s", part);
	nic_use_group(d, part);
	if (*part)
		add(out, "; ", "%s", part);
}

struct holder {
	char node[SYSROOT_PATH_MAX];
	pid_t pid;
};

static bool holder_look(void *arg, pid_t pid, const char *to)
{
	struct holder *h = arg;
	if (strcmp(to, h->node) != 0)
		return true;
	h->pid = pid;
	return false;
}

void nic_use_holder(const struct nic_device *d, char out[NIC_USE_MAX])
{
	struct holder h = {.pid = 0};
	char name[32];
	*out = '\0';
	if (!d->group[0])
		return;
	sysroot_path(h.node, "/dev/vfio/%s", d->group);
	int rc = proc_fds_look(holder_look, &h);
	if (rc)
		add(out, "", "who has it open cannot be read: %s", strerror(-rc));
	if (!h.pid)
		return;
	(void)sysroot_line(name, sizeof(name), "/proc/%d/comm", (int)h.pid);
	add(out, "", "%s (pid %d) has it open: stop that first", name, (int)h.pid);
}
