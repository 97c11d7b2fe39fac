// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What of the machine's words may stand in a public report. Makers choose most of these; an owner
// may have put a name into one: a version that was built at home, a driver of one's own.

enum { PUBLIC_MAX = 80 };

// A version: digits, single letters, and the words that distributions use. Each other word is "?":
// "6.1.0-32-amd64" stays, "6.12.9-alice" becomes "6.12.9-?". Returns `out`.
char *public_version(const char *text, char out[PUBLIC_MAX]);
// One word, of a driver, a release, a device's numbers: letters, digits and "_-.:+~". A text
// that has others becomes "?", an empty one stays. Returns `out`.
char *public_word(const char *text, char out[PUBLIC_MAX]);
// The model of a processor or a board, in printable ASCII without "/" and "\". Returns `out`.
char *public_model(const char *text, char out[PUBLIC_MAX]);
