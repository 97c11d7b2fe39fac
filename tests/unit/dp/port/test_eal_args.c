// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/eal_args.h"
#include "tests/unit/unit.h"

static char run[] = "/run/weir7";
static char wt0[] = "net_tap0,iface=wt0,persist";
static char nic[] = "0000:03:00.0,queues=2";
static char short_nic[] = "04:00.1";
static char weir0[] = "weir0";
static char none[] = "";

static struct config laptop(void)
{
	return (struct config){
		.runtime = {.directory = run},
		.dataplane = {.worker_count = 1,
			.worker_lcores = {1},
			.memory_mb = 256,
			.port_count = 1,
			.ports = {{.device = wt0, .exception = weir0}}},
	};
}

static bool has(const struct eal_args *a, const char *text)
{
	for (int i = 0; i < a->argc; i++) {
		if (strcmp(a->argv[i], text) == 0)
			return true;
	}
	return false;
}

// The one argument that begins so, or NULL.
static const char *begins(const struct eal_args *a, const char *text)
{
	for (int i = 0; i < a->argc; i++) {
		if (strncmp(a->argv[i], text, strlen(text)) == 0)
			return a->argv[i];
	}
	return NULL;
}

// The argument behind `option`, or NULL.
static const char *value_of(const struct eal_args *a, const char *option)
{
	for (int i = 0; i + 1 < a->argc; i++) {
		if (strcmp(a->argv[i], option) == 0)
			return a->argv[i + 1];
	}
	return NULL;
}

TEST(laptop_has_two_taps_and_no_pci)
{
	struct config c = laptop();
	struct eal_args a;
	char why[EAL_WHY_MAX];
	assert_int_equal(eal_args_build(&a, "weir-dataplane", &c, why), 0);
	assert_string_equal(a.argv[0], "weir-dataplane");
	assert_null(a.argv[a.argc]);
	assert_string_equal(value_of(&a, "-l"), "0,1");
	assert_true(has(&a, "--main-lcore=0"));
	assert_true(has(&a, "--vdev=net_tap0,iface=wt0,persist"));
	assert_true(begins(&a, "--vdev=net_tap_exception0,iface=weir0,persist,mac=02:"));
	assert_true(has(&a, "--no-pci"));
	assert_true(has(&a, "--no-huge"));
	assert_true(has(&a, "--no-shconf"));
	assert_true(has(&a, "--no-telemetry"));
	assert_true(has(&a, "--file-prefix=weir-weir7"));
	assert_string_equal(value_of(&a, "-m"), "256");
	eal_args_free(&a);
	assert_int_equal(a.argc, 0);
}

TEST(a_nic_is_allowed_and_huge_pages_stay_private)
{
	struct config c = laptop();
	struct eal_args a;
	char why[EAL_WHY_MAX];
	c.dataplane.eal_hugepages = true;
	c.dataplane.main_lcore = 4;
	c.dataplane.worker_count = 3;
	memcpy(c.dataplane.worker_lcores, (unsigned[]){5, 2, 9}, 3 * sizeof(unsigned));
	c.dataplane.port_count = 2;
	c.dataplane.ports[0] = (struct config_port){.device = short_nic, .exception = none};
	c.dataplane.ports[1] = (struct config_port){.device = nic, .exception = weir0};
	assert_int_equal(eal_args_build(&a, "weir-dataplane", &c, why), 0);
	assert_string_equal(value_of(&a, "-l"), "4,5,2,9");
	assert_true(has(&a, "--main-lcore=4"));
	assert_string_equal(value_of(&a, "-a"), "0000:04:00.1");
	assert_true(has(&a, "0000:03:00.0,queues=2"));
	assert_true(begins(&a, "--vdev=net_tap_exception1,iface=weir0,persist,mac=02:"));
	assert_false(has(&a, "--no-pci"));
	assert_false(has(&a, "--no-huge"));
	// --no-huge and --in-memory exclude each other in EAL.
	assert_true(has(&a, "--in-memory"));
	eal_args_free(&a);
}

TEST(main_may_share_a_core_with_a_worker)
{
	struct config c = laptop();
	struct eal_args a;
	char why[EAL_WHY_MAX];
	c.dataplane.worker_count = 2;
	memcpy(c.dataplane.worker_lcores, (unsigned[]){0, 1}, 2 * sizeof(unsigned));
	assert_int_equal(eal_args_build(&a, "weir-dataplane", &c, why), 0);
	assert_string_equal(value_of(&a, "--lcores"), "127@0,0,1");
	assert_true(has(&a, "--main-lcore=127"));
	assert_false(has(&a, "-l"));
	eal_args_free(&a);
}

