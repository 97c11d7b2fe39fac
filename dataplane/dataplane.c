// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane.h"

#include "housekeep.h"
#include "port/eal_args.h"
#include "port/exception_addr.h"
#include "port/idle_sleep.h"
#include "port/mbuf_pool.h"
#include "port/memif_left.h"
#include "port/port.h"
#include "port/port_claim.h"
#include "port/rte_site.h"
#include "port/steering.h"
#include "prefault.h"
#include "privilege.h"
#include "state/worker.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_malloc.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/mem_plan.h>
#include <weir/os/sd_notify.h>
#include <weir/page.h>
#include <weir/shm_lost.h>

// The configuration that the process starts with, and the time of each part of the start, for one
// line of the log:
//
//   started in 83 ms: config 1, eal 41, rings 6, pools 14, ports 12, workers 6, tables 3
//
// The main thread calls startup_part at the end of each part; a second part with one name adds to
// the first. startup_begin starts the time, so it does not include the dynamic linker.

enum { STARTUP_PARTS_MAX = 12 };

static struct {
	uint64_t began_us, last_us;
	unsigned count;
	struct {
		const char *name;
		uint64_t us;
	} part[STARTUP_PARTS_MAX];
} startup;

static void startup_begin(void)
{
	startup.began_us = startup.last_us = clock_us_of(CLOCK_MONOTONIC);
	startup.count = 0;
}

static void startup_part(const char *name)
{
	const uint64_t now_us = clock_us_of(CLOCK_MONOTONIC);
	unsigned i = 0;
	while (i < startup.count && strcmp(startup.part[i].name, name) != 0)
		i++;
	assert(i < STARTUP_PARTS_MAX);
	if (i == startup.count) {
		startup.part[i].name = name;
		startup.part[i].us = 0;
		startup.count++;
	}
	startup.part[i].us += now_us - startup.last_us;
	startup.last_us = now_us;
}

static unsigned rounded_ms(uint64_t us)
{
	return (unsigned)((us + 500) / 1000);
}

static void startup_log(void)
{
	char text[STARTUP_PARTS_MAX * 32] = "";
	size_t len = 0;
	for (unsigned i = 0; i < startup.count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %u", i ? ", " : "",
			startup.part[i].name, rounded_ms(startup.part[i].us));
	log_info("started in %u ms: %s", rounded_ms(startup.last_us - startup.began_us), text);
}

// Loads the configuration of the version in force, or of the file (weir/config/versions.h), for
// config_free, and sets level and format of the log. NULL: neither can be used, which is logged.
static struct config *startup_config(const char *path, char why[CONFIG_WHY_MAX])
{
	struct config_start start;
	if (config_start(path, CONFIG_SECRETS_NONE, &start, why) < 0) {
		log_error("%s", why);
		return NULL;
	}
	log_init("weir-dataplane", (enum log_level)start.config->runtime.log_level);
	log_set_format((enum log_format)start.config->runtime.log_format);
	config_start_log(&start, path, start.config);
	config_start_free(&start);
	return start.config;
}

enum { WHY_MAX = 512 };

// Set by the signal handler, which can reach nothing else.
static _Atomic int stop_requested;

static const char *const own_regions[] = {"rings.", "marks.", "stats", "reader", NULL};
// The control plane, as another user, may truncate marks, which must not end this process.
static const char *const own_with_two_users[] = {"rings.", "stats", "reader", NULL};

struct dataplane {
	struct config *config;
	struct shm_paths paths;
	int lock; // descriptor of dataplane.lock
	uint64_t incarnation;
	unsigned worker_count;
	struct worker_service service;
	struct ports ports;
	struct worker_rings worker_rings;
	int bells[LINK_BELLS_MAX];
	struct rte_mempool *pool[SHM_WORKERS_MAX];
	struct worker *worker[SHM_WORKERS_MAX];
	struct kernel_flow_table *kernel_flows;
	struct asked_ports *asked_ports;
	struct limiter *limiter;
	struct steering steering;
	struct housekeep housekeep;
};

static void on_signal(int signo)
{
	(void)signo;
	atomic_store_explicit(&stop_requested, 1, memory_order_release);
}

