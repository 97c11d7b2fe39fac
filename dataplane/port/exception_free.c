// SPDX-License-Identifier: BSD-3-Clause
// Whether a TAP is free. The kernel lets several processes have one, each some of its queues, and
// knows better than any file: two data planes may see the same network and different folders.

#include "exception_addr.h"
#include "rtnetlink.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/log.h>

// What the kernel says of a link, for the files that look after exception interfaces. Start-up
// only.

enum { EXCEPTION_ALIAS = 256 + 1 }; // IFALIASZ

struct exception_link {
	char alias[EXCEPTION_ALIAS]; // "" without one
	bool is_tun;                 // a TAP or TUN
	bool has_carrier;            // a process is attached to it
};

enum { REPLY_MAX = 16384 };

static struct rtnetlink_request exception_link_request(unsigned index, uint16_t type)
{
	struct rtnetlink_request r = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = type}};
	struct ifinfomsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifinfomsg){.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	return r;
}

static bool is_tun(struct rtattr *info)
{
	struct rtattr *a = RTA_DATA(info);
	for (int left = (int)RTA_PAYLOAD(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_INFO_KIND)
			return strncmp(RTA_DATA(a), "tun", RTA_PAYLOAD(a)) == 0;
	return false;
}

// (Not const: the macros of rtnetlink.h cast that away, which clang refuses.)
static void link_take(struct nlmsghdr *h, struct exception_link *out)
{
	struct ifinfomsg *info = NLMSG_DATA(h);
	struct rtattr *a = IFLA_RTA(info);
	for (int left = (int)IFLA_PAYLOAD(h); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFALIAS)
			snprintf(out->alias, sizeof(out->alias), "%.*s", (int)RTA_PAYLOAD(a),
				(const char *)RTA_DATA(a));
		else if (a->rta_type == IFLA_CARRIER && RTA_PAYLOAD(a) > 0)
			out->has_carrier = *(const uint8_t *)RTA_DATA(a);
		else if (a->rta_type == IFLA_LINKINFO)
			out->is_tun = is_tun(a);
	}
}

static bool exception_link_read(
	int fd, unsigned index, uint32_t sequence, struct exception_link *out)
{
	static alignas(NLMSG_ALIGNTO) uint8_t reply[REPLY_MAX]; // start-up has one thread here
	struct rtnetlink_request r = exception_link_request(index, RTM_GETLINK);
	*out = (struct exception_link){0};
	r.header.nlmsg_flags = NLM_F_REQUEST;
	r.header.nlmsg_seq = sequence;
	if (send(fd, &r.header, r.header.nlmsg_len, 0) < 0)
		return false;
	ssize_t n = recv(fd, reply, sizeof(reply), 0);
	struct nlmsghdr *h = (void *)reply;
	if (n <= 0 || !NLMSG_OK(h, (unsigned)n) || h->nlmsg_type != RTM_NEWLINK
		|| h->nlmsg_seq != sequence)
		return false;
	link_take(h, out);
	return true;
}

static void mark_of(uint64_t instance, char out[EXCEPTION_ALIAS])
{
	snprintf(out, EXCEPTION_ALIAS, EXCEPTION_MARK "%016" PRIx64, instance);
}

static bool is_marked(int fd, unsigned index, const char *mark, uint32_t sequence)
{
	struct exception_link link;
	return exception_link_read(fd, index, sequence, &link) && strcmp(link.alias, mark) == 0;
}

// An alias that no weir gave.
static bool is_foreign(const char *alias)
{
	return alias[0] && strncmp(alias, EXCEPTION_MARK, strlen(EXCEPTION_MARK)) != 0;
}

// -EEXIST: it has an alias that no weir gave, -EBADMSG: its alias cannot be read; either stays.
static int link_mark(const char *interface, uint64_t instance)
{
	char mark[EXCEPTION_ALIAS];
	struct exception_link link;
	unsigned index = if_nametoindex(interface);
	struct rtnetlink_request r = exception_link_request(index, RTM_SETLINK);
	int fd = rtnetlink_open();
	if (fd < 0)
		return fd;
	mark_of(instance, mark);
	rtnetlink_append(&r, IFLA_IFALIAS, mark, (unsigned short)strlen(mark));
	int rc = index && !exception_link_read(fd, index, 1, &link) ? -EBADMSG : 0;
	if (index && rc == 0 && is_foreign(link.alias))
		rc = -EEXIST;
	if (rc == 0)
		rc = rtnetlink_transact(fd, &r, 2);
	close(fd);
	return rc;
}

struct taps {
	unsigned count;
	struct tap {
		char name[IF_NAMESIZE];
		unsigned queues; // that this process has, at most
	} of[2 * CONFIG_PORTS_MAX];
};

static void tap_add(struct taps *t, const char *name, unsigned queues)
{
	struct tap *tap = &t->of[t->count++];
	snprintf(tap->name, sizeof(tap->name), "%.*s", (int)strcspn(name, ","), name);
	tap->queues = queues;
}

