// SPDX-License-Identifier: BSD-3-Clause
// `weirctl doctor`: runs all checks of the machine, or one. Exit status: 0 nothing is wrong, or
// --report, or --save has saved the report; 1 something is wrong, or the report is not saved; 2
// there is no such check.

#include "doctor_checks.h"
#include "lib/config_prove.h"
#include "lib/figure.h"
#include "lib/http_get.h"
#include "lib/json_doc.h"
#include "lib/program.h"
#include "lib/sysroot.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <weir/attr.h>
#include <weir/build.h>
#include <weir/config/versions.h>
#include <weir/config_tools.h>
#include <weir/doctor_file.h>
#include <weir/numa.h>
#include <weir/own_file.h>

// The two processes, their units, and the versions of both and of this program.

static const char *const units[] = {"weir-dataplane", "weir-controlplane"};
// What starts `weirctl doctor --save`, each day and for the page.
static const char *const own_units[] = {"weir-doctor.timer", "weir-doctor.path"};
enum { SYSTEMCTL_MS = 5000, SHOWN_MAX = 1024 };

// Adds the command that starts a process, with systemd or without.
static void start_do(struct doctor *d, const char *verb, const char *unit)
{
	if (sysroot_exists("/run/systemd/system"))
		doctor_do(d, "systemctl %s %s", verb, unit);
	else
		doctor_do(d, WEIR_SBINDIR "/%s -c %s", unit, TEXT_QUOTE(d->c->config_path));
}

static void state_report(
	struct doctor *d, const char *who, const char *unit, enum process_state state)
{
	switch (state) {
	case PROCESS_UP:
		doctor_add(d, DOCTOR_OK, "the %s is up", who);
		break;
	case PROCESS_UNKNOWN:
		doctor_add(d, DOCTOR_UNKNOWN,
			"the %s: no permission to look (root, or a member of "
			"runtime.group)",
			who);
		break;
	case PROCESS_HUNG:
		doctor_add(d, DOCTOR_WRONG, "the %s hangs", who);
		start_do(d, "restart", unit);
		break;
	case PROCESS_DOWN:
		doctor_add(d, DOCTOR_WARNING, "the %s is down", who);
		start_do(d, "start", unit);
		break;
	default:
		doctor_add(d, DOCTOR_WARNING, "the %s is %s", who, process_state_text(state));
		doctor_do(d, "weirctl status");
	}
}

static void check_processes(struct doctor *d)
{
	if (!d->has_view) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	// The data plane holds its lock before it has statistics.
	if (d->view.dataplane == PROCESS_HUNG && !d->dp_pid) {
		doctor_add(d, DOCTOR_WARNING, "the data plane is starting or hangs");
		doctor_do(d, "weirctl status # after a minute it hangs");
	} else {
		state_report(d, "data plane", units[0], d->view.dataplane);
	}
	state_report(d, "control plane", units[1], d->view.controlplane);
}

// Copies the value of "Key=value" in the output of systemctl show; "": there is no such line.
static void value_of(const char *shown, const char *key, char out[64])
{
	size_t len = strlen(key);
	*out = '\0';
	for (const char *line = shown; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != '=')
			continue;
		snprintf(out, 64, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
		return;
	}
}

static void unit_report(struct doctor *d, const char *unit, const char *shown)
{
	char load[64], active[64], file[64], result[64];
	value_of(shown, "LoadState", load);
	value_of(shown, "ActiveState", active);
	value_of(shown, "UnitFileState", file);
	value_of(shown, "Result", result);
	if (strcmp(load, "loaded") != 0) {
		doctor_add(d, DOCTOR_WARNING, "%s: the unit is not installed (%s)", unit, load);
		doctor_do(d, "apt-get install weir");
	} else if (strcmp(active, "failed") == 0) {
		doctor_add(d, DOCTOR_WRONG, "%s: failed (%s)", unit, result);
		doctor_do(d, "journalctl -u %s -n 50; systemctl restart %s", unit, unit);
	} else if (strcmp(file, "enabled") != 0) {
		doctor_add(d, DOCTOR_WARNING, "%s: %s, and not started at boot (%s)", unit, active,
			file);
		doctor_do(d, "systemctl enable %s", unit);
	} else if (strcmp(active, "active") != 0) {
		doctor_add(d, DOCTOR_WARNING, "%s: %s", unit, active);
		doctor_do(d, "systemctl start %s", unit);
	} else {
		doctor_add(d, DOCTOR_OK, "%s: active, and started at boot", unit);
	}
}

// Checks a unit by its full name, and reports it by `name`.
static void unit_check(struct doctor *d, const char *name, const char *unit)
{
	char shown[SHOWN_MAX];
	const char *const args[] = {"/usr/bin/systemctl", "show",
		"--property=LoadState,ActiveState,UnitFileState,Result", unit, NULL};
	const int rc = program_read(args, SYSTEMCTL_MS, shown, sizeof(shown));
	if (rc == 0)
		unit_report(d, name, shown);
	else
		doctor_add(d, DOCTOR_UNKNOWN, "%s: `systemctl show`: %s", name,
			rc < 0 ? strerror(-rc) : "it fails");
}

static void check_units(struct doctor *d)
{
	if (!sysroot_exists("/run/systemd/system")) {
		doctor_add(d, DOCTOR_UNKNOWN, "systemd does not manage this machine");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(units); i++) {
		char unit[64];
		snprintf(unit, sizeof(unit), "%s.service", units[i]);
		unit_check(d, units[i], unit);
	}
	for (unsigned i = 0; i < ARRAY_LEN(own_units); i++)
		unit_check(d, own_units[i], own_units[i]);
}