static void catch_signals(void)
{
	const struct sigaction stop = {.sa_handler = on_signal};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	// The TAP driver sends a free real-time signal for each frame. At 75,000 queries a second
	// the signals take half a core from the main lcore and EAL's interrupt thread. Without a
	// free signal the driver polls.
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		sigaction(signo, &ignore, NULL);
}

// Locks the runtime directory. Returns the lock's descriptor, or -errno after it has logged why.
static int lock_runtime(const char *run)
{
	char path[SHM_PATH_MAX + 16], why[SHM_WHY_MAX];
	snprintf(path, sizeof(path), "%s/dataplane.lock", run);
	int fd = process_lock(path);
	if (fd == -EAGAIN)
		log_error("another weir-dataplane runs on %s (it holds %s)", run, path);
	else if (fd < 0 && process_lock_fail(path, fd, why))
		log_error("%s", why);
	return fd;
}

static int start_eal(const struct config *config, const char *run)
{
	struct eal_args args;
	char why[EAL_WHY_MAX] = "", pages[EAL_PAGES_WHY_MAX];
	if (config->dataplane.eal_hugepages
		&& eal_pages_check(EAL_PAGES_SYSFS, config->dataplane.memory_mb, pages)) {
		log_error("%s", pages);
		return -ENOMEM;
	}
	// EAL makes a directory of its own even if it shares nothing; below weir's directory it is
	// removed with that.
	setenv("RUNTIME_DIRECTORY", run, 1);
	int rc = eal_args_build(&args, "weir-dataplane", config, why);
	if (rc) {
		log_error("%s", why);
		return rc;
	}
	(void)memif_left_remove(&config->dataplane);
	// EAL reorders argv, so it gets a copy of the pointers.
	char *argv[EAL_ARGS_MAX + 1];
	memcpy(argv, args.argv, sizeof(argv));
	startup_part("config");
	eal_drivers_begin(&config->dataplane);
	eal_tsc_begin();
	rc = rte_eal_init(args.argc, argv);
	eal_tsc_end();
	eal_drivers_end();
	if (rc < 0)
		log_error("DPDK does not start: %s (see its messages above)",
			rte_strerror(rte_errno));
	if (rc < 0 && eal_pages_too_large(&config->dataplane, page_size(), why))
		log_error("%s", why);
	eal_args_free(&args);
	startup_part("eal");
	return rc < 0 ? -EIO : 0;
}

static int create_all_rings(struct dataplane *dp, char why[WHY_MAX])
{
	struct rings_spec_all spec = {.workers = dp->worker_count,
		.lcores = dp->config->dataplane.worker_lcores,
		.incarnation = dp->incarnation,
		.port_count = dp->ports.count,
		.group = dp->config->runtime.group,
		.stats_group = dp->config->runtime.stats_group};
	for (unsigned i = 0; i < dp->ports.count; i++) {
		memcpy(spec.port_name[i], dp->ports.port[i].name, STATS_PORT_NAME);
		spec.port_is_exception[i] = dp->ports.port[i].exception;
	}
	int rc = worker_rings_create(&dp->worker_rings, &dp->paths, &spec, why);
	if (rc == 0)
		worker_rings_bells(&dp->worker_rings, dp->bells);
	return rc;
}

static int create_pools(struct dataplane *dp, char why[WHY_MAX])
{
	const struct config_dataplane *c = &dp->config->dataplane;
	const enum mbuf_pool_layout layout =
		c->eal_hugepages || ports_have_xdp(&dp->ports) ? MBUF_POOL_PAGED : MBUF_POOL_DENSE;
	for (unsigned i = 0; i < dp->worker_count; i++) {
		int rc = mbuf_pool_create(&dp->pool[i], i, c->worker_lcores[i], c->mbufs,
			dp->config->limits.udp_reply_size, layout, why);
		if (rc)
			return rc;
	}
	return 0;
}

// Refuses pools that full rings would empty: a worker could not receive any more.
static int check_pools(const struct dataplane *dp, char why[WHY_MAX])
{
	unsigned least = ports_mbufs_least(&dp->ports);
	if (dp->config->dataplane.mbufs >= least)
		return 0;
	snprintf(why, WHY_MAX,
		"dataplane.mbufs: %u, but the ports' rings and what waits for the kernel need %u",
		dp->config->dataplane.mbufs, least);
	return -EINVAL;
}

