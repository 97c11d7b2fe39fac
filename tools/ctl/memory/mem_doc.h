// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One look at the memory of both processes as a JSON object, and such looks kept under a name.
//
// What the control plane says of itself (GET /mem), with the regions that the data plane has
// mapped, as far as we may see (root). Kept ones are weir's files in the runtime directory; they
// go with the next boot. Each says its `format`; of an older one what it lacks is left out, a later
// one is refused.

#include "lib/ctl.h"
#include "lib/json_doc.h"

enum { MEM_NAME_MAX = 32, MEM_DOC_MAX = 1 << 20, MEM_DOC_FORMAT = 2 };

struct json_doc *mem_doc_take(const struct ctl *c); // NULL: said why

// `name`: 1 to MEM_NAME_MAX letters, digits, '-' and '_'.
ATTR_MUST_CHECK int mem_doc_keep(const struct ctl *c, const char *name, const struct json_doc *doc);
struct json_doc *mem_doc_kept(const struct ctl *c, const char *name); // NULL: said why

// The data plane's part of a document: its heap by account as it tells in its statistics, what it
// has reserved of DPDK, and what the kernel says of its mappings, for which one must be root. It is
// empty while no data plane runs.
void mem_doc_dataplane_print(const struct json_node *root);
void mem_doc_line(const char *name, uint64_t bytes, const char *text); // for people, on stdout
void mem_doc_explained(uint64_t bytes, uint64_t rss); // that line, with its part of the sum
uint64_t mem_doc_above(uint64_t a, uint64_t b);       // how far; 0: not above
