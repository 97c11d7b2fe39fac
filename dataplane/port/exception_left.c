// SPDX-License-Identifier: BSD-3-Clause

#include "exception_addr.h"
#include "rtnetlink.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/log.h>

#define MARK "weir exception of "
enum { ALIAS_SIZE = 256 + 1, REPLY_MAX = 16384 }; // of an alias: IFALIASZ

static struct rtnetlink_request link_request(unsigned index, uint16_t type)
{
	struct rtnetlink_request r = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = type}};
	struct ifinfomsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifinfomsg){.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	return r;
}

static void mark_of(uint64_t instance, char out[ALIAS_SIZE])
{
	snprintf(out, ALIAS_SIZE, MARK "%016" PRIx64, instance);
}

// The alias in the kernel's description of a link, "" without one.
// (Not const: the macros of rtnetlink.h cast that away, which clang refuses.)
static void link_alias(struct nlmsghdr *h, char out[ALIAS_SIZE])
{
	struct ifinfomsg *info = NLMSG_DATA(h);
	struct rtattr *a = IFLA_RTA(info);
	out[0] = '\0';
	for (int left = (int)IFLA_PAYLOAD(h); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_IFALIAS)
			snprintf(out, ALIAS_SIZE, "%.*s", (int)RTA_PAYLOAD(a),
				(const char *)RTA_DATA(a));
}

static bool alias_read(int fd, unsigned index, uint32_t sequence, char out[ALIAS_SIZE])
{
	static alignas(NLMSG_ALIGNTO) uint8_t reply[REPLY_MAX]; // start-up has one thread here
	struct rtnetlink_request r = link_request(index, RTM_GETLINK);
	r.header.nlmsg_flags = NLM_F_REQUEST;
	r.header.nlmsg_seq = sequence;
	if (send(fd, &r.header, r.header.nlmsg_len, 0) < 0)
		return false;
	ssize_t n = recv(fd, reply, sizeof(reply), 0);
	struct nlmsghdr *h = (void *)reply;
	if (n <= 0 || !NLMSG_OK(h, (unsigned)n) || h->nlmsg_type != RTM_NEWLINK
		|| h->nlmsg_seq != sequence)
		return false;
	link_alias(h, out);
	return true;
}

static bool is_marked(int fd, unsigned index, const char *mark, uint32_t sequence)
{
	char alias[ALIAS_SIZE];
	return alias_read(fd, index, sequence, alias) && strcmp(alias, mark) == 0;
}

// An alias that no weir gave.
static bool is_foreign(const char *alias)
{
	return alias[0] && strncmp(alias, MARK, strlen(MARK)) != 0;
}

int exception_left_mark(const char *interface, uint64_t instance)
{
	char mark[ALIAS_SIZE], alias[ALIAS_SIZE];
	unsigned index = if_nametoindex(interface);
	struct rtnetlink_request r = link_request(index, RTM_SETLINK);
	int fd = rtnetlink_open();
	if (fd < 0)
		return fd;
	mark_of(instance, mark);
	rtnetlink_append(&r, IFLA_IFALIAS, mark, (unsigned short)strlen(mark));
	int rc = index && !alias_read(fd, index, 1, alias) ? -EBADMSG : 0;
	if (index && rc == 0 && is_foreign(alias))
		rc = -EEXIST;
	if (rc == 0)
		rc = rtnetlink_transact(fd, &r, 2);
	close(fd);
	return rc;
}

static bool is_wanted(const struct config_dataplane *dp, const char *interface)
{
	for (unsigned i = 0; i < dp->port_count; i++) {
		if (strcmp(dp->ports[i].exception, interface) == 0)
			return true;
	}
	return false;
}

unsigned exception_left_remove(const struct config_dataplane *dp, uint64_t instance)
{
	char mark[ALIAS_SIZE];
	unsigned removed = 0;
	uint32_t sequence = 1;
	struct if_nameindex *all = if_nameindex();
	int fd = rtnetlink_open();
	mark_of(instance, mark);
	for (const struct if_nameindex *i = all; fd >= 0 && i && i->if_index; i++) {
		if (is_wanted(dp, i->if_name) || !is_marked(fd, i->if_index, mark, sequence++))
			continue;
		struct rtnetlink_request r = link_request(i->if_index, RTM_DELLINK);
		int rc = rtnetlink_transact(fd, &r, sequence++);
		if (rc)
			log_warning("exception interface %s is unused and could not be removed: %s",
				i->if_name, strerror(-rc));
		else
			log_info("exception interface %s is unused: removed", i->if_name);
		removed += rc == 0;
	}
	if (fd >= 0)
		close(fd);
	if (all)
		if_freenameindex(all);
	return removed;
}