static int address_exceptions(const struct dataplane *dp, char why[WHY_MAX])
{
	const struct config_dataplane *c = &dp->config->dataplane;
	int rc = exception_alone(c, why);
	for (unsigned i = 0; rc == 0 && i < c->port_count; i++) {
		if (!c->ports[i].exception[0])
			continue;
		rc = exception_addr_apply(c->ports[i].exception, c->addresses, c->own_count, why);
	}
	if (rc == 0)
		(void)exception_left_mark(c, dp->paths.instance);
	return rc;
}

static int create_limiter(struct dataplane *dp, char why[WHY_MAX])
{
	int rc = limiter_new(dp->worker_count, &dp->limiter);
	if (rc)
		snprintf(why, WHY_MAX, "rate limits: %s", strerror(-rc));
	return rc;
}

static int create_kernel_flows(struct dataplane *dp, char why[WHY_MAX])
{
	int socket = (int)rte_lcore_to_socket_id(dp->config->dataplane.worker_lcores[0]);
	dp->kernel_flows = rte_site_zmalloc_socket(
		"kernel_flows", sizeof(*dp->kernel_flows), CACHE_LINE, socket);
	dp->asked_ports = rte_site_zmalloc_socket(
		"asked_ports", sizeof(*dp->asked_ports), CACHE_LINE, socket);
	if (!dp->kernel_flows || !dp->asked_ports) {
		snprintf(why, WHY_MAX, "no memory for the kernel's flows (dataplane.memory_mb)");
		return -ENOMEM;
	}
	// A random number of this run that no other process knows.
	dp->kernel_flows->secret = limiter_table(dp->limiter, 0)->secret;
	return 0;
}

static int create_worker(struct dataplane *dp, unsigned index, char why[WHY_MAX])
{
	const struct config_dataplane *c = &dp->config->dataplane;
	unsigned lcore = c->worker_lcores[index];
	int socket = (int)rte_lcore_to_socket_id(lcore);
	struct worker *w = rte_site_zmalloc_socket("worker", sizeof(*w), CACHE_LINE, socket);
	size_t dedup_size = sizeof(struct recent_way) * DEDUP_WAYS * DEDUP_SETS;
	void *recent = rte_site_zmalloc_socket("recent", dedup_size, CACHE_LINE, socket);
	if (!w || !recent) {
		rte_site_free(w);
		rte_site_free(recent);
		snprintf(why, WHY_MAX, "worker %u: no memory (dataplane.memory_mb)", index);
		return -ENOMEM;
	}
	w->index = index;
	w->lcore = lcore;
	w->poll = c->poll;
	w->service = &dp->service;
	w->pool = dp->pool[index];
	w->limit = limiter_table(dp->limiter, index);
	w->dp_incarnation = dp->incarnation;
	w->kernel_flows.table = dp->kernel_flows;
	w->asked_ports = dp->asked_ports;
	// The log's reader may still wait for parts of queries that the previous run numbered.
	w->traces = (uint32_t)dp->incarnation;
	dedup_init(&w->dedup, recent);
	ports_bind(&dp->ports, c, w);
	steering_bind(&dp->steering, w);
	worker_rings_bind(&dp->worker_rings, w);
	atomic_store_explicit(&w->stats->mbuf_size, w->pool->size, memory_order_relaxed);
	dp->worker[index] = w;
	return 0;
}

