// SPDX-License-Identifier: BSD-3-Clause
// Live views: queries as they are served, step by step on the terminal (`trace`) or as frames in a
// file (`capture`), and events of the control plane and of the parts that it watches.

#include "lib/http_get.h"
#include "lib/log_page.h"
#include "lib/trace_out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_MAX = 1536,
	CAPTURE_MAX = 1000000,
	EVENTS_SILENCE_MS = 45000, // a heartbeat comes each 15 s
};

struct watching {
	const struct ctl *ctl;
	FILE *file; // a capture's file
	uint64_t shown, missed, limit;
	bool begun;
	int err; // errno of writing the output
};

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Writes a record of a pcap file, in this machine's byte order, which the file's magic tells.
static bool frame_write(struct watching *w, const struct json_node *n)
{
	uint8_t frame[FRAME_MAX];
	const char *hex = json_text(n, "frame");
	size_t len = strlen(hex) / 2;
	if (len == 0 || len > sizeof(frame))
		return true;
	for (size_t i = 0; i < len; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return true;
		frame[i] = (uint8_t)(high << 4 | low);
	}
	uint64_t us = json_count(n, "time_us");
	const uint32_t head[4] = {(uint32_t)(us / 1000000), (uint32_t)(us % 1000000), (uint32_t)len,
		(uint32_t)json_count(n, "frame_len")};
	return fwrite(head, sizeof(head), 1, w->file) == 1 && fwrite(frame, len, 1, w->file) == 1;
}

// Begins the file. Its old content stays until the control plane has begun the watch.
static bool file_begin(FILE *file)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, FRAME_MAX, 1};
	struct stat st;
	if (fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fileno(file), 0) < 0)
		return false;
	return fwrite(head, sizeof(head), 1, file) == 1;
}

static bool query_line(void *arg, const struct json_node *root)
{
	struct watching *w = arg;
	FILE *const out = w->file ? w->file : stdout;
	bool ok = true;
	w->missed += json_count(root, "missed");
	if (json_flag(root, "end"))
		return false;
	if (json_count(root, "missed"))
		return true;
	if (json_flag(root, "begin")) {
		w->begun = true;
		ok = !w->file || file_begin(w->file);
	} else {
		w->shown++;
		if (w->file)
			ok = frame_write(w, root);
		else if (w->ctl->json)
			json_print_line(root);
		else
			trace_print(root);
	}
	// Flushes each line, so that an interrupt leaves whole lines.
	if (!ok || fflush(out) != 0 || ferror(out))
		w->err = errno ? errno : EIO;
	return w->err == 0 && w->shown < w->limit;
}

static uint64_t limit_of(const struct ctl *c)
{
	unsigned long long n = 0;
	char more;
	if (c->limit && sscanf(c->limit, "%llu%c", &n, &more) != 1)
		n = 0;
	return c->limit ? n : CAPTURE_MAX;
}

// A trace may come up to 6 s behind the end, when its question has got no answer.
enum { LATE_MS = 10000 };

static int watch(struct ctl *c, struct watching *w, bool frames)
{
	char seconds[16];
	const struct http_param params[] = {{"name", c->name}, {"client", c->client},
		{"verdict", c->verdict}, {"frames", frames ? "1" : "0"}, {"seconds", seconds},
		{NULL, NULL}};
	snprintf(seconds, sizeof(seconds), "%u", c->seconds);
	w->ctl = c;
	w->limit = limit_of(c);
	if (w->limit == 0)
		return ctl_fail(c, "--limit takes a number from 1 on"), CTL_FAILED;
	const uint64_t silence_ms = UINT64_C(1000) * c->seconds + LATE_MS;
	return http_stream(c, "/watch", params,
		silence_ms < UINT_MAX ? (unsigned)silence_ms : UINT_MAX, query_line, w);
}

static void summary(const struct watching *w, const char *what)
{
	fprintf(stderr, "%llu %s, %llu more missed\n", (unsigned long long)w->shown, what,
		(unsigned long long)w->missed);
}

static int cmd_trace(struct ctl *c)
{
	struct watching w = {0};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	int rc = watch(c, &w, false);
	if (w.err)
		return ctl_fail(c, "standard output: %s", strerror(w.err)), CTL_FAILED;
	if (rc == CTL_OK && !c->json)
		summary(&w, "queries");
	return rc;
}

