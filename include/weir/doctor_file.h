// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files in runtime.state_directory between `weirctl doctor --save`, which runs as root, and the
// control plane, which does not: the last report, and the request for a new one.
//
// The report is a JSON object: `format`, `checked_unix_s`, `version` (weirctl's), the counts `ok`,
// `warnings`, `wrong`, `not_checked` and `left_out` (findings for which there was no room), and
// `findings`, each with `verdict`, `check`, `text`, and `do` where a command repairs it. The
// request has no content: the file that is there is the request.

#define DOCTOR_REPORT_NAME  "doctor"
#define DOCTOR_REQUEST_NAME "doctor.request"

enum {
	DOCTOR_FORMAT = 1,
	DOCTOR_REPORT_MAX = 128 << 10, // bytes of the file
	DOCTOR_FINDINGS_MAX = 256,
	DOCTOR_TEXT_MAX = 1536 // bytes of a text or a command, with its zero byte
};