static int prepare_housekeeping(struct dataplane *dp, char why[WHY_MAX])
{
	struct housekeep *h = &dp->housekeep;
	struct dp_config defaults;
	config_for_workers(dp->config, &defaults);
	*h = (struct housekeep){.workers = dp->worker,
		.worker_count = dp->worker_count,
		.ports = &dp->ports,
		.steering = dp->steering.count ? &dp->steering : NULL,
		.stats = worker_rings_stats(&dp->worker_rings),
		.worker_rings = &dp->worker_rings,
		.lock = &dp->lock,
		.limiter = dp->limiter};
	uint16_t clients[CONFIG_PORTS_MAX];
	for (unsigned i = 0; i < dp->ports.client_count; i++)
		clients[i] = dp->ports.port[i].id;
	drops_init(&h->drops, clients, dp->ports.client_count);
	int rc = link_init(&h->link, dp->paths.run, dp->bells, dp->worker_count, dp->incarnation);
	if (rc) {
		snprintf(why, WHY_MAX, "runtime.directory: too long a path for a socket");
		return rc;
	}
	rc = activate_init(
		&h->activate, &dp->paths, dp->worker, &dp->worker_rings, &defaults, h->stats);
	if (rc) {
		snprintf(why, WHY_MAX, "no memory");
		return rc;
	}
	if (dp->steering.count) {
		h->activate.on_hops = steering_servers;
		h->activate.on_hops_arg = &dp->steering;
	}
	atomic_store_explicit(&h->stats->tsc_hz, rte_get_tsc_hz(), memory_order_relaxed);
	housekeep_init(h, clock_mono_ms());
	return 0;
}

// Call when the ports' state is in the statistics and the workers read frames.
static void dataplane_ready(const struct dataplane *dp)
{
	log_info("serving: %u workers, %u client ports, version %s", dp->worker_count,
		dp->ports.client_count, build_this()->version);
	startup_log();
	sd_notify_ready();
}

static int run_workers(struct dataplane *dp, char why[WHY_MAX])
{
	int rc = 0;
	unsigned launched = 0;
	ports_announce(&dp->ports, &dp->service, dp->pool[0]);
	prefault_data();
	prefault_stack();
	rc = sd_notify_open();
	if (rc)
		log_warning("NOTIFY_SOCKET: %s; systemd is not notified", strerror(-rc));
	idle_monitor_detect();
	rc = privilege_settle(dp->config, why);
	while (rc == 0 && launched < dp->worker_count) {
		struct worker *w = dp->worker[launched];
		atomic_store_explicit(&w->hold, 1, memory_order_relaxed);
		rc = rte_eal_remote_launch(worker_main, w, w->lcore);
		if (rc)
			snprintf(why, WHY_MAX, "worker %u does not launch on lcore %u", launched,
				w->lcore);
		else
			launched++;
	}
	if (rc == 0) {
		startup_part("workers");
		housekeep_start(&dp->housekeep);
		startup_part("tables");
		dataplane_ready(dp);
		housekeep_run(&dp->housekeep, &stop_requested);
		sd_notify_send("STOPPING=1");
		steering_stop(&dp->steering);
		rc = ports_gone_why(&dp->ports, why, WHY_MAX);
		log_info("stopping");
	}
	for (unsigned i = 0; i < launched; i++) {
		atomic_store_explicit(&dp->worker[i]->stop, 1, memory_order_release);
		worker_wake(dp->worker[i]);
	}
	for (unsigned i = 0; i < launched; i++) {
		(void)rte_eal_wait_lcore(dp->worker[i]->lcore);
		assert(!atomic_load_explicit(&dp->worker[i]->stats->online, memory_order_acquire));
	}
	privilege_stop();
	return rc;
}

// Cores beyond the ports' queues stay idle with `worker_lcores: [auto]`.
static void settle_workers(struct dataplane *dp)
{
	struct config_dataplane *c = &dp->config->dataplane;
	unsigned cores = c->worker_count;
	if (!c->workers_auto)
		return;
	c->worker_count = ports_workers_most(&dp->ports, cores);
	dp->worker_count = c->worker_count;
	if (c->worker_count < cores)
		log_info("%u workers on %u cores: a port has no more queues", c->worker_count,
			cores);
}

