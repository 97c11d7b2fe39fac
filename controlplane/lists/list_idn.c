// SPDX-License-Identifier: BSD-3-Clause
#include "list_idn.h"

#include <idn2.h>

bool list_idn_to_ascii(struct list_text text, char out[LIST_IDN_TEXT_MAX])
{
	char copy[4 * LIST_IDN_TEXT_MAX], *ascii = NULL;
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	int err = idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	bool good = err == IDN2_OK && strlen(ascii) < LIST_IDN_TEXT_MAX;
	if (good)
		memcpy(out, ascii, strlen(ascii) + 1);
	if (err == IDN2_OK)
		idn2_free(ascii);
	return good;
}
