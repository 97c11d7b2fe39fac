// SPDX-License-Identifier: BSD-3-Clause
#include "setup_machine.h"

#include "lib/sysroot.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// `own` has the names of weir's interfaces, a blank before and after each.
static bool is_own(const char *own, const char *name)
{
	char word[IF_NAMESIZE + 2];
	snprintf(word, sizeof(word), " %.15s ", name);
	return strstr(own, word) != NULL;
}

// A machine without a readable /sys may have it.
static bool is_ethernet(const char *name)
{
	char type[16];
	return sysroot_line(type, sizeof(type), "/sys/class/net/%s/type", name) < 0
	       || strcmp(type, "1") == 0;
}

static bool is_fit(const char *own, const char *name)
{
	return if_nametoindex(name) != 0 && strcmp(name, "lo") != 0 && !is_own(own, name)
	       && is_ethernet(name);
}

// The interface of the best default route. `own` NULL: any interface.
static bool of_route(bool is_ipv6, const char *own, char *out, size_t cap)
{
	char real[SYSROOT_PATH_MAX], line[512], name[IF_NAMESIZE];
	unsigned long best = ULONG_MAX, metric;
	FILE *f = fopen(
		sysroot_path(real, is_ipv6 ? "/proc/net/ipv6_route" : "/proc/net/route"), "re");
	while (f && fgets(line, sizeof(line), f)) {
		int end = 0; // of a line that matches as a whole, with the mask 0
		if (is_ipv6)
			(void)sscanf(line,
				"00000000000000000000000000000000 00 %*s %*s %*s %lx %*s %*s %*s "
				"%15s%n",
				&metric, name, &end);
		else
			(void)sscanf(line, "%15s 00000000 %*8s %*s %*s %*s %lu 00000000%n", name,
				&metric, &end);
		if (end == 0 || metric >= best || strcmp(name, "lo") == 0
			|| (own && !is_fit(own, name)))
			continue;
		best = metric;
		snprintf(out, cap, "%s", name);
	}
	if (f)
		fclose(f);
	return best != ULONG_MAX;
}

void setup_machine_interface(const char *own, char *out, size_t cap)
{
	struct ifaddrs *all = NULL;
	struct ip_address one;
	*out = '\0';
	if (of_route(false, own, out, cap) || of_route(true, own, out, cap) || getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i && !*out; i = i->ifa_next)
		if (i->ifa_flags & IFF_UP && is_fit(own, i->ifa_name)
			&& setup_machine_addresses(i->ifa_name, &one, 1) == 1)
			snprintf(out, cap, "%s", i->ifa_name);
	freeifaddrs(all);
}

bool setup_machine_is_ipv6_only(void)
{
	char name[IF_NAMESIZE];
	return !of_route(false, NULL, name, sizeof(name))
	       && of_route(true, NULL, name, sizeof(name));
}

bool setup_machine_has_interface(const char *own, const char *name, char *why, size_t cap)
{
	struct if_nameindex *all = if_nameindex();
	bool has = false;
	size_t n = (size_t)snprintf(why, cap, "this machine has no interface \"%s\"; it has", name);
	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		if (!is_fit(own, i->if_name))
			continue;
		has |= strcmp(i->if_name, name) == 0;
		if (n < cap)
			n += (size_t)snprintf(why + n, cap - n, " %s", i->if_name);
	}
	if (all)
		if_freenameindex(all);
	if (!has && is_own(own, name))
		snprintf(why, cap, "%s is weir's own interface, which no client reaches", name);
	else if (!has && if_nametoindex(name) != 0)
		snprintf(why, cap, "%s is no Ethernet interface: weir cannot share it", name);
	return has;
}

bool setup_machine_is_wifi(const char *name)
{
	return sysroot_exists("/sys/class/net/%s/wireless", name)
	       || sysroot_exists("/sys/class/net/%s/phy80211", name);
}

static bool ipv4_of(const struct ifaddrs *i, struct ip_address *out)
{
	const struct sockaddr_in *a = (const void *)i->ifa_addr, *m = (const void *)i->ifa_netmask;
	if (!a || !m || a->sin_family != AF_INET)
		return false;
	*out = (struct ip_address){.version = 4};
	memcpy(out->bytes, &a->sin_addr, 4);
	for (uint32_t mask = ntohl(m->sin_addr.s_addr); mask & 0x80000000; mask <<= 1)
		out->prefix_len++;
	return true;
}

// A line of /proc/net/if_inet6: an address of the interface that lasts, with its flags.
static bool ipv6_of(
	const char *line, const char *interface, struct ip_address *out, unsigned *flags)
{
	char name[IF_NAMESIZE];
	unsigned prefix_len;
	*out = (struct ip_address){.version = 6};
	for (unsigned i = 0; i < 16; i++)
		if (sscanf(line + 2 * i, "%2hhx", &out->bytes[i]) != 1)
			return false;
	if (sscanf(line + 32, " %*x %x %*x %x %15s", &prefix_len, flags, name) != 3)
		return false;
	out->prefix_len = (uint8_t)prefix_len;
	return strcmp(name, interface) == 0
	       && !(*flags
		       & (IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED))
	       && !(out->bytes[0] == 0xfe && (out->bytes[1] & 0xc0) == 0x80); // link-local
}

unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap)
{
	struct ifaddrs *all = NULL;
	struct ip_address one;
	char path[SYSROOT_PATH_MAX], line[128];
	unsigned count = 0, flags;
	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *i = all; i && count < cap; i = i->ifa_next)
		if (strcmp(i->ifa_name, interface) == 0 && ipv4_of(i, &one))
			out[count++] = one;
	freeifaddrs(all);
	// Those that are configured come before those that expire.
	for (unsigned pass = 0; pass < 2; pass++) {
		FILE *f = fopen(sysroot_path(path, "/proc/net/if_inet6"), "re");
		while (f && count < cap && fgets(line, sizeof(line), f))
			if (ipv6_of(line, interface, &one, &flags)
				&& (flags & IFA_F_PERMANENT ? 0 : 1) == pass)
				out[count++] = one;
		if (f)
			fclose(f);
	}
	return count;
}

static bool is_usable(const char *word, const struct ip_address * not, unsigned not_count)
{
	static const uint8_t local6[16] = {[15] = 1};
	struct ip_address a;
	if (ip_address_parse(word, &a) != 0 || (a.version == 4 && a.bytes[0] == 127)
		|| (a.version == 6 && memcmp(a.bytes, local6, 16) == 0))
		return false;
	for (unsigned i = 0; i < not_count; i++)
		if (not [i].version == a.version && memcmp(not [i].bytes, a.bytes, 16) == 0)
			return false;
	return true;
}

void setup_machine_servers(const struct ip_address * not, unsigned not_count, char *out, size_t cap)
{
	// systemd-resolved keeps the servers that it asks in a file of its own.
	static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
	size_t n = 0;
	*out = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(files) && n == 0; i++) {
		char path[SYSROOT_PATH_MAX], line[512], word[SOCKET_ADDRESS_TEXT_MAX];
		FILE *f = fopen(sysroot_path(path, "%s", files[i]), "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, " nameserver %63s", word) == 1
				&& is_usable(word, not, not_count) && n + strlen(word) + 2 < cap)
				n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? " " : "", word);
		if (f)
			fclose(f);
	}
}