TEST(a_shared_interface_gets_queues_and_the_steering_program)
{
	static char device[] = "net_af_xdp0,iface=eth0,busy_budget=0", eth0[] = "eth0";
	struct config c = laptop();
	struct eal_args a;
	char why[EAL_WHY_MAX];
	c.dataplane.worker_count = 2;
	c.dataplane.worker_lcores[1] = 2;
	c.dataplane.ports[0] =
		(struct config_port){.device = device, .exception = none, .xdp = eth0};
	assert_int_equal(eal_args_build(&a, "weir-dataplane", &c, why), 0);
	assert_true(has(&a, "--vdev=net_af_xdp0,iface=eth0,busy_budget=0,queue_count=2,"
			    "xdp_prog=/run/weir7/steer.bpf.elf"));
	assert_true(has(&a, "--no-pci"));
	eal_args_free(&a);
}

TEST(an_exception_port_keeps_its_mac)
{
	static char other_run[] = "/run/weir8", other_name[] = "weir1";
	const char *vdev = "--vdev=net_tap_exception0";
	struct config c = laptop();
	struct eal_args a[4];
	char why[EAL_WHY_MAX];
	assert_int_equal(eal_args_build(&a[0], "weir-dataplane", &c, why), 0);
	assert_int_equal(eal_args_build(&a[1], "weir-dataplane", &c, why), 0);
	c.runtime.directory = other_run;
	assert_int_equal(eal_args_build(&a[2], "weir-dataplane", &c, why), 0);
	c.dataplane.ports[0].exception = other_name;
	assert_int_equal(eal_args_build(&a[3], "weir-dataplane", &c, why), 0);
	const char *mac[4];
	for (unsigned i = 0; i < 4; i++)
		mac[i] = strstr(begins(&a[i], vdev), "mac=");
	assert_string_equal(mac[0], mac[1]);
	assert_string_not_equal(mac[0], mac[2]);
	assert_string_not_equal(mac[2], mac[3]);
	assert_int_equal(strlen(mac[0]), strlen("mac=02:00:00:00:00:00"));
	for (unsigned i = 0; i < 4; i++)
		eal_args_free(&a[i]);
}

TEST(names_are_those_that_dpdk_gives)
{
	char name[EAL_ARG_TEXT_MAX];
	assert_int_equal(eal_device_name(wt0, name), 0);
	assert_string_equal(name, "net_tap0");
	assert_int_equal(eal_device_name(nic, name), 0);
	assert_string_equal(name, "0000:03:00.0");
	assert_int_equal(eal_device_name("04:00.1,x=1", name), 0);
	assert_string_equal(name, "0000:04:00.1");
	// Near misses of a PCI address are names like any other.
	assert_int_equal(eal_device_name("04:00.1z", name), 0);
	assert_string_equal(name, "04:00.1z");
	assert_int_equal(eal_device_name("net_null0", name), 0);
	assert_string_equal(name, "net_null0");
	strcpy(name, "kept");
	assert_int_equal(eal_device_name("", name), -EINVAL);
	assert_int_equal(eal_device_name(",iface=x", name), -EINVAL);
	assert_string_equal(name, "kept");
}

static void refuse(const struct config *c, const char *word)
{
	struct eal_args a = {.argc = 77};
	char why[EAL_WHY_MAX] = "";
	assert_int_equal(eal_args_build(&a, "weir-dataplane", c, why), -EINVAL);
	assert_non_null(strstr(why, word));
	assert_int_equal(a.argc, 77);
}

TEST(what_eal_would_refuse_obscurely_is_refused_clearly)
{
	struct config c = laptop();
	c.dataplane.worker_count = 2;
	c.dataplane.worker_lcores[1] = c.dataplane.worker_lcores[0];
	refuse(&c, "lcore 1 is used twice");

	c = laptop();
	c.dataplane.worker_count = 0;
	refuse(&c, "no worker");

	c = laptop();
	c.dataplane.port_count = 2;
	c.dataplane.ports[1] = (struct config_port){.device = wt0, .exception = none};
	refuse(&c, "net_tap0 is also ports[0]");

	c = laptop();
	c.dataplane.ports[0].device = none;
	refuse(&c, "ports[0]: empty device");

	// An interface name must not smuggle device arguments.
	static char smuggler[] = "w0,mac=fixed";
	c = laptop();
	c.dataplane.ports[0].exception = smuggler;
	refuse(&c, "no interface name");
	static char too_long[] = "weir-exception-0";
	c.dataplane.ports[0].exception = too_long;
	refuse(&c, "no interface name");
}

TEST(test_a_device_on_a_kernel_with_large_pages)
{
	struct config c = laptop();
	char why[EAL_WHY_MAX] = "";
	assert_false(eal_pages_too_large(&c.dataplane, 16384, why));
	c.dataplane.ports[0].device = nic;
	assert_false(eal_pages_too_large(&c.dataplane, 4096, why));
	assert_true(eal_pages_too_large(&c.dataplane, 16384, why));
	assert_non_null(strstr(why, "dataplane.eal_hugepages: "));
	assert_non_null(strstr(why, "16 KiB"));
	c.dataplane.eal_hugepages = true;
	assert_false(eal_pages_too_large(&c.dataplane, 16384, why));
}