// Opens the file; only this user may read clients' queries in a new file. An existing path may be a
// pipe or a terminal, even by a link such as /dev/stdout, but no link to a file.
static FILE *file_open(const char *path, bool *is_new)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	*is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		const bool is_file = stat(path, &st) < 0 || S_ISREG(st.st_mode);
		fd = open(path, O_WRONLY | (is_file ? O_NOFOLLOW : 0) | O_CLOEXEC);
	}
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int cmd_capture(struct ctl *c)
{
	struct watching w = {0};
	bool is_new;
	if (!c->output) {
		ctl_fail(c, "-o FILE is missing");
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	w.file = file_open(c->output, &is_new);
	if (!w.file) {
		ctl_fail(c, "%s: %s", c->output, strerror(errno));
		return CTL_FAILED;
	}
	int rc = watch(c, &w, true);
	if (fclose(w.file) != 0 && !w.err)
		w.err = errno;
	if (is_new && !w.begun)
		(void)unlink(c->output);
	if (w.err)
		return ctl_fail(c, "%s: %s", c->output, strerror(w.err)), CTL_FAILED;
	if (rc == CTL_OK)
		summary(&w, "frames");
	return rc;
}

struct event_view {
	const struct ctl *ctl;
	const char *after; // number of an event, as text; NULL: not given
	int64_t since_ms;  // Unix time
};

// Prints the local time with the date, because events may be days old.
static void time_print(int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[32] = "-";
	if (ms >= 0 && localtime_r(&s, &tm))
		(void)strftime(text, sizeof(text), "%F %T", &tm);
	printf("%s ", text);
}

static void missed_print(const struct event_view *v, const struct json_node *n)
{
	printf(v->ctl->json ? "{\"missed\": %llu}\n"
			    : "... %llu more, which newer ones have overwritten\n",
		json_count(n, "missed"));
}

static void event_print(const struct event_view *v, const struct json_node *n)
{
	if (json_signed(n, "unix_ms") < v->since_ms)
		return;
	if (v->ctl->json) {
		json_print_line(n);
		return;
	}
	time_print(json_signed(n, "unix_ms"));
	trace_word_print(n, "severity", " ");
	trace_word_print(n, "kind", " ");
	trace_word_print(n, "text", "\n");
}

// False: a write failed; main() says so.
static bool event_line(void *arg, const struct json_node *root)
{
	const struct event_view *v = arg;
	if (json_count(root, "missed"))
		missed_print(v, root);
	else
		event_print(v, root);
	return fflush(stdout) == 0 && !ferror(stdout);
}

// Reads --since: the number of an event, or a time. False: `text` is neither.
static bool since_parse(struct event_view *v, const char *text)
{
	int64_t us;
	if (!text)
		return true;
	if (*text && strspn(text, "0123456789") == strlen(text)) {
		v->after = text;
		return true;
	}
	if (!log_time_parse(text, time(NULL), &us))
		return false;
	v->since_ms = us / 1000;
	return true;
}

static int events_show(struct ctl *c, const struct event_view *v)
{
	const struct http_param params[] = {{"after", v->after}, {"follow", "0"}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/events", params, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *root = json_doc_root(doc), *list = json_get(root, "events");
	if (json_count(root, "missed"))
		missed_print(v, root);
	for (size_t i = 0; i < json_length(list); i++)
		event_print(v, json_at(list, i));
	json_doc_free(doc);
	return CTL_OK;
}

static int cmd_events(struct ctl *c)
{
	struct event_view v = {.ctl = c};
	if (!since_parse(&v, c->since)) {
		ctl_fail(c, "--since takes the number of an event, 90s, 15m, 2h, 7d or "
			    "2026-11-20T10:00");
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	if (!c->follow)
		return events_show(c, &v);
	const struct http_param params[] = {{"after", v.after}, {NULL, NULL}};
	return http_stream(c, "/events", params, EVENTS_SILENCE_MS, event_line, &v);
}

CTL_COMMANDS = {
	{"events", NULL, 0, 0, CTL_OPT_SINCE | CTL_OPT_FOLLOW, cmd_events,
		"[--since N|T] [--follow]",
		"Show what happened since the event of number N or the time T (90s, 15m, 2h, 7d "
		"ago), oldest first; --follow: and what happens, until interrupted."},
	{"trace", NULL, 0, 0, CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_SECONDS | CTL_OPT_LIMIT,
		cmd_trace, "[--name N] [--client C] [--verdict V] [--seconds S] [--limit N]",
		"Trace queries through the workers for S seconds (3), with the time of each "
		"stage."},
	{"capture", NULL, 0, 0,
		CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_SECONDS | CTL_OPT_LIMIT | CTL_OPT_OUTPUT,
		cmd_capture,
		"-o FILE [--verdict V] [--name N] [--client C] [--seconds S] [--limit N]",
		"Write the frames of queries and replies to a pcap file. V: a verdict, malformed "
		"or dropped."},
};