// Runs from a started EAL to a requested stop. -errno with `why`.
static int serve(struct dataplane *dp, const struct dataplane_bench *bench, char why[WHY_MAX])
{
	const struct config_dataplane *c = &dp->config->dataplane;
	int rc = ports_find(&dp->ports, c, why);
	if (rc)
		return rc;
	settle_workers(dp);
	rc = create_all_rings(dp, why);
	if (rc)
		return rc;
	startup_part("rings");
	rc = create_pools(dp, why);
	if (rc)
		goto close_rings;
	startup_part("pools");
	rc = ports_start(&dp->ports, dp->config, dp->pool, why);
	if (rc)
		goto close_rings;
	rc = check_pools(dp, why);
	if (rc == 0)
		rc = address_exceptions(dp, why);
	if (rc == 0)
		rc = steering_start(&dp->steering, c, clock_mono_ms(), why);
	if (rc)
		goto stop_ports;
	startup_part("ports");
	rc = create_limiter(dp, why);
	if (rc == 0)
		rc = create_kernel_flows(dp, why);
	for (unsigned i = 0; rc == 0 && i < dp->worker_count; i++) {
		mbuf_pool_settle(dp->pool[i]);
		rc = create_worker(dp, i, why);
	}
	if (rc)
		goto free_limiter;
	rc = bench ? bench->begin(dp->worker, dp->worker_count) : 0;
	if (rc)
		snprintf(why, WHY_MAX, "bench: %s", strerror(-rc));
	else
		rc = prepare_housekeeping(dp, why);
	if (rc)
		goto free_limiter;
	startup_part("workers");

	rc = run_workers(dp, why);

	if (rc == 0) // after an error a port may be gone, with its rules
		drops_clear(&dp->housekeep.drops);
	link_close(&dp->housekeep.link);
	activate_close(&dp->housekeep.activate);
free_limiter:
	limiter_free(dp->limiter);
stop_ports:
	ports_stop(&dp->ports);
close_rings:
	if (rc)
		rings_fail(&dp->worker_rings);
	worker_rings_close(&dp->worker_rings);
	return rc;
}

// Checks that there is enough memory, and that no other process uses the interfaces, before
// anything changes them.
static int prepare_machine(struct dataplane *dp, char why[WHY_MAX])
{
	int rc = mem_plan_check(dp->config, MEM_PLAN_DATAPLANE, &dp->paths, why);
	if (rc >= 0)
		rc = exception_free(&dp->config->dataplane, why);
	if (rc == 0)
		rc = port_claim(&dp->config->dataplane, why);
	if (rc == 0)
		rc = steering_prepare(&dp->steering, &dp->config->dataplane, dp->paths.run, why);
	return rc;
}

int dataplane_run(const char *config, const struct dataplane_bench *bench)
{
	int status = EXIT_FAILURE;
	char why[WHY_MAX] = "";
	static struct dataplane dp; // some 20 KiB, too much for a signal-prone stack
	startup_begin();
	int rc = log_out_start("weir-dataplane");
	if (rc)
		log_warning("no thread for stderr: log lines wait for the reader of stderr: %s",
			strerror(-rc));
	dp.config = startup_config(config, why);
	if (!dp.config)
		return EXIT_FAILURE;
	if (bench && !bench->allows(&dp.config->dataplane))
		goto free_config;
	dp.worker_count = dp.config->dataplane.worker_count;
	dp.incarnation = incarnation_new();
	service_from_config(&dp.service, &dp.config->dataplane);
	catch_signals();
	if (shm_paths_init_for(&dp.paths, SHM_DATAPLANE, dp.config->runtime.directory,
		    dp.config->runtime.hugepages, why)) {
		log_error("%s", why);
		goto free_config;
	}
	region_lost_catch(dp.paths.two_users ? own_with_two_users : own_regions);
	dp.lock = lock_runtime(dp.paths.run);
	if (dp.lock < 0)
		goto close_paths;
	if (prepare_machine(&dp, why)) {
		log_error("%s", why);
		goto unlock;
	}
	steering_tags_warn(dp.config);
	(void)exception_left_remove(&dp.config->dataplane, dp.paths.instance);
	if (start_eal(dp.config, dp.paths.run))
		goto close_steering;

	if (serve(&dp, bench, why))
		log_error("%s", why);
	else
		status = EXIT_SUCCESS;

	// DPDK's memory is not freed: that would write zeros to all of it while no process answers.
	// rte_eal_cleanup is not called, either: the ports are closed, EAL has no files, and the
	// kernel frees the rest. In 22.11 it unmaps memory that EAL's interrupt thread may still
	// read: SIGSEGV in 5 of 24 stops over memif.
close_steering:
	steering_close(&dp.steering);
unlock:
	close(dp.lock);
close_paths:
	shm_paths_close(&dp.paths);
free_config:
	config_free(dp.config);
	return status;
}
