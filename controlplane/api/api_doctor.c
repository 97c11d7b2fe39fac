// SPDX-License-Identifier: BSD-3-Clause
// The last report of `weirctl doctor --save`, and the request for a new one (weir/doctor_file.h).
// Only root can check the machine: the control plane asks systemd, by a file, to start a service
// that does. A helper thread reads and writes the files.

#include "api_server.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/doctor_file.h>
#include <weir/heap_site.h>
#include <weir/own_file.h>

enum {
	AGAIN_MS = 60000,
	VERSION_MAX = 64,
	CHECK_MAX = 32,
	WHY_MAX = PATH_MAX + 2 * JSON_IN_WHY_MAX
};
// doctor escapes what is no UTF-8: up to four bytes for one.
enum { SHOWN_MAX = 4 * DOCTOR_TEXT_MAX };

#define BY_HAND "run `sudo weirctl doctor --save` on the box"

static const char *const counts[] = {"ok", "warnings", "wrong", "not_checked", "left_out"};

struct doctor_call {
	struct api *api;
	struct http_exchange *exchange;
	const char *folder;
	char *text; // the reply; NULL: no memory
};

static bool is_text(const struct json_in *v, size_t max)
{
	return json_in_kind(v) == JSON_IN_TEXT && strlen(json_in_text(v)) < max;
}

static bool is_finding(const struct json_in *f)
{
	static const char *const verdicts[] = {"ok", "warning", "wrong", "unknown"};
	const struct json_in *verdict = json_in_get(f, "verdict"), *repair = json_in_get(f, "do");
	bool is_known = false;
	for (unsigned i = 0; i < ARRAY_LEN(verdicts) && is_text(verdict, CHECK_MAX); i++)
		is_known |= strcmp(json_in_text(verdict), verdicts[i]) == 0;
	return is_known && is_text(json_in_get(f, "check"), CHECK_MAX)
	       && is_text(json_in_get(f, "text"), SHOWN_MAX)
	       && (!repair || is_text(repair, SHOWN_MAX));
}

// What of the report is not as doctor writes it; NULL: nothing.
static const char *fault_of(const struct json_in *report)
{
	const struct json_in *list = json_in_get(report, "findings");
	if (json_in_kind(report) != JSON_IN_OBJECT)
		return "it is no object";
	if (json_in_number(json_in_get(report, "format")) != DOCTOR_FORMAT)
		return "format: it is that of another version";
	if (json_in_number(json_in_get(report, "checked_unix_s")) <= 0)
		return "checked_unix_s";
	if (!is_text(json_in_get(report, "version"), VERSION_MAX))
		return "version";
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		const struct json_in *n = json_in_get(report, counts[i]);
		if (json_in_kind(n) != JSON_IN_NUMBER || json_in_number(n) < 0)
			return counts[i];
	}
	if (json_in_kind(list) != JSON_IN_LIST || json_in_count(list) > DOCTOR_FINDINGS_MAX)
		return "findings";
	for (size_t i = 0; i < json_in_count(list); i++)
		if (!is_finding(json_in_at(list, i)))
			return "findings: one of them";
	return NULL;
}

// Reads the whole file. -EFBIG: it is longer than a report; -errno.
static int bytes_read(const char *path, char bytes[DOCTOR_REPORT_MAX + 1], size_t *len)
{
	const int fd = own_file_open(path, O_RDONLY, 0);
	int err = fd < 0 ? fd : 0;
	for (*len = 0; !err && *len <= DOCTOR_REPORT_MAX;) {
		const ssize_t n = read(fd, bytes + *len, DOCTOR_REPORT_MAX + 1 - *len);
		if (n == 0)
			break;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	if (fd >= 0)
		close(fd);
	return !err && *len > DOCTOR_REPORT_MAX ? -EFBIG : err;
}

// The report, which the caller frees. NULL: `why`; *err is -ENOENT if nothing was saved.
static struct json_in *report_read(const char *folder, int *err, char why[WHY_MAX])
{
	char path[PATH_MAX], fault[JSON_IN_WHY_MAX] = "";
	size_t len;
	struct json_in *report = NULL;
	char *bytes = heap_malloc(DOCTOR_REPORT_MAX + 1);
	snprintf(path, sizeof(path), "%s/" DOCTOR_REPORT_NAME, folder);
	*err = bytes ? bytes_read(path, bytes, &len) : -ENOMEM;
	if (*err == 0)
		report = json_in_read(bytes, len, fault);
	heap_free(bytes);
	const char *wrong = report ? fault_of(report) : fault;
	if (wrong && (report || *wrong)) {
		snprintf(why, WHY_MAX, "%s is no report: %s", path, wrong);
		json_in_free(report);
		report = NULL;
	} else if (*err == -ENOENT) {
		snprintf(why, WHY_MAX, "no report is there yet");
	} else if (*err) {
		snprintf(why, WHY_MAX, "%s: %s", path, strerror(-*err));
	}
	return report;
}

static void report_out(struct json_out *o, struct json_node *root, const struct json_in *report)
{
	const int64_t at = json_in_number(json_in_get(report, "checked_unix_s")), now = time(NULL);
	const struct json_in *from = json_in_get(report, "findings");
	json_out_signed(o, root, "checked_unix_s", at);
	json_out_signed(o, root, "age_s", now > at ? now - at : 0);
	json_out_text(o, root, "version", json_in_text(json_in_get(report, "version")));
	json_out_signed(o, root, "ok", json_in_number(json_in_get(report, "ok")));
	json_out_signed(o, root, "warnings", json_in_number(json_in_get(report, "warnings")));
	json_out_signed(o, root, "wrong", json_in_number(json_in_get(report, "wrong")));
	json_out_signed(o, root, "not_checked", json_in_number(json_in_get(report, "not_checked")));
	json_out_signed(o, root, "left_out", json_in_number(json_in_get(report, "left_out")));
	struct json_node *list = json_out_array(o, root, "findings");
	for (size_t i = 0; i < json_in_count(from); i++) {
		const struct json_in *f = json_in_at(from, i), *repair = json_in_get(f, "do");
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "verdict", json_in_text(json_in_get(f, "verdict")));
		json_out_text(o, n, "check", json_in_text(json_in_get(f, "check")));
		json_out_text(o, n, "text", json_in_text(json_in_get(f, "text")));
		if (repair)
			json_out_text(o, n, "do", json_in_text(repair));
	}
}

