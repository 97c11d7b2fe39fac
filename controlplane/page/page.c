// SPDX-License-Identifier: BSD-3-Clause

#include "page.h"

#include "page_files.h" // written by page_embed.py

#include <string.h>
#include <weir/attr.h>

const struct page_file *page_find(const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	for (unsigned i = 0; i < ARRAY_LEN(page_files); i++)
		if (strcmp(page_files[i].path, path) == 0)
			return &page_files[i];
	return NULL;
}
