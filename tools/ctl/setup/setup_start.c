// SPDX-License-Identifier: BSD-3-Clause
#include "setup_start.h"

#include "lib/config_certificates.h"
#include "lib/http_get.h"
#include "lib/passwd_find.h"
#include "lib/program.h"
#include "lib/show.h"
#include "lib/sysroot.h"
#include "lib/view.h"
#include "setup_file.h"
#include "terminal/progress.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

enum { OPENSSL_MS = 30000, SYSTEMCTL_MS = 120000, UP_MS = 60000, READY_MS = 15000, POLL_MS = 500 };
#define PAGE_USER "admin"

static void pause_take(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

// For the control plane alone.
static bool owner_give(const char *path, char why[SETUP_WHY_MAX])
{
	struct passwd_user user = {0}; // root's, where there is no such user
	if (!passwd_find("weir-cp", 0, &user))
		user.uid = 0;
	if (chown(path, user.uid, 0) == 0 && chmod(path, 0400) == 0)
		return true;
	snprintf(why, SETUP_WHY_MAX, "%.800s: %s", path, strerror(errno));
	return false;
}

// The one that is there stays: it may be of an authority.
static bool certificate_look(
	const struct setup *s, const char *cert, const char *key, char why[SETUP_WHY_MAX])
{
	char text[SOCKET_ADDRESS_TEXT_MAX], said[4096];
	bool is_of_key;
	const char *wrong = config_certificate_wrong(cert, key, &is_of_key);
	if (wrong) {
		snprintf(why, SETUP_WHY_MAX, "%.800s: %s", is_of_key ? key : cert, wrong);
		return false;
	}
	ip_address_text(&s->address[0], false, text);
	const char *const args[] = {
		"/usr/bin/openssl", "x509", "-in", cert, "-noout", "-checkip", text, NULL};
	if (program_read(args, OPENSSL_MS, said, sizeof(said)) >= 0
		&& strstr(said, "does NOT match"))
		printf("%s is for another address than %s: browsers warn of that. To get a new "
		       "one, move it away and run setup again\n",
			cert, text);
	return true;
}

// A certificate that signs itself, unless the page has one. The key never was anyone else's.
static bool certificate_make(const struct setup *s, char why[SETUP_WHY_MAX])
{
	char cert[SETUP_PATH_MAX], key[SETUP_PATH_MAX], text[SOCKET_ADDRESS_TEXT_MAX], names[512];
	size_t n = (size_t)snprintf(names, sizeof(names), "subjectAltName=");
	snprintf(cert, sizeof(cert), "%s/control.pem", s->folder);
	snprintf(key, sizeof(key), "%s/control.key", s->folder);
	if (access(cert, F_OK) == 0 && access(key, F_OK) == 0)
		return certificate_look(s, cert, key, why);
	for (unsigned i = 0; i < s->address_count && i < CONFIG_CONTROL_LISTEN_MAX; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%sIP:%s", i ? "," : "",
			ip_address_text(&s->address[i], false, text));
	const char *const args[] = {"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=weir",
		"-addext", names, "-keyout", key, "-out", cert, NULL};
	const mode_t mask = umask(077);
	char said[4096];
	const int rc = program_read(args, OPENSSL_MS, said, sizeof(said));
	umask(mask);
	if (rc == 0)
		return owner_give(cert, why) && owner_give(key, why);
	snprintf(why, SETUP_WHY_MAX, "the page needs a certificate: /usr/bin/openssl: %s",
		rc == -ENOENT ? "not installed (apt install openssl)"
		: rc < 0      ? strerror(-rc)
			      : "it failed");
	return false;
}

// The text on disk as a version. A control plane that is down makes one at its start.
static bool version_make(const struct setup *s, char why[SETUP_WHY_MAX])
{
	char said[HTTP_WHY_MAX] = "";
	struct json_doc *doc = NULL;
	const struct http_param params[] = {{"keep", "1"}, {NULL, NULL}};
	const enum http_outcome outcome =
		http_call(s->c, true, "/config/apply", params, HTTP_BUILD_MS, &doc, said);
	const struct json_node *root = json_doc_root(doc);
	if (outcome == HTTP_OK)
		printf("version %llu of the configuration (weirctl config history)\n",
			json_count(root, "version"));
	else
		snprintf(why, SETUP_WHY_MAX, "the running weir refuses it: %s", said);
	json_doc_free(doc);
	return outcome == HTTP_OK || outcome == HTTP_NOBODY;
}

static bool units_restart(char why[SETUP_WHY_MAX])
{
	const char *const args[] = {"/usr/bin/systemctl", "restart", "weir-dataplane.service",
		"weir-controlplane.service", NULL};
	printf("restarting both processes\n");
	fflush(stdout);
	const int rc = program_run(args, SYSTEMCTL_MS);
	if (rc != 0)
		snprintf(why, SETUP_WHY_MAX,
			"`systemctl restart weir-dataplane weir-controlplane`: %s",
			rc < 0 ? strerror(-rc)
			       : "it failed; `journalctl -u weir-dataplane` says why");
	return rc == 0;
}

static bool is_up(struct setup *s)
{
	struct view v;
	if (ctl_open(s->c) != CTL_OK || view_take(s->c, "/status", &v) != CTL_OK)
		return false;
	const bool up = v.dataplane == PROCESS_UP && v.controlplane == PROCESS_UP;
	view_free(&v);
	return up;
}

static bool up_wait(struct setup *s, char why[SETUP_WHY_MAX])
{
	const uint64_t until_ms = clock_mono_ms() + UP_MS;
	struct progress p = progress_begin("waiting for both processes", UP_MS / 1000);
	bool up = false;
	while (!(up = is_up(s)) && clock_mono_ms() < until_ms) {
		progress_step(&p);
		pause_take();
	}
	progress_end(&p);
	if (!up)
		snprintf(why, SETUP_WHY_MAX,
			"the processes are not both up after %d s; `journalctl -u weir-dataplane "
			"-u "
			"weir-controlplane` says why",
			UP_MS / 1000);
	return up;
}

// What clients would notice, after a moment for lists and upstream servers.
static void ready_print(struct setup *s)
{
	const uint64_t until_ms = clock_mono_ms() + READY_MS;
	struct progress p = progress_begin("waiting until weir answers clients", READY_MS / 1000);
	char why[HTTP_WHY_MAX], shown[1024];
	for (;;) {
		struct json_doc *doc = NULL;
		const enum http_outcome outcome =
			http_call(s->c, false, "/ready", NULL, HTTP_SHORT_MS, &doc, why);
		const struct json_node *root = json_doc_root(doc);
		const bool is_ready = outcome == HTTP_OK && json_flag(root, "ready");
		const bool is_late = clock_mono_ms() >= until_ms;
		if (is_ready || is_late)
			progress_end(&p);
		else
			progress_step(&p);
		if (is_ready)
			printf("weir answers clients\n");
		else if (is_late)
			printf("weir runs, and does not answer clients yet%s%s (weirctl ready)\n",
				outcome == HTTP_REFUSED ? "" : ": ",
				outcome == HTTP_REFUSED ? ""
							: term_text(why, shown, sizeof(shown)));
		if (is_late && !is_ready)
			show_texts(json_get(root, "why"), "  ");
		json_doc_free(doc);
		if (is_ready || is_late)
			return;
		pause_take();
	}
}

static int go_back(struct setup *s, const char *because)
{
	char why[SETUP_WHY_MAX] = "";
	(void)ctl_fail(s->c, "%s", because);
	bool is_back = setup_file_back(s, why) && version_make(s, why);
	if (is_back && sysroot_exists("/run/systemd/system"))
		is_back = units_restart(why) && up_wait(s, why);
	if (!is_back)
		return ctl_fail(s->c, "%s", *why ? why : "the former configuration is not back");
	return ctl_fail(s->c, "the configuration from before is in force again");
}

static bool file_write(struct setup *s, char why[SETUP_WHY_MAX])
{
	if (*s->password && !s->has_listen && !certificate_make(s, why))
		return false;
	return setup_file_make(s, s->text, why) && setup_file_take(s, why);
}

static int password_set(struct setup *s)
{
	const struct http_param params[] = {{"name", PAGE_USER}, {"role", "admin"},
		{HTTP_FORM "password", s->password}, {NULL, NULL}};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const bool is_set =
		http_call(s->c, true, "/password/set", params, HTTP_SHORT_MS, &doc, why) == HTTP_OK;
	json_doc_free(doc);
	if (!is_set)
		return ctl_fail(s->c,
			"weir runs, but the password is not set: %s (weirctl password set %s)", why,
			PAGE_USER " --role admin");
	printf("the page: https://%s/, user " PAGE_USER "\n", s->page_at);
	return CTL_OK;
}

static int start(struct setup *s)
{
	char why[SETUP_WHY_MAX] = "";
	if (!file_write(s, why))
		return ctl_fail(s->c, "%s; the configuration is as it was", why);
	printf("%s is written; the file from before is %s.before\n", s->c->config_path,
		s->c->config_path);
	fflush(stdout);
	if (ctl_open(s->c) != CTL_OK || !version_make(s, why))
		return go_back(s, why);
	if (!sysroot_exists("/run/systemd/system")) {
		printf("systemd does not manage this machine: restart both processes\n");
		return CTL_OK;
	}
	if (!units_restart(why) || !up_wait(s, why))
		return go_back(s, why);
	ready_print(s);
	return *s->password ? password_set(s) : CTL_OK;
}

int setup_start(struct setup *s)
{
	s->c->service_reads_file = true; // ctl_open() need not
	const int rc = start(s);
	setup_file_end(s);
	return rc;
}