// Warns of a process whose program on disk was replaced: it still runs the old version.
static void replaced_check(struct doctor *d, const char *who, const char *unit, pid_t pid)
{
	char path[SYSROOT_PATH_MAX], to[512];
	static const char deleted[] = " (deleted)";
	ssize_t len = readlink(sysroot_path(path, "/proc/%d/exe", (int)pid), to, sizeof(to) - 1);
	if (len < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the program of the %s: %s", who, strerror(errno));
		return;
	}
	to[len] = '\0';
	size_t tail = sizeof(deleted) - 1;
	if ((size_t)len > tail && strcmp(to + (size_t)len - tail, deleted) == 0) {
		doctor_add(d, DOCTOR_WARNING,
			"the %s runs a program that is no longer on the disk: %s", who, to);
		doctor_do(d, "systemctl restart %s", unit);
	} else {
		doctor_add(d, DOCTOR_OK, "the %s runs %s", who, to);
	}
}

// Warns if the version that a process reports differs from weirctl's, the commit included.
static void version_check(
	struct doctor *d, const char *who, const char *unit, pid_t pid, const char *version)
{
	const char *ours = build_this()->version;
	char named[2 * BUILD_TEXT_MAX];
	snprintf(named, sizeof(named), "%s of version %s", who, version);
	if (strcmp(version, ours) == 0) {
		replaced_check(d, named, unit, pid);
		return;
	}
	doctor_add(d, DOCTOR_WARNING, "the %s is of version %s, weirctl of %s", who, version, ours);
	doctor_do(d, "systemctl restart %s %s", units[0], units[1]);
}

static void check_versions(struct doctor *d)
{
	const struct json_node *status = doctor_status(d);
	if (doctor_lacks_sight(d))
		return;
	if (!d->dp_pid)
		doctor_add(d, DOCTOR_UNKNOWN, "no data plane is running");
	else if (!d->view.has_stats)
		replaced_check(d, "data plane", units[0], d->dp_pid);
	else
		version_check(d, "data plane", units[0], d->dp_pid, d->view.stats->version);
	if (status && d->cp_pid) {
		version_check(
			d, "control plane", units[1], d->cp_pid, json_text(status, "version"));
	} else if (status && d->cp_is_elsewhere) {
		doctor_add(d, DOCTOR_UNKNOWN,
			"the control plane names process %" PRIu64
			" as its own, which is not its number here; run doctor in its container",
			d->cp_said_pid);
	} else if (status) {
		doctor_add(d, DOCTOR_WARNING,
			"the control plane names process %" PRIu64
			" as its own, which does not run weir-controlplane here",
			d->cp_said_pid);
		doctor_do(d, "systemctl status %s # the process that systemd started", units[1]);
	} else {
		doctor_add(d, DOCTOR_UNKNOWN, "no control plane answers");
	}
}

static void check_config(struct doctor *d);

static const struct doctor_check own_checks[] = {
	{"config", check_config},
	{"processes", check_processes},
	{"units", check_units},
	{"versions", check_versions},
	{NULL, NULL},
};
// The sections of docs/how-to/doctor.md, in their order.
static const struct doctor_check *const tables[] = {own_checks, doctor_files_checks,
	doctor_machine_checks, doctor_names_checks, doctor_ports_checks, doctor_probe_checks};

// NULL: there are not so many.
static const struct doctor_check *check_at(unsigned i)
{
	for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct doctor_check *k = tables[t]; k->name; k++)
			if (i-- == 0)
				return k;
	return NULL;
}

static void errors_add(struct doctor *d, const struct config_errors *e)
{
	unsigned texts = e->count < CONFIG_ERRORS_MAX ? e->count : CONFIG_ERRORS_MAX;
	for (unsigned i = 0; i < texts; i++) {
		doctor_add(d, DOCTOR_WRONG, "%s", e->text[i]);
		doctor_do(d, "weirctl -c %s config check", TEXT_QUOTE(d->c->config_path));
	}
}

// Checks what the configuration needs of the machine. Reads it again, for the places of errors.
static void machine_prove(const struct doctor *d, struct config_errors *errors)
{
	struct config_bundle texts = {0};
	struct config *config = NULL;
	const struct config_proof proof = {.texts = &texts, .errors = errors};
	if (config_bundle_read(
		    d->c->config_path, NULL, CONFIG_SECRETS_FOUND, &texts, &config, errors)
		< 0)
		return;
	config_prove(config, &proof);
	if (!d->is_trial)
		config_prove_control(config, &proof);
	config_bundle_free(&texts);
	config_free(config);
}

static void check_config(struct doctor *d)
{
	struct config_errors errors = {0};
	char why[CONFIG_WHY_MAX] = "";
	const char *path = d->c->config_path;
	if (d->config) {
		machine_prove(d, &errors);
	} else if (access(path, R_OK) != 0 && errno == EACCES) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s may not be read by this user", path);
	} else if (geteuid() != 0 && config_file_check(path, why) == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s names secrets that this user may not read", path);
	} else if (config_load_all(path, &(struct config *){NULL}, &errors) == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s changes at this moment", path);
	}
	if (errors.count)
		errors_add(d, &errors);
	else if (d->config)
		doctor_add(d, DOCTOR_OK, "%s is good", path);
}

// Finds where the weir of the configuration file keeps its state, also one that has not started.
static void paths_find(const char *config_path, struct config_places *places, struct shm_paths *out)
{
	char why[CONFIG_WHY_MAX];
	if (config_places_find(config_path, places, why) < 0)
		*why = '\0'; // `places` has the defaults
	if (shm_paths_find(out, places->directory, places->hugepages, why) < 0) {
		snprintf(out->run, sizeof(out->run), "%s", places->directory);
		snprintf(out->mem, sizeof(out->mem), "%s", places->directory);
	}
}

// Reads the configuration and the state of the processes, as far as this user may.
static void doctor_begin(struct doctor *d, struct ctl *c)
{
	struct config_errors errors;
	struct config_places places;
	*d = (struct doctor){.c = c};
	if (config_load_all(c->config_path, &c->config, &errors) == 0)
		d->config = c->config;
	paths_find(c->config_path, &places, &c->paths);
	ctl_servers_find(&c->servers, places.state_directory);
	d->has_view = view_take(c, "/status", &d->view) == CTL_OK;
	doctor_users_find(d);
}

