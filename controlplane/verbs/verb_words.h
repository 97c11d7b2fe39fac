// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Changes of keys as the history says them: "group kids: schedule bedtime set".

#include <stddef.h>
#include <weir/config/versions.h>

// Writes what a path is about: "group kids", "group kids: schedule bedtime" for anything in that
// schedule, "everyone: safe search", "zone corp.example", or the path itself. Secrets in URLs are
// masked. The text is cut at `cap` bytes.
void verb_words_path(const char *path, char *out, size_t cap);

// Writes which keys the text of an override sets, as "cache.min_ttl, group kids: clients set", each
// once. "config override" where it sets none. The end is "..." where the text is too long.
void verb_words_override(const char *yaml, char out[CONFIG_VERSION_WHAT_MAX]);
