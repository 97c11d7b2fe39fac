// SPDX-License-Identifier: BSD-3-Clause

// A port whose device goes away, by the events that DPDK reports.

#include "port_rig.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

static struct port_rig rig;
static char null_device[] = "net_null0";

static int start_eal(void **)
{
	static char vdev[] = "--vdev=net_null0";
	char *const all[] = {vdev};
	return port_rig_start(&rig, "test_port_gone", all, ARRAY_LEN(all));
}

// vfio asks for a device that the kernel takes back; weir touches the port no more.
TEST(a_removed_device_is_noticed)
{
	struct config config = port_rig_config(null_device, 1);
	struct ports p;
	assert_int_equal(ports_find(&p, &config.dataplane, rig.why), 0);
	assert_int_equal(ports_start(&p, &config, rig.pool, rig.why), 0);
	assert_null(ports_gone(&p));
	rte_dev_event_callback_process("net_null1", RTE_DEV_EVENT_REMOVE);
	rte_dev_event_callback_process(null_device, RTE_DEV_EVENT_ADD);
	assert_null(ports_gone(&p));
	rte_dev_event_callback_process(null_device, RTE_DEV_EVENT_REMOVE);
	assert_ptr_equal(ports_gone(&p), &p.port[0]);
	assert_non_null(strstr(port_gone_text(&p.port[0].gone), "removed"));
	port_gone_report(&p.port[0].gone, PORT_GONE_RESET); // the first is what counts
	assert_non_null(strstr(port_gone_text(&p.port[0].gone), "removed"));
	ports_stop(&p);
	assert_int_equal(rte_eth_dev_is_valid_port(p.port[0].id), 1); // not closed
	assert_int_equal(rte_eth_dev_stop(p.port[0].id), 0);
	// No callback is left that would write to a port of before.
	p.port[0].gone = (struct port_gone){0};
	rte_dev_event_callback_process(null_device, RTE_DEV_EVENT_REMOVE);
	assert_null(ports_gone(&p));
	port_gone_report(&p.port[0].gone, PORT_GONE_RESET);
	assert_non_null(strstr(port_gone_text(&p.port[0].gone), "set up again"));
}

TEST_GROUP(start_eal, port_rig_stop)