static void counts_print(const struct doctor *d)
{
	const unsigned *n = d->count;
	printf("\n%u ok, %u warnings, %u wrong, %u not checked\n", n[DOCTOR_OK], n[DOCTOR_WARNING],
		n[DOCTOR_WRONG], n[DOCTOR_UNKNOWN]);
}

// Does any process run that the one with this configuration replaces?
static bool has_former(const char *config_path)
{
	struct config_places places;
	struct shm_paths paths = {0};
	uint64_t silent_ms;
	paths_find(config_path, &places, &paths);
	return dataplane_state(&paths, NULL) != PROCESS_DOWN
	       || controlplane_state(&paths, &silent_ms) != PROCESS_DOWN;
}

unsigned doctor_try(const struct ctl *c, const char *config_path, const char *const names[])
{
	struct ctl its = *c;
	struct config_errors errors = {0};
	struct doctor d = {.c = &its, .is_trial = true};
	const struct doctor_check *check;
	its.config_path = config_path;
	its.config = NULL;
	if (config_load_all(config_path, &its.config, &errors) == 0)
		d.config = its.config;
	d.is_replacing = has_former(config_path);
	doctor_users_find(&d);
	for (; *names; names++)
		for (unsigned i = 0; (check = check_at(i)); i++) {
			d.check = check->name;
			if (strcmp(*names, d.check) == 0)
				check->run(&d);
		}
	counts_print(&d);
	config_free(its.config);
	return d.count[DOCTOR_WRONG];
}

const char *doctor_check_name(unsigned i)
{
	const struct doctor_check *check = check_at(i);
	return check ? check->name : NULL;
}

static int names_print(void)
{
	const char *name;
	fprintf(stderr, "weirctl: doctor takes one of:");
	for (unsigned i = 0; (name = doctor_check_name(i)); i++)
		fprintf(stderr, " %s", name);
	fprintf(stderr, "\n");
	return CTL_USAGE;
}

// The report of --report, which describes the machine for a public bug report. It has no text that
// an owner chose: no address, no name of a host, an interface, a user, a client or a domain, no URL
// and no path. Each text is a word of this program, or passes public_version(), public_word() or
// public_model().

// Filters for the machine's words in a public report. Makers choose most of them, but an owner may
// have put a name into one: a version that was built at home, a driver of one's own.

enum { PUBLIC_MAX = 80 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static bool is_of_versions(const char *word, size_t len)
{
	static const char *const known[] = {"aarch", "alpha", "amd", "arm", "armhf", "aws", "azure",
		"beta", "bookworm", "bpo", "build", "cloud", "deb", "debian", "dfsg", "dirty", "ds",
		"edge", "el", "fc", "gcp", "generic", "git", "hwe", "kvm", "lowlatency", "lts",
		"microsoft", "nmu", "pve", "raspi", "raspbian", "rc", "really", "repack", "rpi",
		"rpt", "rt", "stable", "standard", "trixie", "ubuntu", "virtual", "WSL"};
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == len && strncmp(known[i], word, len) == 0)
			return true;
	return len == 1;
}

// Copies a version: digits, single letters, and words that distributions use. Any other word
// becomes
// "?": "6.1.0-32-amd64" stays, "6.12.9-alice" becomes "6.12.9-?". Returns `out`.
static char *public_version(const char *text, char out[PUBLIC_MAX])
{
	size_t len = 0;
	while (*text) {
		const size_t letters = strspn(text, LETTERS), size = letters ? letters : 1;
		const bool is_said = letters ? is_of_versions(text, letters)
					     : strchr(DIGITS ".:-+~_", *text) != NULL;
		const size_t shown = is_said ? size : 1;
		if (len + shown >= PUBLIC_MAX)
			break;
		memcpy(out + len, is_said ? text : "?", shown);
		len += shown;
		text += size;
	}
	out[len] = '\0';
	return out;
}

// Copies a word such as a driver, a release or a device's numbers: letters, digits and "_-.:+~". A
// text with any other character becomes "?", an empty one stays. Returns `out`.
static char *public_word(const char *text, char out[PUBLIC_MAX])
{
	const size_t len = strspn(text, LETTERS DIGITS "_-.:+~");
	snprintf(out, PUBLIC_MAX, "%s", text[len] || len >= PUBLIC_MAX ? "?" : text);
	return out;
}

// Copies the model of a processor or a board, in printable ASCII without "/" and "\". Returns
// `out`.
static char *public_model(const char *text, char out[PUBLIC_MAX])
{
	size_t len = 0;
	for (; *text && len < PUBLIC_MAX - 1; text++)
		out[len++] =
			*text < ' ' || *text > '~' || *text == '/' || *text == '\\' ? '?' : *text;
	out[len] = '\0';
	return out;
}

enum { CARDS_MAX = 32 };

struct card {
	const char *bus;
	char model[PUBLIC_MAX], driver[PUBLIC_MAX]; // "8086:1521"; "": the bus has no such numbers
	int node;
	unsigned queues, count; // receive queues of the interface; number of such cards
};

// Reads "0x8086" and "0x1521", or "0bda" and "8153", from two files of a folder.
static void model_read(
	const char *folder, const char *vendor, const char *device, char out[PUBLIC_MAX])
{
	char of[2][16] = {"", ""}, said[PUBLIC_MAX];
	(void)sysroot_line(of[0], sizeof(of[0]), "%s/%s", folder, vendor);
	(void)sysroot_line(of[1], sizeof(of[1]), "%s/%s", folder, device);
	for (unsigned i = 0; i < 2; i++)
		if (strncmp(of[i], "0x", 2) == 0)
			memmove(of[i], of[i] + 2, strlen(of[i] + 2) + 1);
	snprintf(said, sizeof(said), "%s%s%s", of[0], *of[0] && *of[1] ? ":" : "", of[1]);
	public_word(said, out);
}

static unsigned queues_count(const char *interface)
{
	char pattern[SYSROOT_PATH_MAX];
	snprintf(pattern, sizeof(pattern), "/sys/class/net/%s/queues/rx-*", interface);
	return *interface ? (unsigned)doctor_files_count(pattern) : 0;
}

