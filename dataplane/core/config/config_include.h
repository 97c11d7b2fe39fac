// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The key `include`: paths, and patterns of file names (fnmatch), relative to the folder of the
// main file. The main file counts first, then the items of the list in their order; the files of a
// pattern are ordered by name.
//
// Mappings are merged, lists appended; a key with one value that two files have is refused. An
// included file may have neither `include` nor `version`, nor `runtime`: weirctl finds a running
// weir by that section whatever is wrong elsewhere (config_places_find). At most
// CONFIG_INCLUDED_MAX files are included, and all files have CONFIG_FILE_MAX bytes at most.
//
// Blocks as reads of small files do. The caller owns the document and with it the texts.

#include "config_doc.h"

#include <weir/config.h>

// Reads the files into `doc`, and merges their keys into its tree, which passed
// config_schema_check. -EINVAL by config_refuse, after all files were read; -ENOMEM.
ATTR_MUST_CHECK int config_include_read(struct config_doc *doc);

// Sets `out->include` and the hash of all texts. -ENOMEM; `out` may then be half filled.
ATTR_MUST_CHECK int config_include_keep(const struct config_doc *doc, struct config *out);
void config_include_free(struct config *c);