// A TAP port has one queue more, the rest queue (port_flow.h).
static struct taps taps_of(const struct config_dataplane *dp)
{
	static const char driver[] = "net_tap", key[] = ",iface=";
	struct taps t = {0};
	for (unsigned i = 0; i < dp->port_count; i++) {
		const char *device = dp->ports[i].device ? dp->ports[i].device : "";
		const char *interface = strstr(device, key);
		if (interface && strncmp(device, driver, strlen(driver)) == 0)
			tap_add(&t, interface + strlen(key),
				dp->worker_count + (dp->flow_rules == FLOW_RULES_AUTO));
		if (dp->ports[i].exception[0])
			tap_add(&t, dp->ports[i].exception, dp->worker_count);
	}
	return t;
}

unsigned exception_left_mark(const struct config_dataplane *dp, uint64_t instance)
{
	const struct taps t = taps_of(dp);
	unsigned marked = 0;
	for (unsigned i = 0; i < t.count; i++) {
		const int rc = link_mark(t.of[i].name, instance);
		if (rc)
			log_warning("interface %s: alias not set (%s); remove the interface by "
				    "hand when unused",
				t.of[i].name,
				rc == -EEXIST    ? "it has one"
				: rc == -EBADMSG ? "the one that it has cannot be read"
						 : strerror(-rc));
		marked += rc == 0;
	}
	return marked;
}

static bool is_wanted(const struct taps *t, const char *interface)
{
	for (unsigned i = 0; i < t->count; i++) {
		if (strcmp(t->of[i].name, interface) == 0)
			return true;
	}
	return false;
}

unsigned exception_left_remove(const struct config_dataplane *dp, uint64_t instance)
{
	const struct taps t = taps_of(dp);
	char mark[EXCEPTION_ALIAS];
	unsigned removed = 0;
	uint32_t sequence = 1;
	struct if_nameindex *all = if_nameindex();
	int fd = rtnetlink_open();
	mark_of(instance, mark);
	for (const struct if_nameindex *i = all; fd >= 0 && i && i->if_index; i++) {
		if (is_wanted(&t, i->if_name) || !is_marked(fd, i->if_index, mark, sequence++))
			continue;
		struct rtnetlink_request r = exception_link_request(i->if_index, RTM_DELLINK);
		int rc = rtnetlink_transact(fd, &r, sequence++);
		if (rc)
			log_warning("interface %s is unused and could not be removed: %s",
				i->if_name, strerror(-rc));
		else
			log_info("interface %s is unused: removed", i->if_name);
		removed += rc == 0;
	}
	if (fd >= 0)
		close(fd);
	if (all)
		if_freenameindex(all);
	return removed;
}

enum { TRIES = 10, TRY_NS = 100000000 };

static int busy(const char *interface, const char *alias, char why[EXCEPTION_WHY_MAX])
{
	snprintf(why, EXCEPTION_WHY_MAX,
		"interface %s: another process is attached to it%s%.100s%s; stop that one, or name "
		"another interface in dataplane.ports",
		interface, alias[0] ? " (" : "", alias, alias[0] ? ")" : "");
	return -EBUSY;
}

static int tap_free(int fd, const char *interface, uint32_t sequence, char why[EXCEPTION_WHY_MAX])
{
	struct exception_link link;
	const unsigned index = if_nametoindex(interface);
	if (index == 0 || !exception_link_read(fd, index, sequence, &link) || !link.is_tun
		|| !link.has_carrier)
		return 0;
	return busy(interface, link.alias, why);
}

int exception_free(const struct config_dataplane *dp, char why[EXCEPTION_WHY_MAX])
{
	const struct taps t = taps_of(dp);
	const struct timespec pause = {.tv_nsec = TRY_NS};
	uint32_t sequence = 1;
	int rc = 0, fd = rtnetlink_open();
	if (fd < 0) {
		snprintf(why, EXCEPTION_WHY_MAX, "rtnetlink: %s", strerror(-fd));
		return fd;
	}
	for (unsigned i = 0; rc == 0 && i < t.count; i++) {
		rc = tap_free(fd, t.of[i].name, sequence++, why);
		for (unsigned tries = 1; rc && tries < TRIES; tries++) {
			(void)nanosleep(&pause, NULL);
			rc = tap_free(fd, t.of[i].name, sequence++, why);
		}
	}
	close(fd);
	return rc;
}

// That are attached, of all processes. 0: not known.
static unsigned queues_of(const char *interface)
{
	char path[64];
	unsigned count = 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
	DIR *d = opendir(path);
	for (const struct dirent *e; d && (e = readdir(d));)
		count += strncmp(e->d_name, "rx-", 3) == 0;
	if (d)
		closedir(d);
	return count;
}

int exception_alone(const struct config_dataplane *dp, char why[EXCEPTION_WHY_MAX])
{
	const struct taps t = taps_of(dp);
	for (unsigned i = 0; i < t.count; i++)
		if (queues_of(t.of[i].name) > t.of[i].queues)
			return busy(t.of[i].name, "", why);
	return 0;
}
