// SPDX-License-Identifier: BSD-3-Clause
#include "setup_machine.h"

#include "lib/sysroot.h"

#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool of_route(const char *path, const char *format, char *out, size_t cap)
{
	char real[SYSROOT_PATH_MAX], line[512], name[IF_NAMESIZE];
	unsigned long best = ULONG_MAX, metric;
	FILE *f = fopen(sysroot_path(real, "%s", path), "re");
	while (f && fgets(line, sizeof(line), f)) {
		// The line of the format ends with the interface or with the metric.
		const bool is_ipv6 = strstr(path, "ipv6");
		const int got = is_ipv6 ? sscanf(line, format, &metric, name)
					: sscanf(line, format, name, &metric);
		if (got != 2 || metric >= best || strcmp(name, "lo") == 0)
			continue;
		best = metric;
		snprintf(out, cap, "%s", name);
	}
	if (f)
		fclose(f);
	return best != ULONG_MAX;
}

void setup_machine_interface(char *out, size_t cap)
{
	struct ifaddrs *all = NULL;
	*out = '\0';
	if (of_route("/proc/net/route", "%15s 00000000 %*8s %*s %*s %*s %lu 00000000", out, cap)
		|| of_route("/proc/net/ipv6_route",
			"00000000000000000000000000000000 00 %*s %*s %*s %lx %*s %*s %*s %15s", out,
			cap))
		return;
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const bool serves = i->ifa_flags & IFF_UP && !(i->ifa_flags & IFF_LOOPBACK);
		if (!*out && serves && i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			snprintf(out, cap, "%s", i->ifa_name);
	}
	freeifaddrs(all);
}

bool setup_machine_has_interface(const char *name, char *why, size_t cap)
{
	struct if_nameindex *all = if_nameindex();
	bool has = false;
	size_t n = (size_t)snprintf(why, cap, "this machine has no interface \"%s\"; it has", name);
	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		if (strcmp(i->if_name, "lo") == 0)
			continue;
		has |= strcmp(i->if_name, name) == 0;
		if (n < cap)
			n += (size_t)snprintf(why + n, cap - n, " %s", i->if_name);
	}
	if (all)
		if_freenameindex(all);
	return has;
}

static bool address_of(const struct ifaddrs *i, struct ip_address *out)
{
	uint8_t mask[16] = {0};
	*out = (struct ip_address){0};
	if (!i->ifa_addr || !i->ifa_netmask)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr;
		const struct sockaddr_in *m = (const void *)i->ifa_netmask;
		out->version = 4;
		memcpy(out->bytes, &a->sin_addr, 4);
		memcpy(mask, &m->sin_addr, 4);
	} else if (i->ifa_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)i->ifa_addr;
		const struct sockaddr_in6 *m = (const void *)i->ifa_netmask;
		if (IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr))
			return false;
		out->version = 6;
		memcpy(out->bytes, &a->sin6_addr, 16);
		memcpy(mask, &m->sin6_addr, 16);
	}
	for (unsigned bit = 0; bit < 128 && mask[bit / 8] & (0x80 >> bit % 8); bit++)
		out->prefix_len++;
	return out->version != 0;
}

unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap)
{
	struct ifaddrs *all = NULL;
	struct ip_address one;
	unsigned count = 0;
	if (getifaddrs(&all) < 0)
		return 0;
	for (unsigned version = 4; version <= 6; version += 2)
		for (const struct ifaddrs *i = all; i && count < cap; i = i->ifa_next)
			if (strcmp(i->ifa_name, interface) == 0 && address_of(i, &one)
				&& one.version == version)
				out[count++] = one;
	freeifaddrs(all);
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
