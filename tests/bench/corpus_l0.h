// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The corpus' names (tools/loadgen/corpus.h) as records of L0, through its writer.

#include <weir/l0_writer.h>

enum { CORPUS_RECORD_UNITS = 4 };

ATTR_MUST_CHECK int corpus_l0_put(struct l0_writer *writer, uint32_t id, uint64_t now_ms);
// With the first `count` of its CORPUS_ANSWERS records.
ATTR_MUST_CHECK int corpus_l0_put_some(
	struct l0_writer *writer, uint32_t id, unsigned count, uint64_t now_ms);
// That the missing name of this number does not exist: an SOA record, NXDOMAIN.
ATTR_MUST_CHECK int corpus_l0_put_negative(struct l0_writer *writer, uint32_t id, uint64_t now_ms);
bool corpus_l0_has(const struct l0_reader *reader, uint32_t id);
