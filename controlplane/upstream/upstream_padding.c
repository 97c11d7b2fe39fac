// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_padding.h"

#include <string.h>
#include <weir/bytes.h>

enum { OPTION_PADDING = 12, OPTION_HEAD_LEN = 4, RDLENGTH_LEN = 2 };

size_t upstream_padding_add(uint8_t *msg, size_t len, unsigned options)
{
	size_t bare = len + OPTION_HEAD_LEN;
	unsigned pad = (unsigned)(-bare % UPSTREAM_PADDING_BLOCK);

	put_u16(msg + len - options - RDLENGTH_LEN, (uint16_t)(options + OPTION_HEAD_LEN + pad));
	put_u16(msg + len, OPTION_PADDING);
	put_u16(msg + len + 2, (uint16_t)pad);
	memset(msg + bare, 0, pad);
	return bare + pad;
}
