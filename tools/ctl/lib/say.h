// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Prints sentences with values of a JSON object on stdout. In the text these stand for a key's
// value:
//   {key}    a text, escaped for the terminal (term_text.h)
//   {key:q}  the same as one word of a shell, for a command that is proposed (text.h)
//   {key:d}  a domain name, for a person (term_names.h); not in a command that is proposed
//   {key:u}  1234567       {key:n}  1,234,567      {key:b}  bytes, "64.0 MiB"
//   {key:t}  milliseconds as "3 d 4 h"             {key:s}  seconds as "3 d 4 h"

#include "json_doc.h"

void say(const struct json_node *n, const char *text);
// Prints only if `key` is true, a number over 0 or a text that is not empty. Returns whether it is.
bool say_if(const struct json_node *n, const char *key, const char *text);
// Prints the sentence for each object of the list.
void say_each(const struct json_node *list, const char *text);