// Adds a card, or counts it if an equal one is there. Leaves it out if there is no room.
static void card_add(struct card *cards, unsigned *count, const struct card *one)
{
	unsigned i = 0;
	while (i < *count
		&& !(strcmp(cards[i].bus, one->bus) == 0 && strcmp(cards[i].model, one->model) == 0
			&& strcmp(cards[i].driver, one->driver) == 0 && cards[i].node == one->node
			&& cards[i].queues == one->queues))
		i++;
	if (i == CARDS_MAX)
		return;
	if (i == *count)
		cards[(*count)++] = *one;
	cards[i].count++;
}

static void card_of_pci(const struct nic_device *nic, struct card *out)
{
	char folder[SYSROOT_PATH_MAX];
	*out = (struct card){.bus = "PCI", .node = atoi(nic->numa)};
	snprintf(folder, sizeof(folder), NIC_DEVICES "/%s", nic->pci);
	model_read(folder, "vendor", "device", out->model);
	public_word(nic->driver, out->driver);
	out->queues = queues_count(nic->interface);
}

// Reads the card of an interface with a driver but no PCI device: USB, or part of the board. False:
// it is another interface.
static bool card_of_interface(const char *interface, struct card *out)
{
	char driver[NIC_WORD_MAX], why[NIC_WHY_MAX], folder[SYSROOT_PATH_MAX];
	struct nic_device nic;
	if (sysroot_link(driver, sizeof(driver), "/sys/class/net/%s/device/driver", interface)
		|| nic_device_find(interface, &nic, why))
		return false;
	*out = (struct card){.bus = "board", .node = -1};
	snprintf(folder, sizeof(folder), "/sys/class/net/%s/device/..", interface);
	model_read(folder, "idVendor", "idProduct", out->model);
	if (*out->model)
		out->bus = "USB";
	public_word(driver, out->driver);
	out->queues = queues_count(interface);
	return true;
}

static unsigned cards_find(struct card cards[CARDS_MAX])
{
	char pattern[SYSROOT_PATH_MAX];
	struct nic_device *nics = calloc(NIC_DEVICES_MAX, sizeof(*nics));
	const unsigned devices = nics ? nic_device_list(nics, NIC_DEVICES_MAX) : 0;
	unsigned count = 0;
	struct card one;
	glob_t found;
	for (unsigned i = 0; i < devices; i++) {
		card_of_pci(&nics[i], &one);
		card_add(cards, &count, &one);
	}
	free(nics);
	if (glob(sysroot_path(pattern, "/sys/class/net/*"), 0, NULL, &found) != 0)
		return count;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (card_of_interface(strrchr(found.gl_pathv[i], '/') + 1, &one))
			card_add(cards, &count, &one);
	globfree(&found);
	return count;
}

// The kind of a DPDK device without hardware, which is the beginning of its name.
static const char *virtual_kind(const char *device)
{
	static const char *const kinds[] = {"net_af_packet", "net_af_xdp", "net_memif", "net_null",
		"net_pcap", "net_ring", "net_tap", "net_vhost", "net_virtio_user"};
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(device, kinds[i], strlen(kinds[i])) == 0)
			return kinds[i];
	return "other";
}

static void port_put(struct json_node *list, const struct config_port *p)
{
	char pci[PCI_NAME_MAX], name[NIC_WORD_MAX], driver[NIC_WORD_MAX], why[NIC_WHY_MAX];
	char said[PUBLIC_MAX] = "";
	struct json_node *n = json_put_object(list, NULL);
	struct nic_device nic;
	const bool is_pci = doctor_port_is_pci(p, pci);
	json_put_text(n, "kind", p->xdp ? "xdp" : is_pci ? "PCI" : virtual_kind(p->device));
	if (p->xdp
		&& sysroot_link(driver, sizeof(driver), "/sys/class/net/%s/device/driver",
			   doctor_port_name(p->xdp, name))
			   == 0)
		public_word(driver, said);
	else if (is_pci && nic_device_find(pci, &nic, why))
		public_word(nic.driver, said);
	json_put_text(n, "driver", said);
	json_put_bool(n, "exception", p->exception[0]);
	json_put_bool(n, "vlans", p->has_vlans);
}

// Adds network cards, and the ports of the configuration by kind: models and drivers, no names and
// no addresses.
static void report_cards(const struct doctor *d, struct json_node *root)
{
	struct card cards[CARDS_MAX];
	const unsigned count = cards_find(cards);
	struct json_node *list = json_put_array(root, "cards");
	for (unsigned i = 0; i < count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "bus", cards[i].bus);
		json_put_text(n, "model", cards[i].model);
		json_put_text(n, "driver", cards[i].driver);
		json_put_count(n, "receive_queues", cards[i].queues);
		if (cards[i].node >= 0)
			json_put_count(n, "memory_node", (uint64_t)cards[i].node);
		json_put_count(n, "count", cards[i].count);
	}
	list = json_put_array(root, "ports");
	if (!d->config)
		return;
	const struct config_dataplane *dp = &d->config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++)
		port_put(list, &dp->ports[i]);
	if (!dp->workers_auto)
		json_put_count(root, "workers", dp->worker_count);
}

enum { PROGRAM_MS = 5000, CPUS_MAX = 4096, CPU_TEXT_MAX = 8192 };

// Runs `PROGRAM --version` and copies the text after the program's name; "": it does not run.
static char *version_ask(const char *program, char out[PUBLIC_MAX])
{
	char path[SYSROOT_PATH_MAX], said[128] = "";
	snprintf(path, sizeof(path), WEIR_SBINDIR "/%s", program);
	const char *const args[] = {path, "--version", NULL};
	const int rc = program_read(args, PROGRAM_MS, said, sizeof(said));
	said[strcspn(said, "\n")] = '\0';
	const char *version = strchr(said, ' ');
	snprintf(out, PUBLIC_MAX, "%s", rc == 0 && version ? version + 1 : "");
	return out;
}

