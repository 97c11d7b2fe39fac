// SPDX-License-Identifier: BSD-3-Clause
// The report as a text. All its words have passed doctor_public.h.

#include "doctor_report.h"
#include "lib/figure.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 79, FIRST_COLUMN = 19 };

// "a, b, c" in lines of at most COLUMNS, under one title.
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

// By their verdicts: "warning  ports, xdp".
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

void doctor_report_print(const struct json_node *root)
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
