// SPDX-License-Identifier: BSD-3-Clause
// Two data planes on one interface, in a network namespace of their own. Skipped without root.

#include "dataplane/port/port_claim.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

// Claims the device in a process of its own, which lives until it is killed. Returns the result.
static int claims(char *device, pid_t *holder, char why[PORT_CLAIM_WHY_MAX])
{
	const struct config_dataplane dp = {.port_count = 1, .ports = {{.device = device}}};
	int to[2], rc;
	assert_int_equal(pipe(to), 0);
	*holder = fork();
	assert_true(*holder >= 0);
	if (*holder == 0) {
		rc = port_claim(&dp, why);
		if (write(to[1], &rc, sizeof(rc)) > 0 && write(to[1], why, PORT_CLAIM_WHY_MAX) > 0)
			(void)pause();
		_exit(0);
	}
	assert_int_equal(read(to[0], &rc, sizeof(rc)), sizeof(rc));
	assert_int_equal(read(to[0], why, PORT_CLAIM_WHY_MAX), PORT_CLAIM_WHY_MAX);
	close(to[0]);
	close(to[1]);
	return rc;
}

static void ends(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

TEST(an_interface_has_one_data_plane)
{
	char lo[] = "net_af_packet0,iface=lo,qpairs=1", same[] = "net_af_xdp3,iface=lo";
	char none[] = "net_af_packet0,iface=nosuch0", tap[] = "net_tap0,iface=lo";
	char why[PORT_CLAIM_WHY_MAX] = "";
	pid_t first, other;
	if (unshare(CLONE_NEWNET) != 0) {
		print_message("skipped: needs root (unshare of the network namespace)\n");
		skip();
	}
	assert_int_equal(claims(lo, &first, why), 0);
	assert_int_equal(claims(same, &other, why), -EBUSY);
	assert_non_null(strstr(why, "iface=lo: another data plane has this interface"));
	ends(other);
	assert_int_equal(claims(none, &other, why), 0); // EAL says that it is missing
	ends(other);
	assert_int_equal(claims(tap, &other, why), 0); // exception_free() looks at these
	ends(other);
	ends(first);
	assert_int_equal(claims(same, &other, why), 0);
	ends(other);
}