// Adds a program, with the version that its process reports, else the version of its file.
static void program_put(
	struct json_node *list, const char *name, enum process_state state, const char *running)
{
	char installed[PUBLIC_MAX], said[PUBLIC_MAX];
	const char *version = running;
	if (!*running)
		version = version_ask(name, installed);
	struct json_node *n = json_put_object(list, NULL);
	json_put_text(n, "program", name);
	// A commit in the version is hexadecimal, which public_version would not pass.
	json_put_text(n, "version", *version ? public_word(version, said) : "unknown");
	json_put_text(n, "state", process_state_text(state));
}

static void programs_put(struct doctor *d, struct json_node *root)
{
	struct json_node *list = json_put_array(root, "programs");
	const struct view *v = &d->view;
	struct json_node *own = json_put_object(list, NULL);
	json_put_text(own, "program", "weirctl");
	json_put_text(own, "version", build_this()->version);
	program_put(list, "weir-dataplane", d->has_view ? v->dataplane : PROCESS_UNKNOWN,
		d->dp_pid && v->has_stats ? v->stats->version : "");
	program_put(list, "weir-controlplane", d->has_view ? v->controlplane : PROCESS_UNKNOWN,
		json_text(doctor_status(d), "version"));
}

// Copies the value of the line `key`: "KEY=VALUE", "KEY="VALUE"" or "KEY\t: VALUE"; "": there is no
// such line.
static void line_value(const char *text, const char *key, char out[PUBLIC_MAX])
{
	static const char around[] = " \t=:\"'";
	const size_t len = strlen(key);
	*out = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || !strchr(around, line[len]))
			continue;
		const char *value = line + len + strspn(line + len, around);
		snprintf(out, PUBLIC_MAX, "%.*s", (int)strcspn(value, "\"'\n"), value);
		return;
	}
}

static void system_put(struct json_node *root)
{
	char text[4096], value[PUBLIC_MAX], said[PUBLIC_MAX];
	struct utsname machine = {0};
	struct json_node *n = json_put_object(root, "system");
	(void)sysroot_read(text, sizeof(text), "/etc/os-release");
	line_value(text, "ID", value);
	json_put_text(n, "release", public_word(value, said));
	line_value(text, "VERSION_ID", value);
	json_put_text(n, "release_version", public_version(value, said));
	if (uname(&machine) == 0)
		json_put_text(n, "architecture", public_word(machine.machine, said));
	(void)sysroot_line(text, sizeof(text), "/proc/sys/kernel/osrelease");
	json_put_text(n, "kernel", public_version(text, said));
	json_put_bool(n, "systemd", sysroot_exists("/run/systemd/system"));
	json_put_bool(n, "container",
		sysroot_exists("/run/systemd/container") || sysroot_exists("/.dockerenv")
			|| sysroot_exists("/run/.containerenv"));
	json_put_bool(n, "root", geteuid() == 0);
}

// The number of CPUs in a list of the kernel.
static unsigned cpus_count(const char *file)
{
	char list[1024];
	unsigned count = 0;
	if (sysroot_line(list, sizeof(list), "/sys/devices/system/cpu/%s", file) != 0)
		return 0;
	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
		count += numa_list_has(list, cpu);
	return count;
}

static void processor_put(struct json_node *root)
{
	char *text = malloc(CPU_TEXT_MAX);
	char value[PUBLIC_MAX], board[PUBLIC_MAX], said[PUBLIC_MAX];
	struct json_node *n = json_put_object(root, "processor");
	if (!text)
		return;
	(void)sysroot_read(text, CPU_TEXT_MAX, "/proc/cpuinfo");
	line_value(text, "model name", value);
	json_put_text(n, "model", public_model(value, said));
	(void)sysroot_line(board, sizeof(board), "/proc/device-tree/model");
	json_put_text(n, "board", public_model(board, said));
	json_put_bool(n, "virtual", strstr(text, " hypervisor") != NULL);
	json_put_count(n, "cores", cpus_count("online"));
	json_put_count(n, "isolated_cores", cpus_count("isolated"));
	json_put_count(
		n, "memory_nodes", doctor_files_count("/sys/devices/system/node/node[0-9]*"));
	free(text);
}

static void huge_put(struct json_node *list, const char *folder)
{
	char path[SYSROOT_PATH_MAX];
	const char *name = strrchr(folder, '/') + 1;
	const unsigned long kb = strtoul(name + strcspn(name, "0123456789"), NULL, 10);
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages", kb);
	const long long pages = doctor_number(path);
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%lukB/free_hugepages", kb);
	const long long unused = doctor_number(path);
	struct json_node *n = json_put_object(list, NULL);
	json_put_count(n, "page_bytes", kb * 1024);
	json_put_count(n, "pages", pages > 0 ? (uint64_t)pages : 0);
	json_put_count(n, "free", unused > 0 ? (uint64_t)unused : 0);
}

