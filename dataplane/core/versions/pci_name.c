// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/pci_name.h>

bool pci_name_parse(const char *text, char out[PCI_NAME_MAX])
{
	static const char form[] = "xxxx:xx:xx.7";
	if (strlen(text) > 12)
		return false;
	snprintf(out, PCI_NAME_MAX, "%s%.12s", strlen(text) == 7 ? "0000:" : "", text);
	if (strlen(out) != strlen(form))
		return false;
	for (size_t i = 0; form[i]; i++) {
		bool ok = form[i] == 'x'   ? isxdigit((unsigned char)out[i]) != 0
			  : form[i] == '7' ? out[i] >= '0' && out[i] <= '7'
					   : out[i] == form[i];
		if (!ok)
			return false;
		out[i] = (char)tolower((unsigned char)out[i]);
	}
	return true;
}
