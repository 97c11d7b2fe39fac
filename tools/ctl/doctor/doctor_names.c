// SPDX-License-Identifier: BSD-3-Clause
// The machine's own resolver, and other programs on port 53.

#include "doctor_checks.h"
#include "lib/sysroot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORT = 53, TCP_LISTEN = 0x0a, SOCKETS_MAX = 32 };

static bool is_service_address(const struct config *c, const struct ip_address *a)
{
	const struct config_dataplane *dp = &c->dataplane;
	size_t len = a->version == 4 ? 4 : 16;
	for (unsigned i = 0; i < dp->address_count; i++)
		if (dp->addresses[i].version == a->version
			&& memcmp(dp->addresses[i].bytes, a->bytes, len) == 0)
			return true;
	return false;
}

enum { DELETIONS_MAX = 512 };

// Returns the number of servers in resolv.conf(5). `owns` gets the number of weir's own addresses
// among them, and `deletions` an expression of sed for each, as far as there is room.
static unsigned servers_count(
	const struct doctor *d, FILE *f, unsigned *owns, char deletions[DELETIONS_MAX])
{
	char line[512], word[SOCKET_ADDRESS_TEXT_MAX];
	unsigned servers = 0;
	size_t len = 0;
	*deletions = '\0';
	while (fgets(line, sizeof(line), f)) {
		struct ip_address a;
		if (sscanf(line, " nameserver %63s", word) != 1)
			continue;
		servers++;
		if (ip_address_parse(word, &a) != 0 || !is_service_address(d->config, &a))
			continue;
		++*owns;
		if (len < DELETIONS_MAX / 2)
			len += (size_t)snprintf(deletions + len, DELETIONS_MAX - len,
				" -e '/^[[:space:]]*nameserver[[:space:]]*%s[[:space:]]*$/d'",
				word);
	}
	return servers;
}

static void check_resolvconf(struct doctor *d)
{
	char path[SYSROOT_PATH_MAX], real[PATH_MAX], deletions[DELETIONS_MAX];
	unsigned owns = 0;
	if (doctor_lacks_config(d))
		return;
	FILE *f = fopen(sysroot_path(path, "/etc/resolv.conf"), "re");
	if (!f) {
		doctor_add(d, DOCTOR_UNKNOWN, "/etc/resolv.conf: %s", strerror(errno));
		return;
	}
	unsigned servers = servers_count(d, f, &owns, deletions);
	fclose(f);
	if (servers > 0 && owns == 0) {
		doctor_add(d, DOCTOR_OK, "resolvers of the machine: %u, none of them is weir",
			servers);
		return;
	}
	if (servers == 0)
		doctor_add(d, DOCTOR_WARNING,
			"/etc/resolv.conf has no nameserver: the machine asks 127.0.0.1");
	else
		doctor_add(d, owns == servers ? DOCTOR_WRONG : DOCTOR_WARNING,
			"the machine asks weir itself%s: it resolves no name before weir serves, "
			"for "
			"example that of its time server",
			owns == servers ? " and no other resolver" : " among others");
	if (servers > owns)
		doctor_do(d, "sed -i --follow-symlinks%s /etc/resolv.conf", deletions);
	else
		doctor_do(d, "editor %s # a nameserver line with another resolver than weir",
			TEXT_QUOTE(realpath(path, real) ? real : path));
}

struct port_user {
	bool is_tcp;
	unsigned long inode;
	pid_t pid;        // a process with this socket; 0: no process that this user may inspect
	bool is_systemds; // process 1 has the socket: a socket unit
	char address[INET6_ADDRSTRLEN];
};

// Reads an address in hexadecimal words of /proc/net, each in the byte order of the host.
static bool address_read(const char *hex, struct ip_address *out)
{
	size_t digits = strspn(hex, "0123456789ABCDEFabcdef");
	uint32_t word[4] = {0};
	if (digits != 8 && digits != 32)
		return false;
	for (size_t i = 0; i < digits / 8; i++) {
		char part[9];
		snprintf(part, sizeof(part), "%.8s", hex + 8 * i);
		word[i] = (uint32_t)strtoul(part, NULL, 16);
	}
	*out = (struct ip_address){.version = digits == 8 ? 4 : 6};
	memcpy(out->bytes, word, digits / 2);
	if (out->version == 6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(void *)word)) {
		*out = (struct ip_address){.version = 4};
		memcpy(out->bytes, &word[3], 4);
	}
	return true;
}

static bool is_any(const struct ip_address *a)
{
	static const uint8_t zero[16];
	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

// Finds the sockets of one file that receive queries to a service address. Returns their number or
// -errno.
static int sockets_find(
	const struct config *c, const char *file, bool is_tcp, struct port_user *out, int cap)
{
	char path[SYSROOT_PATH_MAX], line[512], hex[40];
	unsigned port, state;
	unsigned long inode;
	struct ip_address a;
	int count = 0;
	FILE *f = fopen(sysroot_path(path, "/proc/net/%s", file), "re");
	if (!f)
		return -errno;
	while (count < cap && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*u: %39[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", hex,
			    &port, &state, &inode)
				!= 4
			|| port != PORT || (is_tcp && state != TCP_LISTEN) || !address_read(hex, &a)
			|| !(is_any(&a) || is_service_address(c, &a)))
			continue;
		out[count] = (struct port_user){.is_tcp = is_tcp, .inode = inode};
		inet_ntop(a.version == 4 ? AF_INET : AF_INET6, a.bytes, out[count].address,
			INET6_ADDRSTRLEN);
		count++;
	}
	fclose(f);
	return count;
}

