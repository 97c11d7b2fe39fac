// SPDX-License-Identifier: BSD-3-Clause

#include "exception_addr.h"
#include "exception_link.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/log.h>

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

int exception_left_mark(const char *interface, uint64_t instance)
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
	char mark[EXCEPTION_ALIAS];
	unsigned removed = 0;
	uint32_t sequence = 1;
	struct if_nameindex *all = if_nameindex();
	int fd = rtnetlink_open();
	mark_of(instance, mark);
	for (const struct if_nameindex *i = all; fd >= 0 && i && i->if_index; i++) {
		if (is_wanted(dp, i->if_name) || !is_marked(fd, i->if_index, mark, sequence++))
			continue;
		struct rtnetlink_request r = exception_link_request(i->if_index, RTM_DELLINK);
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