static void memory_put(struct json_node *root)
{
	char pattern[SYSROOT_PATH_MAX];
	glob_t found;
	const long long kb = doctor_field("/proc/meminfo", "MemTotal"),
			page = sysconf(_SC_PAGESIZE);
	struct json_node *n = json_put_object(root, "memory");
	json_put_count(n, "bytes", kb > 0 ? (uint64_t)kb * 1024 : 0);
	json_put_count(n, "page_bytes", (uint64_t)page);
	struct json_node *list = json_put_array(n, "huge_pages");
	if (glob(sysroot_path(pattern, "/sys/kernel/mm/hugepages/hugepages-*kB"), 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		huge_put(list, found.gl_pathv[i]);
	globfree(&found);
}

static void library_put(struct json_node *list, const char *name, const char *version)
{
	char said[PUBLIC_MAX], shown[PUBLIC_MAX];
	struct json_node *n = json_put_object(list, NULL);
	json_put_text(n, "library", public_word(name, said));
	json_put_text(n, "version", public_version(version, shown));
}

static bool is_ours(const char *package)
{
	static const char *const patterns[] = {"weir", "libbpf[0-9]*", "libc6", "libcurl4",
		"libcurl4t64", "libevent-[0-9]*", "libhiredis[0-9]*", "libhyperscan[0-9]*",
		"libjansson[0-9]*", "libjemalloc[0-9]*", "libnghttp2-[0-9]*", "librte-eal[0-9]*",
		"libseccomp[0-9]*", "libsqlite3-[0-9]*", "libssl[0-9]*", "libunbound[0-9]*",
		"libvectorscan[0-9]*"};
	for (unsigned i = 0; i < ARRAY_LEN(patterns); i++)
		if (fnmatch(patterns[i], package, 0) == 0)
			return true;
	return false;
}

// Adds the installed packages of weir and its libraries, without other architectures. False: this
// machine has no dpkg.
static bool packages_put(struct json_node *list)
{
	char path[SYSROOT_PATH_MAX], line[1024], name[64] = "", architecture[16] = "", version[64];
	FILE *f = fopen(sysroot_path(path, "/var/lib/dpkg/status"), "re");
	struct utsname machine = {0};
	bool is_there = false;
	(void)uname(&machine);
	const char *foreign = strcmp(machine.machine, "x86_64") == 0 ? "arm64" : "amd64";
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Package: %63s", name) == 1)
			is_there = false;
		is_there |= strcmp(line, "Status: install ok installed\n") == 0;
		(void)sscanf(line, "Architecture: %15s", architecture);
		// The line of the version comes last.
		if (sscanf(line, "Version: %63s", version) == 1 && is_there && is_ours(name)
			&& strcmp(architecture, foreign) != 0)
			library_put(list, name, version);
	}
	if (f)
		fclose(f);
	return f;
}

// Adds libraries by their files, whose names have versions: "librte_eal.so.23.0" is 23.0.
static void files_put(struct json_node *list)
{
	static const char *const names[] = {"libbpf", "libc", "libcrypto", "libcurl", "libhiredis",
		"libhs", "librte_eal", "libunbound"};
	char pattern[SYSROOT_PATH_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		glob_t found;
		sysroot_path(pattern, "/{usr/,}lib{64,}/{*-linux-gnu/,}%s.so.*", names[i]);
		if (glob(pattern, GLOB_BRACE, NULL, &found) != 0)
			continue;
		const char *last = strrchr(found.gl_pathv[found.gl_pathc - 1], '/') + 1;
		library_put(list, names[i], last + strlen(names[i]) + strlen(".so."));
		globfree(&found);
	}
}

// Adds programs, system, processor, memory, libraries, network cards and ports to the document.
static void report_make(struct doctor *d, struct json_node *root)
{
	programs_put(d, root);
	system_put(root);
	processor_put(root);
	memory_put(root);
	struct json_node *libraries = json_put_array(root, "libraries");
	if (!packages_put(libraries))
		files_put(libraries);
	report_cards(d, root);
}

// Adds the findings of a check as the counts in `d`. Texts of findings have names, so they stay
// out.
static void report_check_put(const struct doctor *d, struct json_node *list)
{
	struct json_node *n = json_put_object(list, NULL);
	const unsigned *count = d->count;
	json_put_text(n, "check", d->check);
	json_put_text(n, "verdict",
		doctor_verdict_text(count[DOCTOR_WRONG]     ? DOCTOR_WRONG
				    : count[DOCTOR_WARNING] ? DOCTOR_WARNING
				    : count[DOCTOR_UNKNOWN] ? DOCTOR_UNKNOWN
							    : DOCTOR_OK));
	doctor_counts_put(d, n);
}

enum { COLUMNS = 79, FIRST_COLUMN = 19 };

// A row with one title: "a, b, c" in lines of at most COLUMNS.
struct row {
	const char *title;
	int at; // 0: nothing is printed yet
};

static void row_add(struct row *r, const char *said)
{
	char text[2 * COLUMNS];
	term_text(said, text, sizeof(text));
	if (!*text)
		return;
	const int len = (int)strlen(text);
	if (!r->at)
		r->at = printf("%-*s", FIRST_COLUMN, r->title);
	else if (r->at + 2 + len > COLUMNS)
		r->at = printf(",\n%*s", FIRST_COLUMN, "") - 2;
	else
		r->at += printf(", ");
	r->at += printf("%s", text);
}

static void row_end(const struct row *r)
{
	if (r->at)
		putchar('\n');
}

static void programs_print(const struct json_node *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		struct row r = {.title = json_text(n, "program")};
		row_add(&r, json_text(n, "version"));
		row_add(&r, json_text(n, "state"));
		row_end(&r);
	}
}

static void system_print(const struct json_node *n)
{
	char text[128];
	struct row r = {.title = "system"};
	snprintf(text, sizeof(text), "%s %s", json_text(n, "release"),
		json_text(n, "release_version"));
	row_add(&r, text);
	row_add(&r, json_text(n, "architecture"));
	snprintf(text, sizeof(text), "kernel %s", json_text(n, "kernel"));
	row_add(&r, text);
	row_add(&r, json_flag(n, "systemd") ? "systemd" : "no systemd");
	row_add(&r, json_flag(n, "container") ? "in a container" : "");
	row_add(&r, json_flag(n, "root") ? "" : "seen without root");
	row_end(&r);
}

static void processor_print(const struct json_node *n)
{
	char text[64];
	struct row r = {.title = "processor"};
	row_add(&r, json_text(n, "model"));
	row_add(&r, json_text(n, "board"));
	snprintf(text, sizeof(text), "cores: %llu", json_count(n, "cores"));
	row_add(&r, text);
	snprintf(text, sizeof(text), "isolated: %llu", json_count(n, "isolated_cores"));
	row_add(&r, text);
	snprintf(text, sizeof(text), "memory nodes: %llu", json_count(n, "memory_nodes"));
	row_add(&r, text);
	row_add(&r, json_flag(n, "virtual") ? "virtual machine" : "");
	row_end(&r);
}

static void memory_print(const struct json_node *n)
{
	char text[128], bytes[FIGURE_MAX];
	struct row r = {.title = "memory"};
	const struct json_node *list = json_get(n, "huge_pages");
	row_add(&r, figure_bytes(json_count(n, "bytes"), bytes));
	snprintf(text, sizeof(text), "pages of %s",
		figure_bytes(json_count(n, "page_bytes"), bytes));
	row_add(&r, text);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *huge = json_at(list, i);
		snprintf(text, sizeof(text), "huge pages of %s: %llu (%llu free)",
			figure_bytes(json_count(huge, "page_bytes"), bytes),
			json_count(huge, "pages"), json_count(huge, "free"));
		row_add(&r, text);
	}
	row_end(&r);
}

