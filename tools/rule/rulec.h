// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// rulec: rule images offline, with the code of weir-controlplane. What its commands share.

#include "controlplane/rule_image/rule_compile.h"
#include "controlplane/rule_image/rule_store.h"

enum { RULEC_OK = 0, RULEC_FAILED = 1, RULEC_USAGE = 2 };

// Each takes what follows its word on the command line.
int rulec_compile(int argc, char **argv);
int rulec_inspect(int argc, char **argv);
int rulec_query(int argc, char **argv);
int rulec_why(int argc, char **argv);

int rulec_usage(void);
int rulec_failed(const char *why);

// Lists of the command line, behind the operator's two sources, which are empty here.
struct rulec_lists {
	unsigned count;
	struct rule_source source[RULE_LISTS_MAX];
	struct rule_source next; // what the options before it say of the next list
};
#define RULEC_LIST_OPTIONS "af:Ft:"
void rulec_lists_begin(struct rulec_lists *l);
// An option of RULEC_LIST_OPTIONS. False: no such option, or a value that it cannot have.
bool rulec_lists_option(struct rulec_lists *l, int option, const char *value);
ATTR_MUST_CHECK int rulec_lists_add(struct rulec_lists *l, const char *path); // or said
// Builds an image of them; RULEC_OK or said. `result`: [l->count].
ATTR_MUST_CHECK int rulec_lists_compile(const struct rulec_lists *l,
	struct rule_source_result *result, struct rule_arena *out, size_t *peak_bytes);

// RULEC_OK or said.
ATTR_MUST_CHECK int rulec_load(
	const char *path, struct rule_arena *image, struct rule_reader *reader);
ATTR_MUST_CHECK int rulec_name(const char *text, struct dns_name *out);
ATTR_MUST_CHECK int rulec_type(const char *text, uint16_t *out);