struct port_users {
	struct port_user user[SOCKETS_MAX];
	int count;
};

static bool owner_visit(void *arg, pid_t pid, const char *to)
{
	struct port_users *all = arg;
	unsigned long inode;
	if (sscanf(to, "socket:[%lu]", &inode) != 1)
		return true;
	for (int i = 0; i < all->count; i++) {
		struct port_user *u = &all->user[i];
		if (u->inode != inode)
			continue;
		u->is_systemds |= pid == 1;
		if (u->pid <= 1)
			u->pid = pid;
	}
	return true;
}

// Finds the system's unit of a program, such as "dnsmasq.service"; its name must begin with the
// program's. False: it has no unit, or one that also runs other programs, such as docker.service.
static bool unit_of(pid_t pid, const char *name, char out[128])
{
	static const char system[] = "0::/system.slice/";
	char line[512];
	if (sysroot_line(line, sizeof(line), "/proc/%d/cgroup", (int)pid) != 0
		|| strncmp(line, system, sizeof(system) - 1) != 0)
		return false;
	const char *unit = strrchr(line, '/') + 1, *end = strstr(unit, ".service");
	if (!end || end[strlen(".service")] || !*name || strncmp(unit, name, strlen(name)) != 0)
		return false;
	snprintf(out, 128, "%s", unit);
	return true;
}

static void owner_do(struct doctor *d, const struct port_user *u, const char *name)
{
	char unit[128];
	if (u->is_systemds)
		doctor_do(d, "systemctl list-sockets # disable --now the unit of port 53");
	else if (u->pid && unit_of(u->pid, name, unit))
		doctor_do(d, "systemctl disable --now %s", TEXT_QUOTE(unit));
	else if (u->pid)
		doctor_do(d, "systemctl status %d # its unit, or what else starts it", (int)u->pid);
	else
		doctor_do(d, "ss -lnup 'sport = 53'; ss -lntp 'sport = 53'");
}

// Reports a socket of another program. True: it is of another program.
static bool user_report(struct doctor *d, const struct port_user *u)
{
	char name[16] = "";
	const char *transport = u->is_tcp ? "TCP" : "UDP";
	if (u->pid && u->pid == d->cp_pid)
		return false;
	if (!u->pid && geteuid() != 0) {
		doctor_add(d, DOCTOR_UNKNOWN,
			"%s %s port 53 is taken: needs root to see by which process", transport,
			u->address);
		return true;
	}
	if (u->pid)
		(void)sysroot_line(name, sizeof(name), "/proc/%d/comm", (int)u->pid);
	if (strncmp(name, "weir-controlplane", sizeof(name) - 1) == 0)
		return false; // a control plane that does not answer
	if (u->pid)
		doctor_add(d, DOCTOR_WRONG, "%s %s port 53 is taken by %s (pid %d)", transport,
			u->address, name, (int)u->pid);
	else
		doctor_add(d, DOCTOR_WRONG,
			"%s %s port 53 is taken by a process of another namespace", transport,
			u->address);
	owner_do(d, u, name);
	return true;
}

static void check_port53(struct doctor *d)
{
	static const struct {
		const char *file;
		bool is_tcp;
	} files[] = {{"udp", false}, {"udp6", false}, {"tcp", true}, {"tcp6", true}};
	struct port_users all = {.count = 0};
	unsigned taken = 0;
	if (doctor_lacks_config(d))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		int count = sockets_find(d->config, files[i].file, files[i].is_tcp,
			all.user + all.count, SOCKETS_MAX - all.count);
		bool is_without_ipv6 = count == -ENOENT && strchr(files[i].file, '6');
		all.count += count > 0 ? count : 0;
		if (count >= 0 || is_without_ipv6)
			continue;
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/net/%s: %s", files[i].file, strerror(-count));
		taken++;
	}
	int rc = all.count ? sysroot_fds_walk(owner_visit, &all) : 0;
	for (int i = 0; i < all.count; i++)
		taken += user_report(d, &all.user[i]);
	if (rc)
		doctor_add(d, DOCTOR_UNKNOWN, "who has them: %s", strerror(-rc));
	if (all.count == SOCKETS_MAX)
		doctor_add(d, DOCTOR_UNKNOWN, "more sockets than %d", SOCKETS_MAX);
	if (taken == 0 && !rc && all.count < SOCKETS_MAX)
		doctor_add(d, DOCTOR_OK, "no other program has port 53 of a service address");
}

const struct doctor_check doctor_names_checks[] = {
	{"resolvconf", check_resolvconf},
	{"port53", check_port53},
	{NULL, NULL},
};
