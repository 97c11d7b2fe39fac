// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The key of a packet's question in one view, and the first line that is read for it. Without L0
// the hash only finds duplicates, so a hash without a key is enough.

#include "batch.h"
#include "core/l0/l0_read.h"

ATTR_INLINE void question_hash(const struct worker_tables *t, struct packet *p, uint16_t view)
{
	struct l0_key key;
	if (likely_(t->has_l0)) {
		l0_read_key(&t->l0, &p->q, view, &key);
		l0_prefetch_bucket(&t->l0, key.hash);
	} else {
		key = (struct l0_key){
			.hash = contenthash(p->q.name.wire, p->q.name.len) ^ p->q.qtype
				^ (uint64_t)view << 32,
			.view = view,
		};
	}
	p->hash = key.hash;
	p->key_word = key.word;
}

// question_hash where the name's hash is known and there is an L0.
ATTR_INLINE void question_hash_behind(
	const struct worker_tables *t, struct packet *p, uint16_t view, uint64_t name_hash)
{
	p->key_word = l0_read_key_word(&p->q, view);
	p->hash = l0_read_hash_behind(&t->l0, name_hash, p->key_word);
	l0_prefetch_bucket(&t->l0, p->hash);
}
