// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// JSON text, built from the top down. The one includer of jansson in the control plane.
//
// Any allocation that fails marks the whole document, and json_out_finish then returns NULL; no
// call in between needs a check. In an array `key` is NULL. Text that is not UTF-8 is escaped.

#include <stdbool.h>
#include <stdint.h>

struct json_out; // a document
struct json_node;

struct json_out *json_out_new(void); // NULL: out of memory; every function below takes that
struct json_node *json_out_root(struct json_out *o);

// Add to `parent`; nodes live as long as the document.
struct json_node *json_out_object(struct json_out *o, struct json_node *parent, const char *key);
struct json_node *json_out_array(struct json_out *o, struct json_node *parent, const char *key);
void json_out_text(struct json_out *o, struct json_node *parent, const char *key, const char *text);
void json_out_count(struct json_out *o, struct json_node *parent, const char *key, uint64_t n);
void json_out_signed(struct json_out *o, struct json_node *parent, const char *key, int64_t n);
void json_out_bool(struct json_out *o, struct json_node *parent, const char *key, bool b);

unsigned json_out_length(const struct json_node *array); // so far

char *json_out_finish(struct json_out *o); // frees the document; malloced text or NULL
char *json_out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
