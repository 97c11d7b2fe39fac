// SPDX-License-Identifier: BSD-3-Clause
// DPDK's messages go where ours go; those that say nothing are left out.
#include "dataplane/port/dpdk_log.h"
#include "tests/unit/unit.h"

#include <rte_log.h>

TEST(test_noise)
{
	assert_true(dpdk_log_is_noise(
		"tap_mp_req_on_rxtx(): Failed to send start req to secondary 95\n"));
	assert_true(
		dpdk_log_is_noise("tap_nl_dump_ext_ack(): Exclusivity flag on, cannot modify\n"));
	assert_false(dpdk_log_is_noise("tap_nl_dump_ext_ack(): Specified qdisc kind is unknown\n"));
	assert_false(dpdk_log_is_noise("tap_dev_start(): Failed to start\n"));
	assert_false(dpdk_log_is_noise(""));
}

TEST(test_taken)
{
	char got[256] = "";
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	int saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	dpdk_log_take();
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "tap_mp_req_on_rxtx(): Failed to send start req\n");
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "port %d: gone\n", 7);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	close(fds[0]);
	assert_string_equal(got, "port 7: gone\n");
}
