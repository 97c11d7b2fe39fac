// SPDX-License-Identifier: BSD-3-Clause
// What the report says of the machine and of the programs on it.

#include "doctor_report.h"

#include "doctor_public.h"
#include "lib/program.h"
#include "lib/sysroot.h"

#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/numa.h>

enum { PROGRAM_MS = 5000, CPUS_MAX = 4096, CPU_TEXT_MAX = 8192 };

// What `PROGRAM --version` says behind the program's name; "": it does not run.
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

// Its version is that of the process, where it says one.
static void program_put(
	struct json_node *list, const char *name, enum process_state state, const char *running)
{
	char installed[PUBLIC_MAX], said[PUBLIC_MAX];
	const char *version = running;
	if (!*running)
		version = version_ask(name, installed);
	struct json_node *n = json_put_object(list, NULL);
	json_put_text(n, "program", name);
	// Its commit is hexadecimal, which no list of words knows.
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

// The value of the line `key`, in "KEY=VALUE", "KEY="VALUE"" or "KEY\t: VALUE"; "": no such line.
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

// The CPUs of a list of the kernel.
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
		"libcurl4t64", "libcyaml[0-9]*", "libevent-[0-9]*", "libhiredis[0-9]*",
		"libhyperscan[0-9]*", "libjansson[0-9]*", "libjemalloc[0-9]*", "libnghttp2-[0-9]*",
		"librte-eal[0-9]*", "libseccomp[0-9]*", "libsqlite3-[0-9]*", "libssl[0-9]*",
		"libunbound[0-9]*", "libvectorscan[0-9]*"};
	for (unsigned i = 0; i < ARRAY_LEN(patterns); i++)
		if (fnmatch(patterns[i], package, 0) == 0)
			return true;
	return false;
}

// The installed packages of weir and its libraries, without those of another architecture. False:
// this machine has no dpkg.
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
		// The version stands behind all of these.
		if (sscanf(line, "Version: %63s", version) == 1 && is_there && is_ours(name)
			&& strcmp(architecture, foreign) != 0)
			library_put(list, name, version);
	}
	if (f)
		fclose(f);
	return f;
}

// By the names of their files: "librte_eal.so.23.0" is 23.0.
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

void doctor_report_make(struct doctor *d, struct json_node *root)
{
	programs_put(d, root);
	system_put(root);
	processor_put(root);
	memory_put(root);
	struct json_node *libraries = json_put_array(root, "libraries");
	if (!packages_put(libraries))
		files_put(libraries);
	doctor_report_cards(d, root);
}

void doctor_report_check(const struct doctor *d, struct json_node *list)
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