static void libraries_print(const struct json_node *list)
{
	char text[256];
	struct row r = {.title = "libraries"};
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		snprintf(text, sizeof(text), "%s %s", json_text(n, "library"),
			json_text(n, "version"));
		row_add(&r, text);
	}
	row_end(&r);
}

static void cards_print(const struct json_node *list)
{
	char text[256];
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		struct row r = {.title = "network card"};
		snprintf(text, sizeof(text), "%s %s", json_text(n, "bus"), json_text(n, "model"));
		row_add(&r, text);
		snprintf(text, sizeof(text), "driver %s", json_text(n, "driver"));
		row_add(&r, *json_text(n, "driver") ? text : "no driver");
		snprintf(text, sizeof(text), "receive queues: %llu",
			json_count(n, "receive_queues"));
		row_add(&r, text);
		snprintf(text, sizeof(text), "of these: %llu", json_count(n, "count"));
		row_add(&r, text);
		row_end(&r);
	}
}

static void ports_print(const struct json_node *root)
{
	char text[128];
	const struct json_node *list = json_get(root, "ports");
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		struct row r = {.title = "port"};
		row_add(&r, json_text(n, "kind"));
		snprintf(text, sizeof(text), "driver %s", json_text(n, "driver"));
		row_add(&r, *json_text(n, "driver") ? text : "");
		row_add(&r, json_flag(n, "exception") ? "exception interface" : "");
		row_add(&r, json_flag(n, "vlans") ? "VLANs" : "");
		row_end(&r);
	}
	if (json_get(root, "workers"))
		printf("%-*s%llu\n", FIRST_COLUMN, "workers", json_count(root, "workers"));
}

// Prints the checks by their verdicts: "warning  ports, xdp".
static void checks_print(const struct json_node *list)
{
	for (unsigned verdict = 0; verdict < DOCTOR_VERDICTS; verdict++) {
		const char *word = doctor_verdict_text(verdict);
		struct row r = {.title = word};
		for (size_t i = 0; i < json_length(list); i++) {
			const struct json_node *n = json_at(list, i);
			if (strcmp(json_text(n, "verdict"), word) == 0)
				row_add(&r, json_text(n, "check"));
		}
		row_end(&r);
	}
}

// Prints the document as a text.
static void report_print(const struct json_node *root)
{
	puts("weir report, without addresses, names of hosts, interfaces and clients, and paths");
	programs_print(json_get(root, "programs"));
	system_print(json_get(root, "system"));
	processor_print(json_get(root, "processor"));
	memory_print(json_get(root, "memory"));
	libraries_print(json_get(root, "libraries"));
	cards_print(json_get(root, "cards"));
	ports_print(root);
	checks_print(json_get(root, "checks"));
}

// The report of --save, which the control plane reads (weir/doctor_file.h).

enum { SAVE_WHY_MAX = 256 };

// Appends findings until the list has `most`: those that are ok, or the others.
static void findings_copy(
	struct json_node *list, const struct json_node *from, bool is_ok, size_t most)
{
	for (size_t i = 0; i < json_length(from) && json_length(list) < most; i++) {
		const struct json_node *f = json_at(from, i);
		if ((strcmp(json_text(f, "verdict"), "ok") == 0) == is_ok)
			json_put_copy(list, f);
	}
}

static char *report_text(const struct json_node *report, size_t most)
{
	static const char *const counts[] = {"ok", "warnings", "wrong", "not_checked"};
	const struct json_node *from = json_get(report, "findings");
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_count(root, "format", DOCTOR_FORMAT);
	json_put_count(root, "checked_unix_s", (uint64_t)time(NULL));
	json_put_text(root, "version", build_this()->version);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		json_put_count(root, counts[i], json_count(report, counts[i]));
	struct json_node *list = json_put_array(root, "findings");
	findings_copy(list, from, false, most);
	findings_copy(list, from, true, most);
	json_put_count(root, "left_out", json_length(from) - json_length(list));
	char *text = json_doc_text(doc);
	json_doc_free(doc);
	return text;
}

// Writes the file for the group of the folder, to which the control plane belongs.
static int file_fill(int fd, const char *folder, const char *text)
{
	struct stat st;
	if (stat(folder, &st) < 0 || fchown(fd, (uid_t)-1, st.st_gid) < 0 || fchmod(fd, 0640) < 0)
		return -errno;
	for (size_t left = strlen(text); left;) {
		const ssize_t n = write(fd, text, left);
		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int file_replace(const char *folder, const char *path, const char *text)
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	const int fd = own_file_make(temporary, 0600);
	if (fd < 0)
		return fd;
	int err = file_fill(fd, folder, text);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		(void)unlink(temporary);
	return err;
}

// Takes the request of the control plane, if there is one, so that systemd runs one check for it.
static void request_take(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/" DOCTOR_REQUEST_NAME, folder);
	(void)unlink(path);
}

// Replaces the report in `folder` at once; its group may read the file. `report`: the counts, and
// the findings, of which those that are not ok come first and the last ones are left out if there
// is no room. -errno with `why`: the old report is still there.
static int report_file_save(
	const char *folder, const struct json_node *report, char why[SAVE_WHY_MAX])
{
	char path[PATH_MAX];
	size_t most = DOCTOR_FINDINGS_MAX;
	char *text = report_text(report, most);
	while (text && strlen(text) > DOCTOR_REPORT_MAX) {
		free(text);
		text = report_text(report, most /= 2);
	}
	int err = text ? -ENAMETOOLONG : -ENOMEM;
	if (text && snprintf(path, sizeof(path), "%s/" DOCTOR_REPORT_NAME, folder) < PATH_MAX)
		err = file_replace(folder, path, text);
	free(text);
	if (err)
		snprintf(why, SAVE_WHY_MAX, "%.150s/" DOCTOR_REPORT_NAME ": %s", folder,
			strerror(-err));
	return err;
}

// Prints the report, which has only the number of each check's findings.
static int report_run(struct doctor *d)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	d->is_report = true;
	report_make(d, root);
	struct json_node *list = json_put_array(root, "checks");
	const struct doctor_check *check;
	for (unsigned i = 0; (check = check_at(i)); i++) {
		d->check = check->name;
		memset(d->count, 0, sizeof(d->count));
		check->run(d);
		report_check_put(d, list);
	}
	if (!d->c->json)
		report_print(root);
	else
		json_doc_print(doc);
	json_doc_free(doc);
	return CTL_OK;
}

