// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port/eal_args.h"
#include "tests/unit/unit.h"

#include <dirent.h>

static const char *const files[] = {"librte_bus_pci.so.23.0", "librte_bus_vdev.so.23.0",
	"librte_mempool_ring.so.23", "librte_net_af_xdp.so.23.0", "librte_net_ice.so.23.0",
	"librte_net_tap.so.23.0", "librte_net_tapestry.so.23.0", "other"};
enum { FILE_COUNT = sizeof(files) / sizeof(files[0]) };

static char folder[] = "/tmp/weir-drivers-XXXXXX";

static int set_up(void **)
{
	char path[300];
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	return 0;
}

static int tear_down(void **)
{
	char path[300];
	for (unsigned i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	return rmdir(folder);
}

// A bit for each of `files` that a reader of the folder finds.
static unsigned found(void)
{
	unsigned bits = 0;
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));) {
		for (unsigned i = 0; i < FILE_COUNT; i++)
			bits |= strcmp(e->d_name, files[i]) == 0 ? 1u << i : 0;
	}
	closedir(d);
	return bits;
}

static unsigned found_for(const char *device, const char *exception)
{
	struct config_dataplane dp = {.port_count = 1};
	dp.ports[0].device = strdup(device);
	dp.ports[0].exception = strdup(exception);
	eal_drivers_begin(&dp);
	const unsigned bits = found();
	eal_drivers_end();
	free(dp.ports[0].device);
	free(dp.ports[0].exception);
	return bits;
}

enum { ALWAYS = 1 << 1 | 1 << 2 | 1 << 7, XDP = 1 << 3, TAP = 1 << 5, ALL = (1 << FILE_COUNT) - 1 };

TEST(a_virtual_device_needs_its_driver)
{
	assert_int_equal(found_for("net_tap0,iface=wt0,persist", ""), ALWAYS | TAP);
	assert_int_equal(found_for("net_af_xdp_weir0,iface=weir0", ""), ALWAYS | XDP);
	assert_int_equal(found_for("net_null0", ""), ALWAYS);
}

TEST(an_exception_needs_the_tap)
{
	assert_int_equal(found_for("net_null0", "weir0"), ALWAYS | TAP);
}

TEST(other_devices_get_all)
{
	assert_int_equal(found_for("0000:03:00.0", "weir0"), ALL);
	assert_int_equal(found_for("net_virtio_user0,path=/dev/vhost-net", ""), ALL);
}

TEST(afterwards_all_are_found)
{
	(void)found_for("net_tap0", "");
	assert_int_equal(found(), ALL);
}

TEST_GROUP(set_up, tear_down)