// When the request was made that systemd has not taken yet; 0: it has taken all.
static int64_t requested_at(const char *folder)
{
	char path[PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "%s/" DOCTOR_REQUEST_NAME, folder);
	return lstat(path, &st) == 0 ? st.st_mtime : 0;
}

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static int report_work(void *arg, const _Atomic bool *)
{
	struct doctor_call *c = arg;
	char why[WHY_MAX] = "";
	int err;
	struct json_in *report = report_read(c->folder, &err, why);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "state", report ? "saved" : err == -ENOENT ? "none" : "bad");
	json_out_text(o, root, "why", why);
	json_out_bool(o, root, "can_run", has_systemd());
	json_out_signed(o, root, "requested_unix_s", requested_at(c->folder));
	if (report)
		report_out(o, root, report);
	json_in_free(report);
	c->text = json_out_finish(o);
	return 0;
}

// Makes the file for which weir-doctor.path waits, or its time new.
static int request_work(void *arg, const _Atomic bool *)
{
	struct doctor_call *c = arg;
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/" DOCTOR_REQUEST_NAME, c->folder);
	const int fd = own_file_open(path, O_WRONLY | O_CREAT, 0640);
	if (fd < 0)
		return fd;
	struct stat st = {0};
	const int err = futimens(fd, NULL) < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	close(fd);
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	json_out_signed(o, json_out_root(o), "requested_unix_s", st.st_mtime);
	c->text = json_out_finish(o);
	return err;
}

static void on_done(void *arg, int err)
{
	struct doctor_call *c = arg;
	if (err == 0) {
		http_reply(c->exchange, 200, c->text);
	} else {
		FREE_AND_NULL(c->text);
		if (err == -EAGAIN || err == -ECANCELED)
			api_busy(c->exchange, err);
		else
			api_refuse(c->exchange, 500, DOCTOR_REQUEST_NAME ": %s; " BY_HAND,
				strerror(-err));
	}
	heap_free(c);
}

static void on_requested(void *arg, int err)
{
	const struct doctor_call *c = arg;
	if (err == 0)
		c->api->doctor_ms = clock_mono_ms();
	on_done(arg, err);
}

static void work_begin(struct api *a, struct http_exchange *x,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err))
{
	struct doctor_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	*c = (struct doctor_call){.api = a, .exchange = x, .folder = a->deps.state_directory};
	http_defer(x, API_FLUSH_MS);
	const int err = job_runner_start(a->searches, http_job_user(x), work, done, c);
	if (err == 0)
		return;
	api_busy(x, err);
	heap_free(c);
}

// Replies with the last report of the machine, its age, and whether a new one was asked for.
static void serve_doctor(struct api *a, struct http_exchange *x)
{
	work_begin(a, x, report_work, on_done);
}

// Asks for a new check of the machine, which a service of root's runs.
static void serve_run(struct api *a, struct http_exchange *x)
{
	const uint64_t since_ms = clock_mono_ms() - a->doctor_ms;
	if (!has_systemd()) {
		api_refuse(x, 409, "no systemd runs here, which starts the check: " BY_HAND);
	} else if (a->doctor_ms && since_ms < AGAIN_MS) {
		http_reply_header(x, "Retry-After", "60");
		api_refuse(x, 429, "a check was asked for %u s ago: one each %d s",
			(unsigned)(since_ms / 1000), AGAIN_MS / 1000);
	} else {
		work_begin(a, x, request_work, on_requested);
	}
}

const struct api_part api_doctor_part = {
	.endpoint = {{"/doctor", serve_doctor, API_GET, CONTROL_READ, ""},
		{"/doctor/run", serve_run, API_POST, CONTROL_OPERATE, ""}},
};