// Saves the report where the control plane reads it; without `folder` it is not to be saved.
static int report_save(const char *folder, const struct json_node *report)
{
	char why[SAVE_WHY_MAX];
	if (!folder || report_file_save(folder, report, why) == 0)
		return CTL_OK;
	fprintf(stderr, "weirctl: the report is not saved: %s\n", why);
	return CTL_FAILED;
}

// Runs the check of this name; NULL: all.
static int checks_run(struct doctor *d, const char *name, const char *folder)
{
	struct json_doc *doc = d->c->json || folder ? json_doc_new() : NULL;
	struct json_node *root = doc ? json_doc_root(doc) : NULL;
	d->list = root ? json_put_array(root, "findings") : NULL;
	const struct doctor_check *check;
	for (unsigned i = 0; (check = check_at(i)); i++) {
		d->check = check->name;
		if (!name || strcmp(name, check->name) == 0)
			check->run(d);
		fflush(stdout);
	}
	if (root)
		doctor_counts_put(d, root);
	if (d->c->json)
		json_doc_print(doc);
	else
		counts_print(d);
	const int rc = report_save(folder, root);
	json_doc_free(doc);
	return !folder && d->count[DOCTOR_WRONG] ? CTL_FAILED : rc;
}

// Adds the saved findings of another box, of one check (NULL: of all). Its words are escaped.
static void saved_add(struct doctor *d, const struct json_node *report, const char *name)
{
	const struct json_node *list = json_get(report, "findings");
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *f = json_at(list, i);
		const char *verdict = json_text(f, "verdict"), *repair = json_text(f, "do");
		char check[DOCTOR_TEXT_MAX];
		unsigned v = 0;
		while (v < DOCTOR_UNKNOWN && strcmp(verdict, doctor_verdict_text(v)) != 0)
			v++;
		term_text(json_text(f, "check"), check, sizeof(check));
		d->check = check;
		if (name && strcmp(name, check) != 0)
			continue;
		doctor_add(d, v, "%s", json_text(f, "text"));
		if (*repair)
			doctor_do(d, "%s", repair);
	}
}

static void saved_print(struct doctor *d, const struct json_node *report)
{
	struct json_doc *doc = d->c->json ? json_doc_new() : NULL;
	char age[FIGURE_MAX];
	d->list = doc ? json_put_array(json_doc_root(doc), "findings") : NULL;
	saved_add(d, report, d->c->operand);
	if (doc) {
		doctor_counts_put(d, json_doc_root(doc));
		json_put_count(
			json_doc_root(doc), "checked_unix_s", json_count(report, "checked_unix_s"));
		json_doc_end(doc);
		return;
	}
	counts_print(d);
	printf("checked %s ago on that box; `sudo weirctl doctor` there checks again\n",
		figure_duration(json_count(report, "age_s") * 1000, age));
}

// Prints what `weirctl doctor --save` found on another box: only a program there sees the machine.
static int saved_run(struct ctl *c)
{
	struct doctor d = {.c = c};
	if (c->report || c->save) {
		fputs("weirctl: --report and --save work on their own box alone: run them there\n",
			stderr);
		return CTL_USAGE;
	}
	struct json_doc *doc = ctl_open(c) == CTL_OK
				       ? http_call_or_fail(c, false, "/doctor", NULL, HTTP_SHORT_MS)
				       : NULL;
	if (!doc)
		return CTL_FAILED;
	const struct json_node *root = json_doc_root(doc);
	int rc = CTL_OK;
	if (strcmp(json_text(root, "state"), "saved") == 0)
		saved_print(&d, root);
	else
		rc = ctl_fail(c, "%s; run `sudo weirctl doctor --save` on that box",
			json_text(root, "why"));
	json_doc_free(doc);
	return d.count[DOCTOR_WRONG] ? CTL_FAILED : rc;
}

static int cmd_doctor(struct ctl *c)
{
	struct doctor d;
	struct config_places places;
	const char *name;
	unsigned i = 0;
	while ((name = doctor_check_name(i)) && c->operand && strcmp(c->operand, name) != 0)
		i++;
	if (!name)
		return names_print();
	if ((c->operand != NULL) + c->report + c->save > 1) {
		fputs("weirctl: doctor takes a check, --report or --save\n", stderr);
		return CTL_USAGE;
	}
	if (c->remote_options.host)
		return saved_run(c);
	if (c->save) {
		char why[CONFIG_WHY_MAX];
		if (config_places_find(c->config_path, &places, why) < 0)
			fprintf(stderr, "weirctl: %s; the report goes to %s\n", why,
				places.state_directory);
		request_take(places.state_directory);
	}
	doctor_begin(&d, c);
	const int rc =
		c->report ? report_run(&d)
			  : checks_run(&d, c->operand, c->save ? places.state_directory : NULL);
	if (d.has_view)
		view_free(&d.view);
	return rc;
}

CTL_COMMANDS = {
	{"doctor", NULL, 0, 1, CTL_OPT_REPORT | CTL_OPT_SAVE, cmd_doctor, "[CHECK|--report|--save]",
		"Check the machine for weir, and print the command that mends each finding; needs "
		"no running weir. Exit status 1: something is wrong. --report: say for a public "
		"bug report which machine it is, without names, addresses and paths. --save: leave "
		"the findings for the page, as root; exit status 0 if they are saved. With --host: "
		"print the findings that --save left on that box."},
};
